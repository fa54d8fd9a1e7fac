"""What an output holds besides its pictures, and what its container cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.media.image import is_image
from swaptalk.media.mux import AudioSource, FurtherSound, Sound
from swaptalk.media.output_format import output_format
from swaptalk.media.probe import MediaInfo
from swaptalk.media.sound_mix import SoundMix, words_at
from swaptalk.media.subtitles import (
    Cue,
    SubtitleTrack,
    cut_cues,
    further_tracks,
    read_subtitles,
    track_cues,
)
from swaptalk.pipeline.inputs import InputFile
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.storage.files import write_atomically


def check_form(options: GenerateOptions, output: Path, seconds: Fraction, fps: Fraction) -> None:
    """Refuse what the output's container cannot hold.

    Args:
        options: the job.
        output: the video to write.
        seconds: its length.
        fps: its frames a second.

    Raises:
        InputError: naming what it is.
    """
    form = output_format(output)
    if form.longest is not None and seconds > form.longest:
        raise InputError(
            f"a {form.name} of {float(seconds):.1f} s would be huge",
            path=output,
            remedy=f"cut it to {form.longest:g} s with --end, or write .mp4 or .webm",
        )
    if form.fastest is not None and fps > form.fastest:
        raise InputError(
            f"a {form.name} cannot show {float(fps):g} frames a second",
            path=output,
            remedy=f"give --fps of at most {form.fastest:g}",
        )
    asked = {"--background": options.background != "none", "--loudness": options.loudness}
    for option, given in asked.items():
        if form.animated and given:
            raise InputError(
                f"{option} for a {form.name}, which has no sound",
                path=output,
                remedy=f"leave out {option}, or write .mp4, .webm or .mov",
            )
    texts = options.subtitles is not None and options.subtitles_as == "track"
    if form.subtitles is None and (texts or options.keep_tracks):
        option = "--subtitles-as track" if texts else "--keep-tracks"
        raise InputError(
            f"{option} for a {form.name}, which has no tracks",
            path=output,
            remedy="give --subtitles-as burn or beside, or write .mp4, .webm or .mov"
            if texts
            else "leave it out, or write .mp4, .webm or .mov",
        )
    if not form.manifest and options.certificate is not None:
        raise InputError(
            f"a {form.name} file cannot hold the signature of --certificate",
            path=output,
            remedy="leave it out, or write .mp4, .mov, .gif or .webp",
        )


@dataclass(frozen=True)
class FurtherTracks:
    """Tracks of an output besides its picture and its sound."""

    sounds: tuple[FurtherSound, ...] = ()
    texts: tuple[SubtitleTrack, ...] = ()


def subtitles_beside(options: GenerateOptions) -> Path | None:
    """The file beside the output that gets the subtitles, if they go there."""
    if options.subtitles is None or options.output is None or options.subtitles_as != "beside":
        return None
    return options.output.with_suffix(options.subtitles.suffix.lower())


def copy_subtitles(options: GenerateOptions) -> None:
    """Write the subtitles beside the output, if they go there."""
    beside = subtitles_beside(options)
    if beside is not None and options.subtitles is not None:
        write_atomically(beside, options.subtitles.read_text(encoding="utf-8-sig"))


def subtitles_of(options: GenerateOptions, seconds: float, notes: list[str]) -> tuple[Cue, ...]:
    """The subtitles of an output that lasts so many seconds; says in ``notes`` what is cut off.

    Raises:
        InputError: the file is at fault, or none of them falls into the output.
    """
    if options.subtitles is None:
        return ()
    written = read_subtitles(options.subtitles)
    cues = cut_cues(written, 0.0, seconds)
    if not cues:
        raise InputError(
            f"all its subtitles begin after the end of the output ({seconds:.1f} s)",
            path=options.subtitles,
            remedy="give subtitles that are timed from the beginning of the output",
        )
    if len(cues) < len(written):
        late = len(written) - len(cues)
        notes.append(f"{options.subtitles}: {late} subtitles after the end are left out")
    return cues


def further_tracks_of(options: GenerateOptions, seconds: float) -> FurtherTracks:
    """The target's further tracks as far as its first ``seconds`` are shown.

    Raises:
        InputError: the target is a photo, or has subtitles that are pictures.
    """
    target, start = options.target, options.start
    if is_image(target):
        raise InputError("a photo has no tracks", path=target, remedy="leave out --keep-tracks")
    found = further_tracks(target)
    return FurtherTracks(
        tuple(
            FurtherSound(
                AudioSource(target, start, start + seconds, track=one.index),
                one.language,
                one.title,
            )
            for one in found
            if one.kind == "audio"
        ),
        tuple(
            SubtitleTrack(
                cut_cues(track_cues(target, one), start, start + seconds), one.language, one.title
            )
            for one in found
            if one.kind == "subtitle"
        ),
    )


def output_sound(
    options: GenerateOptions, media: MediaInfo | None, recordings: Sequence[InputFile]
) -> Sound | None:
    """The sound of the output: recordings that begin together, or else the scene's own.

    Raises:
        InputError: the scene's sound is asked for and there is none, or a recording is too quiet
            for its loudness to be measured.
    """
    has_sound = media is not None and media.audio is not None
    scene = AudioSource(options.target, options.start, options.end, media) if has_sound else None
    if not recordings:
        return None if scene is None else AudioSource(options.target, options.start, media=media)
    if options.background != "none" and scene is None:
        raise InputError(
            f"has no sound for --background {options.background}",
            path=options.target,
            remedy="leave out --background, or give a video with sound",
        )
    words = [AudioSource(file.path, media=file.media) for file in recordings]
    if options.background == "none" and options.loudness is None and len(words) == 1:
        return words[0]
    return SoundMix(
        words_at(words, options.loudness),
        None if options.background == "none" else scene,
        options.background_gain,
        options.duck_gain if options.background == "duck" else 0.0,
    )
