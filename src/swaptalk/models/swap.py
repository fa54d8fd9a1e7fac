"""Face swapping in VQ-embedding space: a transformer that corrects the embedding of the classical
composite.

The paper's module takes the target's embedding as query and learns to transport the source's
texture by attention. Here geometry has transported it already: the query is the embedding of
`swaptalk.faces.editing.face_composite`, the result is added to it and starts at zero, so that
untrained weights give the classical swap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from swaptalk.models.attention import CrossAttention
from swaptalk.models.blocks import start_at_zero

#: Reach, in grid positions, of the first and the last head when training starts; the others lie
#: between.
NEAREST_REACH, FARTHEST_REACH = 0.7, 8.0
#: Least attention bias at the start: a weight of 1/400 against the nearest place.
LOWEST_BIAS = -6.0
#: The composite's mask is given this many times finer than the grid, as further channels of each
#: position: seams run through positions.
MASK_DETAIL = 4


@dataclass(frozen=True)
class SwapConfig:
    """Shape of the swap transformer. The defaults cost 1.4 GFLOP a frame, the source's part not
    counted (kept).
    """

    latent_channels: int = 64
    """Width of the autoencoder's embeddings."""
    grid: int = 16
    """Positions a side of the embedding grid."""
    width: int = 256
    """Width of a token."""
    layers: int = 5
    """Layers of cross-attention to the source and a feed-forward network."""
    heads: int = 8
    """Attention heads of each layer."""
    expansion: int = 2
    """Width of the feed-forward layers relative to ``width``."""
    mask: bool = True
    """Whether the query knows the composite's mask: where the source and the seams are."""
    source: bool = True
    """Whether the layers attend to the source; without it they only mix neighbouring positions."""


def offset_index(grid: int) -> Tensor:
    """Number of the offset between every target and every source position: (L, L) int64 in 0..(2
    grid - 1)^2 - 1.
    """
    place = torch.arange(grid)
    step = place[:, None] - place[None, :] + grid - 1
    index = step[:, None, :, None] * (2 * grid - 1) + step[None, :, None, :]
    return index.reshape(grid**2, grid**2)


class PositionBias(nn.Module):
    """Learned attention bias for every offset between a target and a source position, one table a
    head.

    Both faces are aligned, so what a target position needs stands near the same position of the
    source. The tables start as Gaussians around it, from narrow to wide; without them the attention
    stayed flat for hundreds of steps.
    """

    def __init__(self, grid: int, heads: int) -> None:
        super().__init__()
        offset = torch.arange(1 - grid, grid, dtype=torch.float32)
        distance = offset[:, None] ** 2 + offset[None, :] ** 2
        reach = torch.logspace(math.log10(NEAREST_REACH), math.log10(FARTHEST_REACH), heads)
        # Bounded, so that no place is out of reach of the gradient.
        self.table = nn.Parameter(
            (-distance.flatten()[None] / (2 * reach[:, None] ** 2)).clamp(min=LOWEST_BIAS)
        )

    def forward(self, index: Tensor, photos: int) -> Tensor:
        """Bias (heads, L, photos * L) from `offset_index`, for a source of so many photos following
        each other.
        """
        return self.table[:, index].repeat(1, 1, photos)


class MixedFeedForward(nn.Module):
    """Feed-forward network that looks at the 3 x 3 neighbours between its layers (Xie et al. 2021,
    arXiv 2105.15203).

    Seams and light are matters of neighbourhood, which attention to the source alone does not see.
    """

    def __init__(self, width: int, hidden: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.enter = nn.Linear(width, hidden)
        self.mix = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.leave = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, width) -> (N, L, width)."""
        hidden = self.enter(x)
        field = hidden.transpose(1, 2).reshape(x.shape[0], -1, self.grid, self.grid)
        mixed = hidden + self.mix(field).flatten(2).transpose(1, 2)
        result: Tensor = self.leave(F.relu(mixed))
        return result


class SwapLayer(nn.Module):
    """Multi-head attention (Q composite; K, V source) and a feed-forward network, each added to its
    input.

    The paper draws "add & norm"; we normalise the input of each branch instead (Xiong et al. 2020,
    arXiv 2002.04745), which trains without a long warm-up. Our choice.
    """

    def __init__(self, config: SwapConfig) -> None:
        super().__init__()
        self.norm_query = nn.LayerNorm(config.width)
        self.norm_source = nn.LayerNorm(config.width)
        self.attention = CrossAttention(config.width, config.width, config.heads)
        self.bias = PositionBias(config.grid, config.heads)
        self.norm_feed = nn.LayerNorm(config.width)
        self.feed = MixedFeedForward(config.width, config.width * config.expansion, config.grid)

    def context(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of source tokens (N, S, width)."""
        return self.attention.context(self.norm_source(source))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, index: Tensor) -> Tensor:
        """(N, L, width) tokens, the source's keys and values, `offset_index` -> (N, L, width)."""
        bias = self.bias(index, key.shape[2] // query.shape[1])
        result: Tensor = query + self.attention.attend(self.norm_query(query), key, value, bias)
        return result

    def forward(self, query: Tensor) -> Tensor:
        """Feed-forward part: (N, L, width) -> (N, L, width)."""
        result: Tensor = query + self.feed(self.norm_feed(query))
        return result


class SwapTransformer(nn.Module):
    """Corrects the latents of a composite of source and target (paper, "Face swapping module").

    Tokens are Linear(embedding) + position embedding + semantic embedding; the semantic embedding
    tells composite from source and upper from lower half. The last Linear adds to the composite's
    embedding; its result is not re-quantised.
    """

    offsets: Tensor

    def __init__(self, config: SwapConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SwapConfig()
        tokens = config.grid**2
        self.embed = nn.Linear(config.latent_channels, config.width)
        self.embed_mask = (
            nn.Linear(MASK_DETAIL**2, config.width, bias=False) if config.mask else None
        )
        self.position = nn.Parameter(torch.randn(1, tokens, config.width) * 0.02)
        # Rows: composite upper, composite lower, source upper, source lower.
        self.semantic = nn.Parameter(torch.randn(4, 1, config.width) * 0.02)
        self.register_buffer("offsets", offset_index(config.grid), persistent=False)
        self.layers = nn.ModuleList(SwapLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, config.latent_channels)
        start_at_zero(self.output)

    def tokens(self, latents: Tensor, source: bool) -> Tensor:
        """Tokens (N, 256, width) of latents (N, C, 16, 16) of a source or a composite."""
        flat = self.embed(latents.flatten(2).transpose(1, 2))
        half = flat.shape[1] // 2
        kind = self.semantic[2:] if source else self.semantic[:2]
        meaning = torch.cat([kind[0].expand(half, -1), kind[1].expand(half, -1)])
        tokens: Tensor = flat + self.position + meaning
        return tokens

    def identity(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """What the source contributes, computed once for a whole scene.

        Args:
            source: latents (K, C, 16, 16) of K photos of one person; the composite attends to all
                of them together.

        Returns:
            Keys and values, each (layers, 1, heads, K * 256, width / heads).
        """
        tokens = self.tokens(source, source=True).reshape(1, -1, self.config.width)
        pairs = [layer.context(tokens) for layer in self.layers]  # type: ignore[operator]
        return torch.stack([k for k, _ in pairs]), torch.stack([v for _, v in pairs])

    def swap(self, composite: Tensor, mask: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Corrected latents (N, C, 16, 16).

        Args:
            composite: latents (N, C, 16, 16) of composites.
            mask: (N, 1, 64, 64) in 0..1, where they show the source.
            keys: of `identity`.
            values: of `identity`.
        """
        return self._correct(composite, mask, list(zip(keys, values, strict=True)))

    def forward(self, composite: Tensor, mask: Tensor, source: Tensor) -> Tensor:
        """Latents and masks as in `swap`, each with its own source's latents (N, C, 16, 16)."""
        tokens = self.tokens(source, source=True)
        pairs = [layer.context(tokens) for layer in self.layers]  # type: ignore[operator]
        return self._correct(composite, mask, pairs)

    def _fine(self, mask: Tensor) -> Tensor:
        """Mask (N, 1, 64, 64) as the values (N, 256, 16) of each position of the grid, row by
        row.
        """
        grid, detail = self.config.grid, MASK_DETAIL
        blocks = mask.reshape(-1, grid, detail, grid, detail).permute(0, 1, 3, 2, 4)
        return blocks.reshape(-1, grid**2, detail**2)

    def _correct(
        self, composite: Tensor, mask: Tensor, pairs: list[tuple[Tensor, Tensor]]
    ) -> Tensor:
        x = self.tokens(composite, source=False)
        if self.embed_mask is not None:
            x = x + self.embed_mask(self._fine(mask))
        for layer, (key, value) in zip(self.layers, pairs, strict=True):
            if self.config.source:
                x = layer.attend(x, key, value, self.offsets)  # type: ignore[operator]
            x = layer(x)
        change: Tensor = self.output(self.norm(x))
        return composite + change.transpose(1, 2).reshape(composite.shape)
