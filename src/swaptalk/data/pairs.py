"""Pairs (target, source) for the swap: proxies by mesh warp, proxies of another swapper, and one
person twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from swaptalk.data.faces import to_tensor
from swaptalk.data.latents import LatentCache
from swaptalk.data.repose import repose
from swaptalk.data.sampling import MixedSampler, usable_frame
from swaptalk.data.store import Item
from swaptalk.data.unit_arrays import save_array
from swaptalk.errors import InputError
from swaptalk.faces.editing.eyewear import GLASSES_STRENGTH, eyewear_strength
from swaptalk.faces.editing.mesh_warp import mesh_warp_swap, source_quality, warp_quality
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.pose import estimate_pose
from swaptalk.models.identity import SFace
from swaptalk.models.vqgan import VQGAN

#: Pairs compared for each proxy, of which the best is made.
_ATTEMPTS = 4
#: Every so many pairs the source wears glasses, which are rare and hard, if a photo of so many
#: frames drawn does. Of them half as many pairs are compared, since looking for glasses takes the
#: time of the others.
_GLASSES_EVERY, _GLASSES_DRAWS = 6, 100
#: Least share of its weight that a proxy keeps where the source's forehead is covered or its light
#: hard.
_LEAST_SOURCE = 0.4
#: Difference of head pose (degrees) that costs a pair as much as the whole difference between good
#: and bad texture.
_POSE_SCALE = 60.0
#: Raised whenever the warp makes other pictures: proxies of an earlier version are not mixed with
#: new ones.
_VERSION = 3
#: Proxies in one file of the cache.
CHUNK = 256
#: Width of SFace's directions.
_IDENTITY_WIDTH = 128

Frame = tuple[Item, int]


class FrameSampler:
    """Random usable frames of training people that are, or will be, embedded in a cache."""

    def __init__(
        self, latents: LatentCache, video_share: float, sharpness: float, maximum_scale: float
    ) -> None:
        self.dataset, self._usable = latents.dataset, latents.usable
        self.items = [i for i in self.dataset.select("train") if i.scale <= maximum_scale]
        self._sampler = MixedSampler(self.items, video_share, sharpness)
        self._people: dict[str, list[Item]] = {}
        for item in self.items:
            self._people.setdefault(item.identity, []).append(item)

    def draw(self, rng: np.random.Generator) -> Frame:
        """One frame."""
        while True:
            item = self._sampler.draw(rng)
            frame = usable_frame(self._usable(item), rng)
            if frame is not None:
                return item, frame

    def somebody_else(self, of: Frame, rng: np.random.Generator) -> Frame:
        """A frame of another person.

        Raises:
            InputError: there is only one.
        """
        if len(self._people) < 2:
            raise InputError(
                "swapping needs two people at least",
                path=self.dataset.folder,
                remedy="prepare more data, or raise --maximum-scale",
            )
        while True:
            drawn = self.draw(rng)
            if drawn[0].identity != of[0].identity:
                return drawn

    def another(self, of: Frame, rng: np.random.Generator) -> Frame:
        """Another frame of the same person if there is one: of another item rather than of the
        same.
        """
        others = [i for i in self._people[of[0].identity] if i.name != of[0].name] or [of[0]]
        item = others[int(rng.integers(len(others)))]
        frame = usable_frame(self._usable(item), rng)
        return (item, frame) if frame is not None else of


@dataclass(frozen=True)
class Proxy:
    """A pair with its answer: the source's face on the target, as a mesh warp makes it."""

    target: Frame
    source: Frame
    quality: float
    """Weight of the answer, 0..1."""
    latents: NDArray[np.float16]
    """The answer's embedding (C, 16, 16)."""
    identity: NDArray[np.float32]
    """Whom a recogniser sees in it (128,); NaN where none was asked."""
    reposed: NDArray[np.float16]
    """Embedding (C, 16, 16) of the source turned to another pose."""


class ProxyCache:
    """Mesh-warp proxies, made once: pair k of a seed is always the same pair, so the cache can grow
    at any time.

    Args:
        latents: cache of the dataset; proxies lie beside it.
        frames: where pairs come from.
        seed: of the pairs.
    """

    def __init__(self, latents: LatentCache, frames: FrameSampler, seed: int) -> None:
        self._frames, self._seed = frames, seed
        # Pairs of people who are validated on by now stay on disk but are not drawn.
        self._by_name = {item.name: item for item in latents.dataset.select("train")}
        self.folder = latents.folder.with_name(f"{latents.folder.name}-proxies{_VERSION}-{seed}")
        self._proxies: list[Proxy] = []

    def build(
        self,
        count: int,
        vqgan: VQGAN,
        recogniser: SFace | None,
        device: torch.device | str = "cpu",
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Make the proxies that are missing, at least ``count``, in whole chunks, and open the
        cache.

        Args:
            count: pairs wanted.
            vqgan: frozen encoder.
            recogniser: gives the proxies' identities; None where no loss needs them.
            device: where both are.
            progress: called with (chunks done, chunks in all).
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        chunks = -(-count // CHUNK)
        for chunk in range(chunks):
            done, turned = (
                self.folder / f"{chunk:05d}-{part}.npy" for part in ("latents", "reposed")
            )
            numbers = range(
                chunk * CHUNK, chunk * CHUNK + (min(CHUNK, count) if chunks == 1 else CHUNK)
            )
            if not done.exists() or (recogniser is not None and self._lacks_identities(chunk)):
                pairs = [self._pair(k) for k in numbers]
                rows = [
                    [t[0].name, str(t[1]), s[0].name, str(s[1]), f"{q:.4f}"] for t, s, q in pairs
                ]
                encoded, identities = self._encode(
                    [(t, s) for t, s, _ in pairs], vqgan, recogniser, device
                )
                turned.unlink(missing_ok=True)  # a dataset that has grown since gives other pairs
                save_array(self.folder / f"{chunk:05d}-pairs.npy", np.array(rows))
                save_array(self.folder / f"{chunk:05d}-identities.npy", identities)
                save_array(done, encoded)  # last: its presence says that the chunk is complete
            if not turned.exists():
                sources = [
                    (row[2], int(row[3])) for row in np.load(self.folder / f"{chunk:05d}-pairs.npy")
                ]
                save_array(turned, self._encode_reposed(sources, numbers, vqgan, device))
            if progress is not None:
                progress(chunk + 1, chunks)
        self._load(chunks)

    def _lacks_identities(self, chunk: int) -> bool:
        """Whether a chunk was made for a run that did not need them."""
        return not np.isfinite(np.load(self.folder / f"{chunk:05d}-identities.npy")).all()

    def _load(self, chunks: int) -> None:
        self._proxies = []
        for chunk in range(chunks):
            files = [
                self.folder / f"{chunk:05d}-{part}.npy"
                for part in ("pairs", "identities", "latents", "reposed")
            ]
            parts = [np.load(file) for file in files[:2]] + [
                np.load(file, mmap_mode="r") for file in files[2:]
            ]
            for row, identity, latents, reposed in zip(*parts, strict=True):
                if row[0] in self._by_name and row[2] in self._by_name:
                    target, source = ((self._by_name[row[k]], int(row[k + 1])) for k in (0, 2))
                    self._proxies.append(
                        Proxy(target, source, float(row[4]), latents, identity, reposed)
                    )

    def __len__(self) -> int:
        return len(self._proxies)

    def __getitem__(self, index: int) -> Proxy:
        """One of the pairs."""
        return self._proxies[index]

    def _pair(self, number: int) -> tuple[Frame, Frame, float]:
        """Pair ``number``: two people whose poses suit each other, the source well lit and seen;
        some with glasses.
        """
        rng = np.random.default_rng([self._seed, number])
        glasses = number % _GLASSES_EVERY == 0
        tried = []
        for _ in range(_ATTEMPTS // 2 if glasses else _ATTEMPTS):
            target = self._frames.draw(rng)
            source = (
                self._with_glasses(target, rng)
                if glasses
                else self._frames.somebody_else(target, rng)
            )
            meshes = self._mesh(source), self._mesh(target)
            texture = source_quality(self._frames.dataset.picture(*source), meshes[0])
            quality = warp_quality(*meshes) * (_LEAST_SOURCE + (1 - _LEAST_SOURCE) * texture)
            poses = [estimate_pose(mesh).vector for mesh in meshes]
            apart = float(np.abs(poses[0] - poses[1])[:2].sum())
            tried.append((quality - apart / _POSE_SCALE, (target, source, quality)))
        return max(tried, key=lambda pair: pair[0])[1]

    def _with_glasses(self, target: Frame, rng: np.random.Generator) -> Frame:
        """A photo of somebody else, with glasses if one is found, else the most alike; clips show
        few such people.
        """
        best, strongest = self._frames.somebody_else(target, rng), -1.0
        for _ in range(_GLASSES_DRAWS):
            source = self._frames.somebody_else(target, rng)
            if source[0].kind != "photo":
                continue
            strength = eyewear_strength(self._frames.dataset.picture(*source), self._mesh(source))
            if strength > strongest:
                best, strongest = source, strength
            if strength > GLASSES_STRENGTH:
                break
        return best

    def _mesh(self, frame: Frame) -> NDArray[np.float32]:
        return np.asarray(self._frames.dataset.landmarks(frame[0])[frame[1]])

    def _encode(
        self,
        pairs: list[tuple[Frame, Frame]],
        vqgan: VQGAN,
        recogniser: SFace | None,
        device: torch.device | str,
    ) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        dataset = self._frames.dataset
        latents, identities = [], []
        for start in range(0, len(pairs), 32):
            made = [
                mesh_warp_swap(
                    dataset.picture(*s), self._mesh(s), dataset.picture(*t), self._mesh(t)
                )
                for t, s in pairs[start : start + 32]
            ]
            faces = to_tensor(np.stack(made)).to(device)
            with torch.inference_mode():
                latents.append(vqgan.encode(faces).half().cpu().numpy())
                found = (
                    recogniser(faces).float().cpu().numpy()
                    if recogniser is not None
                    else _unknown(len(made))
                )
                identities.append(found)
        return np.concatenate(latents), np.concatenate(identities).astype(np.float32)

    def _encode_reposed(
        self,
        sources: list[tuple[str, int]],
        numbers: range,
        vqgan: VQGAN,
        device: torch.device | str,
    ) -> NDArray[np.float16]:
        """Embeddings of the pairs' sources in other poses, which a number draws as it drew the
        pair.

        Zeros for what the dataset does not hold any more, and whose pairs `_load` leaves out.
        """
        dataset, latents = self._frames.dataset, []
        items = {item.name: item for item in dataset.items}
        pictures = []
        for (name, frame), k in zip(sources, numbers, strict=True):
            picture = np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)
            if name in items:
                source, rng = (items[name], frame), np.random.default_rng([self._seed, k, 1])
                picture = repose(dataset.picture(*source), self._mesh(source), rng)
            pictures.append(picture)
        for start in range(0, len(pictures), 32):
            faces = to_tensor(np.stack(pictures[start : start + 32])).to(device)
            with torch.inference_mode():
                latents.append(vqgan.encode(faces).half().cpu().numpy())
        return np.concatenate(latents)


def _unknown(count: int) -> NDArray[np.float32]:
    return np.full((count, _IDENTITY_WIDTH), np.nan, np.float32)


def external_pairs(
    folder: Path, align: Callable[[NDArray[np.uint8]], NDArray[np.float64]]
) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]]:
    """Pairs that another swapper made: files ``<pair>_target.*``, ``<pair>_source.*`` and
    ``<pair>_result.*``.

    Args:
        folder: where they lie.
        align: similarity (2, 3) from a picture to the aligned crop.

    Returns:
        Crops uint8 (256, 256, 3) of target, source and result; the result is cut where the target
        was, so that a displacement by the other swapper is not hidden.
    """
    from swaptalk.faces.geometry.align import Alignment, crop_face
    from swaptalk.media.image import read_image

    triples = []
    for target in sorted(folder.glob("*_target.*")):
        pair = target.name.rpartition("_target.")[0]
        files = [
            target,
            *(
                next(iter(sorted(folder.glob(f"{pair}_{part}.*"))), None)
                for part in ("source", "result")
            ),
        ]
        if None in files:
            raise InputError(
                f"{pair} lacks its _source or _result picture", path=folder, remedy="add it"
            )
        pictures = [read_image(file) for file in files if file is not None]
        if pictures[0].shape != pictures[2].shape:
            raise InputError(
                f"target and result of {pair} differ in size", path=folder, remedy="make them equal"
            )
        placed, own = Alignment(align(pictures[0])), Alignment(align(pictures[1]))
        triples.append(
            (
                crop_face(pictures[0], placed),
                crop_face(pictures[1], own),
                crop_face(pictures[2], placed),
            )
        )
    if not triples:
        names = "PAIR_target.png, PAIR_source.png and PAIR_result.png"
        raise InputError("holds no pairs", path=folder, remedy=f"name them {names}")
    return triples
