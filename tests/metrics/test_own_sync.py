import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from swaptalk.errors import InputError  # noqa: E402
from swaptalk.faces.geometry.align import RIGID_TEMPLATE, Alignment, estimate_alignment  # noqa: E402
from swaptalk.faces.geometry.mouth_view import COLUMNS, ROWS, fill_gaps, mouth_view  # noqa: E402
from swaptalk.metrics.own_sync import WEIGHTS, OwnSyncScorer  # noqa: E402
from swaptalk.models.sync_scorer import SyncScorerConfig, SyncScorerNetwork  # noqa: E402
from swaptalk.training.sync_trial import loudness_only, try_scorer, without_loudness  # noqa: E402

TINY = SyncScorerConfig(width=4, frame_features=8, audio_width=8, embedding=8, dropout=0.0)


@pytest.fixture
def scorer() -> OwnSyncScorer:
    torch.manual_seed(0)
    return OwnSyncScorer(SyncScorerNetwork(TINY).eval())


def test_a_window_depends_on_its_own_fifth_of_a_second_only(scorer: OwnSyncScorer) -> None:
    rng = np.random.default_rng(0)
    views = rng.integers(0, 255, (12, 48, 96), np.uint8)
    mel = rng.uniform(-1, 1, (48, 80)).astype(np.float32)
    lips, sound = scorer.embed_views(views), scorer.embed_mel(mel)
    assert lips.shape == sound.shape == (8, 8)
    views[3], mel[12:16] = 0, 0  # frame 3 lies in windows 0 .. 3
    changed = [
        np.abs(scorer.embed_views(views) - lips).max(axis=1),
        np.abs(scorer.embed_mel(mel) - sound).max(axis=1),
    ]
    for difference in changed:
        assert (difference[:4] > 1e-4).all() and (difference[4:] < 1e-6).all()


def test_long_clips_are_embedded_in_parts_that_fit_together(
    scorer: OwnSyncScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = np.random.default_rng(1).integers(0, 255, (30, 48, 96), np.uint8)
    whole = scorer.embed_views(views)
    monkeypatch.setattr("swaptalk.metrics.own_sync._PART", 7)
    assert np.allclose(scorer.embed_views(views), whole, atol=1e-5)


@pytest.mark.parametrize("shift", [-6, 0, 4])
def test_a_known_shift_of_matching_streams_is_found(scorer: OwnSyncScorer, shift: int) -> None:
    vectors = np.random.default_rng(2).standard_normal((80, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # The sound comes ``shift`` frames late, so it must be moved back.
    score = scorer.score(vectors[20:60], vectors[20 - shift : 60 - shift])
    assert score.offset == -shift and score.distance == pytest.approx(0, abs=1e-4)
    assert score.confidence == pytest.approx(np.sqrt(2), abs=0.2)


def test_short_clips_are_refused(scorer: OwnSyncScorer) -> None:
    with pytest.raises(ValueError, match="shorter than the window"):
        scorer.embed_views(np.zeros((4, 48, 96), np.uint8))
    with pytest.raises(ValueError, match="cannot be compared"):
        scorer.score(np.ones((15, 8), np.float32), np.ones((15, 8), np.float32))


def test_views_follow_the_face_and_gaps_are_filled(scorer: OwnSyncScorer) -> None:
    mesh = np.full((468, 3), 100.0)
    for index, place in RIGID_TEMPLATE.items():
        mesh[index, :2] = place
    picture = np.zeros((320, 320, 3), np.uint8)
    picture[ROWS.start : ROWS.start + 8, COLUMNS.start : COLUMNS.start + 10] = 200
    moved = np.roll(picture, (20, 30), (0, 1))
    frames = [picture] * 12 + [moved] * 12
    meshes = np.stack([mesh] * 12 + [mesh + [30, 20, 0]] * 12)
    meshes[0], meshes[5] = np.nan, np.nan
    views = scorer.crops(frames, meshes)
    assert isinstance(estimate_alignment(mesh[:, :2]), Alignment)
    expected = np.zeros((48, 96))
    expected[:4, :5] = 200
    for index in (0, 5, 20):  # filled from the frame after, from the one before, and measured
        assert np.abs(views[index] - expected).mean() < 2
    assert views[0].shape == (48, 96)
    with pytest.raises(ValueError, match="no frame shows a face"):
        fill_gaps(np.zeros((3, 48, 96), np.uint8), np.zeros(0, np.intp))
    assert mouth_view(np.full((256, 256, 3), 90, np.uint8)).max() == 90


def test_loudness_and_the_rest_of_speech_are_taken_apart() -> None:
    mel = np.random.default_rng(3).uniform(-0.5, 0.5, (40, 80)).astype(np.float32)
    loud, flat = loudness_only(mel), without_loudness(mel)
    assert (
        np.allclose(loud.mean(axis=1), mel.mean(axis=1), atol=1e-6)
        and np.ptp(loud, axis=1).max() == 0
    )
    assert np.ptp(flat.mean(axis=1)) < 1e-5
    assert np.corrcoef(flat[0], mel[0])[0, 1] == pytest.approx(1)


class Telepath(OwnSyncScorer):
    """Hears from the picture itself what is said: views carry the number of their frame, and so
    does the sound."""

    def __init__(self) -> None:
        codes = np.random.default_rng(4).standard_normal((1000, 32)).astype(np.float32)
        self._codes = codes / np.linalg.norm(codes, axis=1, keepdims=True)

    def embed_views(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._codes[views[:, 0, 0].astype(int) + 100 * views[:, 0, 1].astype(int)][:-4]

    def embed_mel(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        numbers = np.where(np.ptp(mel[::4], axis=1) == 0, 0, np.rint(mel[::4, 0] * 1000)).astype(
            int
        )
        return self._codes[np.clip(numbers, 0, 999)][:-4]


def test_the_trial_tells_a_judge_of_speech_from_one_of_nothing() -> None:
    clips = []
    for person in range(3):
        views = np.zeros((60, 48, 96), np.uint8)
        views[:, 0, 0], views[:, 0, 1] = np.arange(60), person + 1
        mel = np.zeros((240, 80), np.float32)
        mel[:, 0] = np.repeat(np.arange(60) + 100 * (person + 1), 4) / 1000
        clips.append((str(person), views, mel))
    found = try_scorer(Telepath(), clips).metrics()
    assert found["own_first"] == 100 and found["shift_found"] == 100 and found["clips"] == 3
    assert found["shift_found_by_loudness"] < 50
    torch.manual_seed(1)
    untrained = try_scorer(OwnSyncScorer(SyncScorerNetwork(TINY).eval()), clips).metrics()
    assert untrained["shift_found"] < 50


def test_missing_weights_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no usable weights"):
        OwnSyncScorer.from_pretrained(tmp_path / "none.safetensors")


def test_shipped_weights_are_small_and_record_their_numbers() -> None:
    described = json.loads(WEIGHTS.with_suffix(".json").read_text())
    numbers = described["description"]["stages"]["sync-scorer"]["test"]
    assert WEIGHTS.stat().st_size < 3e6
    assert float(numbers["shift_found"]) > float(numbers["shift_found_by_loudness"])
    embedded = OwnSyncScorer.from_pretrained().embed_sound(np.zeros(16000, np.int16))
    assert np.isfinite(embedded).all()
