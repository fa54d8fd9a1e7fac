"""From runs to the run-time bundle: the averaged weights, the numbers of their evaluation, and a
check of parity.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.export.bundle import export_bundle, save_graph
from swaptalk.export.graphs import GraphSpec
from swaptalk.export.parity import TOLERANCE, measure_parity
from swaptalk.faces.editing import occlusion
from swaptalk.faces.editing.eyewear_network import BOTTOM, TOP
from swaptalk.faces.geometry import part_view
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.models.occlusion import OcclusionModel
from swaptalk.models.part_points import PartPointModel
from swaptalk.models.sync_scorer import SyncScorerNetwork
from swaptalk.models.weights import save_weights
from swaptalk.storage.files import AtomicFile
from swaptalk.training.checkpoint import load_checkpoint, read_config
from swaptalk.training.options import read_json
from swaptalk.training.pretrained import load_network, motion_statistics
from swaptalk.training.record import MetricTable
from swaptalk.training.registry import BUNDLED, OPTIONAL


def export_runs(runs: Sequence[Path], out: Path, base: Path | None = None) -> dict[str, float]:
    """Write a bundle from runs; the folder changes only if all is well.

    Args:
        runs: folders of the stages `BUNDLED` and, if wanted, `OPTIONAL`, in any order; others are
            ignored.
        out: the bundle.
        base: bundle that supplies the stages of which no run is given.

    Returns:
        Largest difference between PyTorch and ONNX Runtime by graph, see `measure_parity`.

    Raises:
        InputError: a stage is missing or there twice, networks do not fit together, or ``out`` is
            something else.
        SwapTalkError: the graphs compute something else than PyTorch does.
    """
    folders = _by_stage(runs, base)
    if out.exists() and any(out.iterdir()) and not (out / BUNDLE_NAME).exists():
        raise InputError(
            "is a folder of other things", path=out, remedy="name an empty or a new folder"
        )
    networks = {
        name: load_network(name, folders[stage])
        for name, stage in (
            ("vqgan", "vqgan"),
            ("swap", "swap"),
            ("lipsync", "lipsync"),
            ("audio", "mel-encoder" if "mel-encoder" in folders else "lipsync"),
        )
    }
    if "restoration" in folders:
        networks["restoration"] = load_network("restoration", folders["restoration"])
    channels = networks["vqgan"].config.latent_channels
    for name in ("swap", "lipsync"):
        if networks[name].config.latent_channels != channels:
            raise InputError(
                "was trained on another autoencoder",
                path=folders[name],
                remedy="name runs that belong",
            )
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with _quiet_exporter():
            export_bundle(
                part,
                networks["vqgan"],
                networks["swap"],
                networks["lipsync"],
                networks["audio"],
                motion_statistics(folders["lipsync"]),
                describe(folders, base),
                networks.get("restoration"),
            )
        differences = measure_parity(part)
        wrong = {name: value for name, value in differences.items() if value > TOLERANCE[name]}
        if wrong:
            shown = ", ".join(f"{name} by {value:.3g}" for name, value in wrong.items())
            raise SwapTalkError(
                f"ONNX Runtime and PyTorch differ: {shown}", path=out, remedy="report it"
            )
        _record_parity(part, differences)
        if out.exists():
            shutil.rmtree(out)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return differences


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep PyTorch's exporter from talking of libraries that nobody needs here."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def export_sync_scorer(run: Path, out: Path) -> None:
    """Write the sync network of a run as ``out`` (fp16 safetensors) and, beside it, its shape and
    numbers as JSON.

    Raises:
        InputError: it is the run of another stage, or has no checkpoint yet.
    """
    network: SyncScorerNetwork = load_network("scorer", run)
    with AtomicFile(out) as weights:
        save_weights(network, weights.part)
    described = {"model": asdict(network.config), "description": describe({"sync-scorer": run})}
    with AtomicFile(out.with_suffix(".json")) as record:
        record.part.write_text(
            json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )


def export_lips(run: Path, out: Path) -> None:
    """Write the lip network of a run, see `_export_part_points`."""
    _export_part_points("lips", run, out)


def export_eyes(run: Path, out: Path) -> None:
    """Write the eye network of a run, see `_export_part_points`."""
    _export_part_points("eyes", run, out)


def _export_part_points(name: str, run: Path, out: Path) -> None:
    """Write a landmark network of a run as one ONNX file, its weights in fp16 inside, computing in
    float32.

    Raises:
        InputError: it is the run of another stage, or has no checkpoint yet.
    """
    network: PartPointModel = load_network(name, run)
    views = torch.zeros(2, part_view.VIEW_SIZE, part_view.VIEW_SIZE, 3, dtype=torch.uint8)
    spec = GraphSpec(
        name, lambda module: module, {"views": views}, ("points",), {"views": {0: "faces"}}
    )
    with _quiet_exporter(), AtomicFile(out) as file:
        save_graph(network, spec, file.part)


def export_occlusion(run: Path, out: Path) -> None:
    """Write the occlusion network of a run as one ONNX file, its weights in fp16 inside, computing
    in float32.

    Raises:
        InputError: it is the run of another stage, or has no checkpoint yet.
    """
    _export_marking("occlusion", (occlusion.VIEW_SIZE, occlusion.VIEW_SIZE), run, out)


def export_eyewear(run: Path, out: Path) -> None:
    """Write the eyewear network of a run, as `export_occlusion` does."""
    _export_marking("eyewear", (BOTTOM - TOP, CROP_SIZE), run, out)


def export_hair(run: Path, out: Path) -> None:
    """Write the hair network of a run, as `export_occlusion` does."""
    _export_marking("hair", (CROP_SIZE, CROP_SIZE), run, out)


def _export_marking(name: str, view: tuple[int, int], run: Path, out: Path) -> None:
    """Write a network that marks places in views of so many rows and columns."""
    network: OcclusionModel = load_network(name, run)
    views = torch.zeros(2, *view, 3, dtype=torch.uint8)
    spec = GraphSpec(
        name, lambda module: module, {"views": views}, ("logits",), {"views": {0: "faces"}}
    )
    with _quiet_exporter(), AtomicFile(out) as file:
        save_graph(network, spec, file.part)


def _record_parity(bundle: Path, differences: dict[str, float]) -> None:
    config = read_json(bundle / BUNDLE_NAME)
    config["description"]["parity"] = differences
    (bundle / BUNDLE_NAME).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def _by_stage(runs: Sequence[Path], base: Path | None) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for run in runs:
        stage, _ = read_config(run)
        if stage in folders:
            raise InputError(
                f"is a second run of {stage}", path=run, remedy="name one run for each stage"
            )
        folders[stage] = run
    if base is not None:
        held = [stage for stage in OPTIONAL if (base / f"{stage}.safetensors").exists()]
        known = read_json(base / BUNDLE_NAME)["description"].get("stages", {})
        if "mel-encoder" in known and "lipsync" not in folders:
            held.append("mel-encoder")
        folders = {**dict.fromkeys((*BUNDLED, *held), base), **folders}
    missing = [stage for stage in BUNDLED if stage not in folders]
    if missing:
        raise InputError(
            f"no run of {', '.join(missing)}",
            remedy="train every stage and name its run, or give a bundle that has them with --base",
        )
    return folders


def describe(folders: dict[str, Path], base: Path | None = None) -> dict[str, Any]:
    """What the bundle records of its making: steps, minutes and last evaluation of each stage, and
    the commit.

    The mean of runs has no evaluation of its own; the runs that it is made of are recorded.
    """
    known = {} if base is None else read_json(base / BUNDLE_NAME)["description"].get("stages", {})
    stages = {
        stage: known[stage]
        for stage, folder in folders.items()
        if folder == base and stage in known
    }
    for stage, folder in sorted(folders.items()):
        checkpoint = None if folder == base else load_checkpoint(folder)
        if checkpoint is None:
            continue
        rows = MetricTable(folder / "metrics.csv", checkpoint.step).rows
        last = {name: value for name, value in (rows[-1] if rows else {}).items() if name != "step"}
        stages[stage] = {**checkpoint.summary(), "validation": last}
    return {"stages": stages, "commit": _commit()}


def _commit() -> str:
    """Commit of the source tree, ``unknown`` in an installed package."""
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return found.stdout.strip() or "unknown"
