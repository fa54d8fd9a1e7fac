"""Writes the run-time bundle: fp16 safetensors, a config beside them, and ONNX graphs that point
into the same file.

A weight is stored once. An ONNX graph keeps no weights of its own: each is an external tensor at
its offset inside the safetensors file, cast to float32 where it is used; ONNX Runtime folds the
cast away when it loads the graph.
"""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from swaptalk.export.graphs import GraphSpec, graph_specs, restoration_spec
from swaptalk.faces.geometry.mouth_motion import MotionStatistics
from swaptalk.inference.validate import BUNDLE_FORMAT, BUNDLE_NAME
from swaptalk.models.audio import MelEncoder
from swaptalk.models.lipsync import LipSync
from swaptalk.models.restoration import RestorationNetwork
from swaptalk.models.swap import SwapTransformer
from swaptalk.models.vqgan import VQGAN
from swaptalk.models.weights import save_weights
from swaptalk.storage.hashing import sha256_of

#: GridSample in the form that ONNX Runtime's CPU provider implements came with this opset.
OPSET = 20


def _offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Byte offset and length of each tensor inside a safetensors file."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(size))
    start = 8 + size
    return {
        name: (
            start + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _trace(module: nn.Module, spec: GraphSpec) -> onnx.ModelProto:
    """The module's ONNX graph with its weights inside."""
    shapes = {
        name: {axis: torch.export.Dim(label) for axis, label in spec.dynamic.get(name, {}).items()}
        or None
        for name in spec.inputs
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            module,
            tuple(spec.inputs.values()),
            path,
            input_names=list(spec.inputs),
            output_names=list(spec.outputs),
            dynamic_shapes=tuple(shapes.values()) if any(shapes.values()) else None,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            optimize=False,
            verbose=False,
        )
        return onnx.load(str(path))


def _point_into(model: onnx.ModelProto, weights: Path, prefix: str) -> None:
    """Replace each weight of the graph by an external fp16 tensor inside ``weights`` and a cast to
    its type.
    """
    offsets = _offsets(weights)

    def stored(tensor: TensorProto) -> TensorProto | None:
        name = tensor.name.removeprefix(prefix)
        if name not in offsets:
            return None
        half = TensorProto(
            name=f"{tensor.name}.fp16", data_type=TensorProto.FLOAT16, dims=tensor.dims
        )
        half.data_location = TensorProto.EXTERNAL
        offset, length = offsets[name]
        for key, value in (
            ("location", weights.name),
            ("offset", str(offset)),
            ("length", str(length)),
        ):
            half.external_data.add(key=key, value=value)
        return half

    _replace_weights(model, stored)


def _replace_weights(
    model: onnx.ModelProto, stored: Callable[[TensorProto], TensorProto | None]
) -> None:
    """Let a graph's float32 weights be what ``stored`` makes of them (None: as they are) and a cast
    to float32.
    """
    kept, casts = [], []
    for tensor in model.graph.initializer:
        half = stored(tensor) if tensor.data_type == TensorProto.FLOAT else None
        kept.append(tensor if half is None else half)
        if half is not None:
            casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]
    for node in model.graph.node:
        # The exporter's source positions name files of the machine it ran on.
        del node.metadata_props[:]
        node.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:]


def save_graph(module: nn.Module, spec: GraphSpec, path: Path) -> None:
    """Write one network as a file of its own: an ONNX graph that computes in float32 from weights
    kept in fp16.
    """

    def stored(tensor: TensorProto) -> TensorProto:
        values = numpy_helper.to_array(tensor).astype(np.float16)
        return numpy_helper.from_array(values, f"{tensor.name}.fp16")

    model = _trace(spec.build(module).eval(), spec)
    _replace_weights(model, stored)
    path.write_bytes(model.SerializeToString())


def export_bundle(
    directory: Path,
    vqgan: VQGAN,
    swap: SwapTransformer,
    lipsync: LipSync,
    audio: MelEncoder,
    statistics: MotionStatistics,
    description: dict[str, Any] | None = None,
    restoration: RestorationNetwork | None = None,
) -> None:
    """Write a complete bundle into ``directory`` (made if absent; files of an older bundle are
    replaced).

    Args:
        directory: where the bundle goes.
        vqgan: the trained autoencoder, in float32, as the others.
        swap: the swap transformer.
        lipsync: the lip-sync module.
        audio: the mel encoder.
        statistics: scale of the motion tokens, and the token of silence.
        description: what else the config records (training data, commit, measured numbers).
        restoration: the network that restores faces; None leaves them as they are restored without
            one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    modules: dict[str, nn.Module] = {
        "vqgan": vqgan,
        "swap": swap,
        "lipsync": lipsync,
        "audio": audio,
    }
    specs = graph_specs(vqgan, swap, lipsync, audio)
    if restoration is not None:
        modules["restoration"], specs["restoration"] = restoration, restoration_spec()
    for name, module in modules.items():
        module.eval()
        save_weights(module, directory / f"{name}.safetensors")
    for name, spec in specs.items():
        graph_module = spec.build(modules[spec.weights]).eval()
        prefix = "" if graph_module is modules[spec.weights] else f"{spec.weights}."
        model = _trace(graph_module, spec)
        _point_into(model, directory / f"{spec.weights}.safetensors", prefix)
        onnx.save(model, str(directory / f"{name}.onnx"))
    files = sorted(p for p in directory.iterdir() if p.suffix in {".onnx", ".safetensors"})
    config = {
        "format": BUNDLE_FORMAT,
        "networks": {name: asdict(module.config) for name, module in modules.items()},  # type: ignore[call-overload]
        "motion": {
            "mean": statistics.mean.tolist(),
            "spread": statistics.spread.tolist(),
            "silence": statistics.silence.tolist(),
        },
        "sha256": {p.name: sha256_of(p) for p in files},
        "description": description or {},
    }
    (directory / BUNDLE_NAME).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
