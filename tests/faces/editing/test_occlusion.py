"""Hands, microphones and cups stay; mouths, light and beards are no occluders."""

import cv2
import numpy as np
import pytest

from swaptalk.faces.detection.track import track_faces
from swaptalk.faces.editing.mask import face_mask, mouth_mask
from swaptalk.faces.editing.occlusion import GRID_SIZE, OcclusionNetwork, occlusion_mask
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.faces.geometry.topology import INNER_LIPS, OUTER_LIPS


def _share(occlusion, mask):
    return float((occlusion * mask).sum() / mask.sum())


def _noisy(crop, seed, gain=1.0):
    noise = np.random.default_rng(seed).normal(0, 4, crop.shape)
    return np.clip(crop * gain + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def network():
    return OcclusionNetwork()


@pytest.fixture(scope="module", params=["astronaut_face", "hopper_face"])
def face(request):
    crop, mesh, _ = request.getfixturevalue(request.param)
    return crop, mesh


def _microphone(crop):
    covered = crop.copy()
    cv2.rectangle(covered, (118, 200), (138, 255), (70, 70, 76), -1)
    cv2.circle(covered, (128, 200), 34, (40, 40, 44), -1)
    cv2.circle(covered, (120, 190), 12, (62, 62, 66), -1)
    truth = np.zeros((256, 256), np.float32)
    cv2.circle(truth, (128, 200), 30, (1.0,), -1)
    return covered, truth


def _hand(crop):
    """Four fingers in the face's own skin before cheek and chin."""
    covered = crop.copy()
    skin = crop[40:50, 118:138].reshape(-1, 3).mean(axis=0)
    truth = np.zeros((256, 256), np.float32)
    for finger in range(4):
        ends = (-20, 165 + 25 * finger), (150 - 8 * finger, 172 + 25 * finger)
        cv2.line(covered, *ends, (skin * 0.55).tolist(), 27, cv2.LINE_AA)
        cv2.line(covered, *ends, (skin * 0.8).tolist(), 22, cv2.LINE_AA)
        cv2.line(covered, *ends, (skin * 0.92).tolist(), 12, cv2.LINE_AA)
        cv2.line(truth, *ends, (1.0,), 18)
    return covered, truth


@pytest.mark.parametrize("gain", [0.7, 1.0, 1.15])
def test_a_free_face_in_any_light(network, face, gain):
    crop, mesh = face
    assert network(_noisy(crop, 99, gain), mesh).max() == 0


def test_side_light_is_no_occluder(network, face):
    crop, mesh = face
    lit = crop * np.linspace(0.55, 1.1, 256)[None, :, None]
    assert _share(network(np.clip(lit, 0, 255).astype(np.uint8), mesh), face_mask(mesh)) < 0.01


@pytest.mark.parametrize("draw", [_microphone, _hand])
def test_what_is_in_front_is_found_from_the_first_frame(network, face, draw):
    crop, mesh = face
    covered, truth = draw(_noisy(crop, 7))
    found = network(covered, mesh)
    assert found.shape == (256, 256) and found.dtype == np.float32
    assert _share(found, truth) > 0.85
    eyes = np.zeros((256, 256), np.float32)
    eyes[70:130, 50:206] = 1
    assert _share(found, eyes) < 0.05


def test_an_open_mouth_is_no_occluder(network, face):
    """A wide mouth with teeth and a tongue, however rare in its clip."""
    crop, mesh = face
    spoken, moved = crop.copy(), mesh.copy()
    moved[INNER_LIPS[11:], 1] += 30
    moved[OUTER_LIPS[11:], 1] += 30
    moved[[17, 84, 314, 405, 181, 91, 321, 152, 175, 199], 1] += 20
    hole = np.round(moved[INNER_LIPS, :2]).astype(int)
    cv2.fillPoly(spoken, [hole], (70, 20, 25))
    middle = hole.mean(axis=0).astype(int)
    cv2.ellipse(spoken, middle.tolist(), (18, 6), 0, 0, 360, (170, 80, 80), -1)
    cv2.rectangle(
        spoken, (middle - [20, 14]).tolist(), (middle + [20, -8]).tolist(), (235,) * 3, -1
    )
    assert network(spoken, moved).max() == 0


def test_the_mouth_alone_never_comes_back(face):
    """Whatever the network says of the lips themselves is dropped; a hand over them is not."""
    _, mesh = face
    lips = np.zeros((GRID_SIZE, GRID_SIZE), np.float32)
    ring = np.round((mesh[OUTER_LIPS, :2] + 0.5) / 4 - 0.5).astype(np.int32)
    cv2.fillPoly(lips, [ring], (1.0,))
    assert occlusion_mask(12 * lips - 6, mesh).max() == 0
    hand = cv2.dilate(lips, np.ones((15, 15)))
    assert _share(occlusion_mask(12 * hand - 6, mesh), mouth_mask(mesh)) > 0.3


def test_a_faint_answer_counts_only_where_something_was_before(face):
    _, mesh = face
    faint = np.full((GRID_SIZE, GRID_SIZE), -6, np.float32)
    faint[40:60, 30:50] = 0.2
    before = np.zeros((256, 256), np.float32)
    assert occlusion_mask(faint, mesh, before).max() == 0
    before[170:230, 130:190] = 1
    assert occlusion_mask(faint, mesh, before)[170:230, 130:190].min() > 0.9


def test_share_of_the_face_that_is_covered(network, face):
    crop, mesh = face
    assert network.share(crop, mesh) == 0
    assert 0.1 < network.share(_hand(crop)[0], mesh) < 0.6


def test_real_speech_raises_no_alarm(read_clip, detector, mesh, network):
    frames, shares = read_clip("7f8c82aba798", 50), []  # beard and glasses
    for frame, found in zip(frames, track_faces(frames, detector, mesh), strict=True):
        landmarks = found.faces[0].landmarks
        alignment = estimate_alignment(landmarks.xy)
        points = alignment.to_crop(landmarks.points)
        shares.append(_share(network(crop_face(frame, alignment), points), mouth_mask(points)))
    assert np.mean(np.array(shares) > 0.02) < 0.05
