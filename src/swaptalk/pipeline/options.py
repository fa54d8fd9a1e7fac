"""Options of a job and of the engine that runs it. The field docstrings are the help texts.

A field's metadata says what it has to do with the identity of a job: nothing is said of fields that
change what the output looks like, which is the rule; `INPUT` marks files that are compared by their
content, and `INCIDENTAL` what may differ between a job and its continuation.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from swaptalk.errors import InputError
from swaptalk.inference.engines import Precision
from swaptalk.pipeline.option_values import (
    check_codec,
    check_known,
    check_range,
    output_size,
    parse_fps,
)
from swaptalk.pipeline.people import FACE_CHOICE, Person, parse_person, people_faults
from swaptalk.pipeline.timeline import Extend, LengthPolicy

#: Gains in dB: below the first nothing is heard, above the second everything is at the limit.
GAINS = (-60.0, 20.0)
#: Loudness in LUFS, from distant speech to what no service takes.
LOUDNESS = (-40.0, -8.0)

_Options = TypeVar("_Options", "EngineOptions", "GenerateOptions")
Region = Literal["face", "mouth"]
#: What a job is for: a video, frames for the caller's own use, only the list of faces, a template,
#: or live frames.
Purpose = Literal["render", "frames", "faces", "template", "live"]
Order = Literal["swap-first", "sync-first"]
#: What becomes of subtitles.
SubtitleKind = Literal["track", "beside", "burn"]
#: Shapes that can be cut out.
Crop = Literal["9:16", "1:1", "16:9"]
#: How a mouth is moved: reference frames warped in the picture, or their embedding by the lip-sync
#: network.
Lips = Literal["composite", "latent"]
#: What becomes of the scene's sound where words replace it.
Background = Literal["none", "keep", "duck"]
Device = Literal["auto", "cpu", "openvino", "cuda", "coreml", "directml"]


#: Whose face is replaced where nothing is said.
DEFAULT_FACE = "largest"

#: Metadata of fields with input files: a job is identified by their content, not by their names.
INPUT = {"fingerprint": "content"}
#: Metadata of fields that change neither the pictures nor the sound of the output.
INCIDENTAL = {"fingerprint": "none"}


@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """What is seen of the target: these decide its analysis, and a template holds them."""

    target: Path = field(metadata=INPUT)
    """Video, photo or template: the scene, the head movement and the expression."""
    face: str | None = None
    """Face to replace: largest (default), left, right, a number of --list-faces, or like:PHOTO."""
    start: float = 0.0
    """Start at this time of the target video, in seconds."""
    end: float | None = None
    """Stop at this time of the target video, in seconds."""
    fps: str | None = None
    """Frames a second, such as 25 or 30000/1001; else the target's, for speech at least 20."""
    resolution: str | None = None
    """Size of the output: WIDTHxHEIGHT or a height such as 720; the target's if left out."""


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Options of the engine that runs the networks: loaded once, used by many jobs.

    They are no options of a job. Other weights make it another job, another device or precision
    only rounds differently.
    """

    device: Device = "auto"
    """Engine or device of the networks; auto takes the fastest that is installed."""
    precision: Precision = "auto"
    """Precision of the networks: float32, bfloat16 or int8; auto takes the fastest here."""
    threads: int = 0
    """CPU threads of the networks; 0 shares the cores with the other stages."""
    models: Path | None = None
    """Folder of SwapTalk weights; the ones in the package if left out."""

    def check_engine(self) -> None:
        """Refuse values out of range.

        Raises:
            InputError: naming the option and what it takes.
        """
        check_known("--device", self.device, get_args(Device))
        check_known("--precision", self.precision, get_args(Precision))
        check_range("--threads", self.threads, 0, 1024)


@dataclass(frozen=True, kw_only=True)
class RenderOptions(TargetOptions):
    """Options of the output."""

    output: Path | None = field(default=None, metadata=INCIDENTAL)
    """Video to write (.mp4, .webm, .mov; .gif or .webp up to 30 s; .png or .jpg for a photo)."""
    list_faces: Path | None = field(default=None, metadata=INCIDENTAL)
    """Only find faces: write a numbered contact sheet (.png) here and stop."""
    preview: Path | None = field(default=None, metadata=INCIDENTAL)
    """Write a picture of a few target frames above their results; stop without --output."""
    region: Region | None = None
    """Replace the face (default with a source), or mouth and jaw only (default without)."""
    restoration: bool = True
    """Give back what the decoder loses: lashes and pores of the photo, lips of the target."""
    quality: str = "high"
    """Video quality: low, medium, high, best, or a constant rate factor (lower is better)."""
    codec: str | None = None
    """Video codec: h264 (MP4's, plays everywhere), hevc, vp9 (WebM's), av1 or prores (MOV's)."""
    crop: Crop | None = None
    """Shape of the output: 9:16, 1:1 or 16:9, cut out of the scene so that it follows the face."""
    thumbnail: Path | None = field(default=None, metadata=INCIDENTAL)
    """Write one frame of the output, the person seen well, as a picture (.jpg, .png)."""
    subtitles: Path | None = field(default=None, metadata=INPUT)
    """Subtitles of the output (.srt, .vtt), timed from its beginning."""
    subtitles_as: SubtitleKind = "track"
    """A track in the output, a file beside it, or burn: drawn into the picture."""
    keep_tracks: bool = False
    """Keep the target's further sound and subtitle tracks."""
    stats: Path | None = field(default=None, metadata=INCIDENTAL)
    """Write a JSON report here: frames, speed, time per stage, memory, unchanged frames."""
    resume: bool = field(default=False, metadata=INCIDENTAL)
    """Continue an interrupted job with the same inputs and options."""
    allow_long: bool = field(default=False, metadata=INCIDENTAL)
    """Allow a job of more than an hour of video."""
    consent: str | None = field(default=None, metadata=INCIDENTAL)
    """Why this may be made: a file (release form) or a sentence. Recorded in the output."""
    label: bool = False
    """Show a label in the lower left corner of the picture."""
    label_text: str = "AI-generated"
    """Text of the label."""
    label_font: Path | None = None
    """Font (.ttf, .otf) of label and burnt subtitles; needed for other than Latin letters."""
    certificate: Path | None = field(default=None, metadata=INCIDENTAL)
    """Certificate chain (.pem, for C2PA) to sign with; self-signed if left out."""
    key: Path | None = field(default=None, metadata=INCIDENTAL)
    """Private key (.pem) of the certificate."""
    timestamp_url: str | None = field(default=None, metadata=INCIDENTAL)
    """RFC 3161 service that signs the time."""


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Options of the source: the person to put into the video."""

    source: tuple[Path, ...] = field(default=(), metadata=INPUT)
    """Photo of the person to put into the video; of several, each frame takes the nearest pose."""
    source_face: str | None = None
    """Face in a photo of several people: largest, left, right, or a number from the left."""
    strength: float = 1.0
    """Share of the source's identity: 0 keeps the target's face, 1 takes the source's."""
    shape: float = 1.0
    """Shape of the face: 1 takes the source's, 0 keeps the target's."""
    detail: bool = True
    """Fine detail of a sharp photo on large faces, beyond what the networks see."""


@dataclass(frozen=True, kw_only=True)
class AudioOptions:
    """Options of the recording: the words to be spoken."""

    audio: Path | None = field(default=None, metadata=INPUT)
    """Recording (or video with sound) of the words; it becomes the sound of the output."""
    length: LengthPolicy = "audio"
    """Length of the output: audio, video (audio is cut or padded), or the shorter one."""
    extend: Extend = "pingpong"
    """If the audio is longer: play the video back and forth, or freeze its last frame."""
    lips: Lips = "latent"
    """How the mouth moves: latent (network) or composite (warped before it; less in step)."""
    background: Background = "none"
    """Scene's sound, with its speech, under the words: none, keep, or duck (lowered)."""
    background_gain: float = 0.0
    """Gain of the scene's sound in dB."""
    duck_gain: float = -15.0
    """Further gain in dB while somebody speaks, with --background duck."""
    loudness: float | None = None
    """Integrated loudness of the words in LUFS (EBU R128), such as -16; else as recorded."""


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(RenderOptions, AudioOptions, SourceOptions):
    """Options of a job. Without a source the face stays, without audio speech and mouth stay."""

    person: tuple[str, ...] = ()
    """One of several people: "face=2,source=photo.jpg,audio=words.wav" (also name, shape, ...)."""
    turns: Path | None = field(default=None, metadata=INPUT)
    """Who speaks when in --audio: a table (.csv) with the columns start, end, person."""
    order: Order = "swap-first"
    """Order of the two steps in latent space; sync-first is for comparisons."""

    def __post_init__(self) -> None:
        """Convert strings to paths, a single photo to a tuple, and numbers to text."""
        for one in dataclasses.fields(self):
            value: Any = getattr(self, one.name)
            if one.type in ("Path", "Path | None") and isinstance(value, str):
                object.__setattr__(self, one.name, Path(value))
        source: Any = self.source
        photos = (source,) if isinstance(source, (str, Path)) else tuple(source or ())
        object.__setattr__(self, "source", tuple(Path(photo) for photo in photos))
        people: Any = self.person
        object.__setattr__(
            self, "person", (people,) if isinstance(people, str) else tuple(people or ())
        )
        for name in ("quality", "fps", "resolution"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else str(value))

    @property
    def people(self) -> tuple[Person, ...]:
        """The entries of ``person``.

        Raises:
            InputError: one is wrong.
        """
        return tuple(parse_person(entry) for entry in self.person)

    @property
    def speaks(self) -> bool:
        """Whether somebody gets new words."""
        return self.audio is not None or any(one.audio is not None for one in self.people)

    @property
    def replaced_region(self) -> Region:
        """The region after the default has been applied."""
        return self.region or ("face" if self.source else "mouth")

    @property
    def warps_lips(self) -> bool:
        """Whether mouths are moved in the picture, before the swap and before faces are encoded."""
        return self.audio is not None and self.lips == "composite"

    @property
    def shows_mouths(self) -> bool:
        """Whether mouths of the target are shown in others of its frames."""
        return self.audio is not None and (self.restoration or self.lips == "composite")

    def _faults_of_people(self, people: tuple[Person, ...]) -> Iterator[InputError]:
        if not people:
            if self.turns is not None:
                yield InputError("--turns without --person", remedy="give an entry for each person")
            return
        if (self.audio is None) != (self.turns is None):
            one, other = ("--turns", "--audio") if self.audio is None else ("--audio", "--turns")
            yield InputError(
                f"{one} with --person, but no {other}",
                remedy=f"give {other}, or each person an audio= of their own",
            )
        yield from people_faults(people, self.turns is not None)
        for option, given in (
            ("--face", self.face is not None),
            ("--source", bool(self.source)),
            ("--source-face", self.source_face is not None),
        ):
            if given:
                yield InputError(
                    f"{option} beside --person", remedy="put it into the entry of the person"
                )
        if self.order != "swap-first":
            yield InputError(f"--order {self.order} for several people", remedy="leave out --order")

    def check_values(self, purpose: Purpose = "render") -> None:
        """Refuse values that are wrong whatever the inputs are.

        Raises:
            InputError: naming the first such option and what it takes.
        """
        for fault in self.value_faults(purpose):
            raise fault

    def value_faults(self, purpose: Purpose = "render") -> Iterator[InputError]:
        """All values that no input could make right."""
        try:
            people = self.people
        except InputError as error:
            yield error
            return
        yield from self._faults_of_people(people)
        yield from self._faults_of_combination(purpose, bool(people))
        yield from self._faults_of_choice()
        yield from self._faults_of_range()

    def _faults_of_combination(self, purpose: Purpose, people: bool) -> Iterator[InputError]:
        """Options that lack another one, or contradict it."""
        nothing = not self.source and self.audio is None and not people
        if purpose in ("render", "frames") and nothing:
            yield InputError(
                "nothing to do without a source face and without audio",
                remedy="give --source or --audio",
            )
        if purpose == "render" and self.output is None and self.preview is None:
            yield InputError("no place to write to", remedy="give --output OUT.mp4")
        if self.end is not None and not self.end > self.start:
            yield InputError(
                f"--end {self.end} is not after --start {self.start}", remedy="give a later --end"
            )
        if self.thumbnail is not None and self.output is None:
            yield InputError(
                "--thumbnail without --output", remedy="give --output, or leave it out"
            )
        if not self.speaks:
            for option, given in (
                ("--background", self.background != "none"),
                ("--loudness", self.loudness is not None),
            ):
                if given:
                    yield InputError(
                        f"{option} without new words", remedy=f"give --audio, or leave out {option}"
                    )

    def _faults_of_choice(self) -> Iterator[InputError]:
        """Choices of a face that mean nothing."""
        for option, choice in (("--face", self.face), ("--source-face", self.source_face)):
            if choice is None or re.fullmatch(r"largest|left|right|[0-9]{1,4}", choice):
                continue
            if option == "--face" and FACE_CHOICE.fullmatch(choice):
                continue
            yield InputError(
                f"{option} {choice} is unknown", remedy="give largest, left, right or a number"
            )

    def _faults_of_range(self) -> Iterator[InputError]:
        """Values that an option does not take."""
        for check in (
            lambda: check_range("--background-gain", self.background_gain, *GAINS),
            lambda: check_range("--duck-gain", self.duck_gain, GAINS[0], 0.0),
            lambda: check_range(
                "--loudness", LOUDNESS[0] if self.loudness is None else self.loudness, *LOUDNESS
            ),
            lambda: check_known("--region", self.region or "face", get_args(Region)),
            lambda: check_known("--length", self.length, get_args(LengthPolicy)),
            lambda: check_known("--extend", self.extend, get_args(Extend)),
            lambda: check_known("--order", self.order, get_args(Order)),
            lambda: check_known("--lips", self.lips, get_args(Lips)),
            lambda: check_known("--background", self.background, get_args(Background)),
            lambda: check_known("--subtitles-as", self.subtitles_as, get_args(SubtitleKind)),
            lambda: check_known("--crop", self.crop or "1:1", get_args(Crop)),
            lambda: check_range("--strength", self.strength, 0.0, 1.0),
            lambda: check_range("--shape", self.shape, 0.0, 1.0),
            lambda: check_range("--start", self.start, 0.0, math.inf),
            lambda: check_codec(self.output, self.codec, self.quality),
            lambda: parse_fps(self.fps),
            lambda: output_size(self.resolution, 1280, 720),
        ):
            try:
                check()
            except InputError as error:
                yield error


def narrowed(options: object, kind: type[_Options]) -> _Options:
    """Return the options of one kind from an object with the same fields and more; those that it
    lacks keep their defaults.
    """
    names = [one.name for one in dataclasses.fields(kind)]
    return kind(**{name: getattr(options, name) for name in names if hasattr(options, name)})


def fingerprinted(options: GenerateOptions) -> dict[str, str]:
    """The options that change what the output looks like, as text: what a job and its continuation
    have in common, besides the content of their input files.
    """
    return {
        one.name: str(getattr(options, one.name))
        for one in dataclasses.fields(options)
        if "fingerprint" not in one.metadata
    }
