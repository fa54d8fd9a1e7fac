from contextlib import closing

import numpy as np
import pytest

from swaptalk.faces.geometry.align import Alignment, crop_face
from swaptalk.pipeline.analysis.candidates import Candidates, CandidateWriter


def _similarity(scale: float, angle: float, x: float, y: float) -> Alignment:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return Alignment(np.array([[cos, -sin, x], [sin, cos, y]]))


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (360, 480, 3), dtype=np.uint8)


@pytest.mark.parametrize("scale", [0.4, 0.9, 1.7])
@pytest.mark.parametrize(
    "place", [(240, 180), (20, 30), (470, 350)], ids=["inside", "corner", "other corner"]
)
def test_crop_of_the_kept_part_is_that_of_the_picture(tmp_path, picture, scale, place):
    before = _similarity(scale, 0.1, 128 - place[0] * scale, 128 - place[1] * scale)
    smoothed = Alignment(before.matrix + [[0.002, 0, 1.3], [0, 0.002, -0.8]])
    with closing(CandidateWriter(tmp_path / "file")) as writer:
        writer.add(4, 10, np.zeros_like(picture), before)
        writer.add(3, 12, picture, before)
    with closing(Candidates(tmp_path / "file")) as candidates:
        np.testing.assert_array_equal(
            candidates.crop((1, 3), 12, smoothed), crop_face(picture, smoothed)
        )
        assert candidates.crop((3,), 10, smoothed) is None  # another person's
        assert candidates.crop((3,), 11, smoothed) is None


def test_crop_that_moved_out_of_the_kept_part_is_not_found(tmp_path, picture):
    before = _similarity(1.7, 0, 128 - 240 * 1.7, 128 - 180 * 1.7)
    with closing(CandidateWriter(tmp_path / "file")) as writer:
        writer.add(0, 0, picture, before)
    with closing(Candidates(tmp_path / "file")) as candidates:
        assert candidates.crop((0,), 0, before) is not None
        assert candidates.crop((0,), 0, Alignment(before.matrix + [[0, 0, 60], [0, 0, 0]])) is None


def test_without_a_file_nothing_is_found(tmp_path):
    with closing(Candidates(tmp_path / "none")) as candidates:
        assert candidates.crop((0,), 0, _similarity(1, 0, 0, 0)) is None
