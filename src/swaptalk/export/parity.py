"""Whether a bundle's ONNX graphs compute what PyTorch computes with the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from swaptalk.inference.bundle import ModelBundle
from swaptalk.models.restoration import RestorationNetwork
from swaptalk.models.swap import MASK_DETAIL
from swaptalk.models.vqgan import VQGAN
from swaptalk.training.pretrained import load_network

#: Largest difference that is arithmetic and not a fault: float32 sums in another order; latents are
#: of size 1, faces are 0..255 and rounded; of two codes at equal distance either may be taken, so
#: distances are compared.
TOLERANCE = {
    "encode": 1e-3,
    "decode": 1.0,
    "quantize": 1e-3,
    "embed": 0.0,
    "swap": 1e-3,
    "motion": 1e-3,
    "lipsync": 1e-3,
    "restore": 1.0,
}
#: Motion windows, mel frames and strength of the comparison.
_MEL_FRAMES, _STRENGTH = 40, 0.7


def _largest(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


@torch.no_grad()
def measure_parity(directory: Path, seed: int = 0) -> dict[str, float]:
    """Largest absolute difference by operation on random input.

    For ``quantize`` it is by how much the squared distance to the chosen code exceeds that to
    PyTorch's choice.

    Args:
        directory: a bundle.
        seed: of the input.
    """
    rng = np.random.default_rng(seed)
    # float32, unlike faster engines.
    bundle = ModelBundle.from_pretrained(directory, threads=1, device="cpu")
    vqgan: VQGAN
    vqgan, swap, lipsync, audio = (
        load_network(name, directory) for name in ("vqgan", "swap", "lipsync", "audio")
    )
    crops = rng.integers(0, 256, (3, 256, 256, 3)).astype(np.uint8)
    crops = np.cumsum(crops, axis=1, dtype=np.uint64).astype(np.uint8)  # not only noise
    latents = bundle.encode(crops)
    z = torch.from_numpy(latents)
    faces = torch.from_numpy(crops).permute(0, 3, 1, 2) / 127.5 - 1
    codes = bundle.quantize(latents)
    found = vqgan.quantizer.encode(z)
    embedded = vqgan.quantizer.decode(torch.from_numpy(codes.astype(np.int64)))
    farther = (embedded - z) ** 2 - (vqgan.quantizer.decode(found) - z) ** 2
    decoded = vqgan.decode(z).mul(127.5).add(127.5).round().clamp(0, 255).permute(0, 2, 3, 1)
    side = MASK_DETAIL * z.shape[-1]
    mask = rng.random((3, 1, side, side)).astype(np.float32)
    swapped = swap.swap(z, torch.from_numpy(mask), *swap.identity(z[:2]))
    moved = z + _STRENGTH * (swapped - z)
    mel = rng.standard_normal((_MEL_FRAMES, 80)).astype(np.float32)
    motion = rng.standard_normal((3, bundle.motion_window, lipsync.config.motion_channels)).astype(
        np.float32
    )
    reference = np.ascontiguousarray(latents[::-1])
    differences = {
        "encode": _largest(vqgan.encode(faces).numpy(), latents),
        "decode": _largest(decoded.numpy(), bundle.decode(latents)),
        "quantize": float(
            farther.reshape(len(z), codes.shape[1], -1, *z.shape[2:]).sum(dim=2).max()
        ),
        "embed": _largest(embedded.numpy(), bundle.embed(codes)),
        "swap": _largest(
            moved.numpy(), bundle.swap(latents, mask, bundle.identity(latents[:2]), _STRENGTH)
        ),
        "motion": _largest(audio(torch.from_numpy(mel[None]))[0].numpy(), bundle.motion(mel)),
        "lipsync": _largest(
            lipsync(z, torch.from_numpy(reference), torch.from_numpy(motion)).numpy(),
            bundle.lipsync(latents, reference, motion),
        ),
    }
    if bundle.restores:
        network = load_network("restoration", directory)
        differences["restore"] = _restored_apart(bundle, network, rng)
    return differences


def _restored_apart(
    bundle: ModelBundle, network: RestorationNetwork, rng: np.random.Generator
) -> float:
    """Largest difference of restored faces, which are 0..255 and rounded."""
    pictures = rng.integers(0, 256, (3, 2, 256, 256, 3)).astype(np.uint8)
    mask = rng.integers(0, 256, (2, 256, 256)).astype(np.uint8)
    tensors = torch.from_numpy(pictures).permute(0, 1, 4, 2, 3) / 127.5 - 1
    made = network(*tensors, torch.from_numpy(mask)[:, None] / 255)
    made = made.mul(127.5).add(127.5).round().clamp(0, 255).permute(0, 2, 3, 1)
    return _largest(made.numpy(), bundle.restore(pictures[0], pictures[1], pictures[2], mask))
