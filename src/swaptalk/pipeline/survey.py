"""First look at the target: every face in every frame, kept on disk until the user's choice is applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from swaptalk.faces.topology import POINT_COUNT
from swaptalk.faces.track import TrackedFace, TrackedFrame

#: One face in one frame. Meshes stay in float32: half precision is too coarse for pixels of large pictures.
RECORD = np.dtype([("frame", "<i4"), ("track", "<i4"), ("reason", "u1"), ("pose", "<f4", (3,)),
                   ("mesh", "<f4", (POINT_COUNT, 3))])
#: Records read at once.
_BLOCK = 256
#: Reason of a frame in which the chosen person is not seen.
NO_FACE = "no face"


class Reasons:
    """Numbers for the reasons why a frame is left alone; 0 means it is not."""

    def __init__(self, known: Iterable[str] = ("", NO_FACE)) -> None:
        self.names = list(known)

    def number(self, reason: str) -> int:
        """Number of a reason, new ones are added."""
        if reason not in self.names:
            self.names.append(reason)
        return self.names.index(reason)


class FaceLog:
    """Appends all faces of each frame to a file, and reads those of the chosen tracks back, in order."""

    def __init__(self, path: Path, reasons: Reasons) -> None:
        self._path, self._reasons = path, reasons
        self._file = path.open("wb")
        self.cuts: list[int] = []

    def append(self, frame: TrackedFrame) -> None:
        """Store the faces of the next frame."""
        if frame.cut:
            self.cuts.append(frame.index)
        if frame.faces:
            self._file.write(np.array([self._record(frame.index, face) for face in frame.faces], RECORD).tobytes())

    def _record(self, index: int, face: TrackedFace) -> tuple[object, ...]:
        reason = self._reasons.number("" if face.usable else face.reason)
        return index, face.track, reason, face.pose.vector, face.landmarks.points

    def faces(self, tracks: Iterable[int]) -> Iterator[np.void]:
        """At most one record of these tracks for every frame, in the order of frames."""
        self._file.flush()
        wanted = np.array(sorted(tracks))
        last = -1
        with self._path.open("rb") as file:
            while raw := file.read(_BLOCK * RECORD.itemsize):
                block = np.frombuffer(raw, RECORD)
                for record in block[np.isin(block["track"], wanted)]:
                    if record["frame"] != last:
                        last = int(record["frame"])
                        yield record

    def close(self) -> None:
        """Close and delete the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> FaceLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
                 ) -> None:
        self.close()


def by_frame(records: Iterable[np.void], count: int) -> Iterator[np.void | None]:
    """The records spread over ``count`` frames, None where there is none."""
    waiting = iter(records)
    record = next(waiting, None)
    for frame in range(count):
        if record is not None and record["frame"] == frame:
            yield record
            record = next(waiting, None)
        else:
            yield None


