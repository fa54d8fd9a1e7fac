"""Face swapping in VQ-embedding space: a transformer whose queries are the target's, keys and
values the source's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swaptalk.models.attention import CrossAttention
from swaptalk.models.blocks import start_at_zero

#: Reach, in grid positions, of the first and the last head when training starts; the others lie
#: between.
NEAREST_REACH, FARTHEST_REACH = 0.7, 8.0
#: Least attention bias at the start: a weight of 1/400 against the nearest place.
LOWEST_BIAS = -6.0


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
    """Cross-attention layers."""
    heads: int = 8
    """Attention heads of each layer."""
    expansion: int = 2
    """Width of the feed-forward layers relative to ``width``."""


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


class SwapLayer(nn.Module):
    """Multi-head attention (Q target; K, V source) and a feed-forward network, each added to its
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
        hidden = config.width * config.expansion
        self.feed = nn.Sequential(
            nn.Linear(config.width, hidden), nn.ReLU(), nn.Linear(hidden, config.width)
        )

    def context(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of source tokens (N, S, width)."""
        return self.attention.context(self.norm_source(source))

    def forward(self, target: Tensor, key: Tensor, value: Tensor, index: Tensor) -> Tensor:
        """(N, L, width) target tokens, the source's keys and values, `offset_index` -> (N, L,
        width).
        """
        bias = self.bias(index, key.shape[2] // target.shape[1])
        target = target + self.attention.attend(self.norm_query(target), key, value, bias)
        result: Tensor = target + self.feed(self.norm_feed(target))
        return result


class SwapTransformer(nn.Module):
    """Gives the target's latents the source's identity (paper, "Face swapping module").

    Tokens are Linear(embedding) + position embedding + semantic embedding; the semantic embedding
    tells target from source and upper from lower half. The last Linear adds to the target's
    embedding; its result is not re-quantised.
    """

    offsets: Tensor

    def __init__(self, config: SwapConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SwapConfig()
        tokens = config.grid**2
        self.embed = nn.Linear(config.latent_channels, config.width)
        self.position = nn.Parameter(torch.randn(1, tokens, config.width) * 0.02)
        # Rows: target upper, target lower, source upper, source lower.
        self.semantic = nn.Parameter(torch.randn(4, 1, config.width) * 0.02)
        self.register_buffer("offsets", offset_index(config.grid), persistent=False)
        self.layers = nn.ModuleList(SwapLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, config.latent_channels)
        start_at_zero(self.output)

    def tokens(self, latents: Tensor, source: bool) -> Tensor:
        """Tokens (N, 256, width) of latents (N, C, 16, 16) of a source or a target face."""
        flat = self.embed(latents.flatten(2).transpose(1, 2))
        half = flat.shape[1] // 2
        kind = self.semantic[2:] if source else self.semantic[:2]
        meaning = torch.cat([kind[0].expand(half, -1), kind[1].expand(half, -1)])
        tokens: Tensor = flat + self.position + meaning
        return tokens

    def _added(self, target: Tensor, tokens: Tensor) -> Tensor:
        """Target latents (N, C, 16, 16) changed by what the last layer's tokens (N, 256, width)
        say.
        """
        change: Tensor = self.output(self.norm(tokens))
        return target + change.transpose(1, 2).reshape(target.shape)

    def identity(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """What the source contributes, computed once for a whole video.

        Args:
            source: latents (K, C, 16, 16) of K photos of one person; the target attends to all of
                them together.

        Returns:
            Keys and values, each (layers, 1, heads, K * 256, width / heads).
        """
        tokens = self.tokens(source, source=True).reshape(1, -1, self.config.width)
        pairs = [layer.context(tokens) for layer in self.layers]  # type: ignore[operator]
        return torch.stack([k for k, _ in pairs]), torch.stack([v for _, v in pairs])

    def swap(self, target: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Swapped latents (N, C, 16, 16) of target latents (N, C, 16, 16) and the result of
        `identity`.
        """
        x = self.tokens(target, source=False)
        for index, layer in enumerate(self.layers):
            x = layer(x, keys[index], values[index], self.offsets)
        return self._added(target, x)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Pairs of latents (N, C, 16, 16), each target with its own source -> swapped latents (N,
        C, 16, 16).
        """
        x = self.tokens(target, source=False)
        tokens = self.tokens(source, source=True)
        for layer in self.layers:
            x = layer(x, *layer.context(tokens), self.offsets)  # type: ignore[operator]
        return self._added(target, x)
