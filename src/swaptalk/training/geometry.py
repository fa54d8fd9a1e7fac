"""Fits the geometry regressor to a dataset's cached embeddings and measured mouths: two minutes, kept beside them.

A swap that goes on from another is read by a regressor that has also seen that one's results, decoded and measured: one
that knows real faces alone reads the target's pose in them where the mesh does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from swaptalk.data.faces import to_pictures
from swaptalk.data.latents import LatentCache
from swaptalk.data.motion import MotionTable
from swaptalk.data.pairs import FrameSampler
from swaptalk.data.sampling import MixedSampler, usable_frame
from swaptalk.data.store import Item
from swaptalk.losses.geometry import geometry_distance
from swaptalk.media.files import AtomicFile
from swaptalk.models.geometry import GEOMETRY_CHANNELS, GeometryConfig, GeometryRegressor
from swaptalk.models.motion import ABSOLUTE_CHANNELS, measure_motion
from swaptalk.models.vqgan import VQGAN
from swaptalk.runtime.export import load_weights

BATCH, RATE = 64, 1e-3
#: Noise on the embeddings (their spread is 1): the regressor must not hang on details that a swap could counterfeit.
NOISE = 0.3
#: Share of samples that show video: photos smile, speaking mouths are in the clips.
VIDEO_SHARE = 0.5
#: Share of samples that are measured results, where there are any.
RESULT_SHARE = 0.5
#: Steps between two messages.
_REPORT = 250
#: Share of the measured results that the regressor is not fitted to but tried on.
_HELD_OUT = 0.1


@dataclass(frozen=True)
class MeasuredFaces:
    """Embeddings (N, C, 16, 16) float16 and the geometry (N, GEOMETRY_CHANNELS) of what they are decoded to."""

    latents: NDArray[np.float16]
    geometry: NDArray[np.float32]


@torch.inference_mode()
def measured_swaps(
    swap: nn.Module, vqgan: VQGAN, latents: LatentCache, frames: FrameSampler, count: int, seed: int,
    device: torch.device | str = "cpu",
) -> MeasuredFaces:  # fmt: skip
    """Swap random pairs of any pose, decode the results, and measure those on which a face is found.

    Args:
        swap: (targets, sources) -> results, embeddings (N, C, 16, 16).
        vqgan: decoder.
        latents: cache of all frames that are drawn.
        frames: where pairs come from.
        count: pairs.
        seed: of the pairs.
        device: where the networks are.
    """
    from swaptalk.faces.pose import estimate_pose, eye_distance
    from swaptalk.pipeline.vision import Vision

    rng, vision = np.random.default_rng([seed, count]), Vision(progress=False)
    kept: list[NDArray[np.float16]] = []
    rows: list[NDArray[np.float32]] = []
    for start in range(0, count, BATCH):
        targets = [frames.draw(rng) for _ in range(min(BATCH, count - start))]
        sources = [frames.somebody_else(target, rng) for target in targets]
        made = swap(latents.stack(targets).to(device), latents.stack(sources).to(device))
        pictures = np.concatenate([to_pictures(vqgan.decode(part)) for part in made.split(8)])
        for embedded, picture in zip(made.half().cpu().numpy(), pictures, strict=True):
            faces = vision.faces(picture)
            if faces:
                mesh = max(faces, key=lambda face: eye_distance(face.points)).points
                pose = estimate_pose(mesh)
                kept.append(embedded)
                rows.append(np.array([*measure_motion(mesh)[:ABSOLUTE_CHANNELS], pose.yaw, pose.pitch], np.float32))
    empty = (np.empty((0, 1, 16, 16), np.float16), np.empty((0, GEOMETRY_CHANNELS), np.float32))
    return MeasuredFaces(np.stack(kept), np.stack(rows)) if kept else MeasuredFaces(*empty)


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
        self.mean, self.spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6

    def _geometry(self, item: Item) -> NDArray[np.float32]:
        """(count, GEOMETRY_CHANNELS) of an item; NaN where the face is not usable."""
        return np.concatenate([self._motion.raw(item)[:, :ABSOLUTE_CHANNELS], self._motion.pose(item)], axis=1)

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
                rows.append((row - self.mean) / self.spread)
        return self._latents.stack(frames), torch.from_numpy(np.stack(rows).astype(np.float32))


def geometry_regressor(
    latents: LatentCache, motion: MotionTable, items: list[Item], steps: int,
    seed: int, device: torch.device | str = "cpu", say: Callable[[str], object] = print,
    results: tuple[str, Callable[[], MeasuredFaces]] | None = None,
) -> GeometryRegressor:  # fmt: skip
    """The frozen regressor of a cache: read from beside it, or fitted now.

    Args:
        latents: cache of the items' embeddings, already built.
        motion: measured mouths and poses of the dataset, already built.
        items: training items.
        steps: batches that it is fitted to.
        seed: of initialisation and order.
        device: where it is fitted and stays.
        say: gets messages.
        results: a name, and a function that makes measured faces to be fitted to as well; the name says whose they are.
    """
    whose = f"-{results[0]}" if results is not None else ""
    path = latents.folder.with_name(f"{latents.folder.name}-geometry-{steps}-{seed}{whose}.safetensors")
    channels = latents(items[0]).shape[1]
    torch.manual_seed(seed)
    regressor = GeometryRegressor(GeometryConfig(latent_channels=channels)).to(device)
    if path.exists():
        load_weights(regressor, path)
    else:
        measured = results[1]() if results is not None else None
        if measured is not None and len(measured.latents) < BATCH:
            say(f"only {len(measured.latents)} results show a face, too few to learn from")
            measured = None
        # Inside the run's autocast weights would be cast once and kept: no step would ever be seen.
        with torch.autocast(torch.device(device).type, enabled=False):
            _fit(regressor, GeometrySampler(latents, motion, items), measured, steps, seed, device, say)
        with AtomicFile(path) as target:
            target.part.write_bytes(save(regressor.state_dict()))
    return regressor.eval().requires_grad_(False)


def _fit(
    regressor: GeometryRegressor, sampler: GeometrySampler, measured: MeasuredFaces | None, steps: int, seed: int,
    device: torch.device | str, say: Callable[[str], object],
) -> None:  # fmt: skip
    rng, optimizer = np.random.default_rng(seed), torch.optim.AdamW(regressor.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    latents = answers = torch.empty(0)
    if measured is not None:
        latents = torch.from_numpy(measured.latents)
        answers = torch.from_numpy((measured.geometry - sampler.mean) / sampler.spread).float()
    known = round((1 - _HELD_OUT) * len(latents))
    for step in range(1, steps + 1):
        embedded, wanted = sampler.draw(rng, BATCH if measured is None else round((1 - RESULT_SHARE) * BATCH))
        if measured is not None:
            picked = torch.from_numpy(rng.integers(known, size=BATCH - len(embedded)))
            embedded = torch.cat([embedded, latents[picked].float()])
            wanted = torch.cat([wanted, answers[picked]])
        embedded, wanted = embedded.to(device), wanted.to(device)
        loss = geometry_distance(regressor(embedded + NOISE * torch.randn_like(embedded)), wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % _REPORT == 0:
            say(f"fitting the geometry regressor: step {step} of {steps}, loss {loss.item():.3f}")
    if measured is not None:
        with torch.inference_mode():
            read = regressor(latents[known:].float().to(device)).cpu()
        yaw, pitch = ((read - answers[known:]).abs().mean(dim=0).numpy() * sampler.spread)[-2:]
        say(f"on {len(read)} other results it is {yaw:.1f} degrees off in yaw and {pitch:.1f} in pitch")
