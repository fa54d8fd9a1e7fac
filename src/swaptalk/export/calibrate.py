"""Measure what int8 needs to know of a bundle: ranges of activations, and which layers bear it.

The networks get what run time gives them, made from a prepared dataset: composites of training
people, their corrected latents, and their decoded faces to be restored. Ranges are the lowest and
highest values seen; ranges that clip a hundredth of a percent of the values left single faces at
40 dB instead of 48. The first and the last convolution stay as they are, and so do those whose
rounding costs the picture most for what they compute, until the network reaches `LEAST_PSNR`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from swaptalk.data.frames import FrameSampler
from swaptalk.data.restoration_sample import RestorationSample
from swaptalk.data.store import Dataset, Item
from swaptalk.data.swap_restorations import SwapRestorationMaker
from swaptalk.inference import onnx_file
from swaptalk.inference.bundle import ModelBundle
from swaptalk.inference.engines import OPENVINO
from swaptalk.inference.int8 import convolutions, quantized_graph
from swaptalk.inference.ranges import RANGES_FORMAT, RANGES_NAME, Range
from swaptalk.inference.validate import validated_config
from swaptalk.metrics.psnr import psnr
from swaptalk.storage.files import AtomicFile

#: Graphs that are computed in int8. The swap transformer is bound by its softmax, and of the
#: lip-sync network int8 would save half a millisecond of a frame.
NETWORKS = ("encoder", "decoder", "restoration")
#: dB of pictures to those in float32 when one network is in int8; bfloat16 has 58 to 63.
LEAST_PSNR = 52.0
#: Pictures of validation people on which errors are measured.
CHECKED = 24
#: Every so many composites are measured with so many times their contrast, too: scenes of users are
#: lit harder than most photos, and what is beyond a range is cut off.
HARD_EVERY, HARD_CONTRAST = 8, 2.0
#: Share of frames from clips, and how much enlarged photos may be, as where networks are trained.
_VIDEO_SHARE, _MAXIMUM_SCALE, _SHARPNESS = 0.3, 2.2, 2.0
_ABOUT = (
    "Lowest and highest input of each convolution that is computed in int8, by the name of its "
    "weights, on composites, latents and faces of training people. 'psnr' is the picture's "
    "distance to float32 in dB on validation people. Made by 'swaptalk calibrate'."
)

Inputs = dict[str, NDArray[Any]]
#: Called with the part under way, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Calibration:
    """What was found for one network.

    ``inputs`` are the ranges of the layers in int8, ``psnr`` the pictures' distance to float32 in
    dB, ``layers`` how many convolutions there are.
    """

    inputs: dict[str, Range]
    psnr: float
    layers: int


class _RecordingBundle(ModelBundle):
    """A bundle in float32 that keeps what is given to some of its networks."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, device=OPENVINO, precision="float32")
        self.recorded: dict[str, list[Inputs]] = {name: [] for name in NETWORKS}

    def _run(self, graph: str, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        if graph in self.recorded:
            self.recorded[graph].append(inputs)
        return super()._run(graph, inputs)


def calibrate(
    bundle: Path, data: Path, faces: int, progress: Progress | None = None
) -> dict[str, Calibration]:
    """Measure the ranges of a bundle's networks and write them into it.

    Args:
        bundle: its folder; an older file of ranges is replaced.
        data: a prepared dataset. Only training people are used for ranges.
        faces: how many composites of them.
        progress: of the parts.

    Returns:
        What was found, by network.

    Raises:
        InputError: the bundle or the dataset is not valid, or OpenVINO is not installed.
    """
    networks, dataset = _RecordingBundle(bundle), Dataset(data)
    advance = progress or (lambda part, done, total: None)
    seen = _recorded(networks, dataset, dataset.select("train"), faces, advance, HARD_EVERY)
    checked = _recorded(networks, dataset, dataset.judged(), CHECKED, advance)
    found: dict[str, Calibration] = {}
    held = [name for name in NETWORKS if name != "restoration" or networks.restores]
    for number, name in enumerate(held):
        advance("networks", number, len(held))
        decode = networks.decode if name == "encoder" else None
        found[name] = _calibrate(bundle / f"{name}.onnx", seen[name], checked[name], decode)
    advance("networks", len(held), len(held))
    _write(bundle, found, faces)
    return found


def _recorded(
    networks: _RecordingBundle,
    dataset: Dataset,
    items: list[Item],
    count: int,
    advance: Progress,
    hard_every: int = 0,
) -> dict[str, list[Inputs]]:
    """Inputs of the networks while so many faces are swapped and restored; of every
    ``hard_every``-th with harder contrast, too.
    """
    networks.recorded = {name: [] for name in NETWORKS}
    frames = FrameSampler(
        dataset,
        _VIDEO_SHARE,
        _SHARPNESS,
        _MAXIMUM_SCALE,
        items=items,
    )
    make = SwapRestorationMaker(frames, networks, seed=0)
    for number in range(count):
        advance("faces", number, count)
        sample = make(number)
        if networks.restores:
            face, restored, guide = (one[None] for one in sample.pictures[:3])
            networks.restore(face, restored, guide, sample.mask[None])
        if hard_every and number % hard_every == 0:
            _show_hard(networks, sample)
    advance("faces", count, count)
    return networks.recorded


def _show_hard(networks: ModelBundle, sample: RestorationSample) -> None:
    """Let the networks see a composite with harder contrast."""
    middle = 127.5
    harder = (sample.pictures[2].astype(np.float32) - middle) * HARD_CONTRAST + middle
    hard = np.clip(harder, 0, 255).astype(np.uint8)[None]
    face = networks.decode(networks.encode(hard))
    if networks.restores:
        networks.restore(face, face, hard, sample.mask[None])


def _calibrate(
    path: Path,
    seen: Sequence[Inputs],
    checked: Sequence[Inputs],
    decode: Callable[[NDArray[np.float32]], NDArray[np.uint8]] | None,
) -> Calibration:
    """Measure ranges and choose layers of one graph.

    Args:
        path: the graph.
        seen: inputs that show the ranges.
        checked: inputs of which the error is measured.
        decode: makes pictures of the graph's output; None where it is pictures.
    """
    core = openvino.Core()
    ranges, work = _ranges(core, path, seen)

    def pictures(layers: Sequence[str]) -> NDArray[np.uint8]:
        chosen = {layer: ranges[layer] for layer in layers}
        run = _compiled(core, quantized_graph(core, str(path), chosen))
        made = np.concatenate([np.array(run.infer(one)[0]) for one in checked])
        return np.asarray(made) if decode is None else np.asarray(decode(made))

    exact = pictures([])
    names = list(ranges)
    layers = [name for name in names[1:-1] if ranges[name][1] > 0]
    reached, cost = psnr(exact, pictures(layers)), {}
    if reached < LEAST_PSNR:
        cost = {name: _error(exact, pictures([name])) / work[name] for name in layers}
    while layers and reached < LEAST_PSNR:
        layers.remove(max(layers, key=cost.__getitem__))
        reached = psnr(exact, pictures(layers))
    return Calibration({layer: ranges[layer] for layer in layers}, reached, len(names))


def _error(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean squared difference of pictures."""
    return float(np.mean((a.astype(np.float64) - b) ** 2))


def _compiled(core: Any, model: Any) -> Any:
    """A request that computes a graph in float32 wherever it says nothing else."""
    config = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(model, "CPU", config).create_infer_request()


def _ranges(
    core: Any, path: Path, batches: Sequence[Inputs]
) -> tuple[dict[str, Range], dict[str, float]]:
    """Range of each convolution's input, and its multiplications for one face, by the name of its
    weights, in order.
    """
    model = core.read_model(str(path))
    layers, first = convolutions(model), len(model.outputs)
    shapes = {name: tuple(node.input_value(1).shape) for name, node in layers.items()}
    model.add_outputs([node.input_value(0) for node in layers.values()])
    run = _compiled(core, model)
    low, high = dict.fromkeys(layers, 0.0), dict.fromkeys(layers, 0.0)
    work: dict[str, float] = {}
    for batch in batches:
        results = run.infer(batch)
        for number, name in enumerate(layers, first):
            value = results[number]
            low[name] = min(low[name], float(value.min()))
            high[name] = max(high[name], float(value.max()))
            work[name] = float(np.prod(shapes[name]) * np.prod(value.shape[2:]))
    # Six digits are more than a range is known to.
    return {n: (float(f"{low[n]:.6g}"), float(f"{high[n]:.6g}")) for n in layers}, work


def _write(bundle: Path, found: dict[str, Calibration], faces: int) -> None:
    hashes = validated_config(bundle)["sha256"]
    networks = {}
    for name, calibration in found.items():
        graph = onnx_file.parse((bundle / f"{name}.onnx").read_bytes())
        files = {w.external["location"] for w in graph.weights if w.external is not None}
        networks[name] = {
            "files": {file: hashes[file] for file in sorted({f"{name}.onnx", *files})},
            "inputs": {layer: list(ends) for layer, ends in calibration.inputs.items()},
            "psnr": round(calibration.psnr, 2),
        }
    content = {"format": RANGES_FORMAT, "about": _ABOUT, "faces": faces, "networks": networks}
    path = bundle / RANGES_NAME
    with AtomicFile(path) as target:
        target.part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
