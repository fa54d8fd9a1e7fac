"""Detail finer than the 256 px crop: the photo's own, in faces that the picture shows larger.

The photo's luma divided by its low-pass moves through the same map as the composite. Where photo
and result agree in the next lower band it takes the place of the result's own, as far as the
target's picture is as sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.agreement import agreement_of_bands
from swaptalk.faces.editing.eyewear import glasses_zone
from swaptalk.faces.editing.face_composite import photo_shares
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.mask import FACE_FADE, inner_fade, mouth_mask
from swaptalk.faces.editing.mesh_warp import MAP_STEP, coarse_map, dense
from swaptalk.faces.geometry.align import CROP_SIZE, Alignment
from swaptalk.faces.geometry.box import Box
from swaptalk.faces.geometry.topology import LEFT_EYE, OUTER_LIPS, RIGHT_EYE

#: Side of the crop that detail is taken from and given to, pixels.
FINE = 2 * CROP_SIZE
#: Photos whose face is less than this many times as large as the crop hold nothing beyond it.
FINER_THAN_CROP = 1.2
#: Size of the target's face, in crops, from which there is detail, and from which there is all of
#: it: a face that comes nearer must not jump.
TARGET_SIZE = (1.1, 1.25)
#: Standard deviation of the low-pass above which structure is detail, and that of the lower end of
#: the band in which photo and result are compared, crop pixels.
DETAIL_SIGMA, BAND_SIGMA = 1.2, 4.8
#: Reach of the comparison, crop pixels (standard deviation).
AGREEMENT_SIGMA = 6.0
#: Local similarity of photo and result (1 for the same, -1 for the negative) from which detail is
#: given, and from which all of it is.
AGREEMENT = (0.2, 0.7)
#: Mean square of a band (shares of the brightness) up to which it is flat: flat places agree.
FLAT_BAND = 2e-5
#: Detail of the target's picture, in units of the new face's, from which there is a use for more,
#: and from which the photo's takes the whole place of the face's.
SHARPER = (0.7, 0.9)
#: The photo's detail is brought to so many times the mean strength of the target's: made-up or
#: softly lit skin would make brows and lids soft too. It is exaggerated at most this much.
LEVEL, LARGEST_LEVEL = 1.25, 1.2
#: Detail beyond this share of the brightness is no texture of the skin.
LARGEST_DETAIL = 0.33
#: Eyeballs and lips stay without, with a soft edge (crop pixels, standard deviation).
HOLE_SIGMA = 2.0
#: Added to the luma so that black places have no detail.
_FLOOR = 8.0
#: Maps, weights and agreement are smooth: they are computed on every second pixel of the crop.
_COARSE = CROP_SIZE // 2
#: Fine pixels per coarse one, a side.
_FINER = FINE // _COARSE
#: Detail is measured in the middle of the face: first and last row, first and last column of the
#: coarse fields.
_MIDDLE = 32, 112, 32, 96
#: Amounts below this change no 8-bit pixel.
_NEGLIGIBLE = 1 / 64
#: Detail is looked for in the box of places that may show more of it than this share.
_LEAST_SHARE = 0.1
#: Detail is carried in 8 bits: 128 is none, and so many steps are all of the brightness.
_STEPS = 127 / LARGEST_DETAIL


def _luma(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32) + _FLOOR


def _blur(field: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def _halved(field: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(
        cv2.resize(field, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA), np.float32
    )


def _band(low: NDArray[np.float32]) -> NDArray[np.float32]:
    """The band below the detail, (128, 128), of a crop's low-pass, in shares of the brightness."""
    small = _halved(low)
    lower = _blur(small, BAND_SIGMA / 2)
    return small / lower - 1


def _moved(image: NDArray[Any], x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[Any]:
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _enlarged(field: NDArray[np.float32], box: Box, factor: int, kind: int) -> NDArray[np.float32]:
    """A box of a field (S, S), enlarged as the whole would be."""
    around = box.grown(3, len(field))
    width, height = around.size
    large = cv2.resize(field[around.slices], (factor * width, factor * height), interpolation=kind)
    return np.asarray(large[box.within(around).finer(factor).slices], np.float32)


@dataclass(frozen=True)
class _Photo:
    """A photo made ready: ``detail`` (512, 512) uint8, ``band`` (128, 128) and the face."""

    detail: NDArray[np.uint8]
    band: NDArray[np.float32]
    face: FacePhoto


def _prepared(face: FacePhoto) -> _Photo | None:
    if face.fine is None:
        return None
    luma = _luma(face.fine)
    detail = luma / _blur(luma, DETAIL_SIGMA * FINE / CROP_SIZE) - 1
    levels = np.clip(np.round(_STEPS * detail), -127, 127) + 128
    return _Photo(levels.astype(np.uint8), _band(_blur(_luma(face.crop), DETAIL_SIGMA)), face)


class PhotoDetail:
    """The detail of the source's photos.

    Args:
        photos: of the source; those without a fine crop give none.
        strength: share of the detail that is given, 0..1.
        spoken: whether lips and jaw move otherwise than the target's: the mouth's region then has
            no detail.
    """

    def __init__(
        self, photos: Sequence[FacePhoto], strength: float = 1.0, spoken: bool = False
    ) -> None:
        self._faces, self._strength, self._spoken = photos, strength, spoken
        self._photos = [_prepared(photo) for photo in photos]

    def __call__(self, mesh: NDArray[np.float32], alignment: Alignment) -> FrameDetail | None:
        """Move the detail into a frame, from the photo that has the largest share in it.

        Args:
            mesh: (468, 3) of the face in the result, crop pixels.
            alignment: how the crop lies in the picture.
        """
        size = large_enough(alignment)
        shares = photo_shares(self._faces, mesh)
        first = int(np.argmax(shares))
        photo = self._photos[first]
        # Where two photos are equally near neither gives detail: one gives way to the other softly.
        second = float(np.delete(shares, first).max(initial=0))
        share = self._strength * size * min(1.0, 2 * (float(shares[first]) - second))
        if photo is None or share <= 0:
            return None
        zone = self._zone(mesh, photo.face.has_glasses)
        box = _box(zone, mesh)
        if box is None:
            return None
        zone[: box.top], zone[box.bottom :] = 0, 0
        zone[:, : box.left], zone[:, box.right :] = 0, 0
        # At pixel centres of the fine crop, from the two meshes in its pixels.
        source, target = (2 * points[:, :2] + 0.5 for points in (photo.face.mesh, mesh))
        step = MAP_STEP * FINE // CROP_SIZE
        field = coarse_map(source, target, FINE, step)
        # One pixel more, since weights are interpolated.
        box = box.grown(1, _COARSE)
        fine = box.finer(_FINER)
        x, y = (dense(plane, step, fine.size, (fine.left, fine.top)) for plane in field)
        # Linear: what it softens, the match with the target's sharpness brings back.
        detail = _moved(photo.detail, x, y)
        # The band from fine pixels to those of the coarse fields, in their middles.
        middle = (_FINER - 1) / 2
        x, y = (
            (dense(plane, step, (_COARSE, _COARSE), (middle, middle), _FINER) - np.float32(middle))
            / np.float32(_FINER)
            for plane in field
        )
        band = _moved(photo.band, x, y)
        return FrameDetail(detail, box, band, np.float32(share) * zone)

    def _zone(self, mesh: NDArray[np.float32], glasses: bool) -> NDArray[np.float32]:
        """Where detail may be, (128, 128) in 0..1."""
        canvas = np.zeros((_COARSE, _COARSE), np.uint8)
        for ring in (LEFT_EYE, RIGHT_EYE, OUTER_LIPS):
            points = np.round(16 * ((mesh[ring, :2] + 0.5) / 2 - 0.5)).astype(np.int32)
            cv2.fillPoly(canvas, [points], (255,), cv2.LINE_AA, shift=4)
        if glasses:
            covered = cv2.resize(glasses_zone(mesh), (_COARSE,) * 2, interpolation=cv2.INTER_AREA)
            canvas = np.maximum(canvas, np.asarray(covered, np.uint8))
        hole = _blur(np.asarray(canvas, np.float32) / np.float32(255), HOLE_SIGMA / 2)
        zone = np.clip(1 - 2 * hole, 0, 1)
        if self._spoken:
            zone = zone * (1 - _halved(mouth_mask(mesh)))
        return np.asarray(zone, np.float32)


def _box(zone: NDArray[np.float32], mesh: NDArray[np.float32]) -> Box | None:
    """The coarse pixels in which detail is seen, if there are any: in the zone and on the face."""
    face = inner_fade((mesh[:, :2] + 0.5) / 2 - 0.5, FACE_FADE / 2, _COARSE)
    shown = face * zone > _LEAST_SHARE
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def large_enough(alignment: Alignment) -> float:
    """How much detail the size of the face in the picture allows, 0..1."""
    low, high = TARGET_SIZE
    return float(np.clip((1 / alignment.scale - low) / (high - low), 0, 1))


@dataclass(frozen=True)
class FrameDetail:
    """A photo's detail, moved into a frame.

    ``detail`` (h, w) uint8, 128 where there is none, fills ``box`` of the coarse fields; ``band``
    (128, 128) is the photo's next lower band; ``zone`` (128, 128) in 0..1 where detail may be.
    """

    detail: NDArray[np.uint8]
    box: Box
    band: NDArray[np.float32]
    zone: NDArray[np.float32]

    def compare(self, face: NDArray[np.uint8]) -> ComparedDetail:
        """Find out where a new face (256, 256, 3) uint8 RGB agrees with the photo."""
        luma = _luma(face)
        low = _blur(luma, DETAIL_SIGMA)
        own = _enlarged(luma / low, self.box.finer(_FINER // 2), 2, cv2.INTER_CUBIC)
        agreed = agreement_of_bands(
            _band(low), self.band, AGREEMENT_SIGMA / 2, FLAT_BAND, AGREEMENT
        )
        return ComparedDetail(self.detail, self.box, own, self.zone * agreed)


class FaceGain(NamedTuple):
    """Gain of the brightness in a part of the enlarged crop (512, 512): ``values`` (h, w) float32
    from row ``top`` and column ``left`` on.
    """

    values: NDArray[np.float32]
    top: int
    left: int


@dataclass(frozen=True)
class ComparedDetail:
    """A photo's ``detail`` (h, w) uint8 in ``box`` beside the new face's own (h, w), and its
    ``weight`` (128, 128) in 0..1.
    """

    detail: NDArray[np.uint8]
    box: Box
    own: NDArray[np.float32]
    weight: NDArray[np.float32]

    def wanted(
        self, picture: NDArray[np.uint8], alignment: Alignment
    ) -> NDArray[np.float64] | None:
        """How much detail makes the face as sharp as the target's picture.

        Args:
            picture: RGB (H, W, 3) uint8, the target's.
            alignment: how the crop lies in it.

        Returns:
            (2,) for `gain`, of which means can be taken; None where face and photo agree too little
            to measure anything.
        """
        looked = Box(*_MIDDLE).common(self.box)
        weight = _enlarged(self.weight, looked, _FINER, cv2.INTER_LINEAR)
        width, height = Box(*_MIDDLE).finer(_FINER).size
        if float(weight.sum()) < width * height / 100:
            return None
        part = looked.within(self.box).finer(_FINER).slices
        photo = self.detail[part].astype(np.float32) / _STEPS - 128 / _STEPS
        details = photo, self.own[part] - 1, _detail_of(picture, alignment, looked.finer(_FINER))
        photos, own, target = (
            max(cv2.norm(one, cv2.NORM_L1), 1e-6)
            for one in (cv2.multiply(detail, weight) for detail in details)
        )
        low, high = SHARPER
        replaced = np.clip((target / own - low) / (high - low), 0, 1)
        return np.array([replaced, replaced * min(LEVEL * target / photos, LARGEST_LEVEL)])

    def gain(self, amount: NDArray[np.float64]) -> FaceGain | None:
        """Gain of the enlarged face's brightness; None changes nothing.

        Args:
            amount: share of the face's own detail that goes, and of the photo's that comes, (2,).
        """
        if amount[0] < _NEGLIGIBLE:
            return None
        goes, comes = (float(share) for share in amount)
        # 1 + weight * ((goes + comes * photo) / own - goes)
        level = self.detail.astype(np.float32) * np.float32(comes / _STEPS)
        level += np.float32(goes - comes * 128 / _STEPS)
        level /= self.own
        level -= np.float32(goes)
        level *= _enlarged(self.weight, self.box, _FINER, cv2.INTER_LINEAR)
        level += np.float32(1)
        fine = self.box.finer(_FINER)
        return FaceGain(level, fine.top, fine.left)


def _detail_of(picture: NDArray[np.uint8], alignment: Alignment, box: Box) -> NDArray[np.float32]:
    """Detail of a box of the fine crop in a picture, in shares of the brightness."""
    sigma = DETAIL_SIGMA * FINE / CROP_SIZE
    around = box.grown(round(4 * sigma), FINE)
    matrix = alignment.enlarged(FINE / CROP_SIZE).matrix
    matrix[:, 2] -= (around.left, around.top)
    width, height = around.size
    corners = Alignment(matrix).to_image(
        np.array([[x, y] for x in (0, width) for y in (0, height)], np.float32)
    )
    limit = picture.shape[1::-1]
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2, 0, np.subtract(limit, 1))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 3, 1, limit)
    matrix[:, 2] += matrix[:, :2] @ np.array([left, top], np.float64)
    grey = cv2.cvtColor(np.ascontiguousarray(picture[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    luma = np.asarray(
        cv2.warpAffine(
            grey,
            matrix,
            around.size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        np.float32,
    ) + np.float32(_FLOOR)
    return (luma / _blur(luma, sigma) - 1)[box.within(around).slices]
