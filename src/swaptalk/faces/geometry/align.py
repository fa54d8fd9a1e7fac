"""Aligned face crop of all models: a tight square of 256 px."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: Side of the aligned crop in pixels.
CROP_SIZE = 256
#: The cut between upper and lower half runs above this row: below the eyes, above the mouth.
HALF_ROW = CROP_SIZE // 2

#: Where the rigid landmarks lie in the crop (pixels): the median over 400 near-frontal photographs,
#: made symmetric, eye centres 90 px apart at 38 % height; the mouth's centre then lies near 74 %,
#: the chin at 97 %. Only points that speech does not move take part, so that an opening jaw does
#: not shift the crop.
RIGID_TEMPLATE: dict[int, tuple[float, float]] = {
    33: (62.8, 95.4),
    263: (193.2, 95.4),  # outer eye corners
    133: (103.2, 98.6),
    362: (152.8, 98.6),  # inner eye corners
    168: (128.0, 91.9),
    6: (128.0, 103.5),
    197: (128.0, 114.1),  # bridge of the nose
    98: (102.1, 157.7),
    327: (153.9, 157.7),
    64: (99.7, 152.9),
    294: (156.3, 152.9),  # wings of the nose
    2: (128.0, 162.5),  # base of the nose
}
_RIGID_INDEX = np.array(list(RIGID_TEMPLATE), np.intp)
_RIGID_TARGET = np.array(list(RIGID_TEMPLATE.values()), np.float64)


@dataclass(frozen=True)
class Alignment:
    """Similarity transform between an image and its aligned crop.

    ``matrix`` is (2, 3) float64: crop = matrix @ (x, y, 1), both in pixels with centres at
    integers.
    """

    matrix: NDArray[np.float64]

    @property
    def scale(self) -> float:
        """Crop pixels per image pixel: above 1 the crop is enlarged."""
        return float(np.hypot(self.matrix[0, 0], self.matrix[1, 0]))

    @property
    def inverse(self) -> NDArray[np.float64]:
        """(2, 3) matrix from crop to image pixels."""
        return np.asarray(cv2.invertAffineTransform(self.matrix), np.float64)

    def enlarged(self, factor: float) -> Alignment:
        """The alignment of the same crop in pixels that are ``factor`` times as fine."""
        matrix = self.matrix * factor
        matrix[:, 2] += 0.5 * factor - 0.5  # resize keeps pixel edges
        return Alignment(matrix)

    def to_crop(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Map (N, 2) image points, or (N, 3) with depth, into the crop; depth is scaled like the
        plane.
        """
        mapped = points[:, :2] @ self.matrix[:, :2].T + self.matrix[:, 2]
        if points.shape[1] == 3:
            mapped = np.concatenate([mapped, points[:, 2:] * self.scale], axis=1)
        return mapped.astype(np.float32)

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Map (N, 2) crop points into the image."""
        inverse = self.inverse
        return (points[:, :2] @ inverse[:, :2].T + inverse[:, 2]).astype(np.float32)


def fit_similarity(
    source: NDArray[np.floating], target: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Least-squares similarity (2, 3) that maps points (N, 2) to points (N, 2) (Umeyama 1991).

    Raises:
        ValueError: the source points coincide or are not finite, so no similarity exists.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_mean, target - target_mean
    variance = float((a**2).sum())
    if not np.isfinite(variance) or variance < 1e-6:
        raise ValueError("the landmarks coincide or are not finite")
    # In the plane the optimum is closed form: complex regression of b on a.
    real = float((a * b).sum()) / variance
    imaginary = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / variance
    linear = np.array([[real, -imaginary], [imaginary, real]])
    return np.concatenate([linear, (target_mean - linear @ source_mean)[:, None]], axis=1)


def estimate_alignment(xy: NDArray[np.floating]) -> Alignment:
    """Fit the alignment of a mesh (468, 2) in image pixels, by its rigid landmarks.

    Raises:
        ValueError: the rigid landmarks coincide or are not finite, so no similarity exists.
    """
    return Alignment(fit_similarity(xy[_RIGID_INDEX, :2], _RIGID_TARGET))


#: Pixels around the crop's corners that interpolation may look at.
_MARGIN = 4
#: Faces more than twice as large as the crop are shrunk before they are warped.
_SHRINK_BELOW = 0.5


def crop_box(alignment: Alignment, height: int, width: int) -> tuple[int, int, int, int]:
    """The part of an image that `crop_face` looks at: left, top, right, bottom in pixels, inside
    the image.

    It is empty where the crop lies beside the image.
    """
    corners = alignment.to_image(
        np.array([[0, 0], [CROP_SIZE, 0], [0, CROP_SIZE], [CROP_SIZE, CROP_SIZE]], np.float32)
    )
    margin = _MARGIN * max(1.0, 1 / alignment.scale)
    left, top = (
        np.clip(np.floor(corners.min(axis=0) - margin), 0, (width, height)).astype(int).tolist()
    )
    right, bottom = (
        np.clip(np.ceil(corners.max(axis=0) + margin) + 1, 0, (width, height)).astype(int).tolist()
    )
    return left, top, right, bottom


def crop_face(
    image: NDArray[np.uint8], alignment: Alignment, enlargement: int = 1
) -> NDArray[np.uint8]:
    """Cut the aligned crop (256, 256, 3) uint8 out of an RGB image (H, W, 3) uint8, or the same
    part of it ``enlargement`` times as fine.

    Faces larger than the crop are low-passed first, so that shrinking does not alias; beyond the
    image's border the picture is mirrored, because black wedges would become codes of their own.
    """
    left, top, right, bottom = crop_box(alignment, *image.shape[:2])
    if (
        right <= left or bottom <= top
    ):  # nothing of it is in the picture: its nearest edge has to do
        return _warp(image, alignment, enlargement)
    return crop_part(image[top:bottom, left:right], (left, top), alignment, enlargement)


def crop_part(
    part: NDArray[np.uint8],
    corner: tuple[int, int],
    alignment: Alignment,
    enlargement: int = 1,
) -> NDArray[np.uint8]:
    """As `crop_face`, to the bit, from the `crop_box` of an image alone.

    Args:
        part: RGB (h, w, 3) uint8, the box.
        corner: its left and top in the image.
        alignment: how the crop lies in the image.
        enlargement: of the crop.
    """
    matrix = alignment.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ np.array(corner, np.float64)
    return _warp(part, Alignment(matrix), enlargement)


def _warp(
    image: NDArray[np.uint8], alignment: Alignment, enlargement: int = 1
) -> NDArray[np.uint8]:
    if enlargement > 1:
        alignment = alignment.enlarged(enlargement)
    matrix = alignment.matrix
    if alignment.scale < _SHRINK_BELOW:
        factor = alignment.scale / _SHRINK_BELOW
        size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        ratio = np.array([size[0] / image.shape[1], size[1] / image.shape[0]])
        # resize keeps pixel *edges*: x' = ratio * (x + 0.5) - 0.5
        linear = matrix[:, :2] / ratio
        matrix = np.concatenate(
            [linear, (matrix[:, 2] - linear @ (0.5 * ratio - 0.5))[:, None]], axis=1
        )
        image = np.asarray(shrunk, np.uint8)
    return np.asarray(
        cv2.warpAffine(
            image,
            matrix,
            (enlargement * CROP_SIZE,) * 2,
            flags=cv2.INTER_CUBIC if alignment.scale > 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        np.uint8,
    )
