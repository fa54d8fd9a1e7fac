"""Notes: what a job does to its inputs without being asked to, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

from swaptalk.faces.editing.beard import Beards
from swaptalk.media.output_format import OutputFormat
from swaptalk.media.probe import MediaInfo
from swaptalk.pipeline.options import GenerateOptions

#: Differences of length below this many seconds are not worth a word.
_NOTICEABLE = Fraction(1, 10)
#: How tracks of a kind are called.
_TRACKS = {"video": "video track", "audio": "sound track", "subtitle": "subtitle track"}


def about_target(media: MediaInfo, options: GenerateOptions, asked: bool) -> Iterator[str]:
    """Yield notes about a video that the output cannot keep as it is.

    Args:
        media: the target.
        options: the job.
        asked: the rate of the output was asked for.
    """
    video, name = media.video, options.target
    assert video is not None  # checked
    if video.variable_rate and not asked:
        yield (
            f"{name}: its pictures come unevenly; the output has {_rate_text(video.average_fps)} "
            "a second (--fps chooses another)"
        )
    yield from about_colour(video.colour, name)
    if video.interlaced:
        yield f"{name}: interlaced pictures are deinterlaced"
    elif video.fields is not None:
        yield f"{name}: its pictures are interlaced, though not flagged as such; deinterlaced"
    replaced = options.audio is not None
    kept = {kind: count for kind, count in media.left_out.items() if count}
    if replaced:
        kept.pop("audio", None)  # its words are replaced, in whichever track
    if options.keep_tracks:
        kept = {kind: count for kind, count in kept.items() if kind == "video"}
    if kept:
        yield f"{name}: {_counted(kept)} left out"
    if not replaced:
        yield from _mixed_down(media, name)


def about_colour(colour: str | None, name: Path) -> Iterator[str]:
    """HDR and wide-gamut pictures."""
    if colour == "wide gamut":
        yield f"{name}: its wide colour gamut is converted to BT.709"
    elif colour is not None:
        yield f"{name}: {colour} is tone-mapped to SDR (BT.709)"


def about_words(media: MediaInfo, path: Path) -> Iterator[str]:
    """Yield notes about the recording."""
    count = media.left_out.get("audio", 0)
    if count:
        yield f"{path}: {_counted({'audio': count})} left out"
    yield from _mixed_down(media, path)


def about_beards(options: GenerateOptions, beards: Beards) -> Iterator[str]:
    """What becomes of the beards of the photo and the target."""
    if beards is Beards.ALIKE:
        return
    photo, target = options.source[0], options.target
    if beards is Beards.KEPT:
        yield (
            f"{target}: mouth and chin stay as they are, since the face has a beard and that of "
            f"{photo} has none"
        )
    else:
        yield f"{photo}: the beard is shaved off, since the face of {target} has none"


def about_background(options: GenerateOptions, scene: Fraction, output: Fraction) -> Iterator[str]:
    """Yield notes about the scene's sound under the words.

    Args:
        options: the job.
        scene: seconds of the target.
        output: seconds of the output.
    """
    if options.background == "none":
        return
    lowers = "" if options.background == "duck" else " (--background duck lowers it)"
    yield f"{options.target}: speech in the scene's own sound stays audible{lowers}"
    if output - scene > _NOTICEABLE:
        yield f"{options.target}: the scene's sound is repeated after {_seconds(scene)}"


def _mixed_down(media: MediaInfo, path: Path) -> Iterator[str]:
    if media.audio is not None and media.audio.channels > 2:
        yield f"{path}: {media.audio.channels} channels of sound are mixed down to 2"


def _counted(tracks: Mapping[str, int]) -> str:
    """``1 sound track and 2 subtitle tracks are``."""
    words = [f"{count} {_TRACKS[kind]}{'s' * (count > 1)}" for kind, count in tracks.items()]
    return f"{' and '.join(words)} {'is' if sum(tracks.values()) == 1 else 'are'}"


def about_raised_rate(options: GenerateOptions, own: Fraction, raised: Fraction) -> str:
    """A rate too low for speech."""
    return (
        f"{options.target}: a rate of {_rate_text(own)} a second is too low for speech; the output "
        f"has {_rate_text(raised)} (--fps chooses another)"
    )


def about_transparency(options: GenerateOptions) -> str:
    """Alpha of a target whose output has none."""
    return (
        f"{options.target}: transparent parts are shown on white; a .png of a photo and a .mov "
        "(ProRes) of a video keep them"
    )


def about_form(form: OutputFormat, output: Path, has_sound: bool) -> Iterator[str]:
    """What the output's container cannot hold."""
    if form.animated and has_sound:
        yield f"{output}: a {form.name} has no sound"
    if not form.manifest:
        yield (
            f"{output}: a {form.name} file cannot hold a signed manifest; it has the invisible "
            "watermark alone"
        )


def about_size(options: GenerateOptions, width: int, height: int) -> Iterator[str]:
    """Odd sizes, which 4:2:0 video has not."""
    if width % 2 or height % 2:
        yield (
            f"{options.target}: {width}x{height} grows to {width + width % 2}x"
            f"{height + height % 2}, as video has even sizes"
        )


def about_lengths(
    options: GenerateOptions, video: Fraction | None, words: Fraction | None, output: Fraction
) -> Iterator[str]:
    """Where the words and the pictures do not last equally long.

    Args:
        options: the job.
        video: seconds of the target, None for a photo.
        words: seconds of the recording, None without one.
        output: seconds of the output.
    """
    if video is None or words is None:
        return
    missing = output - video
    if missing > _NOTICEABLE:
        how = (
            "it is played back and forth (--extend freeze holds its last picture, --length video "
            "cuts the words)"
            if options.extend == "pingpong"
            else "its last picture is held"
        )
        yield f"{options.target}: {_seconds(video)} of video for {_seconds(words)} of words; {how}"
    if video - output > _NOTICEABLE:
        yield (
            f"{options.target}: {_seconds(video - output)} after the end of the words are left out "
            "(--length video keeps them)"
        )
    if words - output > _NOTICEABLE:
        yield f"{options.audio}: {_seconds(words - output)} after the end of the video are left out"
    if output - words > _NOTICEABLE:
        yield f"{options.audio}: silence for {_seconds(output - words)} after the end of the words"


def _seconds(value: Fraction) -> str:
    return f"{float(value):.1f} s"


def _rate_text(rate: Fraction) -> str:
    """Format a rate: 25, 29.97, 12.5."""
    return f"{float(rate):.2f}".rstrip("0").rstrip(".")
