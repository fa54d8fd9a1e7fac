"""The face autoencoder (VQGAN): a shared encoder for both halves of the face, two codebooks, one
decoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swaptalk.models.blocks import Downsample, ResidualBlock, Upsample, activation
from swaptalk.models.quantizer import TwoCodebookQuantizer


@dataclass(frozen=True)
class VQGANConfig:
    """Shape of the autoencoder. The defaults cost 9.6 GFLOP a frame at 256 px (encoder 3.5, decoder
    6.1).
    """

    patch: int = 4
    """Pixels a side that the first layer turns into channels, and the last layer back."""
    encoder_widths: tuple[int, ...] = (64, 128, 256)
    """Channels of the encoder, finest resolution first; each further entry halves it."""
    encoder_blocks: tuple[int, ...] = (1, 2, 2)
    """Residual blocks of the encoder at each resolution."""
    decoder_widths: tuple[int, ...] = (80, 160, 256)
    """Channels of the decoder at each resolution, finest first."""
    decoder_blocks: tuple[int, ...] = (2, 2, 3)
    """Residual blocks of the decoder at each resolution, finest first."""
    latent_channels: int = 64
    """Width of an embedding."""
    codebook_heads: int = 16
    """Sub-vectors an embedding is split into, each with a codebook of its own."""
    codebook_size: int = 256
    """Codes in each codebook."""
    shared_codebook: bool = False
    """One codebook for both halves, for the ablation; the paper and the default use two."""

    @property
    def downsampling(self) -> int:
        """Pixels of the crop a side for one latent position (the paper compares 8 and 16)."""
        return self.patch * int(2 ** (len(self.encoder_widths) - 1))


class Encoder(nn.Module):
    """Half a face (N, 3, 128, 256) in [-1, 1] -> embeddings (N, C, 8, 16) before quantisation.

    Upper and lower half go through separately, as in the paper: no convolution crosses the cut, so
    the upper half's embeddings know nothing of the mouth. The last layer normalises each channel by
    running statistics, because features with a large common mean collapse codebooks.
    """

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        widths = config.encoder_widths
        layers: list[nn.Module] = [
            nn.PixelUnshuffle(config.patch),
            nn.Conv2d(3 * config.patch**2, widths[0], 3, padding=1),
            activation(),
        ]
        for level, (width, blocks) in enumerate(zip(widths, config.encoder_blocks, strict=True)):
            if level:
                layers.append(Downsample(widths[level - 1], width))
            layers += [ResidualBlock(width) for _ in range(blocks)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], config.latent_channels, 1)
        self.normalize = nn.BatchNorm2d(config.latent_channels, affine=False, momentum=0.05)

    def forward(self, half: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, C, H / f, W / f)."""
        normalized: Tensor = self.normalize(self.head(self.body(half)))
        return normalized


class Decoder(nn.Module):
    """Embeddings of a whole face (N, C, 16, 16) -> picture (N, 3, 256, 256), about [-1, 1], not
    clipped.
    """

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        widths = config.decoder_widths
        layers: list[nn.Module] = [
            nn.Conv2d(config.latent_channels, widths[-1], 3, padding=1),
            activation(),
        ]
        for level in reversed(range(len(widths))):
            layers += [ResidualBlock(widths[level]) for _ in range(config.decoder_blocks[level])]
            if level:
                layers.append(Upsample(widths[level], widths[level - 1]))
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Conv2d(widths[0], 3 * config.patch**2, 3, padding=1), nn.PixelShuffle(config.patch)
        )

    def forward(self, latents: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, 3, h * f, w * f)."""
        picture: Tensor = self.head(self.body(latents))
        return picture


@dataclass
class VQGANOutput:
    """Output of a training step: picture (N, 3, H, W), commitment loss, latents (N, C, h, w)."""

    picture: Tensor
    commitment: Tensor
    latents: Tensor


class VQGAN(nn.Module):
    """Encoder, two codebooks and decoder (paper, "VQGAN"; Esser et al. 2021, arXiv 2012.09841)."""

    def __init__(self, config: VQGANConfig | None = None) -> None:
        super().__init__()
        self.config = config or VQGANConfig()
        self.encoder = Encoder(self.config)
        self.quantizer = TwoCodebookQuantizer(
            self.config.latent_channels,
            self.config.codebook_heads,
            self.config.codebook_size,
            self.config.shared_codebook,
        )
        self.decoder = Decoder(self.config)
        self._encoder_frozen = False

    def freeze_encoder(self) -> None:
        """Freeze encoder and codebooks, also in training mode: only the decoder learns.

        Whatever was learned on the embeddings stays valid then, while the pictures made of them get
        better.
        """
        self._encoder_frozen = True
        self.encoder.requires_grad_(False)
        self.quantizer.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> VQGAN:
        """As any module, but what is frozen stays in evaluation mode: its averages would move
        otherwise.
        """
        super().train(mode)
        if self._encoder_frozen:
            self.encoder.eval()
            self.quantizer.eval()
        return self

    def encode(self, faces: Tensor) -> Tensor:
        """Unquantised latents (N, C, 16, 16) of faces (N, 3, 256, 256) in [-1, 1]; rows 0..7 are
        the upper half.
        """
        # Halves become neighbours in the batch, so that one pass of the shared encoder serves both.
        n, channels, height, width = faces.shape
        halves = faces.reshape(n, channels, 2, height // 2, width).transpose(1, 2).flatten(0, 1)
        encoded: Tensor = self.encoder(halves)
        _, channels, rows, columns = encoded.shape
        return encoded.reshape(n, 2, channels, rows, columns).transpose(1, 2).flatten(2, 3)

    def decode(self, latents: Tensor) -> Tensor:
        """Faces (N, 3, 256, 256), about [-1, 1], of latents (N, C, 16, 16)."""
        faces: Tensor = self.decoder(latents)
        return faces

    def forward(self, faces: Tensor, quantized_share: float = 1.0) -> VQGANOutput:
        """Reconstruct faces (N, 3, 256, 256) in [-1, 1].

        Args:
            faces: the pictures.
            quantized_share: chance that a picture is decoded from its codes; the others are decoded
                from their unquantised latents. Below 1 the decoder learns to serve both the codes
                of a compiled template and the continuous embeddings that the swap and lip-sync
                modules produce. 0 leaves the codebooks alone, for the first steps: codes that start
                before the features have settled collapse.
        """
        latents = self.encode(faces)
        if quantized_share == 0.0:
            return VQGANOutput(self.decode(latents), latents.new_zeros(()), latents)
        upper, lower = latents.chunk(2, dim=2)
        upper, lower, commitment = self.quantizer(upper, lower)
        quantized = torch.cat([upper, lower], dim=2)
        if quantized_share < 1.0:
            keep = torch.rand(len(faces), 1, 1, 1, device=faces.device) < quantized_share
            quantized = torch.where(keep, quantized, latents.float())
        return VQGANOutput(self.decode(quantized), commitment, latents)
