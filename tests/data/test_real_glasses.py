"""What is known of real glasses: lists by eye, and rims where the network of before sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swaptalk.data.glasses import add_glasses
from swaptalk.data.real_glasses import known_rims, read_glasses_labels
from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.editing.eyewear import glasses_zone
from swaptalk.faces.editing.eyewear_network import EyewearNetwork
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.media.image import read_image


@pytest.fixture(scope="module")
def face(other_photo: Path) -> tuple[np.ndarray, np.ndarray]:
    """A crop without glasses, and its mesh."""
    image = read_image(other_photo)
    found = FaceAnalyser(progress=False).faces(image)[0]
    alignment = estimate_alignment(found.xy)
    mesh = np.asarray(alignment.to_crop(found.points), np.float32)
    return crop_face(image, alignment), mesh


def test_rims_are_known_and_bare_skin_beside_them(face: tuple[np.ndarray, np.ndarray]) -> None:
    crop, mesh = face
    picture, opacity = add_glasses(crop, mesh, np.random.default_rng(3))
    rims, weights = known_rims(picture, mesh, EyewearNetwork())
    drawn = opacity > 0.6
    assert rims[drawn].mean() > 0.6
    assert weights[drawn & (rims == 0)].mean() < 0.5  # what is missed is not taught to be skin
    zone = (glasses_zone(mesh) > 0) & (opacity == 0) & (rims == 0)
    assert weights[zone].mean() > 0.5 and weights[glasses_zone(mesh) == 0].mean() > 0.98


def test_a_bare_face_has_none(face: tuple[np.ndarray, np.ndarray]) -> None:
    rims, weights = known_rims(*face, EyewearNetwork())
    assert rims.sum() < 30 and weights.mean() > 0.9


def test_labels_are_read_and_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("name,picture,worn\nset/a.webp,0,1\nvideo/b.webm,3,0\n")
    assert read_glasses_labels(path) == {("set/a.webp", 0): True, ("video/b.webm", 3): False}
    for text, fault in (
        ("name,picture\na,0\n", "no worn"),
        ("name,picture,worn\na,first,1\n", "not a number"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=fault):
            read_glasses_labels(path)
    with pytest.raises(InputError, match="readable"):
        read_glasses_labels(tmp_path / "none.csv")
