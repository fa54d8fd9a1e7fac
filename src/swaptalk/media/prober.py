"""What is in a media file, learnt from its headers, its last packets and one picture; never by
decoding it all.

Runs in the decoding process; :mod:`swaptalk.media.probe` asks it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.container import (
    audio_stream,
    check_memory,
    check_picture_size,
    counts_in_decoding_order,
    is_picture_item,
    open_media,
    read_packets,
    video_stream,
)
from swaptalk.media.dolby_vision import needs_dolby_vision
from swaptalk.media.field_order import FieldOrder, field_order
from swaptalk.media.frame_source import ContainerFrames, FrameDecoder
from swaptalk.media.limits import MAX_FRAME_RATE, Limits, beyond
from swaptalk.media.picture import display_size, is_transparent, orientation
from swaptalk.media.probe import TRACK_KINDS, AudioInfo, MediaInfo, VideoInfo
from swaptalk.media.timeline import Span, Timeline, read_timeline
from swaptalk.media.tone_map import frame_colour
from swaptalk.media.webp import WebpFrames, is_animated_webp, webp_animation
from swaptalk.storage.files import check_input_file

#: Tracks that stand for another one, or are not played.
_NOT_CONTENT = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
#: The rates that cameras and editors use; a measured rate this near (0.04 %: 29.97 and 30 differ by
#: 0.1 %) is the rate.
STANDARD_RATES = (
    *(Fraction(1000 * n, 1001) for n in (24, 30, 48, 60, 120)),
    *(Fraction(n) for n in (24, 25, 30, 48, 50, 60, 100, 120)),
)
_RATE_TOLERANCE = Fraction(4, 10000)
#: Packets looked at for a first picture and to tell constant from variable rate;
#: among the last of them reordering may leave gaps.
_RATE_PACKETS, _REORDER_PACKETS = 400, 17
#: An interval this far from the usual one makes the rate variable; smaller differences are jitter.
_VARIABLE_INTERVAL = Fraction(1, 4)
#: In variable-rate video a tenth of the intervals are as short as the one that stands for its pace
#: in motion.
_COMMON_SHARE = 10
#: The highest rate that variable-rate video is shown at when none is asked for.
_MAX_VARIABLE_RATE = 60
#: Heights of television pictures, and their rates: only they come interlaced.
_INTERLACED_HEIGHTS = (480, 486, 576, 1080, 1088)
_INTERLACED_RATES = (Fraction(25), Fraction(30000, 1001), Fraction(30))
#: Combs are looked for at so many places of a video, in so many frames and about so many columns.
_PLACES, _RUN, _COLUMNS = 3, 4, 160


def inspect(path: str | Path) -> tuple[MediaInfo, Timeline]:
    """What :func:`swaptalk.media.probe.describe` gives.

    Raises:
        InputError: as :func:`swaptalk.media.probe.probe`.
    """
    path = check_input_file(path)
    if is_animated_webp(path):
        return _inspect_webp(path)
    timeline = read_timeline(path)
    if timeline.video is None and timeline.audio is None:
        raise _nothing_inside(path)
    spans = [span for span in (timeline.video, timeline.audio) if span is not None]
    duration = max(span.end for span in spans) - timeline.origin
    if duration > Limits.from_environment().max_media_hours * 3600:
        raise beyond(
            f"it lasts {float(duration) / 3600:.0f} hours",
            "max_media_hours",
            path,
            "cut out what you need",
        )
    with open_media(path) as container:
        video = _video_info(container, path, timeline)
        info = MediaInfo(
            path,
            float(duration),
            video,
            _audio_info(container, timeline),
            left_out=_left_out(container),
        )
    return info, timeline


def _inspect_webp(path: Path) -> tuple[MediaInfo, Timeline]:
    animation, limits = webp_animation(path), Limits.from_environment()
    check_picture_size(animation.width, animation.height, path, limits)
    seconds = Fraction(sum(animation.durations), 1000)
    if seconds > limits.max_media_hours * 3600:
        raise beyond(
            f"it lasts {float(seconds) / 3600:.0f} hours",
            "max_media_hours",
            path,
            "cut out what you need",
        )
    frames = WebpFrames(path)
    first = frames.next()
    frames.close()
    if first is None:
        raise _no_picture(path)
    average = len(animation.durations) / seconds
    rate, variable = _frame_rate(animation.starts, frames.base, average)
    video = VideoInfo(
        width=animation.width,
        height=animation.height,
        average_fps=rate,
        frame_count_estimate=len(animation.durations),
        length=seconds,
        rotation=0,
        variable_rate=variable,
        codec="webp",
        pixel_format="rgba",
        truncated=False,
        colour=None,
        transparent=is_transparent(first.frame),
        interlaced=False,
    )
    span = Span(Fraction(0), seconds)
    return MediaInfo(path, float(seconds), video, None, left_out={}), Timeline(span, None)


def _no_picture(path: Path) -> InputError:
    return InputError(
        "no picture in it can be decoded", path=path, remedy="copy, download or export it again"
    )


def _left_out(container: InputContainer) -> dict[str, int]:
    """Number of tracks by kind that are neither shown nor heard; cover art does not count."""
    chosen = (video_stream(container), audio_stream(container))
    return dict(
        Counter(
            stream.type
            for stream in container.streams
            if stream.type in TRACK_KINDS
            and stream not in chosen
            and not stream.disposition & _NOT_CONTENT
            and not is_picture_item(stream)
        )
    )


def _nothing_inside(path: Path) -> InputError:
    # Only here: Pillow is not needed for media.
    from swaptalk.media.image_decoder import is_still_image

    try:
        still = is_still_image(path)
    except InputError as error:
        return error
    if still:
        return InputError("is a still image", path=path, remedy="give a video or sound file here")
    return InputError(
        "holds neither pictures nor sound", path=path, remedy="copy, download or export it again"
    )


def _audio_info(container: InputContainer, timeline: Timeline) -> AudioInfo | None:
    stream = audio_stream(container)
    if stream is None or timeline.audio is None:
        return None
    codec = stream.codec_context
    seconds = float(timeline.audio.end - max(timeline.audio.start, timeline.origin))
    return AudioInfo(codec.sample_rate, codec.channels, max(0.0, seconds), codec.name)


def _video_info(container: InputContainer, path: Path, timeline: Timeline) -> VideoInfo | None:
    stream = video_stream(container)
    if stream is None or timeline.video is None:
        return None
    seconds = timeline.video.end - timeline.origin
    frame, stamps = _first_packets(container, stream, path)
    average = Fraction(stream.average_rate or 0)
    if stream.frames and seconds > 0 and not average:
        average = stream.frames / seconds
    rate, variable = _frame_rate(stamps, stream.time_base, average)
    if needs_dolby_vision(stream, frame):
        raise InputError(
            "is Dolby Vision that only its own players can show (profile 5)",
            path=path,
            remedy="export it as HDR10, HLG or SDR",
        )
    turn, colour = orientation(frame), frame_colour(frame)
    check_picture_size(frame.width, frame.height, path, Limits.from_environment())
    width, height = display_size(frame.width, frame.height, stream.sample_aspect_ratio, turn)
    check_picture_size(width, height, path, Limits.from_environment())
    count = (
        stream.frames if stream.frames and not timeline.video.truncated else round(seconds * rate)
    )
    return VideoInfo(
        width=width,
        height=height,
        average_fps=rate,
        frame_count_estimate=max(1, count),
        length=seconds,
        rotation=turn.rotation,
        variable_rate=variable,
        codec=stream.codec_context.name,
        pixel_format=frame.format.name,
        truncated=timeline.video.truncated,
        colour=None if colour is None else colour.name,
        transparent=is_transparent(frame),
        interlaced=bool(frame.interlaced_frame),
        fields=_fields(path, frame, rate, timeline),
    )


def _fields(path: Path, first: VideoFrame, rate: Fraction, timeline: Timeline) -> FieldOrder | None:
    """Look at frames of a few places for combs, where an unflagged video may have any."""
    if (
        first.interlaced_frame
        or first.height not in _INTERLACED_HEIGHTS
        or rate not in _INTERLACED_RATES
        or timeline.video is None
    ):
        return None
    source = ContainerFrames(path, rate, threads=1)
    try:
        runs: list[list[NDArray[np.uint8]]] = []
        start, length = timeline.video.start, timeline.video.end - timeline.video.start
        for place in range(_PLACES):
            moment = start + length * place / _PLACES
            found = source.seek(round(moment / source.base)) if place else source.next()
            run: list[NDArray[np.uint8]] = []
            while found is not None and len(run) < _RUN:
                run.append(_luma(found.frame)[:, :: 1 + first.width // _COLUMNS].copy())
                found = source.next()
            runs.append(run)
        return field_order(runs)
    finally:
        source.close()


def _luma(frame: VideoFrame) -> NDArray[np.uint8]:
    """Brightness (H, W) uint8; of ordinary video as it is stored, without a copy."""
    if frame.format.is_planar and frame.format.components[0].bits == 8:
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return rows[: frame.height, : frame.width]
    return np.asarray(frame.to_ndarray(format="gray"), np.uint8)


def _first_packets(
    container: InputContainer, stream: VideoStream, path: Path
) -> tuple[VideoFrame, list[int]]:
    """The first picture that decodes, and the times of display of the first packets in ticks, in
    order.

    Raises:
        InputError: none of the first packets gives a picture.
    """
    picture: VideoFrame | None = None
    stamps: list[int] = []
    by_decoding, decoder = counts_in_decoding_order(container), FrameDecoder(stream)
    for packet in itertools.islice(read_packets(container, stream), _RATE_PACKETS):
        stamp = packet.dts if by_decoding else packet.pts
        if stamp is not None and packet.size and not packet.is_discard:
            stamps.append(stamp)
        if picture is None:
            try:
                picture = next(iter(decoder(packet)), None)
            except MemoryError:  # the limit of the process, not damage
                raise
            except FFmpegError:
                check_memory(stream)
                continue
    if picture is None:
        raise _no_picture(path)
    # All packets but the empty one that flushes the decoder.
    whole_file = len(stamps) < _RATE_PACKETS - 1
    return picture, sorted(stamps)[: None if whole_file else -_REORDER_PACKETS]


def _frame_rate(
    stamps: list[int], base: Fraction | None, average: Fraction
) -> tuple[Fraction, bool]:
    """The rate to show the video at, and whether its pictures come unevenly.

    Args:
        stamps: times of display of the first pictures, in order, in ticks of ``base`` seconds.
        average: pictures a second over all the file, as far as it is known; else 0.
    """
    intervals = sorted(b - a for a, b in zip(stamps, stamps[1:], strict=False) if b > a)
    if not intervals or not base:
        return _snap(average) if 0 < average <= MAX_FRAME_RATE else Fraction(25), False
    usual = intervals[len(intervals) // 2]
    measured = (len(stamps) - 1) / ((stamps[-1] - stamps[0]) * base)
    if not 0 < average <= MAX_FRAME_RATE:
        average = measured
    # One and a half ticks: rounding at both ends.
    slack = usual * _VARIABLE_INTERVAL + Fraction(3, 2)
    uneven = usual - intervals[0] > slack or intervals[-1] - usual > slack
    # Over all the file the average tells of gaps later on; in a short file it is too coarse to.
    uneven |= len(stamps) > 50 and abs(average * usual * base - 1) > Fraction(1, 20)
    if uneven:
        return _rate_for_variable(average, intervals[len(intervals) // _COMMON_SHARE] * base), True
    if _snap(average) in STANDARD_RATES:
        return _snap(average), False
    jitter = max(intervals[-1] - usual, usual - intervals[0]) + 1
    return _snap(measured, _RATE_TOLERANCE + Fraction(jitter, stamps[-1] - stamps[0])), False


def _snap(rate: Fraction, tolerance: Fraction = _RATE_TOLERANCE) -> Fraction:
    """The standard rate within a relative tolerance of a measured one, or the measured one as a
    short fraction.
    """
    nearest = min(STANDARD_RATES, key=lambda standard: abs(rate / standard - 1))
    if abs(rate / nearest - 1) <= tolerance:
        return nearest
    return max(rate.limit_denominator(1001), Fraction(1, 1001))


def _rate_for_variable(average: Fraction, common: Fraction) -> Fraction:
    """A standard rate that shows nearly every picture: that of the short intervals, else the next
    above the average.
    """
    rates = sorted(rate for rate in STANDARD_RATES if rate <= _MAX_VARIABLE_RATE)
    nearest = min(rates, key=lambda rate: abs(common * rate - 1))
    if abs(common * nearest - 1) < Fraction(3, 100) and nearest >= average * Fraction(97, 100):
        return nearest
    return next((rate for rate in rates if rate >= average * Fraction(97, 100)), rates[-1])
