"""Faces of a target before their mouths move: its own, or swapped ones where the swap comes
first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.fine_structure import restore_fine_structure
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.networks import Latents, Networks
from swaptalk.pipeline.render.encoding import Encoding
from swaptalk.pipeline.render.face_swapper import FaceSwapper
from swaptalk.pipeline.render.swap_setup import TargetPictures

_NOT_SWAPPED = np.zeros((CROP_SIZE, CROP_SIZE), np.float32)


class GroundFaces:
    """Makes such faces.

    Args:
        networks: the models.
        analysis: first pass of the target.
        swapper: gives faces the source's identity before their mouths move; None leaves them.
        pictures: decodes target frames, for crops that the first pass did not keep.
    """

    def __init__(
        self,
        networks: Networks,
        analysis: Analysis,
        swapper: FaceSwapper | None,
        pictures: TargetPictures,
    ) -> None:
        self._networks, self._analysis, self._swapper = networks, analysis, swapper
        self._pictures = pictures

    def shape(self, frame: int) -> NDArray[np.float32]:
        """Mean shape (468, 3) of the face in the scene of a target frame."""
        scene = self._analysis.scene(frame)
        if self._swapper is None:
            return self._analysis.scene_shape(scene)
        return self._swapper.scene_shape(scene)

    def compose(self, frame: int, crop: NDArray[np.uint8]) -> FaceComposite:
        """The face of a target frame's crop (256, 256, 3)."""
        if self._swapper is None:
            return FaceComposite(crop, _NOT_SWAPPED, self._analysis.mesh(frame))
        return self._swapper.compose(crop, frame)

    def correction(self, composites: Sequence[FaceComposite]) -> Encoding[Latents]:
        """Latents (N, C, 16, 16) of composites: corrected where they show a source."""
        if self._swapper is not None:
            return self._swapper.correction(composites)
        return self.embedding(composites)

    def embedding(self, faces: Sequence[FaceComposite]) -> Encoding[Latents]:
        """Latents (N, C, 16, 16) of finished faces."""
        quantised = Encoding([face.picture for face in faces], self._networks.quantize)
        return quantised.then(self._networks.embed)

    def mouths(self) -> dict[int, FaceComposite]:
        """The reference frames that show the mouth, by number."""
        return {frame: self.compose(frame, crop) for frame, crop in self.mouth_crops.items()}

    def finished_mouths(
        self, latents: Callable[[Mapping[int, FaceComposite]], Latents]
    ) -> dict[int, FaceComposite]:
        """The same frames as they look in the result.

        Args:
            latents: gives the corrected latents (N, C, 16, 16) of composites by frame.
        """
        crops = self.mouth_crops
        faces = {frame: self.compose(frame, crop) for frame, crop in crops.items()}
        if self._swapper is None:
            return faces
        decoded = self._networks.decode(latents(faces))
        return {
            frame: FaceComposite(
                restore_fine_structure(picture, face, crops[frame]), face.mask, face.mesh
            )
            for (frame, face), picture in zip(faces.items(), decoded, strict=True)
        }

    @cached_property
    def mouth_crops(self) -> dict[int, NDArray[np.uint8]]:
        """Aligned crops (256, 256, 3) of the frames that show the mouth: as the first pass kept
        them, else decoded.
        """
        kept = self._analysis.mouth_crops
        if kept is not None:
            return kept
        frames = self._analysis.mouths.tolist()
        return {
            frame: self._analysis.crop(frame, picture)
            for frame, picture in zip(frames, self._pictures(frames), strict=True)
        }
