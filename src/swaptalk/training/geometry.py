"""Fits the geometry regressor to a dataset's cached embeddings and measured mouths: two minutes,
kept beside them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from swaptalk.data.latents import LatentCache
from swaptalk.data.motion import MotionTable
from swaptalk.data.sampling import MixedSampler, usable_frame
from swaptalk.data.store import Item
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS
from swaptalk.losses.geometry import geometry_distance
from swaptalk.models.geometry import GeometryConfig, GeometryRegressor
from swaptalk.models.weights import load_weights
from swaptalk.storage.files import AtomicFile

BATCH, RATE = 64, 1e-3
#: Noise on the embeddings (their spread is 1): the regressor must not hang on details that a swap
#: could counterfeit.
NOISE = 0.3
#: Share of samples that show video: photos smile, speaking mouths are in the clips.
VIDEO_SHARE = 0.5
#: Steps between two messages.
_REPORT = 250


class GeometrySampler:
    """Random usable frames with their geometry in units of its spread.

    Args:
        latents: cache; all items drawn must be embedded.
        motion: measured mouths and poses.
        items: candidates.
    """

    def __init__(self, latents: LatentCache, motion: MotionTable, items: list[Item]) -> None:
        self._latents, self._motion = latents, motion
        self._sampler = MixedSampler(items, VIDEO_SHARE, sharpness=0.0)
        rows = np.concatenate([self._geometry(item) for item in items])
        rows = rows[np.isfinite(rows).all(axis=1)]
        self._mean, self._spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6

    def _geometry(self, item: Item) -> NDArray[np.float32]:
        """(count, GEOMETRY_CHANNELS) of an item; NaN where the face is not usable."""
        return np.concatenate(
            [self._motion.raw(item)[:, :ABSOLUTE_CHANNELS], self._motion.pose(item)], axis=1
        )

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Embeddings (N, C, 16, 16) and geometry (N, GEOMETRY_CHANNELS)."""
        frames: list[tuple[Item, int]] = []
        rows: list[NDArray[np.float32]] = []
        while len(frames) < count:
            item = self._sampler.draw(rng)
            frame = usable_frame(self._latents.usable(item), rng)
            row = self._geometry(item)[frame] if frame is not None else None
            if frame is not None and row is not None and np.isfinite(row).all():
                frames.append((item, frame))
                rows.append((row - self._mean) / self._spread)
        return self._latents.stack(frames), torch.from_numpy(np.stack(rows).astype(np.float32))


def geometry_regressor(
    latents: LatentCache,
    motion: MotionTable,
    items: list[Item],
    steps: int,
    seed: int,
    device: torch.device | str = "cpu",
    say: Callable[[str], object] = print,
) -> GeometryRegressor:
    """The frozen regressor of a cache: read from beside it, or fitted now.

    Args:
        latents: cache of the items' embeddings, already built.
        motion: measured mouths and poses of the dataset, already built.
        items: training items.
        steps: batches that it is fitted to.
        seed: of initialisation and order.
        device: where it is fitted and stays.
        say: gets messages.
    """
    name = f"{latents.folder.name}-geometry-{steps}-{seed}-{motion.fingerprint}"
    path = latents.folder.with_name(f"{name}.safetensors")
    channels = latents(items[0]).shape[1]
    torch.manual_seed(seed)
    regressor = GeometryRegressor(GeometryConfig(latent_channels=channels)).to(device)
    if path.exists():
        load_weights(regressor, path)
    else:
        # Inside the run's autocast weights would be cast once and kept: no step would ever be seen.
        with torch.autocast(torch.device(device).type, enabled=False):
            _fit(regressor, GeometrySampler(latents, motion, items), steps, seed, device, say)
        with AtomicFile(path) as target:
            target.part.write_bytes(save(regressor.state_dict()))
    return regressor.eval().requires_grad_(False)


def _fit(
    regressor: GeometryRegressor,
    sampler: GeometrySampler,
    steps: int,
    seed: int,
    device: torch.device | str,
    say: Callable[[str], object],
) -> None:
    rng, optimizer = np.random.default_rng(seed), torch.optim.AdamW(regressor.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(1, steps + 1):
        embedded, wanted = (part.to(device) for part in sampler.draw(rng, BATCH))
        loss = geometry_distance(regressor(embedded + NOISE * torch.randn_like(embedded)), wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % _REPORT == 0:
            say(f"fitting the geometry regressor: step {step} of {steps}, loss {loss.item():.3f}")
