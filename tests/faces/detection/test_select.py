import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.faces.detection.landmarks import Landmarks
from swaptalk.faces.detection.select import THUMBNAIL_SIZE, FaceSelector, contact_sheet
from swaptalk.faces.detection.track import TrackedFace, TrackedFrame, track_faces
from swaptalk.faces.geometry.pose import Pose
from swaptalk.faces.geometry.topology import CANONICAL_MESH


def _face(track, x, size, usable=True):
    points = (CANONICAL_MESH * size + [x, 150, 0]).astype(np.float32)
    return TrackedFace(
        track, Landmarks(points, 1.0), Pose(0, 0, 0), usable, "" if usable else "too small"
    )


@pytest.fixture
def selector():
    """Left person small, middle one large, a passer-by at the far right in one frame of twenty."""
    chosen = FaceSelector()
    for k in range(20):
        faces = [_face(0, 120, 20), _face(1, 320, 60)] + ([_face(2, 600, 70)] if k == 3 else [])
        chosen.add(TrackedFrame(k, False, tuple(faces)), np.full((360, 640, 3), 10 * k, np.uint8))
    return chosen


@pytest.mark.parametrize(
    ("which", "track"),
    [("largest", 1), ("left", 0), ("right", 1), ("1", 0), ("3", 2), (" Left ", 0)],
)
def test_choice(selector, which, track):
    assert selector.choose(which) == (track,)


@pytest.mark.parametrize("which", ["4", "0"])
def test_unknown_number_lists_what_exists(selector, which):
    with pytest.raises(InputError, match=f"no face {which}: faces 1, 2, 3 exist"):
        selector.choose(which)


@pytest.mark.parametrize("which", ["biggest", "-1", "1.5", ""])
def test_unknown_word(selector, which):
    with pytest.raises(InputError, match="largest, left, right or a number"):
        selector.choose(which)


def test_nobody():
    assert FaceSelector().choose("largest") == ()
    with pytest.raises(InputError, match="no face was found"):
        FaceSelector().choose("1")
    assert FaceSelector().contact_sheet().ndim == 3


def test_usable_people_come_first():
    selector = FaceSelector()
    for k in range(5):
        faces = (_face(0, 100, 90, usable=False), _face(1, 300, 30))
        selector.add(TrackedFrame(k, False, faces), np.zeros((360, 640, 3), np.uint8))
    assert selector.choose("largest") == selector.choose("left") == (1,)
    assert selector.choose("1") == (0,)


def test_sheet_has_one_cell_per_person(selector):
    sheet = selector.contact_sheet()
    assert sheet.dtype == np.uint8 and sheet.shape[1] == 3 * THUMBNAIL_SIZE
    assert contact_sheet(selector.faces * 4).shape[1] == 6 * THUMBNAIL_SIZE
    summary = selector.faces[1]
    assert (summary.number, summary.frames, summary.usable_frames, summary.first_frame) == (
        2,
        20,
        20,
        0,
    )


def test_thumbnail_shows_the_face(make_frame, detector, mesh):
    selector = FaceSelector()
    frames = [make_frame(x=300 + 40 * k, seed=k) for k in range(3)]
    for frame, found in zip(frames, track_faces(frames, detector, mesh), strict=True):
        selector.add(found, frame)
    assert detector(selector.faces[0].thumbnail)[0].score > 0.5
