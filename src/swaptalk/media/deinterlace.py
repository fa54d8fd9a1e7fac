"""Deinterlacing of the frames that a decoder flags as interlaced, or that were found to be."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

from av.error import FFmpegError
from av.filter import Graph
from av.video.frame import VideoFrame

from swaptalk.media.field_order import FieldOrder

#: One picture a frame; which field comes first is taken from the flags; frames without the flag
#: pass as they are.
_FLAGGED = "mode=send_frame:parity=auto:deint=interlaced"
#: The same where the flags are wrong.
_ALL = "mode=send_frame:parity={}:deint=all"


class Deinterlacer:
    """Takes decoded frames in order of display and gives them back as whole pictures.

    FFmpeg's ``bwdif``, which looks at the frame before and after, is set to work at the first
    flagged frame; progressive video never meets it.

    Args:
        at_beginning: the first frame is the first of the file. Otherwise (after a seek) a flagged
            first frame is left out, since the frame before it is not known: what a frame looks like
            does not depend on where decoding began.
        fields: all frames are interlaced, whatever their flags say, and this field comes first.
    """

    def __init__(self, at_beginning: bool, fields: FieldOrder | None = None) -> None:
        self._at_beginning, self._fields = at_beginning, fields
        self._last: VideoFrame | None = None
        self._filter: _Filter | None = None

    def feed(self, frame: VideoFrame) -> list[VideoFrame]:
        """Take the next frame; returns those that are finished."""
        if self._filter is not None and not self._filter.fits(frame):
            finished = self._filter.finish()
            self._filter = self._last = None
            return [*finished, *self.feed(frame)]
        if self._filter is None and self._fields is None and not frame.interlaced_frame:
            self._last = frame
            return [frame]
        if self._filter is None:
            before, self._last = self._last, None
            self._filter = _Filter(
                frame, _FLAGGED if self._fields is None else _ALL.format(self._fields)
            )
            if before is not None and self._filter.fits(before):
                self._filter.feed(before)
                self._filter.skip = 1  # it is out already
            elif before is None and not self._at_beginning:
                self._filter.skip = 1
        return self._filter.feed(frame)

    def finish(self) -> list[VideoFrame]:
        """The frames that are still inside, after the last one was fed."""
        return [] if self._filter is None else self._filter.finish()


class _Filter:
    """The filter graph for frames of one size and format."""

    def __init__(self, frame: VideoFrame, options: str) -> None:
        self._kind = _kind(frame)
        self._stamps: deque[int | None] = deque()
        self.skip = 0
        self._graph = Graph()
        self._input = self._graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 1000),
        )
        deinterlacer = self._graph.add("bwdif", options)
        self._output = self._graph.add("buffersink")
        self._input.link_to(deinterlacer)
        deinterlacer.link_to(self._output)
        self._graph.configure()

    def fits(self, frame: VideoFrame) -> bool:
        """Whether it takes such frames."""
        return _kind(frame) == self._kind

    def feed(self, frame: VideoFrame) -> list[VideoFrame]:
        """Take a frame; returns those that are finished."""
        self._stamps.append(frame.pts)
        self._input.push(frame)
        return self._pull()

    def finish(self) -> list[VideoFrame]:
        """The frames that are still inside."""
        self._input.push(None)
        return self._pull()

    def _pull(self) -> list[VideoFrame]:
        frames: list[VideoFrame] = []
        while self._stamps:
            try:
                frame = self._output.pull()
            except (BlockingIOError, EOFError, FFmpegError):
                break
            assert isinstance(frame, VideoFrame)
            frame.pts = self._stamps.popleft()
            if self.skip:
                self.skip -= 1
            else:
                frames.append(frame)
        return frames


def _kind(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name
