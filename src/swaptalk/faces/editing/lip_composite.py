"""The classical lip-sync: lips, jaw and cheeks of reference frames warped to where the sound wants
them, blended into a frame.

Skin and lips come from the up to three references whose head points the same way, the inside of
the mouth from those that are open as far: a closed mouth's lips are never stretched over teeth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.cropped_face import CroppedFace
from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.light import light_change, luma, measure_light, mesh_normals
from swaptalk.faces.editing.mask import mouth_mask
from swaptalk.faces.editing.mesh_warp import (
    MeshRaster,
    mesh_raster,
    mesh_warp,
    polygon_mask,
)
from swaptalk.faces.geometry.align import CROP_SIZE, HALF_ROW
from swaptalk.faces.geometry.box import Box
from swaptalk.faces.geometry.lip_shape import even_lips
from swaptalk.faces.geometry.mouth_motion import INNER_LIP_PAIRS
from swaptalk.faces.geometry.pose import estimate_pose, eye_distance
from swaptalk.faces.geometry.topology import (
    INNER_LIPS,
    LIP_LEFT,
    LIP_RIGHT,
    POINT_COUNT,
    mouth_openness,
)

#: Differences that count alike when references are weighed: of pose (degrees), of opening (share of
#: the mouth's width), of the mouth's width (eye distances).
POSE_SCALE, OPENING_SCALE, WIDTH_SCALE = 5.0, 0.12, 0.06
#: For the skin the opening matters less: its texture stretches well.
SKIN_OPENING = 0.35
#: But a mouth that is more open than wanted by more than this (in `OPENING_SCALE`) weighs so much
#: more for each unit beyond: pressed shut it shows its teeth and tongue on lips and chin.
SQUEEZED_FROM, SQUEEZED = 1.0, 0.7
#: A mouth less open than wanted is stretched, which shows more than one that is squeezed.
STRETCHED = 3.0
#: References that show at the same time: of fewer one flips to another where several are as near.
MOST_SHOWN = 3
#: Distances over which one reference gives way to another, for skin and for the inside of the
#: mouth, and the least share that still shows.
SKIN_SOFTNESS, INSIDE_SOFTNESS, LEAST_SHARE = 1.0, 0.7, 0.12
#: Where the head turns by less than this (degrees) between reference and frame, nothing is
#: mirrored.
MIRRORED_FROM = 10.0
#: Pictures of one lower face on one mesh correlate by this at least, where the mesh is right: over
#: validation clips references with a right mesh reached .37 and more, wrong ones .11.
LEAST_AGREEMENT = 0.25
#: They are compared smaller by this factor.
_COMPARED_STEP = 4
#: Blur of the edge of the mouth's inside, crop pixels (standard deviation).
INSIDE_SIGMA = 1.0
#: Opening (share of the mouth's width) up to which lips meet, and from which their inside is seen.
MEETING = (0.02, 0.06)
#: Then nothing there is brighter than the darker lip this far above or below, in a band of this
#: width (crop pixels, all of them), and a thin line of this share of the lips' brightness lies in
#: its middle.
_LIPS_AWAY, _LIPS_SIGMA, _TEETH_WIDTH = 5, 2.0, 5
LINE_BRIGHTNESS, _LINE_SIGMA = 0.6, 0.7
#: Part of a crop that mouths are made for: where `mouth_mask` is, and room to compare it with
#: its surroundings.
MOUTH_BOX = Box(HALF_ROW - 16, CROP_SIZE, 0, CROP_SIZE)
#: Maps are computed on every second pixel here: where a jaw drops, lip and chin move apart so much
#: that the lip's edge came out jagged on every fourth.
LIP_STEP = 2
_NOTHING_HIDDEN = np.zeros(POINT_COUNT, np.float32)


@dataclass(frozen=True)
class LipReference(CroppedFace):
    """A frame that shows the person's mouth.

    Of one that is not ``real`` but made by a network nothing but the inside of the mouth is used.
    """

    real: bool = True

    @cached_property
    def even_mesh(self) -> NDArray[np.float32]:
        """See `even_lips`."""
        return even_lips(self.mesh)

    @cached_property
    def opening(self) -> float:
        """See `mouth_openness`."""
        return mouth_openness(self.mesh)

    @cached_property
    def width(self) -> float:
        """See `mouth_width`."""
        return mouth_width(self.mesh)


def agreeing(references: Sequence[LipReference]) -> list[LipReference]:
    """Leave out references whose mesh is wrong: their lower face, moved onto a common mesh, looks
    unlike the others'. Of one or two all are kept.
    """
    if len(references) < 3:
        return list(references)
    turned = np.argsort([reference.pose.yaw for reference in references], kind="stable")
    mesh = references[int(turned[len(turned) // 2])].even_mesh
    raster = mesh_raster(mesh)
    size = (CROP_SIZE // _COMPARED_STEP, CROP_SIZE // _COMPARED_STEP)
    where = cv2.resize(mouth_mask(mesh), size, interpolation=cv2.INTER_AREA) > 0.5
    looks = []
    for one in references:
        moved = mesh_warp(one.crop, one.even_mesh, mesh, one.hidden, raster=raster)
        seen = cv2.resize(luma(moved), size, interpolation=cv2.INTER_AREA)[where]
        looks.append((seen - seen.mean()) / max(float(seen.std()), 1e-3))
    agreement = np.stack(looks) @ np.stack(looks).T / max(int(where.sum()), 1)
    others = ~np.eye(len(looks), dtype=bool)
    kept = [
        one
        for one, row, other in zip(references, agreement, others, strict=True)
        if np.median(row[other]) >= LEAST_AGREEMENT
    ]
    return kept or list(references)


def mouth_width(mesh: NDArray[np.floating]) -> float:
    """Distance of the corners of the mouth of a mesh (468, 3) in eye distances."""
    return float(np.linalg.norm(mesh[LIP_LEFT] - mesh[LIP_RIGHT])) / max(eye_distance(mesh), 1e-6)


def _shares(distance: NDArray[np.float32], softness: float) -> NDArray[np.float32]:
    """Shares (R,) of references by distance, at most `MOST_SHOWN` of them above 0, changing
    smoothly with the distances; sum 1.
    """
    order = np.argsort(distance, kind="stable")
    near = np.exp(-(distance[order] - distance[order[0]]) / softness)
    # All fade out before the next takes a place: so nothing jumps where the order changes.
    least = max([LEAST_SHARE, *near[MOST_SHOWN : MOST_SHOWN + 1].tolist()])
    share = np.zeros(len(distance), np.float32)
    share[order[:MOST_SHOWN]] = np.maximum(near[:MOST_SHOWN] - least, 0)
    share[order[0]] += 1e-6
    return np.asarray(share / share.sum(), np.float32)


def reference_shares(
    references: Sequence[LipReference], mesh: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weigh references (R,) for a wanted mesh (468, 3): for skin and lips, and for the inside of
    the mouth.
    """
    pose = estimate_pose(mesh).vector[:2]
    wanted, width = mouth_openness(mesh), mouth_width(mesh)
    turn = np.array(
        [np.abs(r.pose.vector[:2] - pose).sum() / POSE_SCALE for r in references], np.float32
    )
    more = np.array([r.opening - wanted for r in references], np.float32) / OPENING_SCALE
    apart = np.where(more < 0, -STRETCHED * more, more)
    apart += np.array([abs(r.width - width) for r in references], np.float32) / WIDTH_SCALE
    made = np.array([not r.real for r in references])
    look = turn + SKIN_OPENING * np.abs(more) + SQUEEZED * np.maximum(more - SQUEEZED_FROM, 0)
    skin = _shares(np.where(made, np.inf, look), SKIN_SOFTNESS)
    return skin, _shares(turn + apart, INSIDE_SOFTNESS)


def inside_shown(references: Sequence[LipReference], mesh: NDArray[np.floating]) -> float:
    """How much of what lies between the lips of a wanted mesh (468, 3) real references show: their
    opening, as a share of the one wanted; 1 for closed lips.
    """
    wanted = mouth_openness(mesh)
    _, shares = reference_shares(references, mesh)
    shown = sum(
        float(share) * one.opening
        for share, one in zip(shares, references, strict=True)
        if one.real
    )
    return min(1.0, shown / wanted) if wanted > 0 else 1.0


def composite_lips(
    references: Sequence[LipReference],
    ground: NDArray[np.uint8],
    ground_mesh: NDArray[np.floating],
    mesh: NDArray[np.floating],
    light: bool = True,
) -> FaceComposite:
    """Give a face another mouth.

    Args:
        references: of the same person, one or more.
        ground: aligned crop (256, 256, 3) uint8 RGB.
        ground_mesh: (468, 3) of the face in it.
        mesh: (468, 3) with the lower face as wanted, in the same pose.
        light: whether to give the references the ground's light.

    Returns:
        The picture, the mask of the new mouth and ``mesh``.
    """
    mesh = np.asarray(mesh, np.float32)
    raster = mesh_raster(mesh, step=LIP_STEP)
    around = mesh_warp(
        ground, even_lips(ground_mesh), mesh, _NOTHING_HIDDEN, raster=raster
    )  # the neck gives way to the chin
    face = warped_mouth(references, mesh, measure_light(ground, ground_mesh) if light else None)
    mask = mouth_mask(mesh)
    return FaceComposite(blended_mouth(face, around, mask), mask, mesh)


def blended_mouth(
    mouth: NDArray[np.uint8], face: NDArray[np.uint8], mask: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """A face (256, 256, 3) with another mouth.

    Args:
        mouth: the part `MOUTH_BOX` of a face, (144, 256, 3).
        face: (256, 256, 3).
        mask: `mouth_mask` (256, 256).
    """
    picture = face.copy()
    share = mask[MOUTH_BOX.slices]
    picture[MOUTH_BOX.slices] = cv2.blendLinear(mouth, face[MOUTH_BOX.slices], share, 1 - share)
    return picture


def warped_mouth(
    references: Sequence[LipReference],
    mesh: NDArray[np.float32],
    light: NDArray[np.float32] | None,
) -> NDArray[np.uint8]:
    """References moved onto a mesh and mixed: the part `MOUTH_BOX` of a face, (144, 256, 3).

    Args:
        references: of the same person, one or more.
        mesh: (468, 3) with the lower face as wanted.
        light: `measure_light` (4, 3) of the face that the mouth is for; None leaves each reference
            its own.
    """
    raster, normals = mesh_raster(mesh, step=LIP_STEP), mesh_normals(mesh)
    skin, inside = reference_shares(references, mesh)
    warped: dict[int, NDArray[np.uint8]] = {}

    def mixed(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
        used = [int(k) for k in np.flatnonzero(shares)]
        for k in used:
            if k not in warped:
                warped[k] = _warped(references[k], mesh, raster, light, normals)
        if len(used) == 1:
            return warped[used[0]]
        sums = sum(float(shares[k]) * warped[k].astype(np.float32) for k in used)
        return np.asarray(np.round(sums), np.uint8)

    face = mixed(skin)
    if mouth_openness(mesh) > 0:
        share = mouth_inside(mesh)[MOUTH_BOX.slices]
        face = np.asarray(cv2.blendLinear(mixed(inside), face, share, 1 - share), np.uint8)
    return _meeting_lips(face, mesh)


def _meeting_lips(face: NDArray[np.uint8], mesh: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lips that meet, or nearly, with the dark line of real ones between them: where a reference
    smiles, its teeth would be squeezed into a thin white one. The part `MOUTH_BOX` of a face.
    """
    apart = ramp(mouth_openness(mesh), MEETING)
    if apart == 1:
        return face
    upper, lower = np.array(INNER_LIP_PAIRS).T
    points = (mesh[upper, :2] + mesh[lower, :2]) / 2
    ends = (points[[0, -1]] + mesh[[LIP_RIGHT, LIP_LEFT], :2]) / 2  # the corners are dark already
    points = np.concatenate([ends[:1], points, ends[1:]])
    above, below = np.roll(face, _LIPS_AWAY, axis=0), np.roll(face, -_LIPS_AWAY, axis=0)
    lips = cv2.GaussianBlur(np.minimum(above, below), (0, 0), _LIPS_SIGMA)

    def along(width: int, colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
        drawn = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
        line = [np.round(points * 16).astype(np.int32)]
        cv2.polylines(drawn, line, False, (255,), width, cv2.LINE_AA, shift=4)
        soft = cv2.GaussianBlur(drawn[MOUTH_BOX.slices], (0, 0), _LINE_SIGMA)
        share = np.asarray(soft, np.float32) * np.float32((1 - apart) / 255)
        return np.asarray(cv2.blendLinear(colour, face, share, 1 - share), np.uint8)

    face = along(_TEETH_WIDTH, np.minimum(face, np.asarray(lips, np.uint8)))
    return along(1, np.asarray(cv2.convertScaleAbs(face, alpha=LINE_BRIGHTNESS), np.uint8))


def ramp(value: float, ends: tuple[float, float]) -> float:
    """0 up to the first end, 1 from the second, even in between."""
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1))


def covering_mesh(
    mesh: NDArray[np.floating], before: NDArray[np.floating], after: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Lower a mesh (468, 3) in an upright crop where a face's jaw goes down from ``before`` to
    ``after``: its mask covers the chin that was and the one that is.
    """
    change = np.asarray(after - before, np.float32)
    return np.asarray(mesh + np.where(change[:, 1:2] > 0, change, 0), np.float32)


def mouth_inside(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Soft mask (256, 256) of what lies between the lips of a mesh (468, 2 or 3)."""
    canvas = polygon_mask(mesh[INNER_LIPS], CROP_SIZE)
    blurred = cv2.GaussianBlur(canvas, (0, 0), INSIDE_SIGMA)
    return np.asarray(blurred, np.float32) / np.float32(255)


def _warped(
    reference: LipReference,
    mesh: NDArray[np.float32],
    raster: MeshRaster,
    light: NDArray[np.float32] | None,
    normals: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """The part `MOUTH_BOX` of a reference moved onto a mesh, in this light."""
    gain = None
    if light is not None:
        gain = light_change(reference.light, light, reference.normals, normals)
    turned = abs(reference.pose.yaw - estimate_pose(mesh).yaw) > MIRRORED_FROM
    hidden = reference.hidden if turned else _NOTHING_HIDDEN
    return mesh_warp(reference.crop, reference.even_mesh, mesh, hidden, gain, raster, MOUTH_BOX)
