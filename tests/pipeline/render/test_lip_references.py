"""References of a mouth: real frames, and one that the network opens where all are closed."""

from __future__ import annotations

from swaptalk.faces.editing.face_composite import FaceComposite

from .conftest import lip_references, with_opening


def test_where_all_mouths_are_closed_the_network_opens_one(networks, face: FaceComposite) -> None:
    closed, opened = (with_opening(face, opening) for opening in (0.0, 0.2))
    assert [one.real for one in lip_references(networks, closed).found] == [True, False]
    assert [one.real for one in lip_references(networks, closed, opened).found] == [True, True]
