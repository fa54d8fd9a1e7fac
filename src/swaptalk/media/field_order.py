"""Whether video that is not flagged as interlaced is, and which field comes first.

A frame of interlaced video holds two moments: the even lines of one and the odd lines of another.
What moves then fits its neighbouring lines in the frame before (or after) better than those of the
frame after (or before), always on the same side; in progressive video both are equally far away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FieldOrder = Literal["tff", "bff"]
#: Pixels that change by so many levels between the frames before and after count as moving.
_MOVING = 12
#: A frame is judged if so large a part of it moves.
_LEAST_MOVING = 0.001
#: One side must be so many times further away than the other, in the whole and in all but a few of
#: the frames; twice to three times is usual.
_RATIO, _AGREEMENT = 1.25, 0.8
#: Frames that must be judged.
_LEAST_FRAMES = 3
#: The lines of a moving interlaced frame stand apart from each other at least so much as from
#: those of the nearer frame.
_COMBING = 0.5


def field_order(runs: Sequence[Sequence[NDArray[np.uint8]]]) -> FieldOrder | None:
    """Find out whether moving things are combed.

    Args:
        runs: luma (H, W) uint8 of frames that follow each other, from several places of a video.

    Returns:
        Which field comes first, ``tff`` (the even lines) or ``bff``; None for progressive video,
        and where too little moves to tell.
    """
    rows = np.array(
        [
            found
            for run in runs
            for before, frame, after in zip(run, run[1:], run[2:], strict=False)
            if (found := _distances(before, frame, after)) is not None
        ]
    )
    if len(rows) < _LEAST_FRAMES:
        return None
    top, bottom, own = rows.sum(axis=0)
    order: FieldOrder = "tff" if top < bottom else "bff"
    near, far = sorted((top, bottom))
    agree = np.mean((rows[:, 0] < rows[:, 1]) == (top < bottom))
    combed = far > _RATIO * near and own > _COMBING * near and agree >= _AGREEMENT
    return order if combed else None


def _distances(
    before: NDArray[np.uint8], frame: NDArray[np.uint8], after: NDArray[np.uint8]
) -> tuple[float, float, float] | None:
    """How far the lines of a frame are from those between them where something moves: in the frames
    that are near if the top field comes first, if the bottom field does, and in the frame itself.
    """
    height = len(frame) // 2 * 2
    past, now, then = (x[:height].astype(np.int16) for x in (before, frame, after))
    moving = np.abs(then - past)[1:-1] > _MOVING
    if moving.mean() < _LEAST_MOVING:
        return None
    around = now[:-2] + now[2:]
    own, early, late = (
        np.where(moving, np.abs(around - 2 * x[1:-1]), 0).sum(axis=1, dtype=np.int64)
        for x in (now, past, then)
    )
    # The first of these lines is an odd one.
    top = early[::2].sum() + late[1::2].sum()
    bottom = late[::2].sum() + early[1::2].sum()
    return float(top), float(bottom), float(own.sum())
