"""The networks as ONNX Runtime sees them: each graph's inputs and outputs, in PyTorch, ready for
export.

Pictures cross the border as uint8 (N, 256, 256, 3), so that scaling and layout run inside the
graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from swaptalk.models.audio import MelEncoder
from swaptalk.models.lipsync import LipSync
from swaptalk.models.restoration import RestorationNetwork
from swaptalk.models.swap import MASK_DETAIL, SwapTransformer
from swaptalk.models.vqgan import VQGAN


class EncoderGraph(nn.Module):
    """Faces uint8 (N, 256, 256, 3) -> latents (N, C, 16, 16)."""

    def __init__(self, vqgan: VQGAN) -> None:
        super().__init__()
        self.vqgan = vqgan

    def forward(self, faces: Tensor) -> Tensor:
        """Scale faces uint8 (N, 256, 256, 3) to [-1, 1] and encode both halves."""
        return self.vqgan.encode(faces.permute(0, 3, 1, 2).float() / 127.5 - 1.0)


class DecoderGraph(nn.Module):
    """Latents (N, C, 16, 16) -> faces uint8 (N, 256, 256, 3)."""

    def __init__(self, vqgan: VQGAN) -> None:
        super().__init__()
        self.vqgan = vqgan

    def forward(self, latents: Tensor) -> Tensor:
        """Decode latents (N, C, 16, 16), scale to 0..255 and round."""
        faces = self.vqgan.decode(latents) * 127.5 + 127.5
        return faces.round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8)


class IdentityGraph(nn.Module):
    """Source latents (K, C, 16, 16) -> keys and values (layers, 1, heads, K * 256, width /
    heads).
    """

    def __init__(self, swap: SwapTransformer) -> None:
        super().__init__()
        self.swap = swap

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """What the source's latents (K, C, 16, 16) contribute to every frame."""
        return self.swap.identity(source)


class SwapGraph(nn.Module):
    """Composite latents, mask, keys, values, strength () -> swapped latents."""

    def __init__(self, swap: SwapTransformer) -> None:
        super().__init__()
        self.swap = swap

    def forward(
        self, composite: Tensor, mask: Tensor, keys: Tensor, values: Tensor, strength: Tensor
    ) -> Tensor:
        """Correct; ``strength`` 0 leaves the composite, 1 is the full change."""
        return composite + strength * (self.swap.swap(composite, mask, keys, values) - composite)


class RestorationGraph(nn.Module):
    """Decoded, restored and real faces uint8 (N, 256, 256, 3), mask uint8 (N, 256, 256) -> faces
    uint8.
    """

    def __init__(self, restoration: RestorationNetwork) -> None:
        super().__init__()
        self.restoration = restoration

    def forward(self, face: Tensor, restored: Tensor, guide: Tensor, mask: Tensor) -> Tensor:
        """Scale to [-1, 1] and the mask to 0..1, restore, scale back and round."""
        pictures = [
            one.permute(0, 3, 1, 2).float() / 127.5 - 1.0 for one in (face, restored, guide)
        ]
        made: Tensor = self.restoration(*pictures, mask[:, None].float() / 255.0) * 127.5 + 127.5
        return made.round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8)


def restoration_spec() -> GraphSpec:
    """The graph of the restoration network."""
    faces = torch.randint(0, 256, (2, 256, 256, 3), dtype=torch.uint8)
    batch = {0: "batch"}
    inputs = {
        "face": faces,
        "restored": faces.clone(),
        "guide": faces.clone(),
        "mask": faces[..., 0],
    }
    return GraphSpec(
        "restoration", RestorationGraph, inputs, ("faces",), dict.fromkeys(inputs, batch)
    )


@dataclass(frozen=True)
class GraphSpec:
    """One ONNX graph: which weights file it reads, its module, example inputs, names, and the axes
    that vary.
    """

    weights: str
    build: Callable[[Any], nn.Module]
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    dynamic: dict[str, dict[int, str]]


def graph_specs(
    vqgan: VQGAN, swap: SwapTransformer, lipsync: LipSync, audio: MelEncoder
) -> dict[str, GraphSpec]:
    """All run-time graphs by name. The networks only give the shapes of the example inputs."""
    c, grid = swap.config.latent_channels, swap.config.grid
    latents = torch.randn(2, c, grid, grid)
    with torch.no_grad():
        keys, values = swap.identity(torch.randn(2, c, grid, grid))
    mask = torch.rand(2, 1, MASK_DETAIL * grid, MASK_DETAIL * grid)
    motion = torch.randn(2, lipsync.config.motion_window, lipsync.config.motion_channels)
    batch = {0: "batch"}
    faces = torch.randint(0, 256, (2, 256, 256, 3), dtype=torch.uint8)
    source_tokens = {3: "source_tokens"}
    return {
        "encoder": GraphSpec(
            "vqgan", EncoderGraph, {"faces": faces}, ("latents",), {"faces": batch}
        ),
        "decoder": GraphSpec(
            "vqgan", DecoderGraph, {"latents": latents}, ("faces",), {"latents": batch}
        ),
        "identity": GraphSpec(
            "swap",
            IdentityGraph,
            {"source": latents},
            ("keys", "values"),
            {"source": {0: "photos"}},
        ),
        "swap": GraphSpec(
            "swap",
            SwapGraph,
            {
                "composite": latents,
                "mask": mask,
                "keys": keys,
                "values": values,
                "strength": torch.tensor(1.0),
            },
            ("latents",),
            {"composite": batch, "mask": batch, "keys": source_tokens, "values": source_tokens},
        ),
        "lipsync": GraphSpec(
            "lipsync",
            lambda module: module,
            {"target": latents, "reference": latents.flip(0), "motion": motion},
            ("latents",),
            {"target": batch, "reference": batch, "motion": batch},
        ),
        "motion": GraphSpec(
            "audio",
            lambda module: module,
            {"mel": torch.randn(1, 40, 80)},
            ("motion",),
            {"mel": {1: "mel_frames"}},
        ),
    }
