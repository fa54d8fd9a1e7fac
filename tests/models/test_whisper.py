"""Whisper's encoder: its file is read, and it computes what PyTorch's own transformer computes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from swaptalk.errors import InputError  # noqa: E402
from swaptalk.models.whisper import (  # noqa: E402
    BANDS,
    FEATURES,
    HEADS,
    LAYERS,
    LONGEST_SECONDS,
    WIDTH,
    WhisperEncoder,
    read_ctranslate2,
    whisper_mel,
)


def write_ctranslate2(path: Path, variables: dict[str, np.ndarray]) -> None:
    """A model file of CTranslate2, version 6."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    kinds = {np.dtype(np.float32): 0, np.dtype(np.float16): 4}
    with path.open("wb") as file:
        file.write(struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<I", 3))
        file.write(struct.pack("<I", len(variables)))
        for name, values in variables.items():
            file.write(text(name) + struct.pack("<B", values.ndim))
            file.write(struct.pack(f"<{values.ndim}I", *values.shape))
            file.write(struct.pack("<BI", kinds[values.dtype], values.nbytes) + values.tobytes())


def random_weights() -> dict[str, np.ndarray]:
    """Weights of the right names and shapes."""
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "conv1/weight": (WIDTH, BANDS, 3),
        "conv1/bias": (WIDTH,),
        "conv2/weight": (WIDTH, WIDTH, 3),
        "conv2/bias": (WIDTH,),
        "layer_norm/gamma": (WIDTH,),
        "layer_norm/beta": (WIDTH,),
        "position_encodings/encodings": (1500, WIDTH),
    }
    for layer in range(LAYERS):
        for place, wide in (("self_attention", 3), ("ffn", 4)):
            shapes |= {
                f"layer_{layer}/{place}/layer_norm/gamma": (WIDTH,),
                f"layer_{layer}/{place}/layer_norm/beta": (WIDTH,),
                f"layer_{layer}/{place}/linear_0/weight": (wide * WIDTH, WIDTH),
                f"layer_{layer}/{place}/linear_0/bias": (wide * WIDTH,),
                f"layer_{layer}/{place}/linear_1/weight": (
                    (WIDTH, WIDTH) if wide == 3 else (WIDTH, 4 * WIDTH)
                ),
                f"layer_{layer}/{place}/linear_1/bias": (WIDTH,),
            }
    return {
        f"encoder/{name}": (rng.standard_normal(shape, np.float32) * 0.04).astype(np.float16)
        + np.float16("gamma" in name)
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whisper") / "model.bin"
    write_ctranslate2(path, random_weights())
    return path


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    written = {"a/b": np.arange(6, dtype=np.float16).reshape(2, 3), "c": np.ones(4, np.float32)}
    write_ctranslate2(path, written)
    found = read_ctranslate2(path)
    assert list(found) == list(written)
    assert all(np.array_equal(found[name], written[name]) for name in written)


@pytest.mark.parametrize("content", [b"", b"PK\3\4 something else", b"\6\0\0\0\4\0abc\0"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no model file of CTranslate2"):
        read_ctranslate2(path)


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.bin"
    write_ctranslate2(path, {"encoder/conv1/weight": np.zeros((384, 80, 3), np.float16)})
    with pytest.raises(InputError, match="encoder of the size 'base'"):
        WhisperEncoder(path)


def test_layers_are_those_of_a_transformer(file: Path) -> None:
    encoder = WhisperEncoder(file)
    layer: Any = encoder.layers[2]
    wanted = nn.TransformerEncoderLayer(
        WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True
    ).eval()
    wanted.self_attn.in_proj_weight.data = layer.projection.weight.data
    wanted.self_attn.in_proj_bias.data = layer.projection.bias.data
    for name, module in (
        ("self_attn.out_proj", layer.attention_output),
        ("linear1", layer.wide),
        ("linear2", layer.narrow),
        ("norm1", layer.attention_norm),
        ("norm2", layer.network_norm),
    ):
        wanted.get_submodule(name).load_state_dict(module.state_dict())
    x = torch.randn(2, 30, WIDTH, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(layer(x), wanted(x), atol=1e-4, rtol=1e-4)


def test_every_40_ms_have_features_however_long_the_sound_is(file: Path) -> None:
    encoder = WhisperEncoder(file)
    rng = np.random.default_rng(1)
    sound = (rng.standard_normal((LONGEST_SECONDS + 1) * 16000 + 10) * 0.1).astype(np.float32)
    heard = encoder.hear(sound)
    assert heard.shape == ((LONGEST_SECONDS + 1) * 25 + 1, FEATURES)
    assert np.isfinite(heard).all() and heard.astype(np.float32).std() > 0.1
    first = encoder.hear(sound[: LONGEST_SECONDS * 16000])
    np.testing.assert_array_equal(heard[: len(first)], first)
    assert encoder.hear(sound[:0]).shape == (0, FEATURES)


def test_the_spectrogram_finds_a_tone_and_does_not_depend_on_loudness() -> None:
    time = np.arange(16000) / 16000
    low, high = (whisper_mel(0.3 * np.sin(2 * np.pi * hertz * time)) for hertz in (300, 3000))
    assert low.shape == (100, BANDS) and low.max() - low.min() <= 2 + 1e-6
    assert low[50].argmax() < 12 and high[50].argmax() > 45
    quiet = whisper_mel(0.03 * np.sin(2 * np.pi * 300 * time))
    np.testing.assert_allclose(low[50] - quiet[50], 0.5, atol=0.01)  # 20 dB are half a unit
