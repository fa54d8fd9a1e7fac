"""Swap the faces of a target: make composites of source and target, encode them, correct them with
the swap network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.beard import Beards
from swaptalk.faces.editing.face_composite import (
    CompositeOptions,
    FaceComposite,
    composite_face,
    shape_difference,
)
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.light import measure_light
from swaptalk.faces.editing.smile_folds import fold_share
from swaptalk.faces.geometry.identity_shape import with_shape
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.analysis.source import AnySource
from swaptalk.pipeline.networks import MASK_SIZE, Latents, Networks
from swaptalk.pipeline.render.encoding import Encoding
from swaptalk.pipeline.render.swap_setup import SwapSetup


class FaceSwapper:
    """Gives faces of one target the source's identity.

    Args:
        networks: encode composites and correct them.
        analysis: first pass of the target.
        source: person to put into the video.
        strength: how much of the identity is taken, 0..1.
        shape: whose shape the face gets, from 0 (the target's) to 1 (the source's).
        setup: what is known of the two.
    """

    def __init__(
        self,
        networks: Networks,
        analysis: Analysis,
        source: AnySource,
        strength: float,
        shape: float,
        setup: SwapSetup,
    ) -> None:
        self._networks, self._analysis, self._source = networks, analysis, source
        self._strength, self._shape = strength, shape
        self._setup = setup
        self._differences: dict[int, NDArray[np.float32]] = {}

    @cached_property
    def _identity(self) -> Any:
        """Keys and values of the source's photos, as they would be in the target's light and
        without the folds of smiles that the target does not smile.
        """
        facts = self._setup.facts
        meshes = facts.meshes.values()
        light = np.mean(
            [measure_light(crop, facts.meshes[frame]) for frame, crop in facts.crops.items()],
            axis=0,
        )
        crops = []
        for photo in facts.photos:
            folds = np.mean([fold_share(photo.mesh, mesh) for mesh in meshes])
            crops.append(photo.brightened_for(light, float(folds)))
        return self._networks.identity(self._networks.encode(np.stack(crops)))

    @property
    def beards(self) -> Beards:
        """What becomes of both faces' beards."""
        return self._setup.facts.beards

    @property
    def photos(self) -> tuple[FacePhoto, ...]:
        """The source's photos as they are put on this target."""
        return self._setup.facts.photos

    @cached_property
    def reference_crops(self) -> dict[int, NDArray[np.uint8]]:
        """Aligned crops (256, 256, 3) of the reference frames, by frame."""
        return self._setup.reference_crops(self._analysis)

    def _difference(self, scene: int) -> NDArray[np.float32]:
        """Difference of shape (468, 3) between the two faces, one estimate a scene."""
        if scene not in self._differences:
            self._differences[scene] = scene_difference(
                self._source, self._analysis, scene, self._shape * self._strength
            )
        return self._differences[scene]

    def reopened(self) -> FaceSwapper:
        """Open the same swapper for another thread."""
        return FaceSwapper(
            self._networks,
            self._analysis.reopened(),
            self._source,
            self._strength,
            self._shape,
            self._setup,
        )

    def close(self) -> None:
        """Release the files of a `reopened` swapper."""
        self._analysis.close()

    def scene_shape(self, scene: int) -> NDArray[np.float32]:
        """Mean shape (468, 3) of the swapped face in a scene, without pose and size."""
        return with_shape(self._analysis.scene_shape(scene), self._difference(scene))

    def compose(
        self, crop: NDArray[np.uint8], frame: int, mesh: NDArray[np.float32] | None = None
    ) -> FaceComposite:
        """Make the classical composite.

        Args:
            crop: aligned crop (256, 256, 3) of a target frame.
            frame: its number in the target.
            mesh: (468, 3) of the face in the crop; None takes the analysis's.
        """
        facts = self._setup.facts
        return composite_face(
            facts.photos,
            crop,
            self._analysis.mesh(frame) if mesh is None else mesh,
            self._difference(self._analysis.scene(frame)),
            facts.worn,
            options=CompositeOptions(strength=self._strength),
            covered=facts.covered,
            beard=facts.beards is Beards.KEPT,
        )

    def correction(self, composites: Sequence[FaceComposite]) -> Encoding[Latents]:
        """Let the swap network correct composites once they are encoded.

        The result is latents (N, C, 16, 16), exact in half precision, so that templates store them
        without loss.
        """
        pictures = [one.picture for one in composites]
        return Encoding(pictures, lambda latents: self._corrected(latents, composites))

    def _corrected(self, latents: Latents, composites: Sequence[FaceComposite]) -> Latents:
        if not composites:
            return latents
        size = (MASK_SIZE, MASK_SIZE)
        masks = [cv2.resize(one.mask, size, interpolation=cv2.INTER_AREA) for one in composites]
        mask = np.asarray(np.stack(masks)[:, None], np.float32)
        swapped = self._networks.swap(latents, mask, self._identity, self._strength)
        return swapped.astype(np.float16).astype(np.float32)


def scene_difference(
    source: AnySource, analysis: Analysis, scene: int, weight: float
) -> NDArray[np.float32]:
    """How source and target differ in shape (468, 3) in a scene, see `shape_difference`."""
    return shape_difference(source.photos, analysis.scene_shape(scene), weight)


def shape_digest(shape: NDArray[np.floating]) -> str:
    """Digest (16 letters) of a scene's shape, by which a stored swap is known to fit still."""
    return hashlib.sha256(np.ascontiguousarray(shape, np.float32).tobytes()).hexdigest()[:16]


def samples_digest(analysis: Analysis) -> str:
    """Digest (16 letters) of what a swap gets to know the target by: its `Analysis.samples`, how
    their crops lie in the pictures, their light and their meshes.
    """
    digest = hashlib.sha256(analysis.samples.astype(np.int64).tobytes())
    for frame in analysis.samples.tolist():
        light = np.array(analysis.exposure(frame), np.float64)
        for part in (analysis.alignment(frame).matrix, light, analysis.mesh(frame)):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]
