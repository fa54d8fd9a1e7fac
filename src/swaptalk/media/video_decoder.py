"""Any video as pictures at a constant rate, in any order, with bounded memory. Runs in the decoding
process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from swaptalk.errors import InputError
from swaptalk.media.frame_source import ContainerFrames, FrameSource, StampedFrame
from swaptalk.media.picture import PictureConverter, orientation
from swaptalk.media.probe import VideoInfo, count_frames
from swaptalk.media.prober import inspect
from swaptalk.media.webp import WebpFrames, is_animated_webp

#: Time stamps are trusted to 2 ms or one and a half ticks of the file's clock; a picture that
#: begins this little after the wanted moment counts as on screen.
_STAMP_SECONDS, _STAMP_TICKS = Fraction(2, 1000), Fraction(3, 2)
#: Jumps forward beyond this many seconds are made by seeking, shorter ones by decoding on.
_SEEK_SECONDS = 10


class VideoDecoder:
    """Decodes for :class:`swaptalk.media.video_reader.VideoReader`, whose arguments and errors it
    shares.
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction | None = None,
        start: Fraction = Fraction(0),
        end: Fraction | None = None,
        threads: int = 0,
        buffer_bytes: int = 64 << 20,
    ) -> None:
        self.path = Path(path)
        self.media, self._timeline = inspect(self.path)
        if self.media.video is None:
            raise InputError("holds no video", path=path, remedy="give a file with moving pictures")
        self.info: VideoInfo = self.media.video
        self.fps = Fraction(fps) if fps is not None else self.info.average_fps
        if self.fps <= 0:
            raise InputError(
                f"{fps} frames a second make no video", path=path, remedy="give a rate above 0"
            )
        self.width, self.height = self.info.width, self.info.height
        self._start = start
        self._length = count_frames(self.media, self.fps, start, end)
        self._source: FrameSource = (
            WebpFrames(self.path)
            if is_animated_webp(self.path)
            else ContainerFrames(self.path, self.info.average_fps, threads, self.info.fields)
        )
        self._shown: StampedFrame | None = None
        self._ahead = self._source.next()
        self._plan_clock()
        stored_bytes = self.width * self.height * (3 if "10" in self.info.pixel_format else 1.5)
        self._chunk = max(2, int(buffer_bytes / stored_bytes))

    def _plan_clock(self) -> None:
        """Prepare the converter and the exact integers behind :meth:`_limit`."""
        if self._ahead is None:
            raise InputError(
                "no picture in it can be decoded", path=self.path, remedy="copy or export it again"
            )
        frame = self._ahead.frame
        self.convert = PictureConverter(self.width, self.height, orientation(frame))
        own = self.info.average_fps
        if not self.info.variable_rate and abs(self.fps / own - 1) < Fraction(1, 1000):
            tolerance = 1 / (2 * own)
        else:
            tolerance = min(
                max(_STAMP_SECONDS, _STAMP_TICKS * self._source.base), 1 / (4 * self.fps)
            )
        first = (self._timeline.origin + self._start + tolerance) / self._source.base
        step = 1 / (self.fps * self._source.base)
        self._divisor = first.denominator * step.denominator
        self._first_ticks = first.numerator * step.denominator
        self._step_ticks = step.numerator * first.denominator

    def _limit(self, index: int) -> int:
        """Ticks at or before which the picture of a frame begins."""
        return (self._first_ticks + index * self._step_ticks) // self._divisor

    def __len__(self) -> int:
        return self._length

    def close(self) -> None:
        """Close the file; the decoder cannot be used any more."""
        self._shown = self._ahead = None
        self._source.close()

    def frames(self, indices: Iterable[int]) -> Iterator[VideoFrame]:
        """Yield the pictures of the indices in their order, as they are stored; :meth:`convert`
        makes RGB of them.

        Rising indices are decoded straight through. For falling ones (ping-pong) some are taken in
        advance from ``indices``, as many as the buffer holds, and decoded as one chunk forwards
        from the key frame before them.

        Raises:
            IndexError: an index outside 0..len - 1.
        """
        source = iter(indices)
        waiting = next(source, None)
        while waiting is not None:
            index, waiting = self._checked(waiting), next(source, None)
            if self._shown is None or self._limit(index) >= self._shown.stamp:
                yield self._picture(index)
                continue
            falling = [index]
            while waiting is not None and waiting <= falling[-1] and len(falling) < self._chunk:
                falling.append(self._checked(waiting))
                waiting = next(source, None)
            yield from self._backwards(falling)

    def _checked(self, index: int) -> int:
        if not 0 <= index < self._length:
            raise IndexError(f"frame {index} of {self._length}")
        return int(index)

    def _backwards(self, falling: list[int]) -> Iterator[VideoFrame]:
        """Yield a run of falling indices, decoded forwards and kept until their turn."""
        self._seek(self._limit(falling[-1]))
        kept = {index: self._picture(index) for index in sorted(set(falling))}
        for position, index in enumerate(falling):
            yield kept[index]
            if falling[position + 1 : position + 2] != [index]:
                del kept[index]

    def _picture(self, index: int) -> VideoFrame:
        """The picture of a frame at or after the present one."""
        limit = self._limit(index)
        if (
            self._ahead is not None
            and (limit - self._ahead.stamp) * self._source.base > _SEEK_SECONDS
        ):
            self._seek(limit)
        while self._ahead is not None and (self._shown is None or self._ahead.stamp <= limit):
            self._shown, self._ahead = self._ahead, self._source.next()
        if self._shown is None:
            raise InputError(
                "no picture in it can be decoded", path=self.path, remedy="copy or export it again"
            )
        return self._shown.frame

    def _seek(self, limit: int) -> None:
        """Go on from the key frame before ``limit``, or from the beginning of the file."""
        self._shown, self._ahead = None, self._source.seek(limit)
