from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.evaluation.inputs import PreparedPair, prepare
from swaptalk.evaluation.measure import (
    Measurement,
    MetricSuite,
    Reference,
    face_view,
    measure,
    measure_sync,
)
from swaptalk.evaluation.observe import ClipObservation
from swaptalk.evaluation.protocols import Clip, Pair, Photo
from swaptalk.faces.geometry.topology import CANONICAL_MESH
from swaptalk.media.video_writer import VideoWriter
from swaptalk.metrics.sync_offset import SyncScore, sync_score

from .test_protocols import make_clip


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedPair:
    clip = Clip("t", "T", make_clip(tmp_path / "t.mp4", 2.4), 2.4)
    return prepare(
        Pair("self", Photo("p", "P", tmp_path / "p.png"), clip, clip), tmp_path / "inputs"
    )


def observation(frames: int, width: int = 64, height: int = 48) -> ClipObservation:
    meshes = np.repeat(
        (CANONICAL_MESH * 10 + np.array([30.0, 22.0, 0]))[None], frames, axis=0
    ).astype(np.float32)
    meshes[:, :, 0] += np.linspace(0, 4, frames)[:, None]
    nothing = np.full((frames, 192), np.nan, np.float32)
    return ClipObservation(
        meshes, np.zeros((frames, 3), np.float32), nothing, np.ones(frames, bool), width, height
    )


class Lookup:
    """A sync network that knows what belongs together: a random code per frame, late by a known
    number of frames."""

    name = "Pixel sync"

    def __init__(self, late: int) -> None:
        self._codes = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
        self._late = late
        self.heard = 0

    def crops(self, frames: object, meshes: np.ndarray) -> list[np.ndarray]:
        return list(frames)  # type: ignore[call-overload]

    def score(self, video: np.ndarray, audio: np.ndarray) -> SyncScore:
        return sync_score(video, audio)

    def embed_faces(self, faces: object) -> np.ndarray:
        return self._codes[100 : 100 + len(list(faces)) - 5]  # type: ignore[call-overload]

    def embed_sound(self, samples: np.ndarray) -> np.ndarray:
        self.heard += 1
        start = 100 + self._late if abs(int(samples[100])) > 50 else 260
        return self._codes[start : start + len(samples) // 640 - 5]


def test_a_network_of_ours_is_named_as_ours_and_finds_own_audio(prepared: PreparedPair) -> None:
    foreign = (np.zeros(prepared.frames * 640, np.int16),) * 2
    seen = observation(prepared.frames)
    reference = Reference(seen, np.eye(192, dtype=np.float32)[:2], 0, foreign)
    result = Measurement({"own_audio_first": 0.0})
    network = Lookup(late=3)
    for _ in range(2):  # the voices are the same for all rows of a pair
        measure_sync(result, network, prepared.target, prepared, reference, seen)
    assert network.heard == 3
    assert set(result.values) == {"own_audio_first", "pixel_sync_confidence", "pixel_sync_distance"}
    assert result.values["own_audio_first"] == 100.0
    curve = result.series["sync_curve_Pixel sync"]
    assert 15 - int(np.argmin(curve)) == 3
    assert not any(key.startswith("lse") for key in result.values)


def test_the_face_view_holds_the_face_and_lies_in_the_picture() -> None:
    seen = observation(30)
    left, top, side = face_view(seen)
    points = seen.meshes[..., :2].reshape(-1, 2)
    inside = (points >= [left - 1, top - 1]) & (points <= [left + side + 1, top + side + 1])
    assert inside.mean() > 0.95
    assert left >= 0 and top >= 0 and left + side <= 64 and top + side <= 48


class Still:
    """Sees a face that never moves its mouth while it drifts."""

    def frames(self, frames: object, path: Path, embed_every: int) -> ClipObservation:
        return observation(len(list(frames)))  # type: ignore[call-overload]


def test_the_paused_protocol_measures_the_leak_alone(
    prepared: PreparedPair, tmp_path: Path
) -> None:
    pair = prepared.pair
    paused = prepare(Pair("paused", pair.source, pair.target, pair.audio), tmp_path / "inputs")
    reference = Reference(observation(paused.frames), np.eye(2, dtype=np.float32), 0)
    found = measure(paused.target, paused, reference, MetricSuite(observer=Still()))  # type: ignore[arg-type]
    assert set(found.values) == {"face_share", "lip_leak", "lip_moving"}
    assert found.values["lip_moving"] == 0.0


def test_other_counts_and_shapes_are_refused(prepared: PreparedPair, tmp_path: Path) -> None:
    reference = Reference(observation(prepared.frames), np.eye(2, dtype=np.float32), 0)
    for name, size, frames, said in (
        ("short", (64, 48), 40, "has 40 frames"),
        ("wide", (96, 48), 60, "96x48 pixels"),
    ):
        path = tmp_path / f"{name}.mp4"
        with VideoWriter(path, *size, 25) as writer:
            for _ in range(frames):
                writer.write(np.zeros((size[1], size[0], 3), np.uint8))
        with pytest.raises(InputError, match=said):
            measure(path, prepared, reference, MetricSuite(observer=None))  # type: ignore[arg-type]
