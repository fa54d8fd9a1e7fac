"""Options of stage ``swap`` and the weights of its losses. The field docstrings are the help
texts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from swaptalk.models.discriminator import DiscriminatorConfig
from swaptalk.models.swap import SwapConfig
from swaptalk.training.options import LoopOptions
from swaptalk.training.pretrained import judges_files


@dataclass(frozen=True)
class SwapWeights:
    """Weight of each loss; 0 switches it off."""

    latent: float = 0.6
    """Embedding of the result against that of the real picture."""
    picture: float = 0.5
    """Decoded result against the real picture."""
    perceptual: float = 1.0
    """LPIPS of windows on the face of the decoded result against the real picture."""
    identity: float = 0.3
    """SFace: result against both pictures of the source person."""
    adversarial: float = 0.02
    """Patch discriminator against real photographs, from adversarial_from on."""


@dataclass(frozen=True, kw_only=True)
class SwapOptions(LoopOptions):
    """Train the face swapping module on a finished autoencoder."""

    out: Path = Path("runs/swap")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    vqgan: Path = Path("runs/vqgan")
    """Run of 'swaptalk train vqgan', or an exported bundle."""
    model: SwapConfig = field(default_factory=SwapConfig)
    """Shape of the transformer; latent_channels must be the autoencoder's."""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """Shape of the discriminator."""
    weights: SwapWeights = field(default_factory=SwapWeights)
    """Weights of the losses."""
    batch_size: int = 24
    """Triplets in each process's batch."""
    learning_rate: float = 1.5e-3
    """Rate of Muon, or of AdamW where it trains everything."""
    triplets: int = 8192
    """Triplets to make and keep beside the cached embeddings."""
    judged_triplets: int = 96
    """Triplets of validation people for the evaluation."""
    workers: int = 0
    """Processes that make them; 0: one for each core."""
    resident: bool = False
    """Keep all triplets and pictures in the device's memory: for GPUs, about 0.4 MB each."""
    role_share: float = 0.3
    """Share of each batch with a real picture of somebody else as target, taught by identity."""
    anchor_weight: float = 0.2
    """Weight of the composite itself as the answer of these; 1: the same as a real answer."""
    decode_share: float = 0.2
    """Share of each batch that is decoded; decoding costs more than swapping."""
    adversarial_from: int = 1500
    """Step at which the discriminator starts."""
    adversarial_rise: int = 300
    """Steps over which its weight rises."""
    perceptual_network: Literal["vgg", "alex"] = "vgg"
    """Network of the perceptual loss."""
    video_share: float = 0.3
    """Share of faces taken from clips, where mouths speak; in photos they smile."""
    maximum_scale: float = 2.2
    """Pictures enlarged more than this are left out."""
    sharpness: float = 2.0
    """Preference for sharp pictures; 0: none."""
    exclude: Path | None = None
    """CSV file (name, reason) of photos and clips to leave out, as of 'swaptalk prepare'."""
    embed_frames: int = 0
    """Frames of each clip to embed and learn from, in short runs spread over it; 0: all."""

    def files(self) -> tuple[str, ...]:
        """Perceptual network and recogniser."""
        return judges_files(self.weights, self.perceptual_network)
