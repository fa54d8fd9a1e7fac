"""The classical face swap: the source's pixels where they belong in the target's frame, in the
target's light.

Training, run time and evaluation all use `composite_face`. The source keeps its own shape of face
and takes the target's pose and expression, its eyes look where the target's do; hair, the inside of
the mouth, glasses and the surroundings stay the target's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.beard import beard_zone
from swaptalk.faces.editing.eye_network import measure_eyes
from swaptalk.faces.editing.eye_warp import draw_eyes, draw_lids, moved_lids, with_lids
from swaptalk.faces.editing.eye_whites import match_whites
from swaptalk.faces.editing.eyewear import (
    Eyewear,
    glasses_rims,
    glasses_zone,
    without_rims,
)
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.film import match_film
from swaptalk.faces.editing.hair import brows_mask, in_front
from swaptalk.faces.editing.light import (
    light_change,
    measure_light,
    mesh_normals,
    transfer_light,
)
from swaptalk.faces.editing.mask import inner_fade
from swaptalk.faces.editing.mesh_warp import (
    MeshRaster,
    mesh_raster,
    mesh_warp,
    polygon_mask,
    skin_weight,
    warp_quality,
)
from swaptalk.faces.editing.smile_folds import fold_share
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.box import Box
from swaptalk.faces.geometry.identity_shape import (
    identity_shape_model,
    with_shape,
)
from swaptalk.faces.geometry.pose import estimate_pose
from swaptalk.faces.geometry.topology import (
    BELOW_HAIRLINE,
    EYE_RINGS,
    INNER_LIPS,
    POINT_COUNT,
    mouth_openness,
)

#: The photo is moved onto the face and so many crop pixels around it: colours of its outline are
#: compared with its surroundings'.
FACE_MARGIN = 6
#: The mask fades from the outline of the face inwards over about twice this share of the crop.
MASK_FADE = 0.025
#: Share of the difference of two faces' shapes that is taken over at the outline: the target's
#: hair, ears and neck around it cannot follow all of it.
OUTLINE_SHARE = 0.35
#: The hole at the mouth reaches this many crop pixels beyond the inner lips, and further by this
#: many for a whole mouth's width of difference in opening: there the source's teeth or lip edges
#: lie where the target has none.
MOUTH_MARGIN, MOUTH_MARGIN_PER_OPENING, LARGEST_MOUTH_MARGIN = 1.0, 10.0, 4.5
#: Blur of the edges of the holes at mouth and eyes, and around glasses, crop pixels (standard
#: deviation).
HOLE_SIGMA, GLASSES_SIGMA = 1.2, 4.0
#: Difference of pose (degrees) over which one photo gives way to another, and the least share that
#: still shows.
POSE_SOFTNESS, LEAST_SHARE = 2.5, 0.1
#: Badly stretched texture counts as so many degrees of difference in pose.
STRETCH_DEGREES = 60.0
_EYES = np.concatenate(EYE_RINGS)
_NOTHING_HIDDEN = np.zeros(POINT_COUNT, np.float32)


@dataclass(frozen=True)
class FaceComposite:
    """What `composite_face` makes.

    ``picture`` (256, 256, 3) uint8 RGB in the target's crop; ``mask`` (256, 256) float32, 1 where
    it shows the source; ``mesh`` (468, 3) of the face in it, crop pixels; ``kept`` (256, 256) in
    0..1 where networks leave it as it is: the target's glasses, or its eyes in place of some that
    glasses hide. None is nowhere.
    """

    picture: NDArray[np.uint8]
    mask: NDArray[np.float32]
    mesh: NDArray[np.float32]
    kept: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class CompositeOptions:
    """Variations of the composite; the defaults are those of the pipeline, training sees others
    too.
    """

    fade: float = MASK_FADE
    """Width of the mask's fade, share of the crop."""
    points: NDArray[np.intp] | None = None
    """Points whose hull the mask fills; None leaves the hairline to the target."""
    own_eyes: bool = True
    """Take the eyeballs from the source too, turned to where the target looks; else they stay the
    target's."""
    strength: float = 1.0
    """Share of the source in the mask, 0..1."""
    relight: bool = True
    """Give the source the target's light."""
    glasses: bool | None = None
    """Leave the place of glasses to the target; None decides by the source's photo and what the
    target wears."""


def shape_difference(
    photos: Sequence[FacePhoto], target_shape: NDArray[np.floating], weight: float = 1.0
) -> NDArray[np.float32]:
    """Estimate how the source's face differs in shape from the target's, for a whole scene.

    Args:
        photos: of the source.
        target_shape: `normalised_shape` (468, 3) of the target, best its mean over many frames.
        weight: 1 gives the result the source's shape, 0 leaves the target's.

    Returns:
        (468, 3) for `composite_face`.
    """
    if not weight:
        return np.zeros((POINT_COUNT, 3), np.float32)
    mean = np.mean([photo.shape for photo in photos], axis=0)
    difference = identity_shape_model().difference(mean, target_shape, OUTLINE_SHARE)
    return np.asarray(weight * difference, np.float32)


def photo_shares(
    photos: Sequence[FacePhoto], target_mesh: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Weigh the photos (K,) for a target's mesh (468, 3): nearest in pose first, changing smoothly
    with it; sum 1.
    """
    if len(photos) == 1:
        return np.ones(1, np.float32)
    pose = estimate_pose(target_mesh).vector[:2]
    apart = np.array(
        [
            float(np.abs(photo.pose.vector[:2] - pose).sum())
            + STRETCH_DEGREES * (1 - warp_quality(photo.mesh, target_mesh))
            for photo in photos
        ]
    )
    share = np.exp(-(apart - apart.min()) / POSE_SOFTNESS)
    share = np.maximum(share / share.sum() - LEAST_SHARE, 0)
    return np.asarray(share / share.sum(), np.float32)


def composite_face(
    photos: Sequence[FacePhoto],
    target: NDArray[np.uint8],
    target_mesh: NDArray[np.floating],
    difference: NDArray[np.floating] | None = None,
    worn: Eyewear = Eyewear.NONE,
    target_light: NDArray[np.floating] | None = None,
    options: CompositeOptions | None = None,
    covered: bool = True,
    beard: bool = False,
) -> FaceComposite:
    """Put the source's face on a target.

    Args:
        photos: of the source, one or more.
        target: aligned crop (256, 256, 3) uint8 RGB.
        target_mesh: (468, 3) in its pixels.
        difference: of the two shapes, from `shape_difference`; None gives the face the target's
            shape.
        worn: the target's glasses.
        target_light: `measure_light` (4, 3) of the target, smoothed over time; None measures it in
            this frame.
        options: see `CompositeOptions`.
        covered: look for what lies in front of the target's face; False: there is nothing.
        beard: leave mouth and chin to the target, see `swaptalk.faces.editing.beard.Beards`.
    """
    options = options or CompositeOptions()
    target_mesh = np.asarray(target_mesh, np.float32)
    seen = measure_eyes(target, target_mesh)
    lidded = with_lids(target_mesh, seen)
    shaped, ground, eyes = target_mesh, target, seen
    if difference is not None and difference.any():
        shaped = with_shape(target_mesh, difference)
        eyes = moved_lids(shaped, target_mesh, seen)
    mesh = with_lids(shaped, eyes)
    raster = mesh_raster(mesh)
    if shaped is not target_mesh:
        ground = mesh_warp(target, lidded, mesh, _NOTHING_HIDDEN, raster=raster)
    light = target_light if options.relight else None
    if options.relight and light is None:
        light = measure_light(target, target_mesh)
    box = Box.around(mesh, FACE_MARGIN, CROP_SIZE)
    face = _warped(photos, ground, mesh, eyes, raster, box, light)
    whole = photos[0].has_glasses if options.glasses is None else options.glasses
    rims = glasses_rims(ground, mesh) if worn is Eyewear.RIMS else None
    if options.relight:
        lit = ground if rims is None else without_rims(ground, rims)
        face = transfer_light(face, lit, skin_weight(mesh, CROP_SIZE), box)
    if options.relight:
        match_whites(face, eyes, target, seen)
    draw_lids(face, ground, shaped, eyes)
    face = match_film(face, target)
    points = BELOW_HAIRLINE if options.points is None else options.points
    mask = inner_fade(mesh, options.fade * CROP_SIZE, CROP_SIZE, points)
    trust = min(photo.eye_trust for photo in photos) if options.own_eyes else 0.0
    mask = mask * (1 - _holes(photos, mesh, target_mesh, trust))
    if not all(photo.has_brows for photo in photos):
        mask = mask * (1 - brows_mask(mesh))
    if covered:
        mask = mask * (1 - in_front(ground, mesh))
    if beard:
        mask = mask * (1 - beard_zone(mesh))
    kept = rims
    if whole or worn is Eyewear.OTHER:
        # The source's eyes are behind glasses, too, or cannot be put behind the target's.
        kept = _soft(glasses_zone(mesh), GLASSES_SIGMA)
    if kept is not None:
        mask = mask * (1 - kept)
    mask = np.asarray(options.strength * mask, np.float32)
    picture = np.asarray(cv2.blendLinear(face, ground, mask, 1 - mask), np.uint8)
    return FaceComposite(picture, mask, mesh, kept)


def _warped(
    photos: Sequence[FacePhoto],
    ground: NDArray[np.uint8],
    mesh: NDArray[np.float32],
    eyes: NDArray[np.float32],
    raster: MeshRaster,
    box: Box,
    light: NDArray[np.floating] | None,
) -> NDArray[np.uint8]:
    """The source's face (256, 256, 3) moved onto a mesh and its ``eyes`` (2, 21, 2), from the
    photos that suit its pose; around its box the ``ground`` (256, 256, 3).
    """
    shares = photo_shares(photos, mesh)
    used = [(photo, share) for photo, share in zip(photos, shares, strict=True) if share > 0]
    normals = mesh_normals(mesh)
    warped = []
    for photo, _ in used:
        gain, crop = None, photo.crop
        if light is not None:
            gain = light_change(photo.light, light, photo.normals, normals)
            crop = photo.calmed_for(light, fold_share(photo.mesh, mesh))
        made = ground.copy()
        made[box.slices] = mesh_warp(
            crop, photo.lidded_mesh, mesh, photo.hidden, gain, raster, box, photo.mirror_gain
        )
        around = None if gain is None else gain[_EYES].mean(axis=0)
        draw_eyes(made, mesh, eyes, photo.crop, photo.eyeballs, around)
        warped.append(made)
    if len(warped) == 1:
        return warped[0]
    mixed = sum(
        share * picture.astype(np.float32) for (_, share), picture in zip(used, warped, strict=True)
    )
    return np.asarray(np.round(mixed), np.uint8)


def _holes(
    photos: Sequence[FacePhoto],
    mesh: NDArray[np.float32],
    target_mesh: NDArray[np.float32],
    eye_trust: float,
) -> NDArray[np.float32]:
    """Where the inside of the target's mouth stays, and its eyeballs if the photos' cannot be
    trusted, (256, 256) in 0..1.
    """
    canvas = polygon_mask(mesh[INNER_LIPS], CROP_SIZE)
    opening = mouth_openness(target_mesh)
    apart = max(abs(mouth_openness(photo.mesh) - opening) for photo in photos)
    margin = min(MOUTH_MARGIN + MOUTH_MARGIN_PER_OPENING * apart, LARGEST_MOUTH_MARGIN)
    _widen(canvas, mesh[INNER_LIPS], margin)
    holes = _soft(canvas, HOLE_SIGMA)
    if eye_trust < 1:
        canvas = np.maximum(*(polygon_mask(mesh[ring], CROP_SIZE) for ring in EYE_RINGS))
        holes = np.maximum(holes, np.float32(1 - eye_trust) * _soft(canvas, HOLE_SIGMA))
    return holes


def _widen(canvas: NDArray[np.uint8], ring: NDArray[np.float32], margin: float) -> None:
    """Let a filled ring (N, 2 or 3) on a canvas (256, 256) reach further by ``margin`` pixels."""
    thickness = round(2 * margin)
    if thickness:
        points = np.round(ring[:, :2] * 16).astype(np.int32)
        cv2.polylines(canvas, [points], True, (255,), thickness, cv2.LINE_AA, shift=4)


def _soft(canvas: NDArray[np.uint8], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), sigma), np.float32) / np.float32(255)
