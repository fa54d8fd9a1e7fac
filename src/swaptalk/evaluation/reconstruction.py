"""Reconstruction by the autoencoder alone: the upper bound of every method that uses it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import SwapTalkError
from swaptalk.evaluation.code_digest import MEASURING, code_digest
from swaptalk.evaluation.measure import PairDistance
from swaptalk.evaluation.observe import Observer
from swaptalk.evaluation.protocols import Photo
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.media.image import read_image
from swaptalk.metrics.ssim import ssim
from swaptalk.pipeline.networks import Networks
from swaptalk.storage.files import AtomicFile

#: Photos that go through the networks together.
_BATCH = 4


@dataclass
class Reconstruction:
    """One value a photo: LPIPS and SSIM of the aligned 256 px crop, cosine of its identity before
    and after.

    ``codes``: decoded from the nearest codebook entries, as the pipeline does. ``latents``: without
    quantisation.
    """

    codes: dict[str, list[float]] = field(default_factory=dict)
    latents: dict[str, list[float]] = field(default_factory=dict)


def measure_reconstruction(
    photos: Sequence[Photo],
    networks: Networks,
    observer: Observer,
    perceptual: PairDistance,
    stored: Path,
) -> Reconstruction:
    """Encode and decode photos; results in ``stored`` of the same photos, weights and code are
    reused.

    Photos without a face are left out.
    """
    key = "|".join(
        [networks.fingerprint, code_digest(MEASURING), *(photo.name for photo in photos)]
    )
    known = _load(stored, key)
    if known is not None:
        return known
    crops, meshes = [], []
    for photo in photos:
        try:
            image = read_image(photo.path)
            mesh = observer.mesh(image, photo.path)
            alignment = estimate_alignment(mesh[:, :2])
        except (SwapTalkError, ValueError):
            continue
        crops.append(crop_face(image, alignment))
        meshes.append(alignment.to_crop(mesh))
    result = Reconstruction()
    for start in range(0, len(crops), _BATCH):
        pictures, points = np.stack(crops[start : start + _BATCH]), meshes[start : start + _BATCH]
        latents = networks.encode(pictures)
        for made, values in (
            (networks.decode(latents), result.latents),
            (networks.decode(networks.embed(networks.quantize(latents))), result.codes),
        ):
            for name, measured in _compare(pictures, made, points, observer, perceptual).items():
                values.setdefault(name, []).extend(measured)
    stored.parent.mkdir(parents=True, exist_ok=True)
    with AtomicFile(stored) as file:
        file.part.write_text(json.dumps({"key": key, **asdict(result)}), encoding="utf-8")
    return result


def _compare(
    real: NDArray[np.uint8],
    made: NDArray[np.uint8],
    meshes: Sequence[NDArray[np.float32]],
    observer: Observer,
    perceptual: PairDistance,
) -> dict[str, list[float]]:
    before, after = (observer.embed(pictures, meshes) for pictures in (real, made))
    return {
        "lpips": [float(x) for x in perceptual(made, real)],
        "ssim": [ssim(a, b) for a, b in zip(made, real, strict=True)],
        "identity": [float(x) for x in (before * after).sum(axis=1)],
    }


def _load(stored: Path, key: str) -> Reconstruction | None:
    try:
        content: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return (
        Reconstruction(content["codes"], content["latents"]) if content.get("key") == key else None
    )
