"""Faces on their side and upside down are found as what they are."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.faces.detection.track import FaceTracker, track_faces
from swaptalk.faces.geometry.pose import eye_distance
from swaptalk.faces.geometry.topology import CHIN

#: Where the chin is, seen from the eyes, in a picture turned counter-clockwise by so many quarters.
CHIN_IS = {0: (0, 1), 1: (1, 0), 2: (0, -1), 3: (-1, 0)}


def _turned_back(xy, quarters, width, height):
    """Points of a picture turned by ``np.rot90`` as they lie in the picture (height, width)."""
    if quarters == 0:
        return xy
    # Undo the last quarter turn: before it the picture was as wide as it is high now.
    wide = width if quarters % 2 else height
    once = np.stack([wide - 1 - xy[:, 1], xy[:, 0]], axis=1)
    return _turned_back(once, quarters - 1, width, height)


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("who", ["astronaut", "hopper"])
def test_a_turned_photo_has_the_same_face(who, quarters, request, detector, mesh):
    picture = request.getfixturevalue(who)
    turned = np.ascontiguousarray(np.rot90(picture, quarters))
    (upright,) = FaceTracker(detector, mesh).update(picture).faces
    faces = FaceTracker(detector, mesh).update(turned).faces
    assert len(faces) == 1
    back = _turned_back(faces[0].landmarks.xy, quarters, picture.shape[1], picture.shape[0])
    apart = np.linalg.norm(back - upright.landmarks.xy, axis=1).mean()
    assert apart < 0.05 * eye_distance(upright.landmarks.points)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_turned_clip_is_followed(make_frame, detector, mesh, quarters):
    frames = [
        np.ascontiguousarray(np.rot90(make_frame(x=360 + 6 * k, seed=k), quarters))
        for k in range(8)
    ]
    for found in track_faces(frames, detector, mesh):
        (face,) = found.faces
        assert face.usable and face.track == 0
        down = face.landmarks.xy[CHIN] - face.landmarks.xy[[33, 263]].mean(axis=0)
        assert down @ np.array(CHIN_IS[quarters]) > 0.9 * np.linalg.norm(down)


def test_nobody_is_seen_where_nobody_is(detector, mesh):
    y, x = np.mgrid[:240, :320].astype(np.float32)
    waves = np.stack([127 + 100 * np.sin(x / k) * np.cos(y / (k + 3)) for k in (9, 13, 21)], -1)
    frames = [waves.astype(np.uint8)] * 4
    assert all(not found.faces for found in track_faces(frames, detector, mesh))
