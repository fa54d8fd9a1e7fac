"""Zero-phase smoothing in time of alignments and mesh points, so that a still face does not
tremble.

Every window is centred, so nothing lags. Where the face rests, a long window removes the landmarks'
noise; where it moves, the long window's answer leaves the short one's, and the short one is taken
(Lepski's rule with two bandwidths).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE, Alignment

#: Bandwidths of the windows in frames at 25 fps: Gaussian weights exp(-t^2 / 2 sigma^2).
LONG_SIGMA, SHORT_SIGMA = 7.0, 1.0
#: Windows end at this many sigmas.
TRUNCATE = 3.0
#: Long and short answer may differ by about this many crop pixels before the face counts as moving:
#: twice the difference that the mesh's noise alone makes.
STILL_TOLERANCE = 1.2
#: The decision between the two is spread over this many frames, so that it does not flicker itself.
DECISION_SIGMA = 1.5
#: Frames on each side that a smoothed value depends on.
REACH = int(TRUNCATE * LONG_SIGMA) + int(TRUNCATE * DECISION_SIGMA)
#: Keeps the local fits solvable in segments shorter than the order of the polynomial.
_RIDGE = 1e-6


def segments(
    valid: Sequence[bool] | NDArray[np.bool_], cuts: Iterable[int] = ()
) -> NDArray[np.intp]:
    """Number the runs of valid frames (T,): -1 for invalid frames; a new run starts after a gap and
    at each cut.

    ``cuts`` are indices of the first frame of each new scene.
    """
    usable = np.asarray(valid, bool)
    starts = usable & ~np.concatenate([[False], usable[:-1]])
    first = np.array([c for c in cuts if 0 <= c < usable.size], np.intp)
    starts[first] = True
    return np.where(usable, np.cumsum(starts) - 1, -1)


def local_polynomial(
    values: NDArray[np.floating], segment: NDArray[np.intp], sigma: float, order: int
) -> NDArray[np.float64]:
    """Weighted least-squares polynomial around every frame, evaluated there (Savitzky-Golay with
    Gaussian weights).

    Args:
        values: (T, D).
        segment: (T,) run of each frame; frames of other runs, and those with -1, do not take part.
        sigma: width of the window in frames.
        order: 0, 1 or 2; at the ends of a run the window is one-sided, and order 1 keeps it
            unbiased.

    Returns:
        (T, D) float64; frames of segment -1 are NaN.
    """
    count, dims = values.shape
    radius = int(TRUNCATE * sigma)
    known = segment >= 0
    clean = np.where(known[:, None], values, 0.0).astype(np.float64)
    moments = np.zeros((count, 2 * order + 1))
    sums = np.zeros((count, order + 1, dims))
    for offset in range(-radius, radius + 1):
        near = slice(max(0, -offset), min(count, count - offset))
        far = slice(max(0, offset), min(count, count + offset))
        if near.stop <= near.start:
            continue
        weight = np.exp(-0.5 * (offset / sigma) ** 2) * (
            (segment[near] == segment[far]) & known[near]
        )
        x = offset / sigma
        for power in range(2 * order + 1):
            moments[near, power] += weight * x**power
        for power in range(order + 1):
            sums[near, power] += (weight * x**power)[:, None] * clean[far]
    exponent = np.arange(order + 1)
    normal = moments[:, exponent[:, None] + exponent[None]]
    normal += np.where(known, _RIDGE, 1.0)[:, None, None] * np.diag(
        np.where(exponent > 0, 1.0, 0.0)
    )
    normal[~known] = np.eye(order + 1)
    result = np.asarray(np.linalg.solve(normal, sums)[:, 0], np.float64)
    result[~known] = np.nan
    return result


def adaptive_smooth(
    values: NDArray[np.floating], segment: NDArray[np.intp], tolerance: float = STILL_TOLERANCE
) -> NDArray[np.float64]:
    """Smooth (T, D) series strongly where they rest and lightly where they move; NaN outside the
    segments.

    ``values`` must be scaled so that a Euclidean distance of ``tolerance`` is as small as the
    noise.
    """
    rest = local_polynomial(values, segment, LONG_SIGMA, order=1)
    moving = local_polynomial(values, segment, SHORT_SIGMA, order=2)
    difference = np.nan_to_num(((rest - moving) ** 2).sum(axis=1, keepdims=True))
    difference = np.nan_to_num(local_polynomial(difference, segment, DECISION_SIGMA, order=0))
    share = np.exp(-((np.maximum(difference, 0) / tolerance**2) ** 2))
    return np.asarray(share * rest + (1 - share) * moving)


def _to_vector(alignment: Alignment) -> NDArray[np.float64]:
    """Image position of the crop's middle, logarithm of the scale, angle."""
    middle = alignment.to_image(np.array([[(CROP_SIZE - 1) / 2] * 2]))[0]
    matrix = alignment.matrix
    return np.array([*middle, np.log(alignment.scale), np.arctan2(matrix[1, 0], matrix[0, 0])])


def _to_alignment(vector: NDArray[np.float64]) -> Alignment:
    scale = float(np.exp(vector[2]))
    cos, sin = scale * np.cos(vector[3]), scale * np.sin(vector[3])
    linear = np.array([[cos, -sin], [sin, cos]])
    offset = np.full(2, (CROP_SIZE - 1) / 2) - linear @ vector[:2]
    return Alignment(np.concatenate([linear, offset[:, None]], axis=1))


def smooth_alignments(
    alignments: Sequence[Alignment | None], cuts: Iterable[int] = ()
) -> list[Alignment | None]:
    """Smooth the alignments of one track, frame by frame; ``None`` (no usable face) stays and is
    never bridged.

    ``cuts`` are indices of the first frame of each new scene.
    """
    segment = segments([a is not None for a in alignments], cuts)
    if not (segment >= 0).any():
        return list(alignments)
    vectors = np.array([_to_vector(a) if a is not None else np.zeros(4) for a in alignments])
    known = segment >= 0
    vectors[known, 3] = np.unwrap(vectors[known, 3])
    # In crop pixels at the crop's edge: positions scale with the enlargement, scale and angle act
    # over half the crop.
    unit = np.array([1.0, 1.0, CROP_SIZE / 2, CROP_SIZE / 2])
    unit[:2] = np.exp(np.median(vectors[known, 2]))
    smoothed = adaptive_smooth(vectors * unit, segment) / unit
    return [_to_alignment(v) if k else None for v, k in zip(smoothed, known, strict=True)]


def smooth_points(
    points: NDArray[np.floating],
    valid: Sequence[bool] | NDArray[np.bool_],
    cuts: Iterable[int] = (),
) -> NDArray[np.float32]:
    """Smooth mesh or mask points (T, K, 2 or 3) in crop pixels with the short window, because lips
    move fast.

    Frames that are not ``valid`` (T,) come back as NaN; ``cuts`` are indices of the first frame of
    each new scene.
    """
    count = points.shape[0]
    flat = local_polynomial(points.reshape(count, -1), segments(valid, cuts), SHORT_SIGMA, order=2)
    return flat.reshape(points.shape).astype(np.float32)


class AlignmentSmoother:
    """``smooth_alignments`` for a stream of any length: the same values, ``REACH`` frames late, in
    bounded memory.

    The numbers agree with the whole-clip form as long as the face's size does not change much over
    the clip, which sets the unit of the positions.
    """

    #: Frames worked on at once.
    CHUNK = 32

    def __init__(self) -> None:
        self._buffer: list[Alignment | None] = []
        self._cuts: list[int] = []
        self._done = 0  # frames at the buffer's start that were given out and serve as context only

    def push(self, alignment: Alignment | None, cut: bool = False) -> Iterator[Alignment | None]:
        """Add one frame (``cut``: it starts a new scene); yields the frames that are finished by
        it.
        """
        if cut:
            self._cuts.append(len(self._buffer))
        self._buffer.append(alignment)
        if len(self._buffer) - self._done >= REACH + self.CHUNK:
            yield from self._emit(len(self._buffer) - REACH)

    def finish(self) -> Iterator[Alignment | None]:
        """Yield what is left."""
        yield from self._emit(len(self._buffer))

    def _emit(self, end: int) -> Iterator[Alignment | None]:
        ready = smooth_alignments(self._buffer, self._cuts)[self._done : end]
        dropped = max(0, end - 2 * REACH)
        self._buffer = self._buffer[dropped:]
        self._cuts = [c - dropped for c in self._cuts if c >= dropped]
        self._done = end - dropped
        yield from ready
