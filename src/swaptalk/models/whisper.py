"""The encoder of Whisper, rebuilt in PyTorch: what a speech recogniser makes of sound, for the mel
encoder to learn from.

Whisper (Radford et al. 2022, arXiv 2212.04356, section 2.2) learned from 680,000 hours of speech in
many languages. Only training reads its weights; the program does without them.
"""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from swaptalk.errors import InputError
from swaptalk.media.mel import SAMPLE_RATE, triangular_filters

#: Its spectrogram: samples of a window and of a step, bands up to half the sampling rate.
WINDOW, STEP, BANDS = 400, 160, 80
#: Least power of a band, and decades below the loudest band that are told apart.
LEAST_POWER, DECADES = 1e-10, 8.0
#: Layers, width and heads of the size "base".
LAYERS, WIDTH, HEADS = 6, 512, 8
#: Layer from whose output half of the features come; the others are those of the last one.
MIDDLE_LAYER = 4
#: Width of the features of 40 ms: the mean of two steps of the middle layer, and both steps of the
#: last one.
FEATURES = 3 * WIDTH
#: Longest sound in seconds that is heard at once; the positions end at 30.
LONGEST_SECONDS = 28
#: Samples of a feature.
FEATURE_SAMPLES = SAMPLE_RATE // 25
_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


@cache
def _filters() -> NDArray[np.float32]:
    return triangular_filters(BANDS, 0, SAMPLE_RATE / 2, WINDOW).astype(np.float32)


def whisper_mel(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """Whisper's log-mel of a recording.

    Args:
        samples: (n,) at 16 kHz in [-1, 1].

    Returns:
        (ceil(n / 160), 80) float32, at most 2 from the lowest to the highest value.
    """
    steps = -(-len(samples) // STEP)
    padded = np.pad(np.asarray(samples, np.float32), (WINDOW // 2, WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP][:steps]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(frames * window.astype(np.float32), axis=1)) ** 2
    log = np.log10(np.maximum(power.astype(np.float32) @ _filters(), LEAST_POWER))
    return np.asarray((np.maximum(log, log.max() - DECADES) + 4) / 4, np.float32)


def read_ctranslate2(path: Path) -> dict[str, NDArray[np.generic]]:
    """Variables by name of a model file of CTranslate2 (version 6 of its format).

    Raises:
        InputError: it is something else, or damaged.
    """
    data = path.read_bytes()
    position = 0

    def number(kind: str) -> int:
        nonlocal position
        (value,) = struct.unpack_from(f"<{kind}", data, position)
        position += struct.calcsize(f"<{kind}")
        return int(value)

    def text() -> str:
        nonlocal position
        length = number("H")
        position += length
        return data[position - length : position - 1].decode()

    variables: dict[str, NDArray[np.generic]] = {}
    try:
        number("I"), text(), number("I")  # format, name and version of the model's kind
        for _ in range(number("I")):
            name = text()
            shape = [number("I") for _ in range(number("B"))]
            kind, length = np.dtype(_TYPES[number("B")]), number("I")
            values = np.frombuffer(data, kind, length // kind.itemsize, position)
            variables[name] = values.reshape(shape)
            position += length
    except (struct.error, ValueError, KeyError) as error:
        raise InputError(
            f"is no model file of CTranslate2 ({type(error).__name__})",
            path=path,
            remedy="fetch it again with 'swaptalk models pull'",
        ) from error
    return variables


class _Layer(nn.Module):
    """Attention among all steps, then a network for each; (N, T, WIDTH) -> the same."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.projection = nn.Linear(WIDTH, 3 * WIDTH)
        self.attention_output = nn.Linear(WIDTH, WIDTH)
        self.network_norm = nn.LayerNorm(WIDTH)
        self.wide = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, _ = x.shape
        parts = self.projection(self.attention_norm(x)).view(batch, steps, 3, HEADS, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        x = x + self.attention_output(mixed.reshape(batch, steps, WIDTH))
        result: Tensor = x + self.narrow(F.gelu(self.wide(self.network_norm(x))))
        return result


class WhisperEncoder(nn.Module):
    """Whisper's encoder of the size "base", frozen.

    Args:
        path: the pinned file ``whisper-base``.

    Raises:
        InputError: the file holds something else.
    """

    positions: Tensor

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.first = nn.Conv1d(BANDS, WIDTH, 3, padding=1)
        self.second = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        weights = read_ctranslate2(path)
        places = {
            "conv1": self.first,
            "conv2": self.second,
            "layer_norm": self.norm,
            **{
                f"layer_{number}/{place}": getattr(layer, name)
                for number, layer in enumerate(self.layers)
                for place, name in (
                    ("self_attention/layer_norm", "attention_norm"),
                    ("self_attention/linear_0", "projection"),
                    ("self_attention/linear_1", "attention_output"),
                    ("ffn/layer_norm", "network_norm"),
                    ("ffn/linear_0", "wide"),
                    ("ffn/linear_1", "narrow"),
                )
            },
        }
        try:
            for place, module in places.items():
                norm = isinstance(module, nn.LayerNorm)
                for name, key in (
                    ("weight", "gamma" if norm else "weight"),
                    ("bias", "beta" if norm else "bias"),
                ):
                    _set(getattr(module, name), weights[f"encoder/{place}/{key}"])
            positions = weights["encoder/position_encodings/encodings"]
        except (KeyError, ValueError) as error:
            raise InputError(
                "does not hold Whisper's encoder of the size 'base'",
                path=path,
                remedy="name the file 'whisper-base'",
            ) from error
        self.register_buffer("positions", torch.from_numpy(positions.astype(np.float32)))
        self.eval().requires_grad_(False)

    def forward(self, mel: Tensor) -> Tensor:
        """(N, 4 T, 80) of `whisper_mel`, at most `LONGEST_SECONDS`, -> features (N, T, FEATURES) of
        40 ms each.
        """
        x = F.gelu(self.first(mel.transpose(1, 2)))
        x = F.gelu(self.second(x)).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        middle = x
        for number, layer in enumerate(self.layers, 1):
            x = layer(x)
            if number == MIDDLE_LAYER:
                middle = x
        batch, steps, _ = x.shape
        mean = middle.view(batch, steps // 2, 2, WIDTH).mean(dim=2)
        return torch.cat([mean, self.norm(x).reshape(batch, steps // 2, 2 * WIDTH)], dim=2)

    def hear(self, samples: NDArray[np.floating]) -> NDArray[np.float16]:
        """Features (ceil(n / 640), FEATURES) of a recording (n,) at 16 kHz of any length; silence
        fills up the last one.
        """
        count = -(-len(samples) // FEATURE_SAMPLES)
        whole = np.pad(samples, (0, count * FEATURE_SAMPLES - len(samples)))
        block = LONGEST_SECONDS * SAMPLE_RATE
        parts = []
        for begin in range(0, len(whole), block):
            mel = torch.from_numpy(whisper_mel(whole[begin : begin + block]))[None]
            with torch.inference_mode():
                parts.append(self(mel)[0].numpy().astype(np.float16))
        return np.concatenate(parts) if parts else np.zeros((0, FEATURES), np.float16)


def _set(parameter: Tensor, values: NDArray[np.generic]) -> None:
    """Fill a parameter.

    Raises:
        ValueError: the values have another shape.
    """
    if parameter.shape != values.shape:
        raise ValueError(f"{values.shape} instead of {tuple(parameter.shape)}")
    parameter.data = torch.from_numpy(values.astype(np.float32))
