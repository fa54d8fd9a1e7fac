"""Encode pictures as a video file that browsers play; it appears when it is complete."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.storage.files import AtomicFile, output_error

#: Seconds between key frames: players and our own reader seek this finely.
KEY_FRAME_SECONDS = 2
#: Videos of at most so many frames get their times of decoding from here, as x265 leaves them
#: undefined.
_X265_DELAY = 2
#: H.273 code of BT.709 for primaries, transfer and matrix alike.
_BT709 = 1


@dataclass(frozen=True)
class _Codec:
    """An encoder, its constant-quality values by name, and its greatest such value."""

    encoder: str
    quality: Mapping[str, int]
    worst: int


#: Names of quality are about equally good across codecs; "high" is visually near the original.
CODECS: Mapping[str, _Codec] = {
    "h264": _Codec("libx264", {"low": 28, "medium": 23, "high": 18, "best": 13}, 51),
    "hevc": _Codec("libx265", {"low": 31, "medium": 26, "high": 21, "best": 16}, 51),
    "vp9": _Codec("libvpx-vp9", {"low": 40, "medium": 33, "high": 26, "best": 18}, 63),
    "av1": _Codec("libsvtav1", {"low": 45, "medium": 36, "high": 27, "best": 18}, 63),
    # Its quality is a profile: LT, 422, 422 HQ; with alpha always 4444.
    "prores": _Codec("prores_ks", {"low": 1, "medium": 2, "high": 3, "best": 3}, 3),
}
_PRORES_4444 = "4"
#: Default speed of the encoders with named or numbered presets: three times real time at 720p on
#: two cores and more.
_PRESETS = {"h264": "veryfast", "hevc": "ultrafast", "vp9": "8", "av1": "9"}


def available_codecs() -> list[str]:
    """Return the names of the codecs that can be encoded here."""
    return [name for name, codec in CODECS.items() if codec.encoder in av.codecs_available]


def _crf(codec: str, quality: str | float) -> float:
    known = CODECS[codec]
    try:
        value = float(known.quality.get(quality, quality) if isinstance(quality, str) else quality)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= known.worst:
        names = ", ".join(known.quality)
        raise InputError(
            f"unknown quality {quality!r}",
            remedy=f"choose {names}, or a number from 0 to {known.worst}",
        )
    return value


def _encoder_options(
    codec: str, quality: str | float, preset: str | None, threads: int, alpha: bool
) -> dict[str, str]:
    crf = f"{_crf(codec, quality):g}"
    if codec == "prores":
        return {"profile": _PRORES_4444 if alpha else crf, "vendor": "apl0"}
    preset = preset or _PRESETS[codec]
    if codec == "h264":
        return {"crf": crf, "preset": preset}
    if codec == "hevc":
        pools = f":pools={threads}:frame-threads={min(threads, 4)}" if threads else ""
        return {"crf": crf, "preset": preset, "x265-params": f"log-level=none:open-gop=0{pools}"}
    if codec == "vp9":
        return {"crf": crf, "b": "0", "deadline": "realtime", "cpu-used": preset, "row-mt": "1"}
    # SVT-AV1 writes its settings to stderr unless told to keep to errors.
    os.environ.setdefault("SVT_LOG", "1")
    return {
        "crf": f"{float(crf):.0f}",
        "preset": preset,
        **({"svtav1-params": f"lp={threads}"} if threads else {}),
    }


@contextlib.contextmanager
def _ordinary_priority() -> Iterator[None]:
    """Take back real-time priority that an encoder gives to threads of the process.

    SVT-AV1 does so where it runs as root, as in containers: everything else on the machine then
    waits, and programs that are started later inherit it.
    """
    yield
    if sys.platform == "linux":
        for thread in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):  # it may have ended
                if os.sched_getscheduler(int(thread.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                    os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))


class VideoWriter:
    """Encode RGB pictures into a video-only MP4; the file appears under its name when :meth:`close`
    succeeds.

    8-bit 4:2:0 (ProRes: 10-bit 4:2:2, with alpha 4:4:4), BT.709 and limited range, tagged so; MP4
    (ProRes: MOV) with the index in front (faststart). Chroma needs even sizes: an odd width or
    height grows by one pixel that repeats the last column or row, so nothing is lost. Frame i lies
    at exactly i / fps seconds.

    As a context manager it closes on success and removes the half-written file on error.

    Args:
        path: the file to write; MP4 whatever its ending.
        width, height: of the pictures given to :meth:`write`.
        fps: frames a second.
        codec: one of :data:`CODECS`.
        quality: "low", "medium", "high", "best" or the encoder's constant rate factor (lower is
            better).
        metadata: title, artist, comment, copyright, description, ... as MP4 knows them.
        preset: the encoder's speed, None: fast.
        threads: encoder threads; 0: the encoder decides.
        alpha: pictures are RGBA with straight alpha; ProRes only.

    Raises:
        InputError: unknown codec or quality, no such encoder here, bad size or rate, or the place
            cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        fps: Fraction | int,
        codec: str = "h264",
        quality: str | float = "high",
        metadata: Mapping[str, str] | None = None,
        *,
        preset: str | None = None,
        threads: int = 0,
        alpha: bool = False,
    ) -> None:
        if codec not in CODECS:
            raise InputError(
                f"unknown codec {codec!r}", remedy=f"choose one of {', '.join(CODECS)}"
            )
        if CODECS[codec].encoder not in av.codecs_available:
            raise InputError(
                f"no encoder for {codec} here",
                remedy=f"choose one of {', '.join(available_codecs())}",
            )
        if width < 1 or height < 1 or fps <= 0:
            raise InputError(
                f"cannot write {width}x{height} at {fps} frames a second",
                remedy="give a size and a rate",
            )
        self.width, self.height, self.fps = width, height, Fraction(fps)
        self.frames_written = 0
        self._channels, self._prores = 4 if alpha else 3, codec == "prores"
        self._padding = ((0, height % 2), (0, width % 2), (0, 0))
        self._reformatter = VideoReformatter()
        options = _encoder_options(codec, quality, preset, threads, alpha)
        self._file = AtomicFile(path)
        self._container: OutputContainer | None = None
        self._stream: av.VideoStream | None = None
        try:
            self._open(codec, options, metadata or {}, threads)
        except (FFmpegError, ValueError) as error:
            self.discard()
            raise SwapTalkError(
                f"the {codec} encoder refused ({error})", path=path, remedy="choose h264"
            ) from error
        except BaseException:
            self.discard()
            raise

    def _open(
        self, codec: str, options: dict[str, str], metadata: Mapping[str, str], threads: int
    ) -> None:
        self._container = open_output(self._file.part, metadata, "mov" if self._prores else "mp4")
        stream = self._container.add_stream(CODECS[codec].encoder, rate=self.fps, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = self.width + self.width % 2, self.height + self.height % 2
        stream.pix_fmt = self._pixel_format
        context = stream.codec_context
        context.time_base = 1 / self.fps
        context.gop_size = max(1, round(KEY_FRAME_SECONDS * self.fps))
        context.color_range, context.colorspace = int(ColorRange.MPEG), _BT709
        context.color_primaries = context.color_trc = _BT709
        if threads:
            context.thread_count = threads
        if codec == "hevc":
            context.codec_tag = "hvc1"  # the tag that Safari plays
        with _ordinary_priority():
            context.open()
        self._stream = stream

    @property
    def _pixel_format(self) -> str:
        if not self._prores:
            return "yuv420p"
        return "yuva444p10le" if self._channels == 4 else "yuv422p10le"

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Encode the next picture, (height, width, 3) uint8 RGB, or 4 channels with alpha.

        Raises:
            ValueError: other shape or type.
            InputError: the disk is full or the place went away.
        """
        expected = (self.height, self.width, self._channels)
        if frame.shape != expected or frame.dtype != np.uint8:
            raise ValueError(f"expected {expected} uint8, got {frame.shape} {frame.dtype}")
        if self._container is None:
            raise ValueError("the writer is closed")
        if self._padding[0][1] or self._padding[1][1]:
            frame = np.pad(frame, self._padding, mode="edge")
        picture = self._reformatter.reformat(
            VideoFrame.from_numpy_buffer(
                np.ascontiguousarray(frame), "rgb24" if self._channels == 3 else "rgba"
            ),
            format=self._pixel_format,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
            interpolation=Interpolation.BILINEAR,
            threads=1,
        )
        picture.pts, picture.time_base = self.frames_written, 1 / self.fps
        self._encode(picture)
        self.frames_written += 1

    def _encode(self, picture: VideoFrame | None) -> None:
        assert self._container is not None and self._stream is not None
        packets = self._stream.encode(picture)
        if self._stream.codec_context.name == "libx265" and self.frames_written <= _X265_DELAY:
            for packet in packets:
                packet.dts = packet.pts
        try:
            self._container.mux(packets)
        except OSError as error:
            raise output_error(error, self._file.path) from error
        except FFmpegError as error:
            raise SwapTalkError(
                f"encoding failed ({error})", path=self._file.path, remedy="choose h264"
            ) from error

    def close(self) -> None:
        """Finish and rename the file; further calls do nothing.

        Raises:
            SwapTalkError: no picture was written, or the file could not be finished; nothing is
                left then.
        """
        if self._container is None:
            return
        try:
            if self.frames_written == 0:
                raise SwapTalkError(
                    "no picture was written", path=self._file.path, remedy="give at least one"
                )
            self._encode(None)
            close_output(self._container, self._file.path)
            # The encoder's frames (tens of megabytes) live as long as the stream, and the next
            # writer may be waiting.
            self._container = self._stream = None
            self._file.commit()
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Close and remove the unfinished file."""
        container, self._container, self._stream = self._container, None, None
        if container is not None:
            try:
                container.close()
            except FFmpegError:
                pass  # a half-written file cannot be finished; it goes anyway
        self._file.discard()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def open_output(part: Path, metadata: Mapping[str, str], muxer: str = "mp4") -> OutputContainer:
    """Open a container for writing; the index of an MP4 or MOV moves to the front on closing."""
    options = {"movflags": "+faststart"} if muxer in ("mp4", "mov") else {}
    container = av.open(f"file:{part.resolve()}", mode="w", format=muxer, options=options)
    container.metadata.update(metadata)
    return container


def close_output(container: OutputContainer, path: Path) -> None:
    """Write the index and close.

    Raises:
        InputError: the disk is full or the place went away.
    """
    try:
        container.close()
    except OSError as error:
        raise output_error(error, path) from error
