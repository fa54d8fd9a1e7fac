import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.mask import face_mask, mouth_mask
from swaptalk.faces.editing.occlusion import MINIMUM_SAMPLES, SAMPLES, AppearanceCollector, unroll
from swaptalk.faces.geometry.topology import INNER_LIPS


def _share(occlusion, mask):
    return float((occlusion * mask).sum() / mask.sum())


def _noisy(crop, seed, gain=1.0):
    return np.clip(
        crop * gain + np.random.default_rng(seed).normal(0, 4, crop.shape), 0, 255
    ).astype(np.uint8)


@pytest.fixture(scope="module")
def model(astronaut_face):
    crop, mesh, _ = astronaut_face
    collector = AppearanceCollector()
    for seed in range(16):
        jitter = np.random.default_rng(seed).normal(0, 0.8, (468, 2)).astype(np.float32)
        collector.add(_noisy(crop, seed), mesh[:, :2] + jitter)
    return collector.model()


def _microphone(crop):
    covered = crop.copy()
    cv2.circle(covered, (128, 200), 34, (40, 40, 44), -1)
    cv2.rectangle(covered, (118, 200), (138, 255), (70, 70, 76), -1)
    truth = np.zeros((256, 256), np.float32)
    cv2.circle(truth, (128, 200), 30, (1.0,), -1)
    return covered, truth


def test_free_face(model, astronaut_face):
    crop, mesh, _ = astronaut_face
    assert model.occlusion(_noisy(crop, 99), mesh).max() == 0


@pytest.mark.parametrize("gain", [0.8, 1.15])
def test_light_is_no_occluder(model, astronaut_face, gain):
    crop, mesh, _ = astronaut_face
    assert _share(model.occlusion(_noisy(crop, 99, gain), mesh), face_mask(mesh)) < 0.01


def test_side_light_is_no_occluder(model, astronaut_face):
    crop, mesh, _ = astronaut_face
    lit = _noisy(crop, 5) * np.linspace(0.8, 1.1, 256)[None, :, None]
    assert (
        _share(model.occlusion(np.clip(lit, 0, 255).astype(np.uint8), mesh), face_mask(mesh)) < 0.01
    )


def test_microphone_before_the_mouth(model, astronaut_face):
    crop, mesh, _ = astronaut_face
    covered, truth = _microphone(_noisy(crop, 7))
    found = model.occlusion(covered, mesh)
    assert found.shape == (256, 256) and 0 <= found.min() and found.max() <= 1
    assert _share(found, truth) > 0.9
    eyes = np.zeros((256, 256), np.float32)
    eyes[70:130, 50:206] = 1
    assert _share(found, eyes) < 0.02


def test_hand_of_the_same_skin_before_the_mouth(model, astronaut_face):
    crop, mesh, _ = astronaut_face
    covered = _noisy(crop, 8)
    skin = crop[40:50, 118:138].reshape(-1, 3).mean(axis=0)
    truth = np.zeros((256, 256), np.float32)
    for finger in range(4):
        ends = (60, 165 + 24 * finger), (205, 172 + 24 * finger)
        cv2.line(covered, *ends, (skin * 0.6).tolist(), 24)
        cv2.line(covered, *ends, (skin * (0.95 - 0.06 * finger)).tolist(), 18)
        cv2.line(truth, *ends, (1.0,), 18)
    assert _share(model.occlusion(covered, mesh), truth * mouth_mask(mesh)) > 0.5


def test_open_mouth_with_teeth_is_no_occluder(model, astronaut_face):
    crop, mesh, _ = astronaut_face
    spoken, moved = _noisy(crop, 9), mesh.copy()
    moved[INNER_LIPS[11:], 1] += 14
    moved[[17, 84, 314, 405, 181, 91, 321, 152, 175, 199], 1] += 12
    cv2.fillPoly(spoken, [np.round(moved[INNER_LIPS, :2]).astype(int)], (235, 230, 225))
    assert _share(model.occlusion(spoken, moved), mouth_mask(mesh)) < 0.05


def test_too_few_frames_say_nothing(astronaut_face):
    crop, mesh, _ = astronaut_face
    collector = AppearanceCollector()
    for _ in range(MINIMUM_SAMPLES - 1):
        collector.add(crop, mesh)
    assert collector.model() is None


def test_passing_occluder_does_not_enter_the_model(astronaut_face):
    crop, mesh, _ = astronaut_face
    collector = AppearanceCollector()
    for seed in range(30):
        picture = _noisy(crop, seed)
        collector.add(_microphone(picture)[0] if 8 <= seed < 18 else picture, mesh)
    model = collector.model()
    assert model is not None
    covered, truth = _microphone(_noisy(crop, 50))
    assert _share(model.occlusion(covered, mesh), truth) > 0.9
    assert _share(model.occlusion(_noisy(crop, 51), mesh), mouth_mask(mesh)) < 0.01


def test_memory_is_bounded_and_samples_are_spread():
    collector = AppearanceCollector()
    mesh = np.zeros((468, 2), np.float32)
    for k in range(1000):
        collector.add(np.full((256, 256, 3), k // 4, np.uint8), mesh)
        assert len(collector._samples) <= 2 * SAMPLES
    levels = [sample[0, 0] for sample in collector._samples]
    assert levels == sorted(levels) and levels[-1] > 90 and len(levels) >= SAMPLES // 2


def test_model_survives_storage(model, tmp_path, astronaut_face):
    from swaptalk.faces.editing.occlusion import AppearanceModel

    crop, mesh, _ = astronaut_face
    np.savez(tmp_path / "look.npz", median=model.median, deviation=model.deviation)
    stored = np.load(tmp_path / "look.npz")
    again = AppearanceModel(stored["median"], stored["deviation"])
    covered, _ = _microphone(crop)
    np.testing.assert_array_equal(again.occlusion(covered, mesh), model.occlusion(covered, mesh))


def test_unrolled_lips_lie_on_lips_whatever_the_place(astronaut_face):
    crop, mesh, _ = astronaut_face
    shifted = np.roll(crop, 4, axis=1)
    a, b = unroll(crop, mesh), unroll(shifted, mesh[:, :2] + np.array([4, 0], np.float32))
    assert np.percentile(np.abs(a - b)[:, :3], 95) < 3


def test_real_speech_raises_no_alarm(read_clip, detector, mesh):
    from swaptalk.faces.detection.track import track_faces
    from swaptalk.faces.geometry.align import crop_face, estimate_alignment

    frames = read_clip("7f8c82aba798", 50)  # beard and glasses
    collector, items = AppearanceCollector(), []
    for frame, found in zip(frames, track_faces(frames, detector, mesh), strict=True):
        alignment = estimate_alignment(found.faces[0].landmarks.xy)
        items.append(
            (crop_face(frame, alignment), alignment.to_crop(found.faces[0].landmarks.points))
        )
        collector.add(*items[-1])
    model = collector.model()
    shares = [_share(model.occlusion(crop, points), mouth_mask(points)) for crop, points in items]
    assert np.mean(np.array(shares) > 0.02) < 0.05
