"""Checks of a job's files before its plan is made: outputs, target, photos."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from swaptalk.errors import InputError
from swaptalk.media.probe import MediaInfo, count_frames
from swaptalk.media.subtitles import SUBTITLE_SUFFIXES
from swaptalk.pipeline.checks import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    check_distinct,
    check_output,
)
from swaptalk.pipeline.inputs import InputFile
from swaptalk.pipeline.option_values import parse_fps
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.output_form import (
    subtitles_beside,
)
from swaptalk.pipeline.people_plan import (
    other_paths,
)
from swaptalk.pipeline.target import PHOTO_FPS
from swaptalk.pipeline.template.template import Template


@dataclass(frozen=True)
class TargetShape:
    """The target's pictures: size, rate and number of them, and what is special about a photo."""

    width: int
    height: int
    fps: Fraction
    frames: int
    transparent: bool = False
    photo_colour: str | None = None


def target_shape(target: InputFile, options: GenerateOptions) -> TargetShape:
    """Size, rate and number of the target's pictures.

    Raises:
        InputError: there is nothing between ``--start`` and ``--end``, or a photo has them or
            cannot be decoded.
    """
    asked = parse_fps(options.fps)
    if target.is_photo:
        if options.start or options.end is not None:
            raise InputError(
                "a photo has no --start or --end", path=target.path, remedy="leave them out"
            )
        still = target.still()
        height, width = still.picture.shape[:2]
        return TargetShape(
            width, height, asked or PHOTO_FPS, 1, still.alpha is not None, still.colour
        )
    video = target.media.video
    assert video is not None  # checked
    fps = asked or video.average_fps
    end = None if options.end is None else Fraction(options.end)
    frames = count_frames(target.media, fps, Fraction(options.start), end)
    return TargetShape(video.width, video.height, fps, frames, video.transparent)


def check_outputs(
    options: GenerateOptions, still: bool, template: Template | None, create_folders: bool
) -> None:
    """Check every file that the job writes.

    Args:
        options: the job.
        still: the target is a photo that nobody speaks in.
        template: of the target, which must not be written over either.
        create_folders: folders need not be there yet.

    Raises:
        InputError: as :func:`swaptalk.pipeline.checks.check_output`.
    """
    inputs = [options.target, *options.source]
    more = (options.audio, options.subtitles, options.turns, *other_paths(options))
    inputs += [path for path in more if path is not None]
    inputs += [] if template is None else [template.path]
    if options.output is not None:
        if still and options.output.suffix.lower() in VIDEO_SUFFIXES:
            raise InputError(
                "a photo without audio has no length",
                path=options.target,
                remedy="give --audio, or an --output ending in .png or .jpg",
            )
        kinds = IMAGE_SUFFIXES if still else VIDEO_SUFFIXES
        check_output(options.output, kinds, inputs, create_folders)
    for path, suffixes in (
        (options.preview, IMAGE_SUFFIXES),
        (options.thumbnail, IMAGE_SUFFIXES),
        (options.list_faces, IMAGE_SUFFIXES),
        (options.stats, (".json",)),
    ):
        if path is not None:
            check_output(path, suffixes, inputs, create_folders)
    beside = subtitles_beside(options)
    if beside is not None:
        check_output(beside, SUBTITLE_SUFFIXES, inputs, create_folders)
    outputs = (options.output, options.preview, options.thumbnail, options.list_faces)
    check_distinct((*outputs, options.stats, beside))


def check_photo(photo: InputFile) -> None:
    """Refuse a source that is no photo.

    Raises:
        InputError: naming the file.
    """
    if not photo.is_photo:
        raise InputError(
            "the source must be a photo (.jpg, .png, .webp, .heic, .avif)",
            path=photo.path,
            remedy="save one frame of the person as a photo and give that",
        )


def check_video(options: GenerateOptions, target: InputFile) -> MediaInfo:
    """Probe the target.

    Raises:
        InputError: it has no pictures, or breaks off within the part that is wanted.
    """
    media = target.media
    video = media.video
    if video is None:
        raise InputError(
            "holds sound but no pictures",
            path=options.target,
            remedy="give a video or a photo as target",
        )
    if video.truncated and (options.end is None or options.end > video.duration):
        raise InputError(
            f"the video breaks off after {video.duration:.1f} s",
            path=options.target,
            remedy=f"copy or download it again, or use the part that is there with --end "
            f"{int(video.duration * 10) / 10:g}",
        )
    return media
