"""Run an evaluation: render and measure every pair by every method, and cache the results."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.evaluation.code_digest import MEASURING, code_digest
from swaptalk.evaluation.inputs import AUDIO_RATE, PreparedPair, prepare
from swaptalk.evaluation.measure import FOREIGN_VOICES, Measurement, MetricSuite, Reference, measure
from swaptalk.evaluation.methods import Method, adopt
from swaptalk.evaluation.observe import FPS, ClipObservation, Observer
from swaptalk.evaluation.protocols import CLIP_SECONDS, Clip, Pair, Photo, Skipped
from swaptalk.media.audio import read_audio
from swaptalk.storage.files import AtomicFile


@dataclass(frozen=True)
class Gallery:
    """Source photos with a face, their embeddings (G, D) in the same order."""

    photos: tuple[Photo, ...]
    embeddings: NDArray[np.float32]

    def index(self, photo: Photo) -> int:
        """Return the index of a photo in the gallery."""
        return self.photos.index(photo)


def build_gallery(photos: Sequence[Photo], observer: Observer, skipped: Skipped) -> Gallery:
    """Embed the photos; leave out those without a face.

    Raises:
        InputError: none is left.
    """
    kept, embeddings = [], []
    for photo in photos:
        try:
            embeddings.append(observer.photo(photo.path))
        except SwapTalkError as error:
            skipped.add(photo.name, _reason(error))
        else:
            kept.append(photo)
    if not kept:
        raise InputError("no source photo shows a face", remedy="give photos of faces")
    return Gallery(tuple(kept), np.stack(embeddings))


@dataclass
class MethodResults:
    """Measurements and videos of one method in one protocol, by pair."""

    protocol: str
    method: str
    results: dict[str, Measurement] = field(default_factory=dict)
    videos: dict[str, Path] = field(default_factory=dict)


@dataclass
class Results:
    """Everything that was measured. ``skipped`` lists (what, why)."""

    methods: list[MethodResults]
    pairs: list[PreparedPair]
    skipped: Skipped
    gallery_size: int

    @property
    def seconds(self) -> float:
        """Return the total length of all measured pairs."""
        return sum(pair.seconds for pair in self.pairs)

    def of(self, protocol: str, method: str) -> MethodResults | None:
        """Results of one method in one protocol, if there are any."""
        return next(
            (row for row in self.methods if (row.protocol, row.method) == (protocol, method)), None
        )


@dataclass
class PairResult:
    """What came of one pair: measurement and video by method, the files if there is any, and what
    was left out.
    """

    protocol: str
    name: str
    prepared: PreparedPair | None = None
    measured: dict[str, tuple[Measurement, Path]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def collect(
    done: Sequence[PairResult], methods: Sequence[str], skipped: Skipped, gallery_size: int
) -> Results:
    """Collect results by method from those by pair; add what was left out to ``skipped``.

    Raises:
        InputError: nothing could be measured.
    """
    rows = {
        (result.protocol, method): MethodResults(result.protocol, method)
        for result in done
        for method in methods
    }
    for result in done:
        for method, (measurement, video) in result.measured.items():
            row = rows[result.protocol, method]
            row.results[result.name], row.videos[result.name] = measurement, video
        for what, why in result.skipped:
            skipped.add(what, why)
    filled = [row for row in rows.values() if row.results]
    if not filled:
        count = len(skipped.items)
        first = f"; {count} skipped, the first: {': '.join(skipped.items[0])}" if count else ""
        remedy = "see to the first one" if count else "choose a row that exists for this protocol"
        raise InputError(f"nothing could be measured{first}", remedy=remedy)
    pairs = [result.prepared for result in done if result.prepared is not None]
    return Results(filled, pairs, skipped, gallery_size)


class Evaluation:
    """Renders and measures pairs in a workspace folder; what is there already, made by the same
    weights and the same code, is not done again.

    Args:
        workspace: holds ``inputs/``, ``videos/``, ``results/`` and ``observations/``.
        gallery: the source photos.
        clips: all test clips, from which foreign voices are taken.
        methods: what is compared.
        suite: what measures.
        describe: names of everything in ``suite`` that changes numbers (weights' hashes,
            options).
    """

    def __init__(
        self,
        workspace: Path,
        gallery: Gallery,
        clips: Sequence[Clip],
        methods: Sequence[Method],
        suite: MetricSuite,
        describe: str,
    ) -> None:
        self._workspace, self._gallery, self._clips, self._suite = (
            workspace,
            gallery,
            clips,
            suite,
        )
        self.methods = methods
        names = ",".join(photo.name for photo in gallery.photos)
        self._describe = f"{code_digest(MEASURING)}|{describe}|{names}"
        self._voices: dict[str, NDArray[np.int16]] = {}

    def pair(self, pair: Pair) -> PairResult:
        """Measure a pair by every method; what cannot be measured is named in the result."""
        done = PairResult(pair.protocol, pair.name)
        try:
            prepared = prepare(pair, self._workspace / "inputs")
            reference = self._reference(prepared)
        except (SwapTalkError, ValueError) as error:
            done.skipped.append((f"{pair.protocol} {pair.name}", _reason(error)))
            return done
        for method in self.methods:
            try:
                done.measured[method.name] = self._measure(method, prepared, reference)
                done.prepared = prepared
            except (SwapTalkError, ValueError) as error:
                if not (pair.protocol != "self" and method.name == "Ground truth"):
                    done.skipped.append(
                        (f"{method.name}, {pair.protocol} {pair.name}", _reason(error))
                    )
        shutil.rmtree(prepared.shared, ignore_errors=True)
        return done

    def _reference(self, prepared: PreparedPair) -> Reference:
        pair = prepared.pair
        name = f"{prepared.target.stem}-{code_digest(MEASURING)}.npz"
        path = self._workspace / "observations" / name
        if path.is_file():
            target = ClipObservation.load(path)
        else:
            target = self._suite.observer.clip(prepared.target, embed_every=self._suite.every)
            path.parent.mkdir(parents=True, exist_ok=True)
            with AtomicFile(path) as file:
                target.save(file.part)
        people = {pair.target.person, pair.audio.person}
        others = [clip for clip in self._clips if clip.person not in people][:FOREIGN_VOICES]
        foreign = tuple(
            np.resize(self._voice(clip), prepared.frames * AUDIO_RATE // FPS) for clip in others
        )
        return Reference(
            target, self._gallery.embeddings, self._gallery.index(pair.source), foreign
        )

    def _voice(self, clip: Clip) -> NDArray[np.int16]:
        """The first seconds of a clip's sound, 16 kHz mono; looped where it must last longer."""
        if clip.name not in self._voices:
            wave = read_audio(clip.path, AUDIO_RATE, 0.0, min(CLIP_SECONDS, clip.seconds))
            self._voices[clip.name] = (np.clip(wave, -1.0, 1.0) * 32767.0).astype(np.int16)
        return self._voices[clip.name]

    def _measure(
        self, method: Method, prepared: PreparedPair, reference: Reference
    ) -> tuple[Measurement, Path]:
        pair = prepared.pair
        folder = f"{pair.protocol}/{slug(method.name)}"
        video = self._workspace / "videos" / folder / f"{pair.name}.mp4"
        stored = self._workspace / "results" / folder / f"{pair.name}.json"
        stamps = [_stamp(path) for path in (prepared.source, pair.target.path, pair.audio.path)]
        identity = "|".join([method.fingerprint, *stamps])
        render_key, key = _hash(identity), _hash(f"{identity}|{prepared.frames}|{self._describe}")
        known = load_measurement(stored, key)
        if known is not None and video.is_file():
            return known, video
        if not (video.is_file() and _rendered_by(stored) == render_key):
            video.parent.mkdir(parents=True, exist_ok=True)
            part = video.with_suffix(".rendering.mp4")
            part.unlink(missing_ok=True)
            rendered = method.render(prepared, part)
            if rendered == part:
                part.replace(video)
            else:
                adopt(rendered, video)
        measurement = measure(video, prepared, reference, self._suite)
        save_measurement(stored, key, render_key, measurement)
        return measurement, video


def slug(name: str) -> str:
    """Convert a method's name to a folder's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "method"


def _reason(error: Exception) -> str:
    return str(error)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(path: Path) -> str:
    state = path.stat()
    return f"{path.name}:{state.st_size}:{state.st_mtime_ns}"


def _rendered_by(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["render_key"])
    except (OSError, ValueError, KeyError):
        return None


def save_measurement(path: Path, key: str, render_key: str, measurement: Measurement) -> None:
    """Write a measurement; numbers as JSON, features beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if measurement.features is not None and measurement.target_features is not None:
        with AtomicFile(path.with_suffix(".npz")) as archive, archive.part.open("wb") as output:
            np.savez(output, generated=measurement.features, target=measurement.target_features)
    values = {k: v if math.isfinite(v) else None for k, v in measurement.values.items()}
    content = {
        "key": key,
        "render_key": render_key,
        "values": values,
        "series": measurement.series,
        "features": measurement.features is not None,
    }
    with AtomicFile(path) as file:
        file.part.write_text(json.dumps(content), encoding="utf-8")


def load_measurement(path: Path, key: str) -> Measurement | None:
    """Read a measurement with the given key; None if there is none or it was made otherwise."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != key:
            return None
        values = {k: float("nan") if v is None else float(v) for k, v in content["values"].items()}
        measurement = Measurement(values, content["series"])
        if content["features"]:
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as archive:
                measurement.features, measurement.target_features = (
                    archive["generated"],
                    archive["target"],
                )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return measurement
