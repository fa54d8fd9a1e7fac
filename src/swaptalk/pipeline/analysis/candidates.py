"""Pictures of the faces that may become references, kept while faces are followed.

Which frames serve as references is known only at the end of the first pass, and how their crops lie
only after smoothing. The surroundings of some faces, kept until then, save decoding the target once
more.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.people import Renumbering, corrected_numbers
from swaptalk.faces.geometry.align import Alignment, crop_box, crop_part

#: What precedes a picture in the file: track, frame, left, top, width, height, width and height of
#: the whole picture.
_HEADER = struct.Struct("<8i")
#: Share of the box kept on each side, so that it still covers the crop after smoothing.
_MARGIN = 0.08


class CandidateWriter:
    """Appends surroundings of faces to a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def add(self, track: int, frame: int, picture: NDArray[np.uint8], alignment: Alignment) -> None:
        """Keep the surroundings of a crop.

        Args:
            track: whose face.
            frame: number in the target.
            picture: the frame, RGB (H, W, 3) uint8.
            alignment: how the crop lies in it before smoothing.
        """
        height, width = picture.shape[:2]
        left, top, right, bottom = crop_box(alignment, height, width)
        more = round(_MARGIN * max(right - left, bottom - top))
        left, top, right, bottom = (
            max(0, left - more),
            max(0, top - more),
            right + more,
            bottom + more,
        )
        part = np.ascontiguousarray(picture[top:bottom, left:right])
        self._file.write(
            _HEADER.pack(track, frame, left, top, part.shape[1], part.shape[0], width, height)
        )
        self._file.write(part.data)

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()


class Candidates:
    """Finds crops in such a file.

    Args:
        path: the file; where there is none, nothing is found.
        renumbered: corrections of the numbers in it.
    """

    def __init__(self, path: Path, renumbered: Sequence[Renumbering] = ()) -> None:
        self._places: dict[tuple[int, int], int] = {}
        self._file: BinaryIO | None = path.open("rb") if path.exists() else None
        if self._file is not None:
            while header := self._file.read(_HEADER.size):
                track, frame, _, _, width, height, _, _ = _HEADER.unpack(header)
                number = int(corrected_numbers(np.array([track]), np.array([frame]), renumbered)[0])
                self._places[number, frame] = self._file.tell() - _HEADER.size
                self._file.seek(width * height * 3, 1)

    def crop(
        self, tracks: tuple[int, ...], frame: int, alignment: Alignment
    ) -> NDArray[np.uint8] | None:
        """The crop (256, 256, 3) uint8 of one of the tracks as `crop_face` cuts it, or None if it
        was not kept.
        """
        place = next(
            (self._places[track, frame] for track in tracks if (track, frame) in self._places), None
        )
        if place is None or self._file is None:
            return None
        self._file.seek(place)
        _, _, x, y, w, h, width, height = _HEADER.unpack(self._file.read(_HEADER.size))
        left, top, right, bottom = crop_box(alignment, height, width)
        if not (x <= left < right <= x + w and y <= top < bottom <= y + h):
            return None  # smoothing moved it too far
        part = np.frombuffer(self._file.read(w * h * 3), np.uint8).reshape(h, w, 3)
        return crop_part(part[top - y : bottom - y, left - x : right - x], (left, top), alignment)

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()
