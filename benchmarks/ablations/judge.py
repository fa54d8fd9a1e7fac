"""The measurements of the ablations, on unseen people: the evaluation's own metrics on aligned
crops.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from swaptalk.assets import catalogue
from swaptalk.data.faces import to_pictures, to_tensor
from swaptalk.data.latents import LatentCache
from swaptalk.data.motion import MotionTable, window
from swaptalk.data.store import Dataset, Item
from swaptalk.faces.detection.landmarks import FaceMesh
from swaptalk.faces.detection.recognise import MobileFaceNet
from swaptalk.faces.editing.face_composite import composite_face, shape_difference
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.geometry.mouth_view import mouth_view
from swaptalk.faces.geometry.pose import estimate_pose
from swaptalk.faces.geometry.recognition_crop import recognition_crop
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.metrics.landmark_distance import landmark_distance
from swaptalk.metrics.own_sync import OwnSyncScorer
from swaptalk.metrics.perceptual import PerceptualDistance
from swaptalk.metrics.ssim import ssim
from swaptalk.models.lipsync import LipSync, LipSyncConfig
from swaptalk.models.swap import MASK_DETAIL, SwapConfig, SwapTransformer
from swaptalk.training.pretrained import fingerprint, load_network

#: Faces that go through the networks together, and frames of each clip that are made.
_BATCH, _CLIP_FRAMES = 8, 60

Pictures = NDArray[np.uint8]
Numbers = dict[str, list[float]]


class Judge:
    """Measures runs of the stages.

    Args:
        data: dataset with test people.
    """

    def __init__(self, data: Path) -> None:
        self._dataset = Dataset(data)
        self._photos = [
            i for i in self._dataset.select("test", ("photo",)) if self._dataset.usable(i)[0]
        ]
        self._clips = [i for i in self._dataset.select("test", ("real",)) if i.trusted]
        self._mesh = FaceMesh(catalogue.resolve("face-mesh"))
        self._recogniser = MobileFaceNet(catalogue.resolve("mobilefacenet"))
        self._perceptual = PerceptualDistance(catalogue.resolve("lpips-alexnet"))
        self._sync = OwnSyncScorer.from_pretrained()
        self._motion = MotionTable(self._dataset)

    @torch.no_grad()
    def __call__(self, stage: str, run: Path, vqgan: Path) -> Numbers:
        """Numbers of a run: lists of one value a face, pair or clip.

        Args:
            stage: which of the stages.
            run: its folder.
            vqgan: the autoencoder that a swap or lip-sync run was trained on.
        """
        if stage == "vqgan":
            return self._reconstruction(load_network("vqgan", run))
        if stage == "swap":
            return self._swaps(load_network("swap", run), load_network("vqgan", vqgan))
        if stage == "lipsync":
            return self._speech(
                load_network("lipsync", run),
                load_network("audio", run),
                load_network("vqgan", vqgan),
            )
        return {}

    def _pictures(self, items: list[Item]) -> Pictures:
        return np.stack([self._dataset.picture(i, 0) for i in items])

    def _measured(self, pictures: Pictures, near: NDArray[np.float32]) -> NDArray[np.float32]:
        """Meshes (N, 468, 3) of crops, looked for where the meshes ``near`` (N, 468, 3) are."""
        regions = [CropRegion.around_points(m[:, :2]) for m in near]
        return np.stack([self._mesh(p, r).points for p, r in zip(pictures, regions, strict=True)])

    def _embedded(self, pictures: Pictures, meshes: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._recogniser.directions(
            recognition_crop(p, m) for p, m in zip(pictures, meshes, strict=True)
        )

    def _reconstruction(self, network: Any) -> Numbers:
        """LPIPS, SSIM and identity of reconstructions from codes; what the grid costs, and makes
        others cost.
        """
        real = self._pictures(self._photos)
        latents = _in_parts(network.encode, to_tensor(real))
        made = to_pictures(
            _in_parts(
                lambda z: network.decode(network.quantizer.decode(network.quantizer.encode(z))),
                latents,
            )
        )
        meshes = np.stack([np.asarray(self._dataset.landmarks(i)[0]) for i in self._photos])
        same = (self._embedded(real, meshes) * self._embedded(made, meshes)).sum(axis=1)
        face, one = to_tensor(real[:1]), latents[:1]
        grid, config = latents.shape[-1], network.config
        swap = SwapTransformer(SwapConfig(latent_channels=config.latent_channels, grid=grid)).eval()
        lips = LipSync(LipSyncConfig(latent_channels=config.latent_channels)).eval()
        mask = torch.zeros(1, 1, MASK_DETAIL * grid, MASK_DETAIL * grid)
        tokens = torch.zeros(1, LipSyncConfig().motion_window, LipSyncConfig().motion_channels)
        return {
            "LPIPS-Alex": [
                float(x)
                for x in np.concatenate(
                    [
                        self._perceptual(made[k : k + _BATCH], real[k : k + _BATCH])
                        for k in range(0, len(real), _BATCH)
                    ]
                )
            ],
            "SSIM": [ssim(a, b) for a, b in zip(made, real, strict=True)],
            "identity": same.tolist(),
            "bits a frame": [
                grid**2 * config.codebook_heads * float(np.log2(config.codebook_size))
            ],
            "GFLOP, autoencoder": [_gflop(lambda: network.decode(network.encode(face)))],
            "GFLOP, default swap": [_gflop(lambda: swap(one, mask, one))],
            "GFLOP, default lip-sync": [_gflop(lambda: lips(one, one, tokens))],
        }

    def _swaps(self, swap: Any, vqgan: Any) -> Numbers:
        """Every test person on the next one's photo: likeness to both by the reporting recogniser,
        pose error.
        """
        sources, targets = self._photos, self._photos[1:] + self._photos[:1]
        pictures = [self._pictures(items) for items in (sources, targets)]
        meshes = [
            np.stack([np.asarray(self._dataset.landmarks(i)[0]) for i in items])
            for items in (sources, targets)
        ]
        composites, masks = _composites(pictures, meshes, MASK_DETAIL * swap.config.grid)
        source, composite = (
            _in_parts(vqgan.encode, to_tensor(p)) for p in (pictures[0], composites)
        )
        parts = (x.split(_BATCH) for x in (composite, masks, source))
        swapped = torch.cat([swap(*part) for part in zip(*parts, strict=True)])
        made = to_pictures(_in_parts(vqgan.decode, swapped))
        found = self._measured(made, meshes[1])
        wanted = self._measured(pictures[1], meshes[1])
        directions = self._embedded(made, found)
        whose, others = (self._embedded(p, m) for p, m in zip(pictures, meshes, strict=True))
        turn = [
            np.array([[e.yaw, e.pitch, e.roll] for e in map(estimate_pose, part)])
            for part in (found, wanted)
        ]
        return {
            "cosine to source": (directions * whose).sum(axis=1).tolist(),
            "cosine to target": (directions * others).sum(axis=1).tolist(),
            "source found": ((directions @ whose.T).argmax(axis=1) == np.arange(len(whose)))
            .astype(float)
            .tolist(),
            "pose error, degrees": np.linalg.norm(turn[0] - turn[1], axis=1).tolist(),
        }

    def _speech(self, lipsync: Any, audio: Any, vqgan: Any) -> Numbers:
        """Test clips driven by their own sound, from one reference frame: sync by the report's
        network, lips, LMD.
        """
        self._motion.build()
        latents = LatentCache(self._dataset, fingerprint(vqgan.encoder))
        latents.build(self._clips, vqgan)
        numbers: Numbers = {}
        for item in self._clips:
            frames = np.flatnonzero(self._dataset.usable(item))[:_CLIP_FRAMES]
            mel = self._dataset.mel(item)
            heard = audio(torch.from_numpy(mel[None]))[0].numpy()
            embedded = torch.from_numpy(latents(item)[frames].astype(np.float32))
            motion = torch.from_numpy(
                np.stack([window(heard, int(k), lipsync.config.motion_window) for k in frames])
            )
            reference = embedded[:1].expand_as(embedded)
            made = to_pictures(
                torch.cat(
                    [
                        vqgan.decode(lipsync(z, r, m))
                        for z, r, m in zip(
                            *(x.split(_BATCH) for x in (embedded, reference, motion)), strict=True
                        )
                    ]
                )
            )
            real = np.stack([self._dataset.picture(item, int(k)) for k in frames])
            near = np.asarray(self._dataset.landmarks(item))[frames]
            lips, truth = self._measured(made, near), self._measured(real, near)
            openings = [[mouth_openness(m) for m in part] for part in (lips, truth)]
            views = self._sync.embed_views(np.stack([mouth_view(p) for p in made]))
            sound = self._sync.embed_mel(
                mel.reshape(-1, 4, mel.shape[1])[frames].reshape(-1, mel.shape[1])
            )
            values = {
                "LMD, % of eye distance": landmark_distance(lips, truth).percent,
                "opening against real, r": float(np.corrcoef(np.array(openings))[0, 1]),
                "opening's spread / real": float(
                    np.std(openings[0]) / max(float(np.std(openings[1])), 1e-6)
                ),
            }
            try:
                score = self._sync.score(views, sound)
                values |= {
                    "own sync confidence": score.confidence,
                    "own sync distance": score.distance,
                }
            except ValueError:  # too short to be shifted
                values |= {"own sync confidence": np.nan, "own sync distance": np.nan}
            for name, value in values.items():
                numbers.setdefault(name, []).append(value)
        return numbers


def _composites(
    pictures: list[Pictures], meshes: list[NDArray[np.float32]], side: int
) -> tuple[Pictures, Tensor]:
    """Composites (N, 256, 256, 3) of sources on targets, and masks (N, 1, side, side) of them."""
    made = []
    for source, source_mesh, target, target_mesh in zip(
        pictures[0], meshes[0], pictures[1], meshes[1], strict=True
    ):
        photo, wearer = FacePhoto(source, source_mesh), FacePhoto(target, target_mesh)
        difference = shape_difference([photo], wearer.shape)
        made.append(composite_face([photo], target, target_mesh, difference, wearer.eyewear))
    masks = [cv2.resize(m.mask, (side, side), interpolation=cv2.INTER_AREA) for m in made]
    return np.stack([m.picture for m in made]), torch.from_numpy(np.stack(masks)[:, None])


def _in_parts(network: Any, inputs: Tensor) -> Tensor:
    return torch.cat([network(part) for part in inputs.split(_BATCH)])


def _gflop(run: Any) -> float:
    """Floating-point operations of a call, 10^9, two a multiply-add."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops()) / 1e9
