import cv2
import numpy as np
import pytest

from swaptalk.faces.geometry.align import Alignment, estimate_alignment
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.smooth import (
    REACH,
    AlignmentSmoother,
    adaptive_smooth,
    local_polynomial,
    segments,
    smooth_alignments,
    smooth_points,
)

#: Corners of the face in the crop, at which trembling would be seen.
FACE = np.array([[40, 40], [216, 40], [40, 240], [216, 240], [128, 190]], float)


def _similarity(x, y, angle=0.0, scale=0.8):
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return Alignment(np.array([[cos, -sin, x], [sin, cos, y]]))


def _trembling(alignments):
    """Mean step of the face between frames, crop pixels."""
    places = np.array([alignments[0].to_crop(a.to_image(FACE)) for a in alignments])
    return float(np.linalg.norm(np.diff(places, axis=0), axis=-1).mean())


def test_segments_break_at_gaps_and_cuts():
    np.testing.assert_array_equal(
        segments([True, True, False, True, True, True, False], cuts=[4]), [0, 0, -1, 1, 2, 2, -1]
    )


@pytest.mark.parametrize("order", [1, 2])
def test_polynomials_of_the_order_pass_unchanged_to_the_ends(order):
    time = np.arange(40.0)
    series = np.stack([3 + 0.5 * time, time**order], axis=1)
    smoothed = local_polynomial(series, segments(np.ones(40, bool)), sigma=3, order=order)
    np.testing.assert_allclose(smoothed, series, atol=1e-2)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_short_segments_keep_their_mean(length):
    series = np.arange(length, dtype=float)[:, None]
    smoothed = local_polynomial(series, segments(np.ones(length, bool)), sigma=2, order=2)
    assert np.isfinite(smoothed).all()
    assert abs(smoothed.mean() - series.mean()) < 0.01


def test_nothing_crosses_a_cut():
    series = np.concatenate([np.zeros((20, 1)), np.full((20, 1), 100.0)])
    smoothed = adaptive_smooth(series, segments(np.ones(40, bool), cuts=[20]))
    np.testing.assert_allclose(smoothed, series, atol=1e-6)


def test_noise_of_a_still_face_is_removed():
    rng = np.random.default_rng(0)
    noisy = [
        _similarity(*(50 + rng.normal(0, 0.5, 2)), *rng.normal((0, 0.8), 0.003)) for _ in range(80)
    ]
    assert _trembling(smooth_alignments(noisy)) < 0.12 * _trembling(noisy)


def test_quick_turn_has_no_lag_and_keeps_its_height():
    time = np.arange(80)
    path = 60 / (1 + np.exp(-(time - 40) / 1.2))  # 60 px in about 6 frames
    smoothed = smooth_alignments([_similarity(x, 0, 0.004 * x) for x in path])
    found = np.array([a.matrix[0, 2] for a in smoothed])
    lags = np.arange(-2, 2.01, 0.05)
    errors = [
        ((np.interp(time[25:55] - lag, time, path) - found[25:55]) ** 2).sum() for lag in lags
    ]
    assert abs(lags[int(np.argmin(errors))]) <= 0.05
    assert np.abs(found - path).max() < 1.5


def test_missing_frames_stay_missing():
    series = [_similarity(10, 10) if k % 7 else None for k in range(30)]
    assert [a is None for a in smooth_alignments(series)] == [a is None for a in series]
    assert smooth_alignments([None, None]) == [None, None]
    assert smooth_alignments([]) == []


def test_angles_wrap():
    rng = np.random.default_rng(1)
    series = [_similarity(0, 0, np.pi + rng.normal(0, 0.01)) for _ in range(40)]
    for before, after in zip(series, smooth_alignments(series), strict=True):
        assert np.linalg.norm(after.to_crop(before.to_image(FACE)) - FACE, axis=1).max() < 6


def test_stream_gives_the_same_values_late():
    rng = np.random.default_rng(2)
    walk = np.cumsum(rng.normal(0, 0.4, (300, 2)), axis=0)
    series = [None if 100 <= k < 105 else _similarity(*walk[k]) for k in range(300)]
    cuts = [180]
    smoother = AlignmentSmoother()
    streamed: list[Alignment | None] = []
    for number, alignment in enumerate(series):
        streamed += smoother.push(alignment, cut=number in cuts)
        assert number + 1 - len(streamed) <= REACH + smoother.CHUNK
    streamed += smoother.finish()
    for a, b in zip(streamed, smooth_alignments(series, cuts), strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            np.testing.assert_allclose(a.matrix, b.matrix, atol=0.05)


def test_points_follow_the_lips():
    time = np.arange(50)
    lips = np.zeros((50, 4, 2))
    lips[:, 0, 1] = 8 * np.sin(2 * np.pi * time / 8)  # three syllables a second
    valid = time != 30
    smoothed = smooth_points(lips, valid)
    assert np.isnan(smoothed[30]).all()
    assert np.abs(smoothed[valid] - lips[valid])[3:-3].max() < 1.2


def test_mesh_of_a_still_noisy_photograph(make_frame, detector, mesh):
    """The whole chain: sensor noise and compression make the mesh tremble, smoothing stills the
    crop."""
    region, raw = None, []
    for seed in range(40):
        frame = make_frame(noise=4, seed=seed)
        _, packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 70])
        frame = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        region = region or CropRegion.around_detection(detector(frame)[0])
        landmarks = mesh(frame, region)
        region = CropRegion.around_points(landmarks.xy)
        raw.append(estimate_alignment(landmarks.xy))
    before, after = _trembling(raw), _trembling(smooth_alignments(raw))
    assert after < 0.2 and after < 0.3 * before
