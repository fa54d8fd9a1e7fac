"""CPBD: cumulative probability of blur detection, a sharpness measure without reference.

Method and constants:

Copyright (c) 2009-2010 Arizona Board of Regents. All Rights Reserved.
Contact: Lina Karam (karam@asu.edu) and Niranjan Narvekar (nnarveka@asu.edu)
Image, Video, and Usabilty (IVU) Lab, http://ivulab.asu.edu, Arizona State University

N. D. Narvekar and L. J. Karam, "CPBD Sharpness Metric Software", http://ivulab.asu.edu/Quality/CPBD
N. D. Narvekar and L. J. Karam, "A No-Reference Image Blur Metric Based on the Cumulative
Probability of Blur Detection (CPBD)", IEEE Transactions on Image Processing, 2011.
N. D. Narvekar and L. J. Karam, "An Improved No-Reference Sharpness Metric Based on the Probability
of Blur Detection", VPQM, January 2010.
N. D. Narvekar and L. J. Karam, "A No Reference Perceptual Quality Metric based on Cumulative
Probability of Blur Detection", QoMEX, pp. 87-91, July 2009.

This is a vectorised implementation of its own that gives the numbers of the Python port ``cpbd``
1.0.7, which talking-face papers use; publications that report it acknowledge the IVU Lab as above.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Side of the blocks that edges are judged in.
BLOCK = 64
#: A block counts when more than this share of its pixels are Canny edges.
EDGE_SHARE = 0.002
#: Edges up to this wide look sharp (pixels): wider where the block's contrast is at most 50 grey
#: levels.
JUST_NOTICEABLE_LOW_CONTRAST, JUST_NOTICEABLE_HIGH_CONTRAST, CONTRAST_LIMIT = 5.0, 3.0, 50
#: Exponent of the psychometric function, fitted in the paper.
BETA = 3.6
#: The search for an edge's end stops after this many pixels on either side.
_LONGEST_SIDE = 101
#: Blur is detected above a probability of 63 %, the value of the psychometric function at the just
#: noticeable width.
_DETECTED_PERCENT = 63
#: Canny's thresholds on the gradient, on the scale of the input: the port feeds 0..255 to
#: thresholds meant for 0..1, so that nearly every ridge of the gradient counts. Kept, because
#: published numbers contain it.
_CANNY_LOW, _CANNY_HIGH = 0.1, 0.2


def cpbd(image: NDArray[np.uint8]) -> float:
    """Share of edge pixels whose blur a viewer would not notice: P(blur <= 63 %), 0..1, higher is
    sharper.

    Per edge pixel, P(blur) = 1 - exp(-(width / just noticeable width)^3.6). 0 for pictures smaller
    than 64 px or without edges.

    Args:
        image: RGB (H, W, 3) or luminance (H, W), uint8.
    """
    grey = luminance(image).astype(np.float64)
    rows, columns = grey.shape[0] // BLOCK, grey.shape[1] // BLOCK
    if rows == 0 or columns == 0:
        return 0.0
    widths = _blocks(edge_widths(grey, sobel_edges(grey)), rows, columns)
    used = _blocks(canny_edges(grey), rows, columns).sum(axis=1) > BLOCK * BLOCK * EDGE_SHARE
    pixels = _blocks(grey, rows, columns)
    contrast = (pixels.max(axis=1) - pixels.min(axis=1)).astype(np.int64)
    noticeable = np.where(
        contrast <= CONTRAST_LIMIT, JUST_NOTICEABLE_LOW_CONTRAST, JUST_NOTICEABLE_HIGH_CONTRAST
    )
    probability = 1.0 - np.exp(-((widths / noticeable[:, None]) ** BETA))
    counted = probability[used[:, None] & (widths > 0)]
    if counted.size == 0:
        return 0.0
    return float(np.mean(np.rint(counted * 100) <= _DETECTED_PERCENT))


def luminance(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """ITU-R BT.601 luma (H, W) uint8 with Pillow's rounding, which the reference reads pictures
    with.
    """
    if image.ndim == 2:
        return image
    # Pillow: L = (19595 R + 38470 G + 7471 B + 2^15) >> 16
    weighted = image.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
    return np.asarray((weighted + 0x8000) >> 16, np.uint8)


def _blocks(image: NDArray[np.generic], rows: int, columns: int) -> NDArray[np.float64]:
    """Whole blocks of a picture (H, W) as (blocks, pixels)."""
    whole = image[: rows * BLOCK, : columns * BLOCK].astype(np.float64)
    return whole.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2).reshape(rows * columns, -1)


def sobel_edges(grey: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Thinned ridges of the squared horizontal Sobel response above twice its root mean: (H, W) ->
    (H, W) bool.
    """
    kernel = np.array([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]) / 8.0
    strength = (
        np.asarray(
            cv2.filter2D(grey, cv2.CV_64F, kernel, borderType=cv2.BORDER_REFLECT), np.float64
        )
        ** 2
    )
    strength[strength <= 2.0 * np.sqrt(strength.mean())] = 0.0
    padded = np.pad(strength, 1)
    centre = padded[1:-1, 1:-1]
    across = (centre > padded[1:-1, :-2]) & (centre > padded[1:-1, 2:])
    along = (centre > padded[:-2, 1:-1]) & (centre > padded[2:, 1:-1])
    return np.asarray(across | along)


def edge_widths(grey: NDArray[np.float64], edges: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Marziliano's edge width in pixels at edges with a horizontal gradient, 0 elsewhere: (H, W).

    From each edge pixel the row is followed to both sides as long as the luminance keeps falling
    (rising); the width is the distance between the two ends.
    """
    gradient_y, gradient_x = np.gradient(grey)
    angle = np.where(gradient_x != 0, np.degrees(np.arctan2(gradient_y, gradient_x)), 0.0)
    if not angle.any():
        return np.zeros_like(grey)
    quantised = np.rint(angle / 45.0) * 45.0
    inner = np.zeros(grey.shape, bool)
    inner[1:-1, 1:-1] = edges[1:-1, 1:-1]
    step = np.diff(grey, axis=1)  # step[:, c] = grey[:, c + 1] - grey[:, c]
    rising = _side_lengths(step > 0)
    falling = _side_lengths(step < 0)
    widths = np.zeros_like(grey)
    for direction, (left, right) in ((quantised == 0, rising), (np.abs(quantised) == 180, falling)):
        chosen = inner & direction
        widths[chosen] = (left + right)[chosen]
    return widths


def _side_lengths(monotone: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels from each column (>= 1) to where the monotone run on its left and right ends: two (H,
    W) arrays.

    ``monotone`` (H, W - 1) says whether the step from column c to c + 1 goes the edge's way. The
    step next to the edge pixel itself is not asked, as in the original.
    """
    height, steps = monotone.shape
    column = np.arange(steps)
    # Last step at or before c, and first step at or after c, that goes another way.
    last_break = np.maximum.accumulate(np.where(monotone, -1, column), axis=1)
    first_break = np.minimum.accumulate(np.where(monotone, steps, column)[:, ::-1], axis=1)[:, ::-1]
    left, right = np.ones((2, height, steps + 1))
    # Going left from column c the steps asked are c - 2, c - 3, ...; going right c + 1, c + 2, ...
    left[:, 2:] = column[1:] - last_break[:, :-1]
    right[:, :-2] = first_break[:, 1:] - column[:-1]
    return np.minimum(left, _LONGEST_SIDE), np.minimum(right, _LONGEST_SIDE)


def canny_edges(grey: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Canny edges (Canny 1986), sigma 1, as scikit-image finds them in a float picture of 0..255:
    (H, W) bool.
    """
    smooth = _smooth_without_border(grey)
    kernel = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    gradient_x = np.asarray(
        cv2.filter2D(smooth, cv2.CV_64F, kernel, borderType=cv2.BORDER_REFLECT), np.float64
    )
    gradient_y = np.asarray(
        cv2.filter2D(smooth, cv2.CV_64F, kernel.T, borderType=cv2.BORDER_REFLECT), np.float64
    )
    magnitude = np.hypot(gradient_x, gradient_y)
    ridges = _ridges(gradient_x, gradient_y, magnitude)
    weak = ridges & (magnitude >= _CANNY_LOW)
    strong = ridges & (magnitude >= _CANNY_HIGH)
    count, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    kept = np.zeros(count, bool)
    kept[labels[strong]] = True
    kept[0] = False
    return np.asarray(kept[labels])


def _smooth_without_border(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian of sigma 1 whose weights beyond the border are left out, not filled in."""
    radius = 4
    taps = np.exp(-0.5 * np.arange(-radius, radius + 1) ** 2.0)
    taps /= taps.sum()

    def blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(
            cv2.sepFilter2D(image, cv2.CV_64F, taps, taps, borderType=cv2.BORDER_CONSTANT),
            np.float64,
        )

    return blur(grey) / (blur(np.ones_like(grey)) + np.finfo(np.float64).eps)


def _ridges(
    gradient_x: NDArray[np.float64], gradient_y: NDArray[np.float64], magnitude: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Non-maximum suppression: pixels at least as strong as the interpolated neighbours along the
    gradient.
    """
    height, width = magnitude.shape
    result = np.zeros((height, width), bool)
    if height < 3 or width < 3:
        return result
    inside = (slice(1, -1), slice(1, -1))
    x, y, centre = gradient_x[inside], gradient_y[inside], magnitude[inside]

    def neighbour(down: int, right: int) -> NDArray[np.float64]:
        return magnitude[1 + down : height - 1 + down, 1 + right : width - 1 + right]

    absolute_x, absolute_y = np.abs(x), np.abs(y)
    flat = absolute_x > absolute_y  # the gradient points mostly sideways
    longer, shorter = np.maximum(absolute_x, absolute_y), np.minimum(absolute_x, absolute_y)
    weight = shorter / np.where(longer > 0, longer, 1.0)
    same_sign = ((x >= 0) & (y >= 0)) | ((x <= 0) & (y <= 0))
    ends = []
    for sign in (1, -1):
        straight = np.where(flat, neighbour(0, sign), neighbour(sign, 0))
        falling, rising = (
            neighbour(sign, sign),
            np.where(flat, neighbour(-sign, sign), neighbour(sign, -sign)),
        )
        diagonal = np.where(same_sign, falling, rising)
        ends.append(diagonal * weight + straight * (1 - weight))
    result[inside] = (longer > 0) & (ends[0] <= centre) & (ends[1] <= centre)
    return result
