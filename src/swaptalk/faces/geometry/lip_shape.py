"""From motion tokens to the lower face of a mesh: where lips, jaw and cheeks are when a mouth moves
so.

A token holds openings of the inner lips and positions of seventeen points of lips and jaw in the
face's own frame. All other points of the lower face follow them by a linear map, fitted by ridge
regression to clips of many people (`fit_lip_shape`, which makes the file beside this module). The
openings of the inner lips are then set to the token's exactly, so that lips that close touch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.mouth_motion import (
    ABSOLUTE_CHANNELS,
    EYE_CORNERS,
    INNER_LIP_PAIRS,
    MOTION_CHANNELS,
    NOSE_BASE,
)
from swaptalk.faces.geometry.pose import rotation_matrix
from swaptalk.faces.geometry.topology import (
    CANONICAL_MESH,
    INNER_LIPS,
    LIPS,
    NOSE,
    OUTER_LIPS,
    POINT_COUNT,
)

#: Points of the two rings between outer and inner lips, in the order of the outer ring.
_OUTER_RING: tuple[int, ...] = (76, 184, 74, 73, 72, 11, 302, 303, 304, 408)
_OUTER_RING += (306, 307, 320, 404, 315, 16, 85, 180, 90, 77)
_INNER_RING: tuple[int, ...] = (62, 183, 42, 41, 38, 12, 268, 271, 272, 407)
_INNER_RING += (292, 325, 319, 403, 316, 15, 86, 179, 89, 96)
#: Heights of the canonical mesh between which points begin to follow the mouth: below the eyes, at
#: the base of the nose.
_FOLLOW_FROM, _FOLLOW_FULLY = 0.6, 1.0
#: Weight of the ridge against the mean square of a channel, in frames.
RIDGE = 30.0
#: Openings (eye distances) that count as closed lips: their landmarks are as far apart as that.
CLOSED = 0.006


def _follow() -> NDArray[np.float32]:
    """Share (468,) of the mouth's movement that a point may take part in."""
    share = (CANONICAL_MESH[:, 1] - _FOLLOW_FROM) / (_FOLLOW_FULLY - _FOLLOW_FROM)
    share = np.clip(share, 0, 1)
    share[NOSE] = 0
    return np.asarray(share, np.float32)


_FOLLOW = _follow()
#: Points that the map moves.
MOVED: NDArray[np.intp] = np.flatnonzero(_FOLLOW)


#: Distance from the lips, in eye distances, at which the skin follows them by a factor e less than
#: at the lips; distance that counts as none, in units of the canonical mesh.
_SKIN_REACH, _TOUCHING = 0.35, 0.02


def _lip_shares() -> NDArray[np.float32]:
    """Shares (468, 40) of the movements of `LIPS` that each point follows."""
    flat = CANONICAL_MESH[:, :2]
    apart = np.linalg.norm(flat[:, None] - flat[None, LIPS], axis=2)
    share = 1 / (apart + _TOUCHING) ** 3
    share /= share.sum(axis=1, keepdims=True)
    reach = _SKIN_REACH * np.linalg.norm(
        CANONICAL_MESH[EYE_CORNERS[0]] - CANONICAL_MESH[EYE_CORNERS[1]]
    )
    share *= np.exp(-((apart.min(axis=1, keepdims=True) / reach) ** 2)) * _FOLLOW[:, None]
    share[LIPS] = np.eye(len(LIPS))
    return np.asarray(share, np.float32)


_LIP_SHARES = _lip_shares()


def follow_lips(mesh: NDArray[np.floating], moved: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mesh (468, 3) whose lips are those of ``moved``, and whose skin around them follows."""
    return np.asarray(mesh + _LIP_SHARES @ (moved[LIPS] - mesh[LIPS]), np.float32)


def _ring_shares() -> list[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Points of each ring between the lips' contours, and how near they are to the inner one."""
    outer, inner = CANONICAL_MESH[OUTER_LIPS, :2], CANONICAL_MESH[INNER_LIPS, :2]
    across = inner - outer
    rings = []
    for ring in (_OUTER_RING, _INNER_RING):
        along = ((CANONICAL_MESH[list(ring), :2] - outer) * across).sum(axis=1)
        share = (along / (across**2).sum(axis=1)).astype(np.float32)
        rings.append((np.array(ring, np.intp), share[:, None]))
    return rings


_RINGS = _ring_shares()


def even_lips(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mesh (468, 3) whose points within the lips lie evenly between the lips' contours.

    The lip network moves the contours alone; where the points between stay behind, a warp folds.
    """
    evened = np.array(mesh, np.float32)
    outer, inner = evened[OUTER_LIPS], evened[INNER_LIPS]
    for ring, share in _RINGS:
        evened[ring] = outer + share * (inner - outer)
    return evened


@dataclass(frozen=True)
class FaceFrame:
    """The face's own frame in a crop: origin at the base of the nose, eye distances, facing the
    camera.
    """

    origin: NDArray[np.float64]
    rotation: NDArray[np.float64]
    unit: float

    @classmethod
    def of(cls, mesh: NDArray[np.floating]) -> FaceFrame:
        """The frame of a mesh (468, 3)."""
        rotation = rotation_matrix(mesh[:POINT_COUNT])
        unit = float(np.linalg.norm(mesh[EYE_CORNERS[0]] - mesh[EYE_CORNERS[1]]))
        return cls(np.asarray(mesh[NOSE_BASE], np.float64), rotation, max(unit, 1e-6))

    def inside(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Crop points (N, 3) in this frame."""
        return np.asarray((points - self.origin) @ self.rotation / self.unit, np.float64)

    def outside(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """The inverse of `inside`."""
        return np.asarray(points @ self.rotation.T * self.unit + self.origin, np.float64)


def face_shape(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Points (468, 3) of a mesh in the face's own frame."""
    return np.asarray(FaceFrame.of(mesh).inside(mesh[:POINT_COUNT]), np.float32)


_UPPER = np.array([a for a, _ in INNER_LIP_PAIRS], np.intp)
_LOWER = np.array([b for _, b in INNER_LIP_PAIRS], np.intp)


def openings(shape: NDArray[np.floating]) -> NDArray[np.float32]:
    """The seven openings of the inner lips of a `face_shape` (468, 3)."""
    return np.asarray(np.linalg.norm(shape[_LOWER, :2] - shape[_UPPER, :2], axis=1), np.float32)


@dataclass(frozen=True)
class LipShapeModel:
    """Linear map from raw motion to the lower face.

    ``follow`` (MOTION_CHANNELS, K * 3) float32 maps differences of raw measurements, from
    `swaptalk.faces.geometry.mouth_motion`, to displacements of the K points `MOVED`; ``opening``
    (K * 3,) is the displacement, and ``opening_motion`` (MOTION_CHANNELS,) the difference of raw
    measurements, of one unit of mean opening; ``mean_openings`` (7,) are those of the training
    clips.
    """

    follow: NDArray[np.float32]
    opening: NDArray[np.float32]
    opening_motion: NDArray[np.float32]
    mean_openings: NDArray[np.float32]

    def opened(self, opening: float) -> NDArray[np.float32]:
        """Motion (MOTION_CHANNELS,), as `shape` takes it, of a mouth with this mean opening (eye
        distances).
        """
        motion = np.zeros(MOTION_CHANNELS, np.float32)
        motion[:ABSOLUTE_CHANNELS] = self.mean_openings
        more = opening - float(self.mean_openings.mean())
        return np.asarray(motion + more * self.opening_motion, np.float32)

    def neutral(self, mean_shape: NDArray[np.floating]) -> NDArray[np.float32]:
        """Shape (468, 3) of a person as in the middle of speech, from the mean of `face_shape` over
        frames in which the person may have been silent.
        """
        missing = float(self.mean_openings.mean() - openings(mean_shape).mean())
        neutral = np.array(mean_shape, np.float32)
        neutral[MOVED] += missing * self.opening.reshape(-1, 3)
        return neutral

    def shape(
        self, neutral: NDArray[np.floating], motion: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Shape (468, 3) of the person `neutral` whose mouth moves so.

        Args:
            neutral: of `neutral`.
            motion: (MOTION_CHANNELS,) raw measurement, openings absolute, the others relative to
                the person's mean.
        """
        change = np.array(motion, np.float32)
        change[:ABSOLUTE_CHANNELS] -= self.mean_openings
        shape = np.array(neutral, np.float32)
        shape[MOVED] += (change @ self.follow).reshape(-1, 3)
        _set_openings(shape, motion[:ABSOLUTE_CHANNELS])
        return even_lips(shape)

    def move(
        self,
        mesh: NDArray[np.floating],
        neutral: NDArray[np.floating],
        motion: NDArray[np.floating],
    ) -> NDArray[np.float32]:
        """Mesh (468, 3) of a frame with its lower face as the motion wants it.

        Args:
            mesh: of the frame, crop pixels.
            neutral: see `shape`.
            motion: see `shape`.
        """
        frame = FaceFrame.of(mesh)
        own = frame.inside(mesh[:POINT_COUNT])
        moved = own + _FOLLOW[:, None] * (self.shape(neutral, motion) - own)
        return np.asarray(frame.outside(moved), np.float32)


def _set_openings(shape: NDArray[np.float32], wanted: NDArray[np.floating]) -> None:
    """Move the inner lips of a shape (468, 3) so that they are as far apart as wanted (7,), less
    `CLOSED`.
    """
    middle, across = (shape[_UPPER] + shape[_LOWER]) / 2, shape[_LOWER] - shape[_UPPER]
    apart = np.linalg.norm(across[:, :2], axis=1)
    gap = np.maximum(wanted - CLOSED, 0)
    # Where the map has the lips nearly touch or crossed, they part straight down.
    straight = np.clip(2 - across[:, 1] / CLOSED, 0, 1)[:, None]
    along = across / np.maximum(apart, 1e-6)[:, None]
    along = straight * np.array([0, 1, 0]) + (1 - straight) * along
    shape[_UPPER] = middle - gap[:, None] * along / 2
    shape[_LOWER] = middle + gap[:, None] * along / 2


def fit_lip_shape(
    clips: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]],
) -> LipShapeModel:
    """Fit the map.

    Args:
        clips: of each clip its shapes (T, 468, 3), see `face_shape`, and raw measurements (T,
            MOTION_CHANNELS) of the same frames.
    """
    raws, shapes = [], []
    for shape, raw in clips:
        raws.append(np.asarray(raw, np.float64))
        shapes.append(np.asarray(shape, np.float64)[:, MOVED].reshape(len(raw), -1))
    mean_openings = np.mean([raw[:, :ABSOLUTE_CHANNELS].mean(axis=0) for raw in raws], axis=0)
    apart = [raw - raw.mean(axis=0) for raw in raws]
    changes = [shape - shape.mean(axis=0) for shape in shapes]
    mean_opening = np.concatenate([a[:, :ABSOLUTE_CHANNELS].mean(axis=1) for a in apart])
    change = np.concatenate(changes)
    squares = mean_opening @ mean_opening
    opening = mean_opening @ change / squares
    opening_motion = mean_opening @ np.concatenate(apart) / squares
    # Every clip's own mean opening differs from the usual one; tokens know the difference.
    known = []
    for raw, own, moved in zip(raws, apart, changes, strict=True):
        absent = raw[:, :ABSOLUTE_CHANNELS].mean(axis=0) - mean_openings
        own[:, :ABSOLUTE_CHANNELS] += absent
        known.append(moved + absent.mean() * opening)
    x, y = np.concatenate(apart), np.concatenate(known)
    scale = (x**2).mean(axis=0)
    follow = np.linalg.solve(x.T @ x + RIDGE * np.diag(scale), x.T @ y)
    fitted = (follow, opening, opening_motion, mean_openings)
    return LipShapeModel(*(np.asarray(array, np.float32) for array in fitted))


@lru_cache(maxsize=1)
def lip_shape_model() -> LipShapeModel:
    """The fitted model that comes with the package."""
    file = resources.files("swaptalk.faces.geometry").joinpath("lip_shape.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        return LipShapeModel(*(stored[f.name].astype(np.float32) for f in fields(LipShapeModel)))
