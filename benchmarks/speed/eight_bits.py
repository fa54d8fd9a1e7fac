"""Graphs in eight bits, to compare with what SwapTalk uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, batches: Sequence[dict[str, NDArray[Any]]]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._batches, None)


def eight_bits(path: Path, folder: Path, calibration: Sequence[dict[str, NDArray[Any]]]) -> Path:
    """Quantise a graph's convolutions (QDQ form, a scale for each channel of the weights) but for
    the first and the last one.

    Args:
        path: the ONNX file.
        folder: where the new file is written.
        calibration: inputs that show the range of every layer.
    """
    whole, ready, made = (
        folder / f"{path.stem}-{kind}.onnx" for kind in ("whole", "ready", "int8")
    )
    onnx.save(onnx.load(str(path)), str(whole))
    quant_pre_process(str(whole), str(ready), skip_symbolic_shape=True)
    convolutions = [n.name for n in onnx.load(str(ready)).graph.node if n.op_type == "Conv"]
    quantize_static(
        str(ready),
        str(made),
        _Calibration(calibration),
        per_channel=True,
        nodes_to_quantize=convolutions[1:-1],
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return made
