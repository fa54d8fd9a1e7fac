"""Frames of a video in order of display with their times, decoded as they are asked for. Runs in
the decoding process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from swaptalk.media.container import (
    check_memory,
    counts_in_decoding_order,
    open_container,
    read_packets,
    video_stream,
)
from swaptalk.media.deinterlace import Deinterlacer
from swaptalk.media.field_order import FieldOrder

#: Decoders that read the alpha channel of WebM video; FFmpeg's own leave it out.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
#: A seek may land behind its target in a poorly indexed file; it is then tried this many seconds
#: earlier.
_SEEK_RETRIES = (0, 2, 15)


@dataclass
class StampedFrame:
    """A decoded frame and the moment it is shown at, in ticks of its source's clock."""

    stamp: int
    frame: VideoFrame


class FrameSource(Protocol):
    """Frames of one file, one after the other."""

    base: Fraction
    """Seconds of a tick."""

    def next(self) -> StampedFrame | None:
        """The next frame in order of display; None at the end."""

    def seek(self, limit: int) -> StampedFrame | None:
        """Go on from a frame at or before ``limit`` ticks, or from the first; returns that
        frame.
        """

    def close(self) -> None:
        """Close the file."""


class FrameDecoder:
    """Decodes the packets of a stream, alpha included where it has some.

    Args:
        stream: of an open container.
        threads: decoder threads; 0: one for each core; None: as few as FFmpeg begins with.
    """

    def __init__(self, stream: VideoStream, threads: int | None = None) -> None:
        self._own: VideoCodecContext | None = None
        name = _ALPHA_DECODERS.get(stream.codec_context.name)
        if name in av.codecs_available and stream.metadata.get("alpha_mode") == "1":
            assert name is not None
            context = av.CodecContext.create(name, "r")
            assert isinstance(context, VideoCodecContext)
            self._own = context
        if threads is not None:
            stream.thread_type = "AUTO"
            (self._own or stream.codec_context).thread_count = threads

    def __call__(self, packet: Packet[Stream]) -> list[VideoFrame]:
        """The frames that this packet finishes.

        Raises:
            FFmpegError: it is damaged.
        """
        if self._own is not None:
            return list(self._own.decode(packet))
        return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]

    def flush(self) -> None:
        """Forget what was decoded so far, after a seek; the container does it for its own
        decoder.
        """
        if self._own is not None and self._own.is_open:
            self._own.flush_buffers()


class ContainerFrames:
    """The frames of a video that FFmpeg reads; damaged packets are skipped.

    Args:
        path: the video.
        average_fps: the usual distance of frames, where one has no time.
        threads: decoder threads; 0: one for each core.
        fields: see :class:`~swaptalk.media.deinterlace.Deinterlacer`.

    Raises:
        InputError: as :func:`swaptalk.media.container.open_media`.
    """

    def __init__(
        self,
        path: Path,
        average_fps: Fraction,
        threads: int = 0,
        fields: FieldOrder | None = None,
    ) -> None:
        self._path, self._average_fps, self._threads = path, average_fps, threads
        self._fields = fields
        self._open()

    def _open(self) -> None:
        """Open anew at the beginning of the file."""
        self._container: InputContainer = open_container(self._path)
        try:
            stream = video_stream(self._container)
            assert stream is not None and stream.time_base is not None  # probed
            self._stream: VideoStream = stream
            self.base = stream.time_base
            self._decoder = FrameDecoder(stream, self._threads)
        except BaseException:
            self._container.close()
            raise
        self._by_decoding = counts_in_decoding_order(self._container)
        self._begin(at_beginning=True)

    def _begin(self, at_beginning: bool) -> None:
        self._packets: Iterator[Packet[Stream]] = read_packets(self._container, self._stream)
        self._ready: deque[VideoFrame] = deque()
        self._deinterlacer = Deinterlacer(at_beginning, self._fields)
        self._decoder.flush()
        self._ended = False
        self._last_stamp = 0
        self._decoding_stamps: deque[int] = deque()

    def next(self) -> StampedFrame | None:
        """The next frame in order of display; None at the end."""
        while not self._ready:
            if self._ended:
                return None
            packet = next(self._packets, None)
            if packet is None:
                self._ended = True
                self._ready.extend(self._deinterlacer.finish())
                continue
            for frame in self._decoded(packet):
                frame.pts = self._last_stamp = self._stamp(frame)
                self._ready.extend(self._deinterlacer.feed(frame))
        frame = self._ready.popleft()
        assert frame.pts is not None
        return StampedFrame(frame.pts, frame)

    def _decoded(self, packet: Packet[Stream]) -> list[VideoFrame]:
        try:
            if packet.is_corrupt:
                return []
            if self._by_decoding and packet.size and packet.dts is not None:
                self._decoding_stamps.append(packet.dts)
            return self._decoder(packet)
        except MemoryError:  # the limit of the process, not damage
            raise
        except FFmpegError:
            check_memory(self._stream)
            return []

    def _stamp(self, frame: VideoFrame) -> int:
        stamp = frame.pts
        if self._by_decoding:
            stamp = self._decoding_stamps.popleft() if self._decoding_stamps else None
        if stamp is None:  # damaged: the next in turn
            stamp = self._last_stamp + round(1 / (self._average_fps * self.base))
        return stamp

    def seek(self, limit: int) -> StampedFrame | None:
        """Go on from the key frame before ``limit`` ticks, or from the beginning of the file."""
        for seconds in _SEEK_RETRIES:
            target = limit - round(seconds / self.base)
            if target <= 0:
                break
            try:
                self._container.seek(target, stream=self._stream)
            except FFmpegError:
                break
            self._begin(at_beginning=False)
            first = self.next()
            if first is not None and first.stamp <= limit:
                return first
        self._container.close()
        self._open()
        return self.next()

    def close(self) -> None:
        """Close the file."""
        self._ready.clear()
        self._container.close()
