"""``swaptalk evaluate``: measure any model as the paper does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from swaptalk.assets import catalogue
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.evaluation.cascades import (
    CASCADES,
    HALVES,
    LATENT,
    LATENT_SYNC_FIRST,
    RESTORED,
    PipelineEditor,
    made_of_modules,
)
from swaptalk.evaluation.measure import Features, MetricSuite, SyncScorer
from swaptalk.evaluation.methods import (
    CommandMethod,
    CompositeSwap,
    CopyTarget,
    ExternalFolder,
    GroundTruth,
    Method,
    check_names,
)
from swaptalk.evaluation.observe import Observer
from swaptalk.evaluation.protocols import (
    Clip,
    Pair,
    Photo,
    ProtocolName,
    Skipped,
    draw_pairs,
    find_clips,
    find_photos,
    photos_from_clips,
)
from swaptalk.evaluation.reconstruction import Reconstruction, measure_reconstruction
from swaptalk.evaluation.report.goals import reached
from swaptalk.evaluation.report.summary import summarise
from swaptalk.evaluation.report.write import environment, goals_table, terminal_table, write_report
from swaptalk.evaluation.run import Evaluation, Gallery, build_gallery, collect
from swaptalk.evaluation.workers import measure_pairs
from swaptalk.inference.bundle import ModelBundle
from swaptalk.storage.hashing import sha256_of

RowName = Literal[
    "ground-truth",
    "copy-target",
    "composite",
    "cascades",
    "restored",
    "halves",
    "swaptalk",
    "sync-first",
]

_MODULE_ROWS = {
    "cascades": CASCADES,
    "restored": RESTORED,
    "halves": HALVES,
    "swaptalk": LATENT,
    "sync-first": LATENT_SYNC_FIRST,
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Measure talking-face video as the paper does and print its table."""

    clips: Path
    """Folder of test clips: videos, or index.csv beside clips/ with a test split."""
    output: Path
    """Folder of the report and the cache; an interrupted run continues from it."""
    photos: Path | None = None
    """Folder of source photos, one a person; first frames of other clips if left out."""
    protocols: tuple[ProtocolName, ...] = ("self", "cross", "paused")
    """self: the target's audio. cross: another clip's. paused: the same, half silent."""
    rows: tuple[RowName, ...] = get_args(RowName)
    """Methods to measure; docs/guides/evaluate.md explains them."""
    external: tuple[str, ...] = ()
    """NAME=FOLDER: results of another program, named as the pairs."""
    command: tuple[str, ...] = ()
    """NAME=COMMAND with {source} {target} {audio} {output}: a program run for each pair."""
    models: Path | None = None
    """Folder of SwapTalk weights; the ones in the package if left out."""
    fid_weights: Path | None = None
    """pt_inception-2015-12-05-6726825d.pth, for FID; FD-MobileNetV2 is printed if left out."""
    syncnet_weights: Path | None = None
    """syncnet_v2.model, for LSE-C and LSE-D, which are not printed if left out."""
    sync_scorer: Path | None = None
    """Weights of the sync network; the ones in the package if left out."""
    limit: int | None = None
    """Largest number of pairs a protocol."""
    gallery: int = 100
    """Largest number of source photos; ID Retrieve gets harder with more."""
    seed: int = 0
    """Seed of drawing the pairs."""
    every: int = 5
    """Measure pictures and identity on every n-th frame."""
    videos: int = 4
    """Pairs a protocol shown side by side in the report."""
    threads: int = 2
    """CPU threads of all workers together."""
    workers: int = 1
    """Processes that measure different clips at the same time."""
    quiet: bool = False
    """Print the table only."""


def run(options: Options) -> int:
    """Measure and write the report; return the exit code."""
    _check(options)
    options.output.mkdir(parents=True, exist_ok=True)
    skipped = Skipped()
    clips = find_clips(options.clips, skipped)
    workspace = options.output / "cache"
    photos: list[Photo]
    if options.photos is None:
        photos = photos_from_clips(clips, workspace / "photos", skipped)
    else:
        photos = find_photos(options.photos, workspace / "photos", skipped, options.gallery)
    observer = Observer(options.threads)
    gallery = build_gallery(photos, observer, skipped)
    pairs: list[Pair] = []
    for protocol in dict.fromkeys(options.protocols):
        pairs += draw_pairs(protocol, clips, gallery.photos, options.seed, options.limit)
    methods = _methods(options, observer)
    suite, weights, frechet_key = _suite(options, observer)
    say = _say_nothing if options.quiet else _say
    done = measure_pairs(partial(_evaluation, options, clips, gallery), pairs, options.workers, say)
    results = collect(done, [method.name for method in methods], skipped, len(gallery.photos))
    for method in methods:
        weights[f"row {method.name}"] = method.fingerprint
    summary = summarise(results, frechet_key)
    goals = reached(summary, _reconstruction(options, gallery.photos, observer, suite))
    print(terminal_table(summary))
    if goals:
        print(f"\n{goals_table(goals)}\n")
    for what, why in results.skipped.items:
        print(f"left out: {what}: {why}")
    paths = write_report(
        options.output, summary, results, environment(weights), options.videos, goals
    )
    left_out = len(results.skipped.items)
    print(
        f"{len(results.pairs)} clips, {results.seconds:.0f} s, {left_out} left out; {paths['html']}"
    )
    return 0


def _evaluation(options: Options, clips: Sequence[Clip], gallery: Gallery) -> Evaluation:
    """Set up everything that measures, in the calling process."""
    options = replace(options, threads=max(1, options.threads // options.workers))
    observer = Observer(options.threads)
    suite, weights, _ = _suite(options, observer)
    described = " ".join(
        [f"every={options.every}", *(f"{name}={value}" for name, value in weights.items())]
    )
    methods = _methods(options, observer)
    return Evaluation(options.output / "cache", gallery, clips, methods, suite, described)


def _reconstruction(
    options: Options, photos: Sequence[Photo], observer: Observer, suite: MetricSuite
) -> Reconstruction | None:
    """Measure the autoencoder on the source photos, if this model is measured."""
    if "swaptalk" not in options.rows or suite.perceptual is None:
        return None
    networks = ModelBundle.from_pretrained(options.models, options.threads)
    stored = options.output / "cache" / "reconstruction.json"
    return measure_reconstruction(photos, networks, observer, suite.perceptual, stored)


def _check(options: Options) -> None:
    for option in ("every", "gallery", "threads", "workers"):
        value = getattr(options, option)
        if value < 1:
            raise InputError(f"--{option} {value} is out of range", remedy="give at least 1")
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit {options.limit} is out of range", remedy="give at least 1")
    if not options.protocols:
        raise InputError("no protocol was chosen", remedy="give --protocols self cross paused")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _say_nothing(line: str) -> None:
    del line


def _named(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise InputError(f"{option} {text} has no name", remedy=f"write {option} NAME=...")
    return name.strip(), value.strip()


def _methods(options: Options, observer: Observer) -> list[Method]:
    methods: list[Method] = []
    editor: PipelineEditor | None = None
    for row in dict.fromkeys(options.rows):
        if row == "ground-truth":
            methods.append(GroundTruth())
        elif row == "copy-target":
            methods.append(CopyTarget())
        elif row == "composite":
            methods.append(CompositeSwap(observer))
        else:
            editor = editor or PipelineEditor(options.models, options.threads)
            methods += made_of_modules(editor, _MODULE_ROWS[row])
    for text in options.external:
        name, folder = _named("--external", text)
        if not Path(folder).is_dir():
            raise InputError("there is no such folder", path=folder, remedy="correct --external")
        methods.append(ExternalFolder(name, Path(folder)))
    methods += [CommandMethod(*_named("--command", text)) for text in options.command]
    if not methods:
        raise InputError("no method was chosen", remedy="give --rows, --external or --command")
    check_names(methods)
    return methods


def _suite(options: Options, observer: Observer) -> tuple[MetricSuite, dict[str, str], str]:
    """Load the metric networks; return them, their SHA-256 by name, and the Frechet column."""
    try:
        import torch

        from swaptalk.metrics.fd_mobilenet import MobileNetFeatures
        from swaptalk.metrics.fid import InceptionFeatures
        from swaptalk.metrics.own_sync import WEIGHTS, OwnSyncScorer
        from swaptalk.metrics.perceptual import PerceptualDistance
        from swaptalk.metrics.syncnet import SyncNetScorer
    except ModuleNotFoundError as error:
        raise SwapTalkError(
            f"evaluation needs the package {error.name}", remedy="pip install 'swaptalk[eval]'"
        ) from error
    torch.set_num_threads(options.threads)
    names = [
        "lpips-alexnet",
        "mobilefacenet",
        "face-mesh",
        "blazeface-back",
        "blazeface-full-range",
    ]
    weights = {name: catalogue.get(name).sha256 for name in names}
    own_weights = options.sync_scorer or WEIGHTS
    sync: list[SyncScorer] = [OwnSyncScorer.from_pretrained(own_weights)]
    weights["own sync"] = sha256_of(own_weights)
    features: tuple[str, Features]
    if options.fid_weights is not None:
        features = ("fid", InceptionFeatures(options.fid_weights))
        weights["fid"] = sha256_of(options.fid_weights)
    else:
        features = ("fd_mobilenet", MobileNetFeatures(catalogue.resolve("mobilenetv2")))
        weights["mobilenetv2"] = catalogue.get("mobilenetv2").sha256
    if options.syncnet_weights is not None:
        sync.append(SyncNetScorer(options.syncnet_weights))
        weights["syncnet"] = sha256_of(options.syncnet_weights)
    perceptual = PerceptualDistance(catalogue.resolve("lpips-alexnet"))
    return (
        MetricSuite(observer, perceptual, features, tuple(sync), options.every),
        weights,
        features[0],
    )
