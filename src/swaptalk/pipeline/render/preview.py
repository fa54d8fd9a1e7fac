"""A look at a few frames before a long job: the target above, the result below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.target import resized
from swaptalk.pipeline.timeline import Playback

#: Only the beginning is analysed (seconds); ``--start`` moves it.
PREVIEW_SECONDS = 8
#: Frames shown, and the height of each in the picture.
PREVIEW_FRAMES = 4
PREVIEW_HEIGHT = 360


def preview_plan(plan: Plan) -> Plan:
    """The plan of the first seconds only."""
    frames = min(plan.frames, max(1, round(PREVIEW_SECONDS * plan.fps)))
    length = min(plan.playback.length, frames)
    return replace(plan, frames=frames, playback=Playback(length, plan.playback.extend))


def preview_indices(plan: Plan) -> list[int]:
    """Output frames to show, spread evenly."""
    shown = min(PREVIEW_FRAMES, plan.frames)
    return [(2 * column + 1) * plan.frames // (2 * shown) for column in range(shown)]


def side_by_side(
    above: Sequence[NDArray[np.uint8]], below: Sequence[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """One picture of two rows of frames (H, W, 3), scaled down to a common height."""
    height = min(PREVIEW_HEIGHT, above[0].shape[0])
    width = max(1, round(above[0].shape[1] * height / above[0].shape[0]))
    rows = [
        np.concatenate([resized(frame, width, height) for frame in row], axis=1)
        for row in (above, below)
    ]
    return np.concatenate(rows, axis=0)
