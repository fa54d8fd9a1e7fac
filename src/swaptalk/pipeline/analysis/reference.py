"""Choice of the reference frames that show the lip-sync network the person's mouth and teeth, and
of those by which a swap gets to know the target.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.exposure import Exposure
from swaptalk.pipeline.analysis.result import SCENE_START

#: Frames whose heads differ by less than this (degrees) can share a reference: the warp bridges it.
POSE_STEP = 10.0
#: References per clip: their latents stay in memory, and a head turning further gets the nearest.
MAXIMUM_REFERENCES = 8
#: A frame keeps the reference of the frame before until another is closer by this (degrees), so
#: that texture does not flicker between two references.
HYSTERESIS = 4.0
#: The reference should show an open mouth with teeth, unlike most target frames, but not a yawn:
#: this quantile of the clip's mouth openness.
OPENNESS_QUANTILE = 0.85


#: Two mouths that differ by this in openness differ as much as two heads by `POSE_STEP`; frames
#: that differ by less than this share of it show the same.
OPENNESS_STEP, LEAST_DIFFERENCE = 0.12, 0.5
#: A candidate is as good as the freest one if so little more of its face is covered.
COVERED_TOLERANCE = 0.02
#: A swap gets to know the target from so many frames of a scene, or from one where there are more
#: than two scenes, and in so many scenes.
SAMPLES, SAMPLED_SCENES = 3, 8


def eligible_frames(
    usable: NDArray[np.bool_], covered: NDArray[np.floating], exposure: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Frames (N,) among which references are chosen: nothing in front of the face, and in the usual
    light, as far as there are any.

    Args:
        usable: (N,) frames with a usable face.
        covered: (N,) share of the face that is covered, NaN where it was not measured.
        exposure: (N, 2) of each frame, (1, 0) where the light is as usual.
    """
    known = usable & ~np.isnan(covered)
    if not known.any():
        return usable
    free = known & (np.nan_to_num(covered) <= covered[known].min() + COVERED_TOLERANCE)
    lit = free & (exposure == Exposure()).all(axis=1)
    return np.asarray(lit if lit.any() else free)


def choose_samples(
    usable: NDArray[np.bool_], covered: NDArray[np.floating], cuts: NDArray[np.integer]
) -> NDArray[np.intp]:
    """Frames by which a swap gets to know the target: its glasses, its beard, its light.

    They are among the first `SCENE_START` usable ones of their scenes, so that they are the same
    however much of the target is used. What covers the face least is preferred.

    Args:
        usable: (N,) frames with a usable face.
        covered: (N,) share of the face that is covered, NaN where it was not measured.
        cuts: first frames of the scenes but the first.

    Returns:
        (K,) frame indices, at least one.

    Raises:
        ValueError: no frame is usable.
    """
    scenes = [frames for frames in np.split(np.arange(len(usable)), cuts) if usable[frames].any()]
    if not scenes:
        raise ValueError("no frame has a usable face")
    chosen: list[NDArray[np.intp]] = []
    for frames in scenes[:SAMPLED_SCENES]:
        first = frames[usable[frames]][:SCENE_START]
        known = first[~np.isnan(covered[first])]
        if len(known):
            free = known[covered[known] <= covered[known].min() + COVERED_TOLERANCE]
        else:
            free = first[:1]
        count = min(SAMPLES if len(scenes) <= 2 else 1, len(free))
        chosen.append(free[np.linspace(0, len(free) - 1, count).astype(np.intp)])
    return np.concatenate(chosen)


def choose_references(
    pose: NDArray[np.floating],
    openness: NDArray[np.floating],
    usable: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """Frames to be used as references: similar pose to the frames they serve, different mouth.

    Poses are covered greedily, the one furthest from all references so far comes next; around each
    the frame with an open mouth is taken.

    Args:
        pose: (N, 3) yaw, pitch, roll in degrees.
        openness: (N,) from :func:`swaptalk.faces.geometry.topology.mouth_openness`.
        usable: (N,) frames to choose from, see `eligible_frames`.

    Returns:
        (R,) frame indices, at least one.

    Raises:
        ValueError: no frame is usable.
    """
    candidates = np.flatnonzero(usable)
    if not len(candidates):
        raise ValueError("no frame has a usable face")
    angles = pose[candidates, :2].astype(np.float64)  # roll is taken out by the alignment
    wanted = np.quantile(openness[candidates], OPENNESS_QUANTILE)
    misfit = np.abs(openness[candidates] - wanted)
    centre = np.median(angles, axis=0)
    chosen: list[int] = []
    while len(chosen) < MAXIMUM_REFERENCES:
        around = np.linalg.norm(angles - centre, axis=1)
        near = np.flatnonzero(around <= max(POSE_STEP / 2, around.min()))
        chosen.append(int(near[np.argmin(misfit[near])]))
        distance = np.linalg.norm(angles[:, None] - angles[None, chosen], axis=2).min(axis=1)
        if distance.max() <= POSE_STEP:
            break
        centre = angles[np.argmax(distance)]
    return candidates[np.unique(chosen)]


def choose_mouths(
    pose: NDArray[np.floating],
    openness: NDArray[np.floating],
    usable: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """Frames whose mouths are warped: first an open mouth in the usual pose, then always the frame
    that differs most, in pose or opening, from those that are chosen.

    Args:
        pose: see `choose_references`.
        openness: see `choose_references`.
        usable: see `choose_references`.

    Returns:
        (R,) frame indices, from one to `MAXIMUM_REFERENCES`.
    """
    candidates = np.flatnonzero(usable)
    angles = pose[candidates, :2].astype(np.float64)
    mouths = openness[candidates].astype(np.float64)
    looks = np.concatenate([angles / POSE_STEP, mouths[:, None] / OPENNESS_STEP], axis=1)
    usual = [*np.median(angles, axis=0) / POSE_STEP]
    usual.append(np.quantile(mouths, OPENNESS_QUANTILE) / OPENNESS_STEP)
    apart = np.linalg.norm(looks - np.array(usual), axis=1)
    chosen = [int(np.argmin(apart))]
    while len(chosen) < MAXIMUM_REFERENCES:
        apart = np.linalg.norm(looks[:, None] - looks[None, chosen], axis=2).min(axis=1)
        if apart.max() < LEAST_DIFFERENCE:
            break
        chosen.append(int(np.argmax(apart)))
    return candidates[np.unique(chosen)]


def assign_references(
    pose: NDArray[np.floating], references: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """For every frame the position in ``references`` of the one it uses, (N,): nearest pose, with
    hysteresis.
    """
    angles = pose[:, :2].astype(np.float32)
    distance = np.stack(
        [np.linalg.norm(angles - angles[reference], axis=1) for reference in references], axis=1
    )
    nearest = np.argmin(distance, axis=1)
    assigned = np.empty(len(pose), np.uint8)
    current = int(nearest[0]) if len(pose) else 0
    for frame, best in enumerate(nearest):
        if distance[frame, best] + HYSTERESIS < distance[frame, current]:
            current = int(best)
        assigned[frame] = current
    return assigned
