"""Stage ``hair``: the network that finds hair, jewellery and hands in front of the face in a photo
learns from faces with hair drawn on them, and from what surrounds faces in photos.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.data.degrade import degrade, relight
from swaptalk.data.hair import add_hair
from swaptalk.data.occluders import add_occluder
from swaptalk.data.repose import laid_differently
from swaptalk.data.store import Item
from swaptalk.faces.editing.hair_network import GRID
from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.mesh_warp import polygon_mask, strange_colours
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.topology import CHIN, FACE_OVAL, LOWER_FACE, MIDDLE_FACE, OUTER_LIPS
from swaptalk.models.occlusion import OcclusionConfig
from swaptalk.training.stage import Evaluation
from swaptalk.training.stages.occlusion import (
    OcclusionOptions,
    OcclusionStage,
    Sample,
    Textures,
)

#: How the crop may lie differently: shift and size in parts of its side, turn in degrees.
SHIFT, SCALE, TURN = 0.02, 0.05, 8.0
#: Share of pictures that are made softer, noisier or more compressed.
DEGRADED_SHARE = 0.5
#: Share of what is drawn that is hair or an earring; the rest are hands and other things.
HAIR_SHARE = 0.75
#: Crop pixels on both sides of the face's outline of which nobody knows whether they are the face.
UNSURE = 7
#: Weight of what surrounds the face and is of another colour: real hair, clothes, background.
AROUND_WEIGHT = 0.3
#: Distance from the colours of the cheeks (`strange_colours`) below which the upper part of a face
#: is skin, from which it is hair, and from which what is around it is something else.
SKIN, HAIR, OTHER = 0.6, 1.7, 1.3
#: Fair hair over a forehead has the colours of skin, but strands: where fine structure is stronger
#: than most of the cheeks' (natural logarithm, after blurs of so many crop pixels), nobody knows.
STRANDS, FINE, AROUND_IT = 0.25, 3.0, 4.0
#: A cell is covered where the opacity exceeds this in its middle.
LEAST_OPACITY = 0.4
#: Faces judged at an evaluation, each with something in front of it and without, and how many of
#: them the sheet shows, in rows of so many.
JUDGED, SHOWN, COLUMNS = 240, 32, 8
#: Fewest cells of the sure part of the face that something must cover for its overlap to count.
LEAST_DRAWN = 20
#: An alarm on a free face is false if more than this share of the sure part of it is marked.
FALSE_ALARM = 0.01


@dataclass(frozen=True, kw_only=True)
class HairOptions(OcclusionOptions):
    """Train the network that finds hair and other things in front of the face in a photo."""

    out: Path = Path("runs/hair")
    """Folder of the run: checkpoint, CSV files, samples. A run found there is resumed."""
    model: OcclusionConfig = field(default_factory=lambda: OcclusionConfig((12, 20, 32, 48, 64), 2))
    """Shape of the network."""
    free_share: float = 0.25
    """Share of faces without anything drawn."""


class HairStage(OcclusionStage):
    """The hair network, on faces with hair drawn on them."""

    name = "hair"
    averaged = ("hair",)
    options: HairOptions

    def _varied(
        self, item: Item, frame: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Crop and mesh of a face, lying a little differently, perhaps mirrored."""
        return laid_differently(*self._face(item, frame), rng, TURN, SHIFT, SCALE)

    def _sample(
        self,
        view: NDArray[np.uint8],
        mesh: NDArray[np.float32],
        textures: Textures,
        rng: np.random.Generator,
    ) -> Sample:
        """Crop in other light, covered shares and weights (128, 128) of its cells; without textures
        nothing is drawn.
        """
        covered, weight = known_places(view, mesh)
        if textures is not None:
            draw = add_hair if rng.random() < HAIR_SHARE else add_occluder
            view, opacity = draw(view, mesh, textures, rng)
            weight = np.maximum(weight, opacity)
            covered = np.maximum(covered, opacity)
        view = relight(view, rng)
        if rng.random() < DEGRADED_SHARE:
            view = degrade(view, rng)
        size = GRID[::-1]
        cells = cv2.resize(covered, size, interpolation=cv2.INTER_AREA) > LEAST_OPACITY
        weights = cv2.resize(weight, size, interpolation=cv2.INTER_NEAREST)
        return view, np.asarray(cells, np.float32), np.asarray(weights, np.float32)

    def evaluate(self, networks: dict[str, Any], step: int) -> Evaluation:
        """Faces of unseen people with something drawn on them and without: overlap of found and
        drawn in % of the union on the sure part of the face, and false alarms in % of the free
        faces.
        """
        covered, free = self._judged_samples(JUDGED)
        seen = self._found(networks[self.name], covered)
        alarms = self._found(networks[self.name], free)
        overlaps = [_overlap(*pair) for pair in zip(seen, covered, strict=True)]
        false = [f[s[2] >= 1].mean() > FALSE_ALARM for f, s in zip(alarms, free, strict=True)]
        metrics = {
            "overlap": 100 * float(np.mean([one for one in overlaps if one is not None])),
            "false_alarms": 100 * float(np.mean(false)),
        }
        half = SHOWN // 2
        shown = [(covered[k][0], seen[k]) for k in range(min(half, len(covered)))]
        shown += [(free[k][0], alarms[k]) for k in range(half, min(SHOWN, len(free)))]
        return Evaluation(metrics, _sheet(shown))


def known_places(
    picture: NDArray[np.uint8], mesh: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a photo itself tells: where something else than the face is seen (256, 256), and weights
    (256, 256), 0 where nobody knows.

    Inside the outline is the face, but for its upper part where colours are not the cheeks': wholly
    other ones are hair, others nobody knows, nor what looks like strands. Around it what has
    another colour than the cheeks is not the face. Ears and neck stay open.
    """
    oval = cv2.convexHull(mesh[FACE_OVAL].astype(np.float32)).reshape(-1, 2)
    hull = polygon_mask(np.asarray(oval), CROP_SIZE) > 127
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * UNSURE + 1, 2 * UNSURE + 1))
    inside = cv2.erode(hull.astype(np.uint8), disc) > 0
    outside = cv2.dilate(hull.astype(np.uint8), disc) == 0
    outside[round(float(np.clip(mesh[CHIN, 1], 0, CROP_SIZE))) :] = False
    strange = strange_colours(picture, mesh)
    sure = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    for part in (LOWER_FACE, MIDDLE_FACE, OUTER_LIPS):
        points = cv2.convexHull(np.round(mesh[part]).astype(np.int32))
        cv2.fillPoly(sure, [points], (1,))
    own = inside & (((strange < SKIN) & ~_has_strands(picture, sure)) | (sure > 0))
    other = (outside & (strange > OTHER)) | (inside & (sure == 0) & (strange > HAIR))
    weight = own + AROUND_WEIGHT * other
    return other.astype(np.float32), np.asarray(weight, np.float32)


def _has_strands(picture: NDArray[np.uint8], cheeks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a picture (256, 256, 3) has more fine structure than skin, which is that of the
    ``cheeks`` (256, 256) of 0 or 1.
    """
    brightness = np.log(luma(picture))
    fine = np.square(brightness - cv2.GaussianBlur(brightness, (0, 0), FINE))
    strength = 0.5 * np.log(cv2.GaussianBlur(fine, (0, 0), AROUND_IT) + 1e-5)
    if not cheeks.any():
        return np.zeros(cheeks.shape, np.bool_)
    return np.asarray(strength > np.median(strength[cheeks > 0]) + STRANDS, np.bool_)


def _overlap(found: NDArray[np.bool_], sample: Sample) -> float | None:
    """Intersection over union on the sure part of the face; None where little lies there."""
    face = sample[2] >= 1
    right = (sample[1] > 0.5) & face
    if right.sum() < LEAST_DRAWN:
        return None
    return float((found & right).sum() / ((found & face) | right).sum())


def _sheet(faces: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]) -> NDArray[np.uint8]:
    """Crops above the same crops with what was found in green."""
    tiles = []
    for picture, found in faces:
        marked = picture.copy()
        where = cv2.resize(found.astype(np.uint8), picture.shape[1::-1]) > 0
        marked[where] = marked[where] // 2 + np.array([0, 120, 0], np.uint8)
        tiles.append(np.concatenate([picture, marked]))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[k : k + COLUMNS], axis=1) for k in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows)
