"""SFace, the face recogniser of the identity losses, rebuilt in PyTorch so that gradients flow
through it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.recognition_crop import INPUT_SIZE, crop_to_recognition


def _sampling_grid() -> Tensor:
    """(1, 112, 112, 2) grid for `F.grid_sample` that cuts the recognition crop out of the aligned
    crop.
    """
    matrix = crop_to_recognition()
    scale, offset = matrix[0, 0], matrix[:, 2]
    pixel = torch.arange(INPUT_SIZE, dtype=torch.float64)
    x, y = ((pixel - offset[0]) / scale, (pixel - offset[1]) / scale)
    x, y = ((2 * axis + 1) / CROP_SIZE - 1 for axis in (x, y))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None].float()


def _dequantized(graph: onnx.GraphProto) -> dict[str, NDArray[np.float32]]:
    """All weights of the block-quantised graph as float32, by the name the computing nodes use."""
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    values: dict[str, NDArray[np.float32]] = {
        k: v for k, v in stored.items() if v.dtype == np.float32
    }
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            attributes = {a.name: a.i for a in node.attribute}
            integers, scales, zeros = (stored[name].astype(np.float32) for name in node.input)
            axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
            if block and scales.ndim:
                length = integers.shape[axis]
                scales, zeros = (
                    np.repeat(a, block, axis=axis).take(range(length), axis=axis)
                    for a in (scales, zeros)
                )
            values[node.output[0]] = (integers - zeros) * scales
        elif node.op_type == "Reshape" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]].reshape(stored[node.input[1]])
    return values


class SFace(nn.Module):
    """OpenCV Zoo's SFace (Zhong et al. 2021, arXiv 2010.12085): faces -> 128-d identity directions.
    Frozen.

    Args:
        path: ``face_recognition_sface_2021dec_int8bq.onnx``.
    """

    grid: Tensor

    def __init__(self, path: Path) -> None:
        super().__init__()
        graph = onnx.load(str(path)).graph
        weights = {k: torch.from_numpy(np.array(v)) for k, v in _dequantized(graph).items()}
        layers: list[nn.Module] = []
        for node in graph.node:
            layer = self._layer(node, weights)
            if layer is not None:
                layers.append(layer)
        self.layers = nn.Sequential(*layers)
        self.register_buffer("grid", _sampling_grid(), persistent=False)
        self.requires_grad_(False)
        self.eval()

    @staticmethod
    def _layer(node: onnx.NodeProto, weights: dict[str, Tensor]) -> nn.Module | None:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv":
            weight = weights[node.input[1]]
            groups = attributes.get("group", 1)
            conv = nn.Conv2d(
                weight.shape[1] * groups,
                weight.shape[0],
                int(weight.shape[-1]),
                int(attributes.get("strides", (1, 1))[0]),
                int(attributes.get("pads", (0, 0, 0, 0))[0]),
                groups=groups,
                bias=len(node.input) > 2,
            )
            conv.weight.data = weight
            if conv.bias is not None:
                conv.bias.data = weights[node.input[2]]
            return conv
        if node.op_type == "BatchNormalization":
            scale, shift, mean, variance = (weights[name] for name in node.input[1:])
            return _Affine(scale, shift, mean, variance, attributes.get("epsilon", 1e-5))
        if node.op_type == "PRelu":
            prelu = nn.PReLU(weights[node.input[1]].numel())
            prelu.weight.data = weights[node.input[1]].flatten()
            return prelu
        if node.op_type == "Flatten":
            return nn.Flatten()
        if node.op_type == "Gemm":
            weight = weights[node.input[1]]
            weight = weight if attributes.get("transB", 0) else weight.T.contiguous()
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            linear.weight.data, linear.bias.data = weight, weights[node.input[2]]
            return linear
        return None

    def embed_aligned(self, crops: Tensor) -> Tensor:
        """Directions (N, 128), unit length, of 112 px recognition crops (N, 3, 112, 112) RGB in
        [-1, 1].
        """
        # The network subtracts 127.5 and divides by 128 itself; its input is 0..255.
        return F.normalize(self.layers(crops * (127.5 / 128.0)).float(), dim=1)

    def forward(self, faces: Tensor) -> Tensor:
        """Directions (N, 128), unit length, of aligned faces (N, 3, 256, 256) RGB in [-1, 1]."""
        # Averaging 2 x 2 first keeps the shrinking from aliasing; the grid then reads at about half
        # resolution.
        shrunk = F.avg_pool2d(faces.float(), 2)
        grid = self.grid.expand(len(faces), -1, -1, -1)
        crops = F.grid_sample(
            shrunk, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        return self.embed_aligned(crops)


class _Affine(nn.Module):
    """Batch normalisation with fixed statistics, as one multiplication and one addition."""

    scale: Tensor
    shift: Tensor

    def __init__(
        self, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, epsilon: float
    ) -> None:
        super().__init__()
        factor = scale / torch.sqrt(variance + epsilon)
        self.register_buffer("scale", factor)
        self.register_buffer("shift", shift - mean * factor)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) or (N, C, H, W) -> the same shape."""
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return x * self.scale.view(shape) + self.shift.view(shape)
