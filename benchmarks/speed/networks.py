"""Cost of SwapTalk's own networks: floating-point operations, time in each engine and precision,
share of the peak.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import openvino
from numpy.typing import NDArray
from onnx import ModelProto
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from openvino import opset13 as opset

from swaptalk.inference.bundle import default_directory

#: Networks that run for every frame; encoder and decoder are most of it and what eight bits could
#: pay off for.
GRAPHS = ("encoder", "swap", "lipsync", "decoder")
EIGHT_BIT = ("encoder", "decoder")
#: Frames at once, as in the pipeline.
BATCH = 4
#: Side of the square matrices, and channels and side of the convolution, that show the peak.
PEAK_MATRIX, PEAK_CHANNELS, PEAK_PICTURE = 2048, 256, 64
#: Convolutions one after the other: what goes in and comes out is converted, which shall not count.
PEAK_LAYERS = 8
#: Batches that calibrate the eight-bit networks.
CALIBRATION = 16
Inputs = dict[str, NDArray[Any]]


def operations(path: Path, batch: Inputs) -> float:
    """GFLOP (two for a multiply-add) of all convolutions and matrix products of a graph, for one
    frame.

    Their shapes are taken from a run, since a graph does not hold them all.
    """
    model = onnx.load(str(path))
    counted = [node for node in model.graph.node if node.op_type in ("Conv", "MatMul", "Gemm")]
    constants = {one.name: tuple(one.dims) for one in model.graph.initializer}
    names = {name for node in counted for name in (node.input[0], node.input[1], node.output[0])}
    wanted = sorted(
        names - constants.keys() - {one.name for one in (*model.graph.input, *model.graph.output)}
    )
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    shapes = constants | {name: value.shape for name, value in batch.items()}
    outputs = [one.name for one in session.get_outputs()]
    shapes |= {
        name: value.shape for name, value in zip(outputs, session.run(None, batch), strict=True)
    }
    total = 0
    for node in counted:
        inner = shapes[node.input[1]][1:] if node.op_type == "Conv" else shapes[node.input[0]][-1:]
        total += 2 * int(np.prod(shapes[node.output[0]])) * int(np.prod(inner))
    return total / 1e9 / BATCH


def inputs(folder: Path) -> dict[str, Inputs]:
    """One batch for each network, made by those before it from noise that has the spectrum of
    pictures.
    """
    noise = np.random.default_rng(0).normal(size=(BATCH, 256, 256, 3)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 6) for one in noise])
    faces = np.clip(127 + 400 * smooth + 10 * noise, 0, 255).astype(np.uint8)
    session = onnxruntime.InferenceSession
    latents = session(str(folder / "encoder.onnx")).run(None, {"faces": faces})[0]
    keys, values = session(str(folder / "identity.onnx")).run(None, {"source": latents[:1]})
    width = session(str(folder / "lipsync.onnx")).get_inputs()[2].shape
    motion = np.zeros((BATCH, *width[1:]), np.float32)
    return {
        "encoder": {"faces": faces},
        "decoder": {"latents": latents},
        "swap": {
            "target": latents,
            "keys": keys,
            "values": values,
            "strength": np.array(1, np.float32),
        },
        "lipsync": {"target": latents, "reference": latents, "motion": motion},
    }


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, batch: Inputs) -> None:
        self._batches: Iterator[Inputs] = iter([batch] * CALIBRATION)

    def get_next(self) -> Inputs | None:
        return next(self._batches, None)


def eight_bits(path: Path, folder: Path, batch: Inputs) -> Path:
    """The graph with its convolutions in eight bits (QDQ form, a scale for each channel of the
    weights).
    """
    whole, ready, made = (
        folder / f"{path.stem}-{kind}.onnx" for kind in ("whole", "ready", "int8")
    )
    model: ModelProto = onnx.load(str(path))
    onnx.save(model, str(whole))
    quant_pre_process(str(whole), str(ready), skip_symbolic_shape=True)
    quantize_static(
        str(ready),
        str(made),
        _Calibration(batch),
        per_channel=True,
        op_types_to_quantize=["Conv"],
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return made


def _openvino(path: Path, batch: Inputs, precision: str | None) -> Callable[[], object]:
    config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
    if precision is not None:
        config["INFERENCE_PRECISION_HINT"] = precision
    request = openvino.Core().compile_model(str(path), "CPU", config).create_infer_request()
    return lambda: request.infer(batch)


def _onnxruntime(path: Path, batch: Inputs) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, batch)


def peak(precision: str) -> float:
    """GFLOP/s of a large matrix product or convolution on one thread: the best that was seen."""
    side, width, place = PEAK_MATRIX, PEAK_CHANNELS, PEAK_PICTURE
    rng = np.random.default_rng(0)
    left = opset.parameter([side, side], np.float32)
    picture = opset.parameter([BATCH, width, place, place], np.float32)
    square, kernel = (
        rng.normal(size=size).astype(np.float32) for size in ((side, side), (width, width, 3, 3))
    )
    product = opset.matmul(left, opset.constant(square), False, False)
    folded = picture
    for _ in range(PEAK_LAYERS):
        folded = opset.convolution(folded, opset.constant(kernel), [1, 1], [1, 1], [1, 1], [1, 1])
    reached = []
    convolved = PEAK_LAYERS * BATCH * place**2 * width**2 * 9
    for given, made, work in ((left, product, side**3), (picture, folded, convolved)):
        config = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision}
        request = (
            openvino.Core()
            .compile_model(openvino.Model([made], [given]), "CPU", config)
            .create_infer_request()
        )
        batch = rng.normal(size=tuple(given.shape)).astype(np.float32)
        taken = min(_seconds(partial(request.infer, [batch])) for _ in range(6))
        reached.append(2 * work / taken / 1e9)
    return float(max(reached))


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def measure(rounds: int) -> list[dict[str, Any]]:
    """A row for each network: GFLOP a frame and milliseconds a frame on one thread, interleaved
    over the rounds.

    Of all rounds the quickest counts, for the peak too: what disturbs a network on a shared machine
    is not its own.
    """
    weights, rows = default_directory(), []
    batches = inputs(weights)
    highest = {"bf16": 0.0, "fp32": 0.0}
    with tempfile.TemporaryDirectory() as temporary:
        for graph in GRAPHS:
            path, batch = weights / f"{graph}.onnx", batches[graph]
            for name, precision in (("bf16", "bf16"), ("fp32", "f32")):
                highest[name] = max(highest[name], peak(precision))
            calls = {
                "OpenVINO bf16": _openvino(path, batch, "bf16"),
                "OpenVINO fp32": _openvino(path, batch, "f32"),
                "ONNX Runtime fp32": _onnxruntime(path, batch),
            }
            if graph in EIGHT_BIT:
                small = eight_bits(path, Path(temporary), batch)
                calls["OpenVINO int8"] = _openvino(small, batch, None)
                calls["ONNX Runtime int8"] = _onnxruntime(small, batch)
            taken: dict[str, list[float]] = {name: [] for name in calls}
            for number in range(3 * rounds + 1):
                for name, call in calls.items():
                    seconds = _seconds(call)
                    if number:  # the first one warms up
                        taken[name].append(1000 * seconds / BATCH)
            rows.append(
                {
                    "what": graph,
                    "rounds": rounds,
                    "gflop": operations(path, batch),
                    "peak_gflops": highest,
                    "ms": {name: min(values) for name, values in taken.items()},
                }
            )
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of Markdown."""
    engines = list(rows[-1]["ms"])
    highest = rows[0]["peak_gflops"]
    lines = [
        f"| what | GFLOP a frame | {' | '.join(f'{name}, ms' for name in engines)} | share of the "
        "bf16 peak |",
        "|---|---|" + "---|" * (len(engines) + 1),
    ]
    total = {
        "what": "together",
        "gflop": sum(row["gflop"] for row in rows),
        "ms": {
            name: sum(row["ms"].get(name, row["ms"]["OpenVINO bf16"]) for row in rows)
            for name in engines
            if all(name in row["ms"] for row in rows)
        },
    }
    for row in [*rows, total]:
        share = row["gflop"] / row["ms"]["OpenVINO bf16"] * 1000 / highest["bf16"]
        cells = [f"{row['ms'][name]:.1f}" if name in row["ms"] else "" for name in engines]
        lines.append(f"| {row['what']} | {row['gflop']:.2f} | {' | '.join(cells)} | {share:.0%} |")
    lines += [
        "",
        f"Peak: {highest['bf16']:.0f} GFLOP/s in bf16 and {highest['fp32']:.0f} in fp32 on one "
        "thread, the "
        f"best of a product of {PEAK_MATRIX} x {PEAK_MATRIX} matrices and {PEAK_LAYERS} "
        "convolutions of "
        f"{PEAK_CHANNELS} channels; batches of {BATCH} frames. The quickest round counts, not the "
        "median.",
    ]
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    print(json.dumps(measure(parser.parse_args().rounds)))
