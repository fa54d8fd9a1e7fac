import numpy as np
import pytest

from swaptalk.evaluation.observe import Observer
from swaptalk.evaluation.recognition import (
    ARCFACE_TEMPLATE,
    MobileFaceNet,
    five_points,
    recognition_crop,
    recognition_matrix,
)


def test_a_similarity_of_the_template_is_found_again() -> None:
    angle, scale = np.radians(20), 2.5
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = ARCFACE_TEMPLATE @ turn.T + np.array([40.0, -7.0])
    matrix = recognition_matrix(points)
    assert np.allclose(points @ matrix[:, :2].T + matrix[:, 2], ARCFACE_TEMPLATE, atol=1e-9)
    with pytest.raises(ValueError, match="coincide"):
        recognition_matrix(np.ones((5, 2)))


def test_one_person_is_nearer_than_two(model, astronaut, tmp_path) -> None:
    for name in ("blazeface-back", "blazeface-full-range", "face-mesh", "mobilefacenet"):
        model(name)
    observer, recogniser = Observer(), MobileFaceNet(model("mobilefacenet"))
    from swaptalk.media.image import read_image

    hopper = read_image(model("grace-hopper"))
    mesh = observer.mesh(astronaut, tmp_path)
    crop = recognition_crop(astronaut, mesh)
    found = five_points(mesh) @ recognition_matrix(five_points(mesh))[:, :2].T
    assert np.ptp(found[:, 0]) > 25
    darker = (recognition_crop(astronaut[::2, ::2], mesh / 2) * 0.8).astype(np.uint8)
    other = recognition_crop(hopper, observer.mesh(hopper, tmp_path))
    a, b, c = recogniser([crop, darker, other])  # three: the fixed batch of two is filled up
    assert np.linalg.norm(a) == pytest.approx(1, abs=1e-5)
    assert a @ b > 0.7
    assert a @ c < 0.4
    assert recogniser([]).shape == (0, 192)
    assert np.allclose(recogniser([other])[0], c, atol=1e-5)
