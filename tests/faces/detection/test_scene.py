import numpy as np

from swaptalk.faces.detection.scene import SceneCutDetector


def _cuts(frames):
    detect = SceneCutDetector()
    return [k for k, frame in enumerate(frames) if detect(frame)]


def test_cut_between_two_pictures(astronaut, hopper):
    rng = np.random.default_rng(0)
    frames = [
        np.clip(p.astype(int) + rng.normal(0, 4, p.shape), 0, 255).astype(np.uint8)
        for p in [astronaut] * 5 + [hopper[:512, :512]] * 5
    ]
    assert _cuts(frames) == [5]


def test_pan_zoom_and_fade_are_no_cuts(make_frame):
    pan = [make_frame(x=200 + 30 * k, seed=k) for k in range(8)]
    fade = [(pan[-1] * (1 - k / 20)).astype(np.uint8) for k in range(8)]
    assert _cuts(pan + fade) == []


def test_real_clips_have_no_cut(read_clip):
    assert _cuts(read_clip("7e9af264d812", 60)) == []


def test_tiny_and_odd_frames():
    frames = [np.zeros((3, 5, 3), np.uint8), np.full((3, 5, 3), 255, np.uint8)]
    assert _cuts(frames) == [1]
