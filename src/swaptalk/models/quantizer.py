"""Vector quantisation: a product quantiser with moving-average codebooks, and one of them for each
half of the face.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Weight of the old codebook in the moving average (van den Oord et al. 2017, appendix A.1).
CODEBOOK_DECAY = 0.99
#: A code used less often than this fraction of a uniform share is replaced by a feature of the
#: current batch.
DEAD_SHARE = 0.03
#: Steps between revivals, so that a fresh code has time to gather users.
REVIVAL_INTERVAL = 20


class ProductQuantizer(nn.Module):
    """Splits each embedding into ``heads`` sub-vectors and quantises each with its own codebook
    (Jegou et al. 2011).

    One code a position would bound a frame to 256 x 11 bits, too few for a face; with product codes
    the same grid carries ``heads * log2(size)`` bits a position. Codebooks follow exponential
    moving averages of the features assigned to them; the encoder is pulled to them by the
    commitment loss and receives straight-through gradients.

    Args:
        channels: width of the embeddings, divisible by ``heads``.
        heads: number of sub-vectors.
        size: codes in each head's codebook.
    """

    codebook: Tensor
    usage: Tensor
    sums: Tensor
    ready: Tensor
    steps: Tensor

    def __init__(self, channels: int, heads: int, size: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be split into {heads} heads")
        self.heads, self.size, self.width = heads, size, channels // heads
        self.register_buffer("codebook", torch.randn(heads, size, self.width))
        self.register_buffer("usage", torch.ones(heads, size), persistent=False)
        self.register_buffer("sums", torch.zeros(heads, size, self.width), persistent=False)
        self.register_buffer("ready", torch.tensor(False))
        self.register_buffer("steps", torch.tensor(0), persistent=False)

    def _split(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (heads, N * H * W, width)."""
        n, _, h, w = x.shape
        return (
            x.reshape(n, self.heads, self.width, h, w)
            .permute(1, 0, 3, 4, 2)
            .reshape(self.heads, -1, self.width)
        )

    def encode(self, x: Tensor) -> Tensor:
        """Nearest codes (N, heads, H, W) int64 of embeddings (N, C, H, W)."""
        n, _, h, w = x.shape
        return self._nearest(self._split(x.float())).reshape(self.heads, n, h, w).transpose(0, 1)

    def decode(self, codes: Tensor) -> Tensor:
        """Embeddings (N, C, H, W) of codes (N, heads, H, W)."""
        n, _, h, w = codes.shape
        flat = codes.transpose(0, 1).reshape(self.heads, -1, 1).expand(-1, -1, self.width)
        picked = torch.gather(self.codebook, 1, flat)
        return (
            picked.reshape(self.heads, n, h, w, self.width)
            .permute(1, 0, 4, 2, 3)
            .reshape(n, -1, h, w)
        )

    def _nearest(self, flat: Tensor) -> Tensor:
        """(heads, M, width) -> (heads, M): index of the code at the least Euclidean distance."""
        score = torch.baddbmm(
            (self.codebook**2).sum(-1).unsqueeze(1),
            flat,
            self.codebook.transpose(1, 2),
            beta=1.0,
            alpha=-2.0,
        )
        return score.argmin(dim=-1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Quantise embeddings (N, C, H, W); in training mode the codebooks follow the features.

        Returns:
            The quantised embeddings (straight-through gradient) and the commitment loss, mean
            squared distance of each feature from its (fixed) code (VQ-VAE, arXiv 1711.00937, eq. 3,
            last term).
        """
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            with torch.no_grad():
                flat = self._split(x)
                if self.training and not bool(self.ready):
                    self._start(flat)
                codes = self._nearest(flat)
                if self.training:
                    self._follow(flat, codes)
                n, _, h, w = x.shape
                quantized = self.decode(codes.reshape(self.heads, n, h, w).transpose(0, 1))
            commitment = torch.mean((x - quantized) ** 2)
            return x + (quantized - x).detach(), commitment

    def _sample(self, flat: Tensor, count: int) -> Tensor:
        """``count`` random features of each head: (heads, count, width)."""
        picked = torch.randint(flat.shape[1], (count,), device=flat.device)
        return flat[:, picked]

    def _start(self, flat: Tensor) -> None:
        """k-means on the first batch (Lloyd's algorithm, a few rounds) gives the first
        codebooks.
        """
        self.codebook.copy_(self._sample(flat, self.size))
        for _ in range(5):
            codes = self._nearest(flat)
            count, sums = self._statistics(flat, codes)
            mean = sums / count.clamp(min=1).unsqueeze(-1)
            self.codebook.copy_(torch.where((count > 0).unsqueeze(-1), mean, self.codebook))
        self.restart_averages()
        self.ready.fill_(True)

    def restart_averages(self) -> None:
        """Begin the moving averages at the present codebook (after k-means, or after loading
        weights).
        """
        self.usage.fill_(1.0)
        self.sums.copy_(self.codebook)

    def _statistics(self, flat: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """How many features chose each code (heads, size), and their sums (heads, size, width)."""
        count = torch.zeros_like(self.usage).scatter_add_(
            1, codes, torch.ones_like(codes, dtype=flat.dtype)
        )
        index = codes.unsqueeze(-1).expand(-1, -1, self.width)
        return count, torch.zeros_like(self.sums).scatter_add_(1, index, flat)

    def _follow(self, flat: Tensor, codes: Tensor) -> None:
        """One step of the moving averages; dead codes are replaced by features of this batch."""
        count, sums = self._statistics(flat, codes)
        # Normalised to a mean usage of one, so that the thresholds do not depend on the batch.
        scale = self.size / flat.shape[1]
        self.usage.lerp_(count * scale, 1 - CODEBOOK_DECAY)
        self.sums.lerp_(sums * scale, 1 - CODEBOOK_DECAY)
        self.codebook.copy_(self.sums / self.usage.clamp(min=1e-4).unsqueeze(-1))
        self.steps += 1
        if int(self.steps) % REVIVAL_INTERVAL == 0:
            dead = self.usage < DEAD_SHARE
            fresh = self._sample(flat, self.size)
            self.codebook.copy_(torch.where(dead.unsqueeze(-1), fresh, self.codebook))
            self.sums.copy_(torch.where(dead.unsqueeze(-1), fresh, self.sums))
            self.usage.masked_fill_(dead, 1.0)


class TwoCodebookQuantizer(nn.Module):
    """The paper's two codebooks: C^U for the upper half of the face (pose, gaze, brow), C^B for the
    lower (mouth).

    Args:
        channels, heads, size: as for `ProductQuantizer`; both halves use the same.
        shared: quantise both halves with one codebook (the ablation "one codebook").
    """

    def __init__(self, channels: int, heads: int, size: int, shared: bool = False) -> None:
        super().__init__()
        self.upper = ProductQuantizer(channels, heads, size)
        self.lower = self.upper if shared else ProductQuantizer(channels, heads, size)

    def forward(self, upper: Tensor, lower: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise both halves (N, C, H/2, W); returns both, and the mean commitment loss."""
        upper, commitment_upper = self.upper(upper)
        lower, commitment_lower = self.lower(lower)
        return upper, lower, (commitment_upper + commitment_lower) / 2

    def encode(self, latents: Tensor) -> Tensor:
        """Codes (N, heads, H, W) of whole-face latents (N, C, H, W)."""
        upper, lower = latents.chunk(2, dim=2)
        return torch.cat([self.upper.encode(upper), self.lower.encode(lower)], dim=2)

    def decode(self, codes: Tensor) -> Tensor:
        """Latents (N, C, H, W) of codes (N, heads, H, W)."""
        upper, lower = codes.chunk(2, dim=2)
        return torch.cat([self.upper.decode(upper), self.lower.decode(lower)], dim=2)
