"""Film is recognised by its colours, which follow from its brightness."""

from __future__ import annotations

from swaptalk.faces.editing.film import match_film


def test_colour_pictures_are_left_alone(hopper_face, astronaut_face) -> None:
    assert match_film(hopper_face[0], astronaut_face[0]) is hopper_face[0]
