"""Read video at a constant rate, in any order, in bounded memory, from a decoding process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.probe import VideoInfo, info_from_message
from swaptalk.media.sandbox import pool
from swaptalk.media.sandbox.wire import Message, fraction_to_text, text_to_fraction

#: Memory for pictures decoded ahead when playing backwards: 48 at 720p, 21 at 1080p.
DEFAULT_BUFFER_BYTES = 64 << 20
#: Numbers of frames sent to the decoding process at once.
_WINDOW = 256


class VideoReader:
    """Constant-rate view of a video: frame i is the picture on screen at ``start + i / fps``
    seconds.

    Time 0 is the first picture (see :class:`swaptalk.media.timeline.Timeline`). At the video's own
    constant rate the nearest picture is taken, so that jitter neither repeats nor drops any.
    Pictures are upright RGB uint8 (H, W, 3) in square pixels, C-contiguous; colour matrix, range
    and bit depth are converted. A damaged passage shows the picture before it.

    The file is opened and decoded by another process, which can neither write nor reach a network
    (see :mod:`swaptalk.media.sandbox.confine`) and runs a few pictures ahead.

    Args:
        path: the video.
        fps: frames a second of the view; None: the video's own rate (variable rate: a standard rate
            near it).
        start: seconds at which frame 0 lies.
        end: seconds at which the view ends; None or beyond the end: the end of the video.
        threads: decoder threads; 0: one for each core.
        buffer_bytes: bound of the memory for decoding backwards.

    Raises:
        InputError: no readable video (as :func:`swaptalk.media.probe.probe`), or nothing between
            start and end; later, from :meth:`frames`: decoding takes more memory or time than
            allowed, or crashes the decoder.
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction | None = None,
        start: float = 0.0,
        end: float | None = None,
        *,
        threads: int = 0,
        buffer_bytes: int = DEFAULT_BUFFER_BYTES,
    ) -> None:
        self.path = Path(path)
        self._process = pool.borrow(self.path)
        self._closed = False  # only now is there something to give back
        try:
            answer = self._process.ask(
                {
                    "do": "video",
                    "fps": None if fps is None else fraction_to_text(Fraction(fps)),
                    "start": fraction_to_text(Fraction(start)),
                    "end": None if end is None else fraction_to_text(Fraction(end)),
                    "threads": threads,
                    "buffer": buffer_bytes,
                }
            )
            self._read_description(answer)
            self._process.share(self.width * self.height * 3)
        except BaseException:
            self.close()
            raise

    def _read_description(self, answer: Message) -> None:
        try:
            info = info_from_message(answer["media"], self.path).video
            self.fps, self._length = text_to_fraction(answer["fps"]), int(answer["frames"])
            if info is None or self.fps <= 0 or self._length < 1:
                raise ValueError("not a video")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                "made the decoder answer nonsense", path=self.path, remedy="convert it first"
            ) from error
        self.info: VideoInfo = info
        self.width, self.height = info.width, info.height

    def __len__(self) -> int:
        return self._length

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if not self._closed:
            self._closed = True
            pool.give_back(self._process)

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self.close()

    def alphas(self, indices: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
        """Yield how opaque the pixels of frames are, (H, W) uint8, as :meth:`frames` yields them.

        Raises:
            IndexError, InputError: as :meth:`frames`.
        """
        for plane in self._stream({"do": "frames", "alpha": True}, indices):
            yield plane[: self.width * self.height].reshape(self.height, self.width)

    def frames(self, indices: Iterable[int] | None = None) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames (H, W, 3) uint8 RGB of the indices in their order (None: all of them),
        each a new array.

        Rising indices are decoded straight through. For falling ones (ping-pong) some are taken in
        advance from ``indices``, as many as the buffer holds, and decoded as one chunk forwards
        from the key frame before them. Of a sequence (a list, a range) many are taken in advance,
        of another iterable only as many as are needed. One iteration runs at a time: beginning
        another ends the one before.

        Raises:
            IndexError: an index outside 0..len - 1.
            InputError: decoding takes more memory or time than allowed, or crashes the decoder.
        """
        wanted = range(self._length) if indices is None else indices
        for picture in self._stream({"do": "frames"}, wanted):
            yield picture[: self.width * self.height * 3].reshape(self.height, self.width, 3)

    def _stream(self, request: Message, indices: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
        if self._closed:
            raise ValueError("the reader is closed")
        numbers = _Numbers(indices, self._length)
        pictures = self._process.stream(request, numbers.window)
        try:
            for picture in pictures:
                yield picture
                if self._closed:  # between two frames
                    raise ValueError("the reader is closed")
        finally:
            if not self._closed:
                pictures.close()
        if numbers.error is not None:
            raise numbers.error


class _Numbers:
    """Windows of frame numbers; an invalid number raises after the frames before it."""

    def __init__(self, indices: Iterable[int], length: int) -> None:
        self._count = _WINDOW if isinstance(indices, Sequence) else 1
        self._source = iter(indices)
        self._length = length
        self.error: BaseException | None = None

    def window(self) -> Message:
        """Return the next message to the decoding process."""
        numbers: list[int] = []
        while len(numbers) < self._count:
            try:
                index = next(self._source)
                if not 0 <= index < self._length:
                    raise IndexError(f"frame {index} of {self._length}")
            except StopIteration:
                return {"indices": numbers, "last": True}
            except (
                BaseException
            ) as error:  # whatever the caller's iterator raises is for the caller
                self.error = error
                return {"indices": numbers, "last": True}
            numbers.append(int(index))
        return {"indices": numbers, "last": False}
