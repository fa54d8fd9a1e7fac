"""Choice of the frame that stands for a video."""

from __future__ import annotations

import numpy as np

from swaptalk.faces.geometry.pose import estimate_pose
from swaptalk.faces.geometry.topology import eye_openness
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.plan import Plan

#: Only so many seconds from the beginning are looked at, and so many frames of them.
SEARCHED_SECONDS, SEARCHED_FRAMES = 30, 100


def thumbnail_index(plan: Plan, analysis: Analysis) -> int:
    """Output frame with open eyes in which the face looks most towards the camera.

    The middle of the output where no face can be used.
    """
    count = min(plan.frames, round(SEARCHED_SECONDS * float(plan.fps)))
    indices = np.unique(np.linspace(0, count - 1, SEARCHED_FRAMES).astype(int)).tolist()
    usable = [index for index in indices if analysis.usable(plan.playback(index))]
    if not usable:
        return plan.frames // 2
    meshes = [analysis.mesh(plan.playback(index)) for index in usable]
    opening = np.array([eye_openness(mesh) for mesh in meshes])
    turned = np.array([np.abs(estimate_pose(mesh).vector).sum() for mesh in meshes])
    turned[opening < np.median(opening)] = np.inf
    return int(usable[int(np.argmin(turned))])
