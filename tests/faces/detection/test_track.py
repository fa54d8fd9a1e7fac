import tracemalloc

import cv2
import numpy as np
import pytest

from swaptalk.faces.detection.track import DETECT_EVERY, FaceTracker, track_faces
from swaptalk.faces.geometry.pose import eye_distance


class CountingDetector:
    """The real detector, counting how often it is asked."""

    def __init__(self, detector):
        self._detector, self.calls = detector, 0

    def __call__(self, image):
        self.calls += 1
        assert max(image.shape[:2]) <= 512
        return self._detector(image)


def test_one_face_keeps_its_number_and_needs_few_detections(make_frame, detector, mesh):
    counting = CountingDetector(detector)
    frames = [make_frame(x=300 + 4 * k, angle=k / 3, seed=k) for k in range(2 * DETECT_EVERY)]
    found = list(track_faces(frames, counting, mesh))
    assert [len(f.faces) for f in found] == [1] * len(frames)
    assert {f.faces[0].track for f in found} == {0}
    assert all(f.faces[0].usable and f.faces[0].presence > 0.8 for f in found)
    assert counting.calls == 2
    assert [f.index for f in found] == list(range(len(frames)))


def test_landmarks_follow_the_motion(make_frame, detector, mesh):
    frames = [make_frame(x=300 + 25 * k, seed=k) for k in range(12)]
    centres = [f.faces[0].landmarks.xy.mean(axis=0) for f in track_faces(frames, detector, mesh)]
    steps = np.diff(centres, axis=0)
    np.testing.assert_allclose(steps[:, 0], 25, atol=3)
    np.testing.assert_allclose(steps[:, 1], 0, atol=3)


def test_two_people_keep_their_numbers_from_left_to_right(make_frame, hopper, detector, mesh):
    def both(k):
        frame = make_frame(x=700 - 3 * k, y=80, seed=k)
        frame[100:500, 40 + 3 * k : 380 + 3 * k] = cv2.resize(hopper, (340, 400))
        return frame

    found = list(track_faces((both(k) for k in range(12)), detector, mesh))
    for frame in found:
        assert [f.track for f in frame.faces] == [0, 1]
        left, right = (f.landmarks.xy[:, 0].mean() for f in frame.faces)
        assert left < right
    assert found[0].face(1) is found[0].faces[1] and found[0].face(7) is None


def test_face_comes_back_after_a_short_loss(make_frame, detector, mesh):
    def frame(k):
        picture = make_frame(x=380 + k, seed=k)
        if 8 <= k < 16:
            picture[60:500, 500:900] = 90  # somebody walks through
        return picture

    found = list(track_faces((frame(k) for k in range(28)), detector, mesh))
    counts = [len(f.faces) for f in found]
    assert counts[:8] == [1] * 8 and counts[10:16] == [0] * 6
    assert counts[20:] == [1] * 8
    assert {f.track for frame in found for f in frame.faces} == {0}


def test_cut_to_another_person_gives_a_new_number(make_frame, hopper, detector, mesh):
    first = [make_frame(seed=k) for k in range(6)]
    second = [make_frame(image=hopper, scale=1.1, background=220, seed=k) for k in range(6)]
    found = list(track_faces(first + second, detector, mesh))
    assert [f.index for f in found if f.cut] == [6]
    assert [f.faces[0].track for f in found] == [0] * 6 + [1] * 6


def test_flash_and_jump_cut_keep_the_number(make_frame, detector, mesh):
    frames = [make_frame(seed=k) for k in range(12)]
    # A camera's flash.
    frames[5] = np.clip(frames[5].astype(int) * 1.5 + 60, 0, 255).astype(np.uint8)
    frames[9:] = [
        255 - (255 - make_frame(x=410, scale=1.35, background=240, seed=k)) // 2 for k in range(3)
    ]
    found = list(track_faces(frames, detector, mesh))
    assert {f.track for frame in found for f in frame.faces} == {0}
    assert sum(len(f.faces) for f in found) >= 11


def test_embedding_recognises_people_across_cuts(make_frame, hopper, detector, mesh):
    def embed(frame, landmarks):
        x, y = np.clip(landmarks.xy.mean(axis=0).astype(int), 0, [1279, 719])
        return np.array([1, 0.1] if frame[0, -1, 1] < 150 else [0.1, 1], np.float32)

    one = [make_frame(seed=k) for k in range(3)]
    two = [make_frame(image=hopper, scale=1.1, background=220, seed=k) for k in range(3)]
    again = [make_frame(x=100, seed=k) for k in range(3)]
    found = list(track_faces(one + two + again, detector, mesh, embed))
    assert [f.faces[0].track for f in found] == [0] * 3 + [1] * 3 + [0] * 3


def test_small_face_is_reported_but_not_usable(make_frame, detector, mesh):
    frames = [
        make_frame(x=500, y=200, scale=0.32, seed=k, noise=1)[200:440, 560:880] for k in range(3)
    ]
    faces = [f.faces[0] for f in track_faces(frames, detector, mesh)]
    assert all(not f.usable and "small" in f.reason for f in faces)
    assert eye_distance(faces[0].landmarks.points) < 22


def test_no_face_at_all(detector, mesh):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (240, 320, 3)).astype(np.uint8) for _ in range(7)]
    assert all(not f.faces for f in track_faces(frames, detector, mesh))


def test_memory_does_not_grow(make_frame, detector, mesh):
    tracker = FaceTracker(detector, mesh)
    frames = [make_frame(seed=k) for k in range(4)]
    for k in range(20):
        tracker.update(frames[k % 4])
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for k in range(60):
        tracker.update(frames[k % 4])
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000


def test_real_speakers_are_followed(read_clip, detector, mesh):
    for identifier in ("9cf5a3d11acb", "c480fa577255"):  # calm; turning far to the side
        found = list(track_faces(read_clip(identifier, 50), detector, mesh))
        assert {f.track for frame in found for f in frame.faces} == {0}
        assert sum(len(f.faces) for f in found) == len(found)


@pytest.mark.parametrize("shape", [(64, 64), (65, 33), (2160, 200)])
def test_odd_frame_sizes(shape, detector, mesh):
    found = list(track_faces([np.zeros((*shape, 3), np.uint8)] * 2, detector, mesh))
    assert [f.faces for f in found] == [(), ()]
