from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from swaptalk.errors import InputError  # noqa: E402
from swaptalk.evaluation.metrics.syncnet import SyncNet, SyncNetScorer, protocol_frame, usable_windows  # noqa: E402


def test_names_and_shapes_are_those_of_the_weight_file() -> None:
    shapes = {k: tuple(v.shape) for k, v in SyncNet().state_dict().items()}
    assert shapes["netcnnlip.0.weight"] == (96, 3, 5, 7, 7)
    assert shapes["netcnnlip.4.weight"] == (256, 96, 1, 5, 5)
    assert shapes["netcnnlip.18.weight"] == (512, 256, 1, 6, 6)
    assert shapes["netcnnaud.4.weight"] == (192, 64, 3, 3)
    assert shapes["netcnnaud.18.weight"] == (512, 256, 5, 4)
    assert shapes["netfclip.3.weight"] == shapes["netfcaud.3.weight"] == (1024, 512)
    assert shapes["netfcaud.1.running_mean"] == (512,)


def test_both_streams_end_in_one_vector() -> None:
    network = SyncNet().eval()
    with torch.no_grad():
        assert network.embed_video(torch.zeros(1, 3, 5, 224, 224)).shape == (1, 1024)
        assert network.embed_audio(torch.zeros(2, 1, 13, 20)).shape == (2, 1024)


def test_windows_of_the_protocol() -> None:
    assert usable_windows(250, 160_000) == 245
    assert usable_windows(250, 64_000) == 95
    with pytest.raises(ValueError, match="shorter than SyncNet's window"):
        usable_windows(5, 160_000)


def test_frames_become_bgr_224() -> None:
    red = np.zeros((100, 120, 3), np.uint8)
    red[..., 0] = 250
    frame = protocol_frame(red)
    assert frame.shape == (224, 224, 3)
    assert frame[100, 100, 2] > 240 and frame[100, 100, 0] < 10


def test_a_file_of_weights_gives_a_score(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "syncnet_v2.model"
    torch.save(SyncNet().state_dict(), path)
    rng = np.random.default_rng(0)
    faces = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(9)]
    samples = (rng.normal(size=6400) * 2000).astype(np.int16)
    scorer = SyncNetScorer(path)
    video, audio = scorer.embed(faces, samples)
    assert video.shape == audio.shape == (4, 1024)
    assert scorer(faces, samples, maximum_shift=2).curve.shape == (5,)
    # Window i begins at frame i and at MFCC step 4 i.
    later, _ = scorer.embed(faces[1:], samples)
    assert np.allclose(later[0], video[1], atol=1e-5)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="syncnet_v2"):
        SyncNetScorer(tmp_path / "syncnet_v2.model")
