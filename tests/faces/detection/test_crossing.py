"""People who pass before each other keep their numbers, whoever is hidden."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from swaptalk.assets import catalogue
from swaptalk.faces.detection.people import Renumbering, corrected_numbers
from swaptalk.faces.detection.recognise import FaceRecogniser
from swaptalk.faces.detection.track import track_faces

SIZE = 190
DEMO = Path(__file__).parents[3] / "demo" / "source.jpg"


@pytest.fixture(scope="module")
def embed() -> FaceRecogniser:
    asset = catalogue.get("mobilefacenet")
    if catalogue.status(asset) != "ready":
        pytest.skip("the recogniser is not there: 'swaptalk models pull' fetches it")
    return FaceRecogniser(catalogue.resolve("mobilefacenet", progress=False))


def _cut(picture, left, top, side):
    part = np.ascontiguousarray(picture[top : top + side, left : left + side])
    return cv2.resize(part, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def people(astronaut, hopper):
    demo = np.asarray(Image.open(DEMO).convert("RGB"))
    side = min(demo.shape[:2])
    return [
        _cut(astronaut, 90, 0, 260),
        _cut(hopper, 100, 20, 320),
        _cut(demo, (demo.shape[1] - side) // 2, 0, side),
    ]


def _scene(people, places, seed):
    """The people at x positions, the later ones before the earlier ones."""
    frame = np.full((240, 860, 3), 110, np.uint8)
    for person, x in zip(people, places, strict=True):
        frame[25 : 25 + SIZE, x : x + SIZE] = person
    noise = np.random.default_rng(seed).normal(0, 2, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def _numbers(found):
    """Numbers of the faces of each frame by position, as they are known in the end."""
    corrections = [one for frame in found for one in frame.renumbered]
    result = []
    for frame in found:
        tracks = np.array([face.track for face in frame.faces], np.int32)
        frames = np.full(len(tracks), frame.index)
        numbers = corrected_numbers(tracks, frames, corrections)
        middles = [float(face.landmarks.xy[:, 0].mean()) for face in frame.faces]
        result.append(dict(zip(middles, numbers.tolist(), strict=True)))
    return result


def _check(numbers, places_of, people_count):
    """Every face that is seen has the number of who stands there; returns how often each is."""
    seen = np.zeros(people_count, int)
    for k, faces in enumerate(numbers):
        for x, number in faces.items():
            nearest = [abs(x - place - SIZE / 2) for place in places_of(k)]
            standing = [p for p, away in enumerate(nearest) if away < 0.3 * SIZE]
            assert number in standing, (k, x, number, standing)
            seen[number] += 1
    return seen


def test_a_person_who_was_passed_is_the_same_one(people, detector, mesh, embed):
    def places(k):
        return 20 + 12 * k, 640 - 12 * k

    two = people[:2]
    frames = [_scene(two, places(k), k) for k in range(52)]
    numbers = _numbers(list(track_faces(frames, detector, mesh, embed)))
    seen = _check(numbers, places, 2)
    assert seen[1] >= 50 and seen[0] >= 34  # the one behind is hidden for some frames


def test_a_face_half_hidden_is_reported_where_it_is(astronaut, detector, mesh, embed):
    """A mesh slips to the face in front before it is lost."""
    demo = np.asarray(Image.open(DEMO).convert("RGB"))[:750, 50:700]
    behind = cv2.resize(astronaut[:260, 90:350], (360, 360), interpolation=cv2.INTER_AREA)
    front = cv2.resize(demo, (208, 240), interpolation=cv2.INTER_AREA)[:, 34:174]
    away = []

    def frame(k):
        scene = np.full((380, 960, 3), 110, np.uint8)
        scene[10:370, 560 - 8 * k : 920 - 8 * k] = behind
        scene[80:320, 70 + 8 * k : 210 + 8 * k] = front
        noise = np.random.default_rng(k).normal(0, 2, scene.shape)
        return np.clip(scene + noise, 0, 255).astype(np.uint8)

    for k, found in enumerate(track_faces((frame(k) for k in range(70)), detector, mesh, embed)):
        for face in found.faces:
            middle = float(face.landmarks.xy[:, 0].mean())
            away.append(min(abs(middle - 740 + 8 * k), abs(middle - 140 - 8 * k)))
    assert len(away) > 110 and max(away) < 15


def test_three_people_crossing(people, detector, mesh, embed):
    def places(k):
        return 10 + 12 * k, 335, 660 - 12 * k

    frames = [_scene(people, places(k), k) for k in range(54)]
    numbers = _numbers(list(track_faces(frames, detector, mesh, embed)))
    seen = _check(numbers, places, 3)
    assert (seen >= 26).all() and set(numbers[-1].values()) == {0, 1, 2}


def test_half_a_face_is_recognised_when_it_is_whole(people, detector, mesh, embed):
    """Somebody leaves the picture and comes back slowly: first an eye, then the face."""

    def places(k):
        return (20 - 14 * k if k < 20 else -250 + 10 * (k - 20),)

    def frame(k):
        (x,) = places(k)
        wide = np.full((240, 1400, 3), 110, np.uint8)
        wide[25 : 25 + SIZE, 400 + x : 400 + x + SIZE] = people[1]
        return np.ascontiguousarray(wide[:, 400:900])

    numbers = _numbers(list(track_faces((frame(k) for k in range(62)), detector, mesh, embed)))
    assert {number for faces in numbers for number in faces.values()} == {0}


@pytest.mark.parametrize("tight", [True, False])
def test_people_who_change_places_in_a_cut_keep_their_numbers(people, detector, mesh, embed, tight):
    """The colours of the picture stay the same: by them alone it is no cut."""
    places = [(110, 560)] * 6 + [(560, 110)] * 14
    frames = [_scene(people[:2], where, k) for k, where in enumerate(places)]
    if tight:  # little else is seen than the two
        frames = [np.concatenate([f[:, 110:300], f[:, 560:750]], axis=1) for f in frames]
        places = [(0, 190)] * 6 + [(190, 0)] * 14
    found = list(track_faces(frames, detector, mesh, embed))
    assert [frame.cut for frame in found] == [tight and k == 6 for k in range(20)]
    seen = _check(_numbers(found), lambda k: places[k], 2)
    assert seen.tolist() == [20, 20]


def test_numbers_that_were_exchanged_are_exchanged_back():
    corrections = [Renumbering(2, 0, 5, 9), Renumbering(0, 1, 4, 12), Renumbering(1, 0, 6, 12)]
    tracks, frames = np.array([2, 2, 0, 1, 1, 0, 2]), np.array([5, 9, 4, 6, 5, 12, 4])
    assert corrected_numbers(tracks, frames, corrections).tolist() == [1, 2, 1, 0, 1, 0, 2]
