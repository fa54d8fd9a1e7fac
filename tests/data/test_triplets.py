"""Triplets: who takes part in them, that they are made once, and what they hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from swaptalk.data import triplet_cache  # noqa: E402
from swaptalk.data.faces import face_area  # noqa: E402
from swaptalk.data.frames import FrameChoice, FrameSampler  # noqa: E402
from swaptalk.data.latents import LatentCache  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402
from swaptalk.data.triplet_cache import Triplet, TripletCache  # noqa: E402
from swaptalk.data.triplets import TripletMaker  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.faces.geometry.topology import canonical_crop_mesh  # noqa: E402
from swaptalk.models.vqgan import VQGAN  # noqa: E402

#: Triplets in a file of the cache in these tests.
SMALL = 4


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset({"a1": "ada"}, {"b1": "bob", "b2": "bob", "c1": "cy"})


def sampler(dataset: Dataset, excluded: tuple[str, ...] = ()) -> FrameSampler:
    return FrameSampler(dataset, 0.3, 0.0, 2.0, excluded)


def test_roles_are_about_the_right_people(dataset: Dataset) -> None:
    made = [TripletMaker(sampler(dataset), 0)(k) for k in range(24)]
    people = {
        role: [(m.source[0].identity, m.answer[0].identity) for m in made if m.role == role]
        for role in ("cross", "self", "role")
    }
    assert all(people.values())
    assert all(a == b for a, b in people["cross"] + people["self"])
    assert all(a != b for a, b in people["role"])
    assert all(m.source != m.answer for m in made if m.role == "cross")
    assert all(m.source == m.answer for m in made if m.role == "self")


def test_the_same_number_is_the_same_triplet(dataset: Dataset) -> None:
    a, b, c = (TripletMaker(sampler(dataset), seed)(5) for seed in (0, 0, 1))
    assert np.array_equal(a.composite.picture, b.composite.picture)
    assert not np.array_equal(a.composite.picture, c.composite.picture)


def test_nobody_in_two_pictures_is_refused(make_dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(InputError, match="no person has two pictures"):
        TripletMaker(sampler(make_dataset({}, {"b1": "bob", "c1": "cy"})), 0)


def test_they_are_made_once_and_excluded_ones_left_out(dataset: Dataset) -> None:
    torch.manual_seed(0)
    vqgan = VQGAN().eval()

    def build(excluded: tuple[str, ...] = ()) -> TripletCache:
        choice = FrameChoice(dataset.folder, False, 0.0, 0.3, 0.0, 2.0, frozenset(excluded))
        cache = TripletCache(LatentCache(dataset, "x").folder, choice, 0, dataset)
        cache.build(8, vqgan)
        return cache

    first = build()
    assert len(first) == 8
    assert first[0].composite.shape == first[0].photo.shape == (64, 16, 16)
    assert first[0].mask.shape == (64, 64) and first[0].mesh.shape == (468, 2)
    anchored = [one for one in first if one.role == "role"]
    assert anchored and all(one.anchor_picture().shape == (256, 256, 3) for one in anchored)
    assert all(one.anchor == b"" for one in first if one.role != "role")
    written = {file: file.stat().st_mtime_ns for file in first.folder.iterdir()}
    kept = build(("b1",))
    assert written == {file: file.stat().st_mtime_ns for file in kept.folder.iterdir()}
    assert 0 < len(kept) < 8
    assert all("b1" not in (one.source[0].name, one.answer[0].name) for one in kept)


def test_several_processes_make_the_same_ones(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    vqgan = VQGAN().eval()
    choice = FrameChoice(dataset.folder, False, 0.0, 0.3, 0.0, 2.0)

    def build(name: str, workers: int) -> list[Triplet]:
        cache = TripletCache(dataset.folder / name, choice, 0, dataset)
        told: list[tuple[int, int]] = []
        cache.build(2 * SMALL, vqgan, workers=workers, progress=lambda *done: told.append(done))
        assert told == [(1, 2), (2, 2)]
        return list(cache)

    monkeypatch.setattr(triplet_cache, "CHUNK", SMALL)
    alone = build("one", 1)
    together = build("two", 2)
    assert len(alone) == len(together)
    for one, other in zip(alone, together, strict=True):
        assert (one.role, one.source[0].name) == (other.role, other.source[0].name)
        assert np.array_equal(one.mask, other.mask) and one.anchor == other.anchor
        np.testing.assert_allclose(one.composite, other.composite, atol=1e-3)


def test_the_face_is_where_its_mesh_is() -> None:
    area = face_area(canonical_crop_mesh(), 64)
    assert area.shape == (64, 64) and area[38, 32] > 252 and area[2, 2] == 0
