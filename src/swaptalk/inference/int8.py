"""Graphs in int8: convolutions whose inputs and weights are rounded to 256 steps.

The graph in memory gets FakeQuantize nodes (inputs: one range for a layer; weights: one for each
output channel), and OpenVINO computes what lies between them in int8. The files of the bundle stay
as they are, and the compiled graph is kept like any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from swaptalk.errors import InputError
from swaptalk.inference.ranges import LayerRanges

#: Flag of processors that multiply int8 faster than float32 (x86-64), as Linux lists it: those with
#: VNNI have it too.
INT8_FLAG = "avx2"
#: Flags of matrix units, on which bfloat16 is as fast as int8 and nearer to float32.
MATRIX_FLAGS = frozenset(("amx_bf16", "amx_tile"))
#: Steps of an activation (unsigned, with a zero point) and of a weight (signed, symmetric).
_ACTIVATION_STEPS, _WEIGHT_STEPS = 256, 255
#: Channels and side of the convolution that shows which kernel the engine takes.
_PROBE_CHANNELS, _PROBE_SIDE = 64, 16


def is_int8_fastest(core: Any, flags: frozenset[str]) -> bool:
    """Decide whether int8 is the fastest precision of this processor.

    The answer follows from what the processor has, so that it is the same at every start.

    Args:
        core: OpenVINO's.
        flags: of the processor; empty where the system lists none. Then the engine is asked which
            kernel it takes: those of x86-64 are named after their instructions.
    """
    if flags:
        return INT8_FLAG in flags and not flags & MATRIX_FLAGS
    kernel = int8_kernel(core)
    return "avx" in kernel and "amx" not in kernel


def int8_kernel(core: Any) -> str:
    """Name of the kernel, such as ``brgconv_avx512_I8``, that OpenVINO takes for a convolution in
    int8; empty if it takes none.
    """
    from openvino import Model, opset13

    channels, side = _PROBE_CHANNELS, _PROBE_SIDE
    pictures = opset13.parameter([1, channels, side, side], np.float32)
    weights = opset13.constant(np.ones((channels, channels, 3, 3), np.float32))
    folded = opset13.convolution(
        _rounded(pictures, 0, 1, _ACTIVATION_STEPS),
        _rounded(weights, -1, 1, _WEIGHT_STEPS),
        *([1, 1] for _ in range(4)),
    )
    config = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(Model([folded], [pictures]), "CPU", config)
    for node in compiled.get_runtime_model().get_ops():
        about = node.get_rt_info()
        if str(_plain(about["layerType"])) == "Convolution":
            name = str(_plain(about["primitiveType"]))
            return name if name.endswith("I8") else ""
    return ""


def _plain(value: Any) -> Any:
    return getattr(value, "value", value)


def quantized_graph(core: Any, path: str, ranges: LayerRanges) -> Any:
    """Read a graph and let OpenVINO compute some of its convolutions in int8.

    Args:
        core: OpenVINO's.
        path: the ONNX file.
        ranges: of the inputs of those convolutions, by the names of their weights.

    Returns:
        The graph, an ``openvino.Model``.

    Raises:
        InputError: the graph has no such convolution.
    """
    model = core.read_model(path)
    layers = convolutions(model)
    unknown = sorted(set(ranges) - set(layers))
    if unknown:
        raise InputError(
            f"has no convolution {unknown[0][:60]}",
            path=path,
            remedy="make the bundle's ranges again with 'swaptalk calibrate'",
        )
    for name, (low, high) in ranges.items():
        _quantize(layers[name], low, high)
    model.validate_nodes_and_infer_types()
    return model


def convolutions(model: Any) -> dict[str, Any]:
    """Convolutions of an ``openvino.Model`` by the names of their weights, in the order in which
    they are computed.
    """
    return {
        node.input_value(1).get_node().get_friendly_name(): node
        for node in model.get_ordered_ops()
        if node.get_type_name() == "Convolution"
    }


def _quantize(layer: Any, low: float, high: float) -> None:
    """Round the input of a convolution to its range, and the weights to those of their channels."""
    # A whole number of steps below 0, so that 0, which is most frequent, is exact.
    step = (high - low) / (_ACTIVATION_STEPS - 1)
    below = round(-low / step)
    above = _ACTIVATION_STEPS - 1 - below
    rounded = _rounded(layer.input_value(0), -below * step, above * step, _ACTIVATION_STEPS)
    weights = layer.input_value(1)
    stored = weights.get_node()
    if stored.get_type_name() == "Convert":  # from float16, as bundles keep them
        stored = stored.input_value(0).get_node()
    values = np.abs(stored.data.astype(np.float32))
    largest = values.max(axis=tuple(range(1, values.ndim)), keepdims=True)
    largest = np.maximum(largest, np.finfo(np.float32).tiny)
    layer.input(0).replace_source_output(rounded.output(0))
    layer.input(1).replace_source_output(
        _rounded(weights, -largest, largest, _WEIGHT_STEPS).output(0)
    )


def _rounded(value: Any, low: Any, high: Any, steps: int) -> Any:
    """A node that rounds to so many values from ``low`` to ``high``."""
    from openvino import opset13

    ends = [opset13.constant(np.asarray(end, np.float32)) for end in (low, high)]
    return opset13.fake_quantize(value, *ends, *ends, steps)
