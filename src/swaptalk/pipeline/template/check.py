"""Whether the content of a template is such that the pipeline can work with it: shapes, ranges and
order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.pipeline.analysis.face_log import FACES, FIXED_REASONS, RECORD, REFERENCES
from swaptalk.pipeline.analysis.reference_log import CANDIDATE_RECORD
from swaptalk.pipeline.analysis.result import CODES, EXPOSURE, MATRIX
from swaptalk.pipeline.template.header import TemplateHeader
from swaptalk.storage.frames import CodeStore
from swaptalk.storage.rows import Rows

#: What every template holds; where a source is built in, its swap too.
MEMBERS = frozenset({FACES, REFERENCES, MATRIX, EXPOSURE, CODES})
#: Pixels beyond which a landmark is nonsense: ten times the longest side of any video.
_FARTHEST = 100_000
#: More tracks than this in one clip are a damaged number.
_MAX_TRACKS = 1 << 20
#: Records looked at together.
_BLOCK = 256


def check_content(folder: Path, header: TemplateHeader) -> None:
    """See that what was unpacked into ``folder`` fits the header and itself.

    Raises:
        ValueError: it does not, with what is wrong.
        OSError: it cannot be read.
    """
    if header.reasons[: len(FIXED_REASONS)] != list(FIXED_REASONS):
        raise ValueError("states of frames are unknown")
    if sorted(set(header.cuts)) != header.cuts or (
        header.cuts and not 0 <= header.cuts[0] <= header.cuts[-1]
    ):
        raise ValueError("scene cuts are out of order")
    _check_faces(folder / FACES, header)
    _check_references(folder / REFERENCES, header.frames)
    with Rows(folder / MATRIX) as rows:
        if (len(rows), rows.shape, rows.dtype) != (header.frames, (2, 3), np.dtype("<f8")):
            raise ValueError("alignments have another shape or type")
        if rows.stop != (folder / MATRIX).stat().st_size:
            raise ValueError("alignments are missing")
    with Rows(folder / EXPOSURE) as gains:
        if (len(gains), gains.shape, gains.dtype) != (header.frames, (2,), np.dtype("<f4")):
            raise ValueError("exposures have another shape or type")
        if gains.stop != (folder / EXPOSURE).stat().st_size:
            raise ValueError("exposures are missing")
    with closing(CodeStore(folder / CODES)) as codes:
        codes.get(0)


def _records(path: Path, record: np.dtype[np.void]) -> Iterator[NDArray[np.void]]:
    if path.stat().st_size % record.itemsize:
        raise ValueError(f"{path.name} breaks off")
    with path.open("rb") as file:
        while raw := file.read(_BLOCK * record.itemsize):
            yield np.frombuffer(raw, record)


def _check_faces(path: Path, header: TemplateHeader) -> None:
    last = 0
    for block in _records(path, RECORD):
        frames, tracks = block["frame"], block["track"]
        if frames[0] < last or (np.diff(frames) < 0).any() or frames[-1] >= header.frames:
            raise ValueError("faces are out of order")
        last = int(frames[-1])
        if (
            tracks.min() < 0
            or tracks.max() > _MAX_TRACKS
            or block["reason"].max() >= len(header.reasons)
        ):
            raise ValueError("faces are out of range")
        mesh, pose = block["mesh"], block["pose"]
        if not (
            np.isfinite(pose).all()
            and np.isfinite(block["light"]).all()
            and (np.abs(mesh) < _FARTHEST).all()
        ):  # also refuses what is not a number
            raise ValueError("landmarks are out of range")


def _check_references(path: Path, frames: int) -> None:
    for block in _records(path, CANDIDATE_RECORD):
        if block["track"].min() < 0 or block["frame"].min() < 0 or block["frame"].max() >= frames:
            raise ValueError("candidates for references are out of range")
        if not ((block["covered"] >= 0) & (block["covered"] <= 1)).all():
            raise ValueError("covered shares are out of range")
