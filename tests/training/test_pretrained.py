"""Networks survive the way to disk and back, in full precision in a run and in fp16 in a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from swaptalk.errors import InputError  # noqa: E402
from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS  # noqa: E402
from swaptalk.models.audio import AudioConfig, MelEncoder  # noqa: E402
from swaptalk.models.expert import ExpertConfig, VQLipExpert  # noqa: E402
from swaptalk.models.lipsync import LipSync, LipSyncConfig  # noqa: E402
from swaptalk.models.swap import SwapConfig, SwapTransformer  # noqa: E402
from swaptalk.models.vqgan import VQGAN, VQGANConfig  # noqa: E402
from swaptalk.models.weights import load_weights, save_weights  # noqa: E402
from swaptalk.training.checkpoint import (  # noqa: E402
    Checkpoint,
    full_state,
    load_full_state,
    save_checkpoint,
    write_config,
)
from swaptalk.training.options import to_json  # noqa: E402
from swaptalk.training.pretrained import fingerprint, load_network  # noqa: E402
from swaptalk.training.stages.swap_options import SwapOptions  # noqa: E402

Z = torch.randn(2, 16, 16, 16, generator=torch.Generator().manual_seed(0))
MASK = torch.linspace(0, 1, 2 * 64 * 64).reshape(2, 1, 64, 64)
SMALL = {
    "vqgan": (
        lambda: VQGAN(
            VQGANConfig(
                encoder_widths=(8, 8, 8),
                encoder_blocks=(1, 1, 1),
                decoder_widths=(8, 8, 8),
                decoder_blocks=(1, 1, 1),
                latent_channels=16,
                codebook_size=32,
            )
        ),
        lambda m: m.decode(m.quantizer.decode(m.quantizer.encode(Z))),
    ),
    "swap": (
        lambda: SwapTransformer(SwapConfig(16, width=16, layers=2, heads=2)),
        lambda m: m(Z, MASK, Z.flip(0)),
    ),
    "lipsync": (
        lambda: LipSync(LipSyncConfig(16, warp_width=8, widths=(8, 16), token_width=8, heads=2)),
        lambda m: m(Z, Z.flip(0), torch.ones(2, 5, MOTION_CHANNELS)),
    ),
    "audio": (lambda: MelEncoder(AudioConfig(width=16)), lambda m: m(torch.ones(1, 40, 80))),
    "expert": (
        lambda: VQLipExpert(ExpertConfig(16, width=8, audio_width=8, embedding=8)),
        lambda m: m(torch.ones(2, 5, 16, 8, 16), torch.ones(2, 36, 80)),
    ),
}


def lively(make: Any, seed: int = 0) -> nn.Module:
    """A network in which every weight matters: what starts at zero is filled."""
    torch.manual_seed(seed)
    network: nn.Module = make().eval()
    for parameter in network.parameters():
        if not parameter.abs().sum():
            nn.init.normal_(parameter, std=0.05)
    return network


@pytest.mark.parametrize("name", list(SMALL))
@torch.no_grad()
def test_bundle_weights_round_trip(name: str, tmp_path: Path) -> None:
    make, use = SMALL[name]
    first, second = lively(make), lively(make, seed=1)
    assert not torch.allclose(use(first), use(second), atol=1e-3)
    save_weights(first, tmp_path / "weights.safetensors")
    load_weights(second, tmp_path / "weights.safetensors")
    rounded = lively(make)
    for value in (*rounded.parameters(), *rounded.buffers()):
        if value.is_floating_point():
            value.copy_(value.half())
    assert torch.equal(use(second), use(rounded))  # nothing but the rounding to fp16 has changed
    if name != "vqgan":  # where rounding may tip a code over
        assert float((use(first) - use(second)).abs().max()) < 5e-3


@pytest.mark.parametrize("name", list(SMALL))
@torch.no_grad()
def test_checkpoints_keep_every_bit(name: str) -> None:
    make, use = SMALL[name]
    first, second = lively(make), lively(make, seed=1)
    load_full_state(second, {key: value.clone() for key, value in full_state(first).items()})
    assert torch.equal(use(first), use(second))
    assert fingerprint(first) == fingerprint(second)
    next(iter(second.parameters())).flatten()[0] += 1e-4
    assert fingerprint(first) != fingerprint(second)


def test_a_run_gives_its_averaged_network(tmp_path: Path) -> None:
    make, _ = SMALL["swap"]
    trained, average = lively(make), lively(make, seed=1)
    options = SwapOptions(out=tmp_path, steps=1, model=trained.config)
    write_config(tmp_path, "swap", to_json(options))
    with pytest.raises(InputError, match="holds no checkpoint yet"):
        load_network("swap", tmp_path)
    state = Checkpoint(
        1, networks={"swap": full_state(trained)}, averages={"swap": full_state(average)}
    )
    save_checkpoint(tmp_path, state)
    loaded = load_network("swap", tmp_path)
    assert fingerprint(loaded) == fingerprint(average)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    with pytest.raises(InputError, match="is a run of stage swap"):
        load_network("vqgan", tmp_path)
    with pytest.raises(InputError, match="not a readable JSON file"):
        load_network("vqgan", tmp_path / "nowhere")


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="another network"):
        load_full_state(nn.Linear(2, 2), {"weight": torch.zeros(2, 2)})
    with pytest.raises(ValueError, match="bias has shape"):
        load_full_state(nn.Linear(2, 2), {"weight": torch.zeros(2, 2), "bias": torch.zeros(3)})
