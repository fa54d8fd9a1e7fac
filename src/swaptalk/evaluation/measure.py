"""Measure all metrics of one generated clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.evaluation.inputs import AUDIO_RATE, PreparedPair
from swaptalk.evaluation.observe import FPS, ClipObservation, Observer
from swaptalk.media.video_reader import VideoReader
from swaptalk.metrics.consistency import identity_over_time, source_cosines
from swaptalk.metrics.cpbd import cpbd
from swaptalk.metrics.envelope_sync import envelope_sync
from swaptalk.metrics.identity_retrieval import identity_retrieval
from swaptalk.metrics.jitter import TemporalJitter
from swaptalk.metrics.landmark_distance import landmark_distance
from swaptalk.metrics.lip_leak import frame_levels, lip_leak, silent_frames
from swaptalk.metrics.pose_expression import (
    EXPRESSIVE,
    UPPER_FACE,
    expression_error,
    pose_error,
)
from swaptalk.metrics.psnr import psnr
from swaptalk.metrics.ssim import ssim
from swaptalk.metrics.sync_offset import SyncScore

#: Side of the face view, and how much larger than all of the face's positions in the clip it is.
VIEW_SIZE, VIEW_MARGIN = 256, 1.15
#: A generated clip may be this many frames shorter or longer than the target: encoders drop or
#: repeat the last ones.
COUNT_TOLERANCE = 2
#: Foreign voices that a clip's own audio is compared with.
FOREIGN_VOICES = 14
_BATCH = 8

Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
PairDistance = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]


class SyncScorer(Protocol):
    """A sync network such as ``SyncNetScorer``; its numbers are called LSE only if its ``name`` is
    "LSE".

    Embeddings belong to windows that begin at frames 0, 1, ... at 25 fps.
    """

    @property
    def name(self) -> str:
        """Return the name of its columns."""
        ...

    def crops(
        self, frames: Iterable[NDArray[np.uint8]], meshes: NDArray[np.floating]
    ) -> Sequence[NDArray[np.uint8]]:
        """Cut the network's input from RGB frames with meshes (T, 468, 3), NaN without a face."""
        ...

    def embed_faces(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit embeddings (W, D) of windows of its crops."""
        ...

    def embed_sound(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Unit embeddings (W, D) of windows of sound (n,), 16 kHz mono."""
        ...

    def score(self, video: NDArray[np.float32], audio: NDArray[np.float32]) -> SyncScore:
        """Distance, confidence and offset of two streams of embeddings (W, D)."""
        ...


@dataclass(frozen=True)
class MetricSuite:
    """The metric networks and their settings.

    Args:
        observer: reads faces.
        perceptual: LPIPS, or None to leave it out.
        features: column key ("fid" or "fd_mobilenet") and feature network of the Frechet distance,
            or None.
        sync: sync networks, each under its own name; empty where no weights are at hand.
        every: picture metrics, identity and features are taken on every n-th frame.
    """

    observer: Observer
    perceptual: PairDistance | None = None
    features: tuple[str, Features] | None = None
    sync: tuple[SyncScorer, ...] = ()
    every: int = 5


@dataclass(frozen=True)
class Reference:
    """What a generated clip is compared with.

    ``gallery`` (G, D) holds one embedding per identity, ``source`` is the index of the pair's.
    ``foreign`` are other people's words, 16 kHz mono. What all methods of a pair are compared with
    is computed once.
    """

    target: ClipObservation
    gallery: NDArray[np.float32]
    source: int
    foreign: tuple[NDArray[np.int16], ...] = ()
    _target_features: dict[int, NDArray[np.float32]] = field(default_factory=dict, repr=False)
    _voices: dict[str, list[NDArray[np.float32]]] = field(default_factory=dict, repr=False)

    def target_features(
        self, network: Features, batches: Sequence[NDArray[np.uint8]]
    ) -> NDArray[np.float32]:
        """Features (n, D) of the target's views, batches (b, H, W, 3), computed once for all
        methods (the views' number can differ by the ends).
        """
        count = sum(map(len, batches))
        if count not in self._target_features:
            self._target_features[count] = np.concatenate([network(batch) for batch in batches])
        return self._target_features[count]

    def voices(self, scorer: SyncScorer, own: NDArray[np.int16]) -> list[NDArray[np.float32]]:
        """Embeddings (W, D) of the own words, samples (n,), and of each foreign voice."""
        if scorer.name not in self._voices:
            self._voices[scorer.name] = [
                scorer.embed_sound(samples) for samples in (own, *self.foreign)
            ]
        return self._voices[scorer.name]


@dataclass
class Measurement:
    """Numbers of one clip by column key, series over time for the plots, and features (n, D) of the
    face view.
    """

    values: dict[str, float]
    series: dict[str, list[float]] = field(default_factory=dict)
    features: NDArray[np.float32] | None = None
    target_features: NDArray[np.float32] | None = None


def measure(
    generated: Path, prepared: PreparedPair, reference: Reference, suite: MetricSuite
) -> Measurement:
    """Measure a generated video against its target, source and audio.

    Raises:
        InputError: the video cannot be read, shows no face, or has another number of
            frames or another shape than the target.
    """
    count = _checked_count(generated, prepared)
    seen = suite.observer.frames(_frames(generated, prepared, count), generated, suite.every)
    result = Measurement({"face_share": float(seen.present.mean() * 100)})
    if (
        prepared.pair.protocol == "paused"
    ):  # it asks one question; the rest the other protocols answer
        _measure_leak(result, seen, _levels(prepared.samples(), len(seen)))
        return result
    _measure_motion(result, seen, prepared, reference)
    _measure_sound(result, seen, prepared, reference)
    _measure_identity(result, seen, reference)
    _measure_pictures(result, generated, prepared, reference, suite, count)
    for scorer in suite.sync:
        measure_sync(result, scorer, generated, prepared, reference, seen)
    return result


def _checked_count(generated: Path, prepared: PreparedPair) -> int:
    with (
        VideoReader(generated, fps=Fraction(FPS)) as a,
        VideoReader(prepared.target, fps=Fraction(FPS)) as b,
    ):
        if abs(len(a) - len(b)) > COUNT_TOLERANCE:
            raise InputError(
                f"has {len(a)} frames at {FPS} fps where the target has {len(b)}",
                path=generated,
                remedy="render the whole clip",
            )
        if abs(a.width / a.height - b.width / b.height) > 0.02 * b.width / b.height:
            raise InputError(
                f"has {a.width}x{a.height} pixels where the target has {b.width}x{b.height}",
                path=generated,
                remedy="paste the face back into the frame",
            )
        return min(len(a), len(b))


def _frames(path: Path, prepared: PreparedPair, count: int) -> Iterator[NDArray[np.uint8]]:
    """Read the first frames of a video at the target's size."""
    with VideoReader(prepared.target) as reader:
        size = (reader.width, reader.height)
    with VideoReader(path, fps=Fraction(FPS)) as reader:
        for frame in reader.frames(range(count)):
            same = (frame.shape[1], frame.shape[0]) == size
            yield (
                frame
                if same
                else np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
            )


def _measure_motion(
    result: Measurement, seen: ClipObservation, prepared: PreparedPair, reference: Reference
) -> None:
    target, count = reference.target, len(seen)
    both = np.flatnonzero(seen.present & target.present[:count])
    if both.size < 2:
        return
    own_words = prepared.pair.protocol == "self"
    made, real = seen.meshes[both], target.meshes[both]
    if own_words:
        distance = landmark_distance(made, real)
        result.values |= {
            "lmd": distance.pixels,
            "lmd_percent": distance.percent,
            "lmd_aligned": distance.aligned_percent,
        }
    result.values["pose_error"] = pose_error(seen.angles[both], target.angles[both])
    result.values["expression_error"] = expression_error(
        made, real, EXPRESSIVE if own_words else UPPER_FACE
    )


def _levels(samples: NDArray[np.int16], count: int) -> NDArray[np.float64]:
    return frame_levels(samples / 32768.0, AUDIO_RATE, FPS, count)


def _measure_leak(result: Measurement, seen: ClipObservation, levels: NDArray[np.float64]) -> None:
    leak = lip_leak(seen.opening, silent_frames(levels, FPS))
    result.values |= {"lip_leak": leak.ratio, "lip_moving": leak.moving}
    result.series["mouth_opening"] = [float(x) for x in seen.opening]


def _measure_sound(
    result: Measurement, seen: ClipObservation, prepared: PreparedPair, reference: Reference
) -> None:
    opening = seen.opening
    levels = _levels(prepared.samples(), len(opening))
    _measure_leak(result, seen, levels)
    try:
        own = envelope_sync(opening, levels)
    except ValueError:  # too short for the search
        return
    result.values["envelope_sync"] = own.correlation
    result.series["envelope_curve"] = [float(x) for x in own.curve]
    others = [
        envelope_sync(opening, _levels(voice, len(opening))).correlation
        for voice in reference.foreign
    ]
    if others:
        result.values["own_audio_first"] = 100.0 * (own.correlation > max(others))


def _measure_identity(result: Measurement, seen: ClipObservation, reference: Reference) -> None:
    measured = seen.embeddings[np.isfinite(seen.embeddings[:, 0])]
    if len(measured) == 0:
        return
    source = reference.gallery[reference.source]
    over_time = identity_over_time(measured, source)
    labels = np.full(len(measured), reference.source)
    retrieval = identity_retrieval(measured, labels, reference.gallery)
    result.values |= {
        "id_top1": retrieval.top1,
        "id_top5": retrieval.top5,
        "source_cosine": over_time.source_cosine,
        "consistency": over_time.consistency,
        "source_variance": over_time.source_variance,
        "consecutive_cosine": over_time.consecutive_cosine,
    }
    result.series["source_cosine"] = [float(x) for x in source_cosines(measured, source)]


def face_view(observation: ClipObservation) -> tuple[int, int, int]:
    """Return (left, top, side) in pixels of a square that holds the face in all frames."""
    points = observation.meshes[observation.present][..., :2]
    low, high = (
        np.percentile(points.min(axis=1), 2, axis=0),
        np.percentile(points.max(axis=1), 98, axis=0),
    )
    side = round(
        min(float((high - low).max()) * VIEW_MARGIN, observation.width, observation.height)
    )
    centre = (low + high) / 2
    limits = (observation.width - side, observation.height - side)
    left, top = (
        int(np.clip(round(float(c) - side / 2), 0, limit))
        for c, limit in zip(centre, limits, strict=True)
    )
    return left, top, side


def _measure_pictures(
    result: Measurement,
    generated: Path,
    prepared: PreparedPair,
    reference: Reference,
    suite: MetricSuite,
    count: int,
) -> None:
    left, top, side = face_view(reference.target)
    jitter = TemporalJitter()
    views: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    streams = (_frames(path, prepared, count) for path in (generated, prepared.target))
    for index, pair in enumerate(zip(*streams, strict=True)):
        a, b = (
            np.asarray(
                cv2.resize(
                    frame[top : top + side, left : left + side],
                    (VIEW_SIZE, VIEW_SIZE),
                    interpolation=cv2.INTER_AREA if side > VIEW_SIZE else cv2.INTER_CUBIC,
                ),
                np.uint8,
            )
            for frame in pair
        )
        jitter.add(a, b)
        if index % suite.every == 0:
            views.append((a, b))
    result.values["jitter"] = jitter.excess
    similarity = [ssim(a, b) for a, b in views]
    result.series["ssim"] = similarity
    result.values |= {
        "ssim": float(np.mean(similarity)),
        "psnr": float(np.mean([psnr(a, b) for a, b in views])),
        "cpbd": float(np.mean([cpbd(a) for a, _ in views])),
    }
    batches = [views[i : i + _BATCH] for i in range(0, len(views), _BATCH)]
    stacked = [
        (np.stack([a for a, _ in batch]), np.stack([b for _, b in batch])) for batch in batches
    ]
    if suite.perceptual is not None:
        distances = np.concatenate([suite.perceptual(a, b) for a, b in stacked])
        result.values["lpips"] = float(distances.mean())
        result.series["lpips"] = [float(x) for x in distances]
    if suite.features is not None:
        _, network = suite.features
        result.features = np.concatenate([network(a) for a, _ in stacked])
        result.target_features = reference.target_features(network, [b for _, b in stacked])


def measure_sync(
    result: Measurement,
    scorer: SyncScorer,
    generated: Path,
    prepared: PreparedPair,
    reference: Reference,
    seen: ClipObservation,
) -> None:
    """Add one scorer's confidence, distance and curve to a result; nothing where the clip is too
    short to be shifted.
    """
    try:
        video = scorer.embed_faces(
            scorer.crops(_frames(generated, prepared, len(seen)), seen.meshes)
        )
        own, *foreign = reference.voices(scorer, prepared.samples())
        score = scorer.score(video, own)
    except ValueError:
        return
    if scorer.name == "LSE":
        result.values |= {
            "lse_c": score.confidence,
            "lse_d": score.distance,
            "sync_offset": float(score.offset),
        }
    else:
        key = scorer.name.lower().replace(" ", "_")
        result.values |= {f"{key}_confidence": score.confidence, f"{key}_distance": score.distance}
    result.series[f"sync_curve_{scorer.name}"] = [float(x) for x in score.curve]
    others = [scorer.score(video, voice).confidence for voice in foreign]
    if others:  # a network decides, where there is one, not the envelope
        result.values["own_audio_first"] = 100.0 * (score.confidence > max(others))
