"""Options of stage ``lipsync`` and the weights of its losses. The field docstrings are the help
texts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from swaptalk.models.audio import AudioConfig
from swaptalk.models.discriminator import DiscriminatorConfig
from swaptalk.models.lipsync import LipSyncConfig
from swaptalk.training.options import LoopOptions


@dataclass(frozen=True)
class LipSyncWeights:
    """Weight of each loss of the picture side; 0 switches it off."""

    code: float = 1.0
    """L_code: the real lower half's embedding."""
    mouth: float = 0.5
    """Decoded mouth, L1."""
    mouth_perceptual: float = 0.25
    """Decoded mouth, LPIPS."""
    adversarial: float = 0.0
    """Patch discriminator, from adversarial_from on: sharper mouths, which open less."""
    sync: float = 0.03
    """L_sync: the VQ-Lip expert."""
    geometry: float = 0.5
    """The mouth as far open and the head as it really is, read from the embedding."""


@dataclass(frozen=True)
class SpeechWeights:
    """Weight of each loss of the sound side; 0 switches it off."""

    token: float = 1.0
    """Values of the tokens."""
    velocity: float = 0.3
    """Their changes."""
    correlation: float = 0.3
    """Opening in step with the real one."""
    spread: float = 0.2
    """Opening as wide as the real one."""


@dataclass(frozen=True, kw_only=True)
class LipSyncOptions(LoopOptions):
    """Train lip-sync module and mel encoder on a finished autoencoder and expert."""

    out: Path = Path("runs/lipsync")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    data: Path = Path("dataset")
    """Dataset of 'swaptalk prepare'."""
    vqgan: Path = Path("runs/vqgan")
    """Run of 'swaptalk train vqgan', or an exported bundle."""
    expert: Path = Path("runs/expert")
    """Run of 'swaptalk train expert'; not read where weights.sync is 0."""
    model: LipSyncConfig = field(default_factory=LipSyncConfig)
    """Shape of the lip-sync module; latent_channels must be the autoencoder's."""
    audio: AudioConfig = field(default_factory=AudioConfig)
    """Shape of the mel encoder."""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """Shape of the discriminator, which sees mouths."""
    weights: LipSyncWeights = field(default_factory=LipSyncWeights)
    """Weights of the picture side's losses."""
    speech: SpeechWeights = field(default_factory=SpeechWeights)
    """Weights of the sound side's losses."""
    batch_size: int = 8
    """Picture samples in each process's batch; with sync each is five consecutive frames."""
    speech_batch: int = 16
    """Stretches of speech in each batch."""
    speech_tokens: int = 72
    """Length of a stretch, 25 tokens a second."""
    learning_rate: float = 2e-3
    """Rate of Muon, or of AdamW where it trains everything."""
    other_rate: float = 5e-4
    """Rate of AdamW for what Muon does not train."""
    speech_rate: float = 1e-3
    """Rate of AdamW for the mel encoder."""
    token_noise: float = 0.05
    """Noise on measured tokens, so that the picture side bears the mel encoder's errors."""
    decode_from: int = 300
    """Step at which decoded mouths are looked at."""
    decode_share: float = 0.15
    """Share of the batch's frames that is decoded."""
    adversarial_from: int = 800
    """Step at which the discriminator starts."""
    adversarial_rise: int = 200
    """Steps over which its weight rises."""
    sync_from: int = 600
    """Step at which L_sync starts."""
    driven_from: int = 1000
    """Step from which some pictures are driven by the sound instead of measured motion."""
    driven_share: float = 0.3
    """Share of those among samples whose sound belongs to the lips."""
    photo_share: float = 0.1
    """Share of samples from two photos of one person."""
    sharpness: float = 0.5
    """Preference for sharp pictures; 0: none."""
    geometry_steps: int = 1500
    """Batches that the geometry regressor is fitted to, once for a dataset."""
    embed_frames: int = 0
    """Frames of each clip to embed before the first step and learn from, spread over it; 0: all."""
    resident: bool = False
    """Keep all embeddings in the device's memory: for GPUs, 33 kB a frame."""

    def files(self) -> tuple[str, ...]:
        """Perceptual network of the mouth's loss."""
        return ("lpips-vgg16",) if self.weights.mouth_perceptual else ()
