"""The plan of a job: everything that is decided, or refused, before the first frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.media.mel import SAMPLE_RATE
from swaptalk.media.mux import Sound
from swaptalk.media.output_format import OutputFormat, output_format
from swaptalk.media.probe import MediaInfo
from swaptalk.media.subtitles import Cue, SubtitleTrack
from swaptalk.pipeline.captions import Captions
from swaptalk.pipeline.checks import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    check_disk,
    check_output,
    video_bytes,
)
from swaptalk.pipeline.inputs import InputFile, InputFiles
from swaptalk.pipeline.notes import (
    about_background,
    about_colour,
    about_form,
    about_lengths,
    about_raised_rate,
    about_size,
    about_target,
    about_transparency,
    about_words,
)
from swaptalk.pipeline.option_values import output_size, view_size
from swaptalk.pipeline.options import GenerateOptions, Purpose
from swaptalk.pipeline.output_form import (
    FurtherTracks,
    check_form,
    further_tracks_of,
    output_sound,
    subtitles_of,
)
from swaptalk.pipeline.people import Person, Turn
from swaptalk.pipeline.people_plan import (
    other_files,
    people_options,
    recordings_of,
    turns_of,
    with_all_people,
)
from swaptalk.pipeline.plan_checks import check_outputs, check_photo, check_video, target_shape
from swaptalk.pipeline.target import TargetFrames
from swaptalk.pipeline.template.template import Template, template_of
from swaptalk.pipeline.timeline import Playback, frame_count, output_seconds

#: Jobs longer than this (seconds of video) must be confirmed: they take hours and are mostly
#: mistakes.
LONG_SECONDS = 3600.0
#: Rates below the first make lips jerk; the output of a job with words then gets the second, that
#: of the motion tokens.
LOWEST_SPEECH_RATE, SPEECH_RATE = Fraction(20), Fraction(25)
#: Upper estimate of what the analysis of one frame takes on disk: the mesh of several faces, codes,
#: alignment.
ANALYSIS_BYTES_PER_FRAME = 20_000
#: 16-bit stereo at 48 kHz is the most that a sound track being encoded takes; in truth it is a
#: tenth.
AUDIO_BYTES_PER_SECOND = 24_000


@dataclass(frozen=True)
class Plan:
    """A job that has passed all checks before face detection."""

    options: GenerateOptions
    target: InputFile
    sources: tuple[InputFile, ...]
    audio: InputFile | None
    fps: Fraction
    """Frames per second of the output; the target is read at this rate too."""
    width: int
    height: int
    frames: int
    """Frames of the output."""
    playback: Playback
    """Target frame of each output frame; its length is the number of frames to analyse."""
    sound: Sound | None
    """Sound of the output."""
    image: bool
    """The output is a photo."""
    transparent: bool = False
    """The target has transparent parts."""
    view: tuple[int, int] = (0, 0)
    """Width and height of what is shown of each picture."""
    further: FurtherTracks = FurtherTracks()
    """Tracks besides picture and sound."""
    subtitles: InputFile | None = None
    captions: tuple[Cue, ...] = ()
    """Subtitles that are drawn into the picture."""
    people: tuple[Plan, ...] = ()
    """Of several people: the job of each, as if there were no other; none otherwise."""
    entry: Person | None = None
    """The entry that this is the job of."""
    turns: tuple[Turn, ...] | None = None
    """When the person of a shared recording speaks; None: always."""
    others: tuple[InputFile, ...] = ()
    """Input files besides those that are named above."""
    template: Template | None = None
    """Template of the target; the options then name the template's own target."""
    stored_swap: bool = False
    """Whether the template holds the swap that this job asks for."""
    notes: tuple[str, ...] = ()
    """What is done to the inputs without being asked for, one line each."""

    @property
    def seconds(self) -> Fraction:
        """Length of the output."""
        return self.frames / self.fps

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        """Every file that decides what comes out; a template does not, it only saves work."""
        files = (self.target, *self.sources, self.audio, self.subtitles, *self.others)
        return tuple(dict.fromkeys(file for file in files if file is not None))

    @property
    def recordings(self) -> tuple[InputFile, ...]:
        """Every recording of words, each once."""
        found = [self.audio, *(person.audio for person in self.people)]
        return tuple(dict.fromkeys(file for file in found if file is not None))

    @property
    def keeps_alpha(self) -> bool:
        """Whether the output has the target's transparency."""
        output = self.options.output
        if not self.transparent or output is None:
            return False
        return output.suffix.lower() == ".png" if self.image else self.codec == "prores"

    @property
    def form(self) -> OutputFormat:
        """Kind of video that is written."""
        return output_format(self.options.output)

    @property
    def codec(self) -> str | None:
        """Codec of the output's video, None for animated pictures."""
        return self.options.codec or next(iter(self.form.codecs), None)

    @property
    def compiled(self) -> bool:
        """Whether the template holds what is needed of every frame, and not only of most."""
        held = None if self.template is None else self.template.header
        return held is not None and (held.frames, held.face) == (
            self.playback.length,
            self.options.face,
        )

    def open_target(self) -> TargetFrames:
        """Open the target at the output's rate and size."""
        options = self.options
        return TargetFrames(
            self.target, self.fps, options.start, options.end, (self.width, self.height)
        )


def make_plan(
    options: GenerateOptions,
    purpose: Purpose = "render",
    create_folders: bool = False,
    files: InputFiles | None = None,
) -> Plan:
    """Check the inputs and options and decide length, rate and size.

    Args:
        options: the job.
        purpose: what it is for.
        create_folders: the outputs' folders need not be there yet.
        files: what is known of input files already; it learns of those of this job.

    Raises:
        InputError: anything that would make the job fail or harm a file, with a remedy.
    """
    options.check_values(purpose)
    template = template_of(options)
    asked_resolution, asked_fps = options.resolution, options.fps
    if template is not None:
        options = template.applied(options)
    files = InputFiles() if files is None else files
    asked, turns = options, turns_of(options)
    options = with_all_people(options, files)
    target, sources = files[options.target], files.of(options.source)
    audio = None if options.audio is None else files[options.audio]
    if template is not None:
        target.sha256 = template.header.target.sha256  # has just been verified
    output, photo = options.output, target.is_photo
    check_outputs(options, photo and audio is None, template, create_folders)
    media = None if photo else check_video(options, target)
    notes: list[str] = []
    if media is not None:
        notes += about_target(media, options, asked_fps is not None)
        options = _raised(options, media, purpose, notes)
    shape = target_shape(target, options)
    size = output_size(options.resolution, shape.width, shape.height)
    if template is not None:
        own = shape.width, shape.height
        template.check_frames(asked_resolution, own, shape.frames, shape.fps)
    notes += about_colour(shape.photo_colour, target.path)
    for source in sources:
        check_photo(source)
    samples = 0 if audio is None else audio.samples
    plan = Plan(
        options=options,
        target=target,
        sources=sources,
        audio=audio,
        fps=shape.fps,
        width=size[0],
        height=size[1],
        frames=_output_frames(options, None if photo else shape.frames, samples, shape.fps, notes),
        playback=Playback(shape.frames, options.extend),
        sound=output_sound(options, media, recordings_of(asked, files)),
        image=output is not None and output.suffix.lower() in IMAGE_SUFFIXES,
        transparent=shape.transparent,
        view=view_size(options.crop, *size),
        subtitles=None if options.subtitles is None else files[options.subtitles],
        others=other_files(asked, files),
        template=template,
    )
    if turns and audio is not None and turns[-1].start * SAMPLE_RATE >= samples:
        raise InputError(
            f"a turn of {turns[-1].person} begins at {turns[-1].start:g} s, after the recording",
            path=asked.turns,
            remedy="time the turns from the beginning of --audio",
        )
    return _with_people(_with_output(plan, notes), asked, turns, files)


def _with_output(plan: Plan, notes: list[str]) -> Plan:
    """The plan with its tracks, notes and the target frames that are needed, once the output has
    been checked against what it is to hold.
    """
    options, output = plan.options, plan.options.output
    if options.subtitles is not None or options.keep_tracks:
        plan = _with_tracks(plan, notes)
    if output is not None and not plan.image:
        check_form(options, output, plan.seconds, plan.fps)
    elif options.thumbnail is not None:
        raise InputError(
            "is the thumbnail of a photo", path=options.thumbnail, remedy="leave out --thumbnail"
        )
    notes += _about_output(plan)
    plan = replace(
        plan,
        playback=Playback(min(plan.playback.length, plan.frames), options.extend),
        notes=tuple(dict.fromkeys(notes)),
    )
    if output is not None:
        _check_amount(plan, output)
    return plan


def _with_people(
    plan: Plan, asked: GenerateOptions, turns: tuple[Turn, ...], files: InputFiles
) -> Plan:
    """The plan with the job of each person."""
    people = []
    for person, options in zip(asked.people, people_options(plan.options, asked), strict=True):
        spoken = tuple(turn for turn in turns if turn.person == person.called)
        people.append(
            replace(
                plan,
                options=options,
                sources=files.of(options.source),
                audio=None if options.audio is None else files[options.audio],
                entry=person,
                turns=spoken if asked.turns is not None else None,
            )
        )
    return replace(plan, people=tuple(people))


def _with_tracks(plan: Plan, notes: list[str]) -> Plan:
    """The plan with the tracks that are asked for, and subtitles that are drawn."""
    options, seconds = plan.options, float(plan.seconds)
    cues = subtitles_of(options, seconds, notes)
    drawn = cues if options.subtitles_as == "burn" else ()
    if drawn:
        Captions(drawn, *plan.view, options.label_font)  # what cannot be drawn shows now
    shown = min(seconds, float(plan.playback.length / plan.fps))
    further = further_tracks_of(options, shown) if options.keep_tracks else FurtherTracks()
    if cues and options.subtitles_as == "track":
        texts = (SubtitleTrack(cues), *further.texts)
        further = replace(further, texts=texts)
    return replace(plan, further=further, captions=drawn)


def _raised(
    options: GenerateOptions, media: MediaInfo, purpose: Purpose, notes: list[str]
) -> GenerateOptions:
    """The options with a higher rate where the target's is too low for speech and none is asked
    for.
    """
    assert media.video is not None  # checked
    speaks = options.audio is not None or purpose in ("template", "live")
    own = media.video.average_fps
    if not speaks or options.fps is not None or own >= LOWEST_SPEECH_RATE:
        return options
    notes.append(about_raised_rate(options, own, SPEECH_RATE))
    return replace(options, fps=str(SPEECH_RATE))


def _output_frames(
    options: GenerateOptions,
    available: int | None,
    samples: int,
    fps: Fraction,
    notes: list[str],
) -> int:
    """Frames of the output for a target of ``available`` (None: a photo) and a recording of
    ``samples``.
    """
    if not samples:
        return 1 if available is None else available
    video, words = None if available is None else available / fps, Fraction(samples, SAMPLE_RATE)
    seconds = output_seconds(options.length, video, words)
    notes += about_lengths(options, video, words, seconds)
    return frame_count(seconds, fps)


def _about_output(plan: Plan) -> Iterator[str]:
    """What the kind of output takes from the inputs."""
    options, output = plan.options, plan.options.output
    if plan.transparent and not plan.keeps_alpha and output is not None:
        yield about_transparency(options)
    if not plan.image and output is not None:
        yield from about_size(options, *plan.view)
        yield from about_form(plan.form, output, plan.sound is not None)
    for recording in plan.recordings:
        yield from about_words(recording.media, recording.path)
    if plan.audio is not None:
        yield from about_background(options, plan.playback.length / plan.fps, plan.seconds)


def plan_faults(
    options: GenerateOptions,
    purpose: Purpose = "render",
    create_folders: bool = False,
    files: InputFiles | None = None,
) -> list[str]:
    """All that :func:`make_plan` would refuse and that can be told by itself, where it refuses a
    job; empty if it does not.
    """
    files = InputFiles() if files is None else files
    try:
        make_plan(options, purpose, create_folders, files)
    except SwapTalkError as error:
        found = [str(error)]
    else:
        return []
    target = files[options.target]
    checks: list[Callable[[], object]] = [lambda: target.is_photo or check_video(options, target)]
    checks += [partial(check_photo, source) for source in files.of(options.source)]
    if options.audio is not None:
        audio = files[options.audio]
        checks.append(lambda: audio.samples)
    if options.output is not None:
        suffixes = (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
        checks.append(partial(check_output, options.output, suffixes, (), create_folders))
    found += [str(fault) for fault in options.value_faults(purpose)]
    for check in checks:
        try:
            check()
        except SwapTalkError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def _check_amount(plan: Plan, output: Path) -> None:
    if plan.seconds > LONG_SECONDS and not plan.options.allow_long:
        by_audio = plan.options.audio is not None and plan.options.length == "audio"
        raise InputError(
            f"the output would be {float(plan.seconds) / 3600:.1f} hours long",
            path=plan.options.audio if by_audio else plan.options.target,
            remedy=(
                "give --length shortest and --end SECONDS"
                if by_audio
                else "cut it with --end SECONDS"
            )
            + ", or confirm with --allow-long",
        )
    video = video_bytes(*plan.view, plan.frames, plan.codec, plan.options.quality)
    sound = int(plan.seconds * AUDIO_BYTES_PER_SECOND)
    # Chunks, then the whole, then its signed copy.
    check_disk(output, 3 * video + 2 * sound + plan.playback.length * ANALYSIS_BYTES_PER_FRAME)
