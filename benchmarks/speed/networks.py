"""Cost of SwapTalk's own networks by engine and precision: floating-point operations, time on one
and two threads, share of the peak, and what the precision does to the picture.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino
from numpy.typing import NDArray
from openvino import opset13 as opset

from swaptalk.assets.catalogue import resolve
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.int8 import quantized_graph
from swaptalk.inference.ranges import read_ranges
from swaptalk.inference.validate import validated_config
from swaptalk.media.video_reader import VideoReader
from swaptalk.metrics.perceptual import PerceptualDistance
from swaptalk.metrics.psnr import psnr

#: Networks that run for every frame.
GRAPHS = ("encoder", "swap", "lipsync", "decoder", "restoration")
#: Frames at once, as in the pipeline; the restoration network gets one.
BATCH = 4
#: Side of the square matrices, and channels and side of the convolution, that show the peak.
PEAK_MATRIX, PEAK_CHANNELS, PEAK_PICTURE = 2048, 256, 64
#: Convolutions one after the other: what goes in and comes out is converted, which does not count.
PEAK_LAYERS = 8
#: Precisions, and OpenVINO's name of each; eight bits are in the graph and computed as it says.
PRECISIONS = {"fp32": "f32", "bf16": "bf16", "int8": None}
TARGET = Path(__file__).parents[2] / "demo" / "target.mp4"
Inputs = dict[str, NDArray[Any]]
Call = Callable[[], list[NDArray[Any]]]


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
    return total / 1e9 / _frames(batch)


def _frames(batch: Inputs) -> int:
    """Frames of a batch: its first input is one of faces or latents."""
    return len(next(iter(batch.values())))


def faces(count: int) -> NDArray[np.uint8]:
    """Aligned faces (count, 256, 256, 3) of the demo's target."""
    analyser, crops = FaceAnalyser(progress=False), []
    with VideoReader(TARGET) as video:
        for frame in video.frames(np.linspace(0, len(video) - 1, count).astype(int).tolist()):
            crops.append(crop_face(frame, estimate_alignment(analyser.faces(frame)[0].xy)))
    return np.stack(crops)


def inputs(folder: Path, crops: NDArray[np.uint8]) -> dict[str, Inputs]:
    """One batch for each network, made of faces (BATCH, 256, 256, 3) by those before it."""
    session = onnxruntime.InferenceSession
    latents = session(str(folder / "encoder.onnx")).run(None, {"faces": crops})[0]
    keys, values = session(str(folder / "identity.onnx")).run(None, {"source": latents[:1]})
    width = session(str(folder / "lipsync.onnx")).get_inputs()[2].shape
    motion = np.zeros((BATCH, *width[1:]), np.float32)
    decoded = session(str(folder / "decoder.onnx")).run(None, {"latents": latents[:1]})[0]
    return {
        "encoder": {"faces": crops},
        "decoder": {"latents": latents},
        "swap": {
            "composite": latents,
            "mask": np.ones((BATCH, 1, 64, 64), np.float32),
            "keys": keys,
            "values": values,
            "strength": np.array(1, np.float32),
        },
        "lipsync": {"target": latents, "reference": latents, "motion": motion},
        "restoration": {
            "face": decoded,
            "restored": decoded,
            "guide": crops[:1],
            "mask": np.full(decoded.shape[:3], 255, np.uint8),
        },
    }


def _openvino(path: Path | openvino.Model, precision: str, threads: int, batch: Any) -> Call:
    config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    if (hint := PRECISIONS[precision]) is not None:
        config["INFERENCE_PRECISION_HINT"] = hint
    model = str(path) if isinstance(path, Path) else path
    request = openvino.Core().compile_model(model, "CPU", config).create_infer_request()

    def call() -> list[NDArray[Any]]:
        results = request.infer(batch)
        return [np.array(results[number]) for number in range(len(results))]

    return call


def _onnxruntime(path: Path, batch: Inputs) -> Call:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: list(session.run(None, batch))


def _rounded(node: Any, reach: float, precision: str) -> Any:
    """The node's values in eight bits, where that is the precision."""
    if precision != "int8":
        return node
    low, high = (opset.constant(np.array(end, np.float32)) for end in (-reach, reach))
    return opset.fake_quantize(node, low, high, low, high, 256)


def peak(precision: str) -> float:
    """GFLOP/s of a large matrix product or convolution on one thread: the best that was seen."""
    side, width, place = PEAK_MATRIX, PEAK_CHANNELS, PEAK_PICTURE
    rng = np.random.default_rng(0)
    left = opset.parameter([side, side], np.float32)
    picture = opset.parameter([BATCH, width, place, place], np.float32)
    square, kernel = (
        _rounded(opset.constant(rng.normal(size=size).astype(np.float32)), 4.0, precision)
        for size in ((side, side), (width, width, 3, 3))
    )
    product = opset.matmul(_rounded(left, 4.0, precision), square, False, False)
    folded: Any = picture
    for _ in range(PEAK_LAYERS):
        folded = opset.convolution(
            _rounded(folded, 4.0, precision), kernel, [1, 1], [1, 1], [1, 1], [1, 1]
        )
    reached = []
    convolved = PEAK_LAYERS * BATCH * place**2 * width**2 * 9
    for given, made, work in ((left, product, side**3), (picture, folded, convolved)):
        batch = {0: rng.normal(size=tuple(given.shape)).astype(np.float32)}
        call = _openvino(openvino.Model([made], [given]), precision, 1, batch)
        taken = min(_seconds(call) for _ in range(6))
        reached.append(2 * work / taken / 1e9)
    return float(max(reached))


def _seconds(call: Callable[[], object], threads: int = 1) -> float:
    """Seconds of a call: of the processor on one thread, which other programs hardly change, and on
    the clock on several.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    begun = clock()
    call()
    return clock() - begun


class _PictureError:
    """Difference between pictures when one network computes in another precision."""

    def __init__(self, weights: Path) -> None:
        self._decoder = onnxruntime.InferenceSession(str(weights / "decoder.onnx"))
        self._distance = PerceptualDistance(resolve("lpips-alexnet"))

    def _pictures(self, graph: str, output: NDArray[Any]) -> NDArray[np.uint8]:
        if graph in ("decoder", "restoration"):
            return np.asarray(output, np.uint8)
        decoded = self._decoder.run(None, {"latents": output.astype(np.float32)})[0]
        return np.asarray(decoded, np.uint8)

    def __call__(self, graph: str, exact: NDArray[Any], output: NDArray[Any]) -> dict[str, float]:
        """PSNR in dB and LPIPS to the picture in float32; all other networks are in float32."""
        wanted, made = (self._pictures(graph, one) for one in (exact, output))
        return {"psnr": psnr(wanted, made), "lpips": float(self._distance(wanted, made).mean())}


def measure(rounds: int) -> list[dict[str, Any]]:
    """A row for each network, engine and precision: milliseconds a frame, interleaved over the
    rounds, and the picture's error.

    Of all rounds the quickest counts, for the peak too: what disturbs a network on a shared machine
    is not its own.
    """
    weights, rows = default_directory(), []
    batches = inputs(weights, faces(BATCH))
    ranges = read_ranges(weights, validated_config(weights)["sha256"])
    error, core = _PictureError(weights), openvino.Core()
    highest = {precision: max(peak(precision) for _ in range(rounds)) for precision in PRECISIONS}
    for graph in GRAPHS:
        path, batch = weights / f"{graph}.onnx", batches[graph]
        models: dict[str, Path | openvino.Model] = {"fp32": path, "bf16": path}
        if graph in ranges:
            models["int8"] = quantized_graph(core, str(path), ranges[graph])
        calls: dict[tuple[str, str, int], Call] = {
            ("OpenVINO", precision, threads): _openvino(model, precision, threads, batch)
            for precision, model in models.items()
            for threads in (1, 2)
        }
        calls["ONNX Runtime", "fp32", 1] = _onnxruntime(path, batch)
        outputs = {key: call()[0] for key, call in calls.items()}
        quickest = dict.fromkeys(calls, float("inf"))
        for _ in range(3 * rounds):
            for key, call in calls.items():
                taken = 1000 * _seconds(call, key[2]) / _frames(batch)
                quickest[key] = min(quickest[key], taken)
        exact = outputs["OpenVINO", "fp32", 1]
        gflop = operations(path, batch)
        for engine, precision, threads in calls:
            if threads == 1:
                ms = quickest[engine, precision, 1]
                rows.append(
                    {
                        "what": graph,
                        "rounds": rounds,
                        "gflop": gflop,
                        "engine": engine,
                        "precision": precision,
                        "ms": ms,
                        "ms_two_threads": quickest.get((engine, precision, 2)),
                        "share_of_peak": gflop / ms * 1000 / highest[precision],
                        "peak_gflops": highest[precision],
                        **error(graph, exact, outputs[engine, precision, 1]),
                    }
                )
    return rows


def together(rows: list[dict[str, Any]], precision: str, key: str = "ms") -> float | None:
    """Milliseconds a frame of all networks in OpenVINO; None where one was not measured. Networks
    that are not computed in eight bits count as in bfloat16.
    """
    found = {
        (row["what"], row["precision"]): row[key] for row in rows if row["engine"] == "OpenVINO"
    }
    names = dict.fromkeys(row["what"] for row in rows)
    taken = [found.get((name, precision), found[name, "bf16"]) for name in names]
    return None if None in taken else float(sum(taken))


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        "| network | GFLOP | engine, precision | ms on one thread | on two | share of the peak | "
        "PSNR, dB | LPIPS |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        two = row["ms_two_threads"]
        equal = row["engine"] == "OpenVINO" and row["precision"] == "fp32"
        cells = [
            row["what"],
            f"{row['gflop']:.2f}",
            f"{row['engine']} {row['precision']}",
            f"{row['ms']:.1f}",
            "" if two is None else f"{two:.1f}",
            f"{row['share_of_peak']:.0%}",
            "" if equal else f"{row['psnr']:.1f}",
            "" if equal else f"{row['lpips']:.4f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for precision in PRECISIONS:
        times = together(rows, precision), together(rows, precision, "ms_two_threads")
        one, two = ("" if time is None else f"{time:.1f}" for time in times)
        gflop = sum({row["what"]: row["gflop"] for row in rows}.values())
        lines.append(f"| together | {gflop:.2f} | OpenVINO {precision} | {one} | {two} | | | |")
    peaks = {row["precision"]: row["peak_gflops"] for row in rows}
    lines += [
        "",
        f"Peak on one thread: {', '.join(f'{peaks[p]:.0f} GFLOP/s in {p}' for p in PRECISIONS)}, "
        f"the best of a product of {PEAK_MATRIX} x {PEAK_MATRIX} matrices and {PEAK_LAYERS} "
        f"convolutions of {PEAK_CHANNELS} channels. Batches of {BATCH} faces of the demo, the "
        "restoration network's of one; the quickest round counts, not the median; on one thread "
        "its processor time, on two the clock. PSNR and LPIPS compare with the picture in float32 "
        "when only this network is in another precision. int8 is that of the pipeline: "
        "convolutions without ranges are in bfloat16, and together it counts the others in that. "
        "The peak in int8 is one with rounding between layers.",
    ]
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    print(json.dumps(measure(parser.parse_args().rounds)))
