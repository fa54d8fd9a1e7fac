import numpy as np
import pytest

from swaptalk.faces.geometry.align import RIGID_TEMPLATE
from swaptalk.faces.geometry.recognition_crop import (
    ARCFACE_TEMPLATE,
    crop_to_recognition,
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


def test_the_aligned_crop_lies_on_the_template() -> None:
    """Its eyes and the template's agree to 1.5 of 112 pixels."""
    matrix = crop_to_recognition()
    eyes = np.array(
        [
            np.mean([RIGID_TEMPLATE[a], RIGID_TEMPLATE[b]], axis=0)
            for a, b in ((33, 133), (362, 263))
        ]
    )
    assert np.abs(eyes @ matrix[:, :2].T + matrix[:, 2] - ARCFACE_TEMPLATE[:2]).max() < 1.5
