from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from swaptalk.errors import InputError  # noqa: E402
from swaptalk.metrics.syncnet import (  # noqa: E402
    SyncNet,
    SyncNetScorer,
    face_boxes,
    protocol_crop,
    protocol_frame,
    usable_windows,
)


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
    assert usable_windows(250) == 245
    with pytest.raises(ValueError, match="not longer than SyncNet's window"):
        usable_windows(5)


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
    video = scorer.embed_faces(faces)
    assert video.shape == (4, 1024)
    assert scorer.embed_sound(samples).shape == (5, 1024)
    assert scorer(faces, samples, maximum_shift=2).curve.shape == (5,)
    # Window i begins at frame i and at MFCC step 4 i.
    assert np.allclose(scorer.embed_faces(faces[1:])[0], video[1], atol=1e-5)
    assert np.allclose(
        scorer.embed_sound(samples[640:])[1:3], scorer.embed_sound(samples)[2:4], atol=1e-4
    )


def test_the_crop_is_the_protocols() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[40:60, 40:60] = 255
    # A box of half size 10 around the white square: 10 above, 18 below, 14 to either side of its
    # centre.
    crop = protocol_crop(frame, np.array([50.0, 50.0, 10.0])).astype(int)
    rows, columns = np.flatnonzero(crop[:, 112, 0] > 127), np.flatnonzero(crop[60, :, 0] > 127)
    assert (rows[0], rows[-1]) == (0, pytest.approx(224 * 20 / 28, abs=3))
    assert (columns[0], columns[-1]) == (
        pytest.approx(224 * 4 / 28, abs=3),
        pytest.approx(224 * 24 / 28, abs=3),
    )
    outside = protocol_crop(frame, np.array([5.0, 50.0, 20.0]))
    assert (outside[112, 3] == 110).all()


def test_boxes_are_steady_and_have_no_gaps() -> None:
    square = np.array([[20.0, 30.0], [60.0, 70.0]])
    meshes = np.repeat(square[None], 40, axis=0)
    meshes[20] += 50  # one jump of the detector
    meshes[25:28] = np.nan
    boxes = face_boxes(meshes)
    assert np.allclose(boxes[7:-7], [40, 50, 20])


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="syncnet_v2"):
        SyncNetScorer(tmp_path / "syncnet_v2.model")
