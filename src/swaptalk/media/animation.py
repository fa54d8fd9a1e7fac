"""Animated GIF and WebP from encoded video segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import BlockingIOError as NotReadyError
from av.error import EOFError as NoMoreError
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.video_reader import VideoReader
from swaptalk.storage.files import AtomicFile, output_error

#: WebP's quality, and GIF's number of colours, by the names of ``--quality``.
WEBP_QUALITY = {"low": 50, "medium": 70, "high": 85, "best": 95}
GIF_COLOURS = {"low": 64, "medium": 128, "high": 256, "best": 256}
#: GIF: one colour of the palette stands for transparency, which lets unchanged pixels be left out.
_DITHER = "dither=bayer:bayer_scale=4:diff_mode=rectangle"


def write_animation(segments: Sequence[Path], output: Path, fps: Fraction, quality: str) -> None:
    """Write an animated picture that repeats without end; it appears whole or not at all.

    Args:
        segments: video files of one size and rate, in order.
        output: .gif or .webp.
        fps: frames a second.
        quality: low, medium, high or best.

    Raises:
        InputError: the quality is unknown, or the place cannot be written.
    """
    check_animation_quality(quality)
    with AtomicFile(output) as file:
        try:
            if output.suffix.lower() == ".gif":
                _write_gif(segments, file.part, fps, GIF_COLOURS[quality])
            else:
                _write_webp(segments, file.part, fps, WEBP_QUALITY[quality])
        except OSError as error:
            raise output_error(error, output) from error


def check_animation_quality(quality: str) -> None:
    """Refuse a quality that animated pictures do not have.

    Raises:
        InputError: naming those that they have.
    """
    if quality not in WEBP_QUALITY:
        raise InputError(
            f"--quality {quality} is unknown for an animated picture",
            remedy=f"give {', '.join(WEBP_QUALITY)}",
        )


def _pictures(segments: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    for path in segments:
        with VideoReader(path) as reader:
            yield from reader.frames()


def _write_webp(segments: Sequence[Path], part: Path, fps: Fraction, quality: int) -> None:
    options = {"quality": str(quality), "compression_level": "2"}
    _encode(_frames(segments, fps), part, "webp", "libwebp_anim", "yuv420p", options)


def _write_gif(segments: Sequence[Path], part: Path, fps: Fraction, colours: int) -> None:
    palette = _palette(segments, fps, colours)
    _encode(_with_palette(segments, fps, palette), part, "gif", "gif", "pal8", {})


def _encode(
    frames: Iterator[VideoFrame],
    part: Path,
    muxer: str,
    encoder: str,
    pixel_format: str,
    options: dict[str, str],
) -> None:
    first = next(frames)
    base = first.time_base
    assert base is not None  # set above
    with av.open(f"file:{part.resolve()}", "w", format=muxer, options={"loop": "0"}) as container:
        stream: Any = container.add_stream(encoder, rate=1 / base, options=options)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, pixel_format
        stream.codec_context.time_base = base
        for frame in chain([first], frames):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(segments: Sequence[Path], fps: Fraction) -> Iterator[VideoFrame]:
    for index, picture in enumerate(_pictures(segments)):
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = index, 1 / fps
        yield frame


def _buffer(graph: Any, frame: VideoFrame) -> Any:
    return graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )


def _pulled(sink: Any) -> Iterator[VideoFrame]:
    while True:
        try:
            yield sink.pull()
        except (NotReadyError, NoMoreError):
            return


def _palette(segments: Sequence[Path], fps: Fraction, colours: int) -> VideoFrame:
    """The colours that serve all pictures best, as a picture of 16 x 16."""
    graph, source, sink = av.filter.Graph(), None, None
    for frame in _frames(segments, fps):
        if source is None:
            source = _buffer(graph, frame)
            chooser = graph.add("palettegen", f"max_colors={colours}:stats_mode=full")
            sink = graph.add("buffersink")
            source.link_to(chooser)
            chooser.link_to(sink)
            graph.configure()
        source.push(frame)
    assert source is not None
    source.push(None)
    return next(_pulled(sink))


def _with_palette(
    segments: Sequence[Path], fps: Fraction, palette: VideoFrame
) -> Iterator[VideoFrame]:
    graph, source, sink = av.filter.Graph(), None, None
    for frame in _frames(segments, fps):
        if source is None:
            source = _buffer(graph, frame)
            palette.time_base, palette.pts = frame.time_base, 0
            colours = _buffer(graph, palette)
            user = graph.add("paletteuse", _DITHER)
            sink = graph.add("buffersink")
            source.link_to(user, 0, 0)
            colours.link_to(user, 0, 1)
            user.link_to(sink)
            graph.configure()
            colours.push(palette)
            colours.push(None)
        source.push(frame)
        yield from _pulled(sink)
    assert source is not None
    source.push(None)
    yield from _pulled(sink)
