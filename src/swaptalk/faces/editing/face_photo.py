"""A face in a photo of the source: what composites ask of it, and what is taken off it before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.bare_lips import bare_lips
from swaptalk.faces.editing.beard import NO_BEARD, Beard, beard_zone, measure_beard, shaving
from swaptalk.faces.editing.calming import Kept, calm_contrasts, plain_colours, plain_shadows
from swaptalk.faces.editing.cropped_face import CroppedFace
from swaptalk.faces.editing.eye_network import measure_eyes
from swaptalk.faces.editing.eye_shape import Eye, eye_pair, visible_pair
from swaptalk.faces.editing.eye_warp import eye_trust, with_lids
from swaptalk.faces.editing.eyewear import (
    Eyewear,
    eyewear,
    glasses_rims,
    glasses_zone,
    paint_over,
)
from swaptalk.faces.editing.face_texture import TextureFit, expected_face, mirror_gain
from swaptalk.faces.editing.hair import brows_are_hidden, hair_mask, mouth_is_hidden, uncover
from swaptalk.faces.editing.mask import disc
from swaptalk.faces.editing.mesh_warp import LEAST_HIDDEN
from swaptalk.faces.editing.shading import measure_texture, shaded, shading_model
from swaptalk.faces.editing.side_shadow import shadow_mask
from swaptalk.faces.editing.skin_repair import SkinRepair, repair_skin
from swaptalk.faces.editing.smile_folds import smooth_folds
from swaptalk.faces.geometry.identity_shape import normalised_shape

#: So many crop pixels around a beard say nothing about the skin below it.
_BEARD_ROOM = 4
#: Glasses reach so many crop pixels beyond what large ones cover.
_GLASSES_ROOM = 6


@dataclass(frozen=True)
class FacePhoto(CroppedFace):
    """A face of the source; ``fine`` (512, 512, 3) is the same crop twice as fine, where the photo
    holds more than the crop; ``covered`` (256, 256, 3) is it before something was taken off, and
    ``has_brows`` says whether the photo shows them.
    """

    fine: NDArray[np.uint8] | None = None
    covered: NDArray[np.uint8] | None = None
    has_brows: bool = True

    def uncovered(self) -> FacePhoto:
        """The same face with the rims of its glasses painted over, or the face that is expected
        behind dark ones, hair, jewellery, hands and hard shadows on one side replaced, and what is
        left on its skin repaired; itself where nothing is seen.
        """
        bare = [self.crop] if self.fine is None else [self.crop, self.fine]
        rims = beard = lenses = np.zeros(self.crop.shape[:2], np.float32)
        if self.eyewear is Eyewear.RIMS:
            rims = glasses_rims(self.crop, self.mesh)
            bare = [paint_over(picture, rims) for picture in bare]
        elif self.eyewear is Eyewear.OTHER:
            lenses = _around_eyes(self.mesh)
            behind = SkinRepair(expected_face(self.crop, self.mesh, lenses), lenses)
            bare = [behind.applied(picture) for picture in bare]
        if self.beard.grows:
            beard = beard_zone(self.mesh)
        hidden = hair_mask(self.crop, self.mesh) * (1 - np.maximum(beard, lenses))
        bare = _all_uncovered(bare, self.mesh, hidden)
        shaded = shadow_mask(bare[0], self.mesh)
        bare = _all_uncovered(bare, self.mesh, shaded)
        replaced = np.maximum.reduce([rims, hidden, shaded])
        repair = repair_skin(bare[0], self.mesh, replaced, beard)
        if repair is not None:
            bare = [repair.applied(picture) for picture in bare]
        if bare[0] is self.crop:
            return self
        fine = bare[1] if len(bare) > 1 else None
        brows = not brows_are_hidden(self.mesh, hidden)
        return FacePhoto(bare[0], self.mesh, fine, self.crop, brows)

    @property
    def as_photographed(self) -> NDArray[np.uint8]:
        """The crop (256, 256, 3) with everything that `uncovered` took off."""
        return self.crop if self.covered is None else self.covered

    @cached_property
    def mirror_gain(self) -> NDArray[np.float32] | None:
        """What brings the mirror image of the side that is seen into the light of the hidden one,
        see `swaptalk.faces.editing.face_texture.mirror_gain`; None where no side is hidden.
        """
        return mirror_gain(self.crop, self.mesh) if self.hidden.max() > LEAST_HIDDEN else None

    @cached_property
    def hides_mouth(self) -> bool:
        """Whether something lies in front of the mouth, which could be taken for a beard."""
        return mouth_is_hidden(self.as_photographed, self.mesh)

    @cached_property
    def beard(self) -> Beard:
        """What of a beard the photo shows."""
        return beard_of([self])

    @cached_property
    def shaven(self) -> FacePhoto:
        """The same face with the skin that is expected where beards grow, see
        `swaptalk.faces.editing.face_texture`.
        """
        hairs = np.asarray(beard_zone(self.mesh) > 0.01, np.float32)
        around = np.asarray(cv2.dilate(hairs, disc(_BEARD_ROOM)), np.float32)
        expected = expected_face(self.crop, self.mesh, around)
        repair = SkinRepair(*shaving(self.crop, self.mesh, expected))
        return self._with(repair.applied)

    @cached_property
    def texture(self) -> TextureFit:
        """The face as the model of faces' textures explains it."""
        return measure_texture(self.crop, self.mesh)

    def shaded_like(self, seen: Sequence[TextureFit]) -> FacePhoto:
        """The same face with the shading of a target that is ``seen`` so, see
        `swaptalk.faces.editing.shading`.
        """
        change = shading_model().change(self.texture, seen)
        return self._with(lambda picture: shaded(picture, self.mesh, change))

    def _with(self, edit: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> FacePhoto:
        """The same face with both crops edited."""
        fine = None if self.fine is None else edit(self.fine)
        return FacePhoto(edit(self.crop), self.mesh, fine, self.as_photographed, self.has_brows)

    @cached_property
    def shape(self) -> NDArray[np.float32]:
        """Shape of the face (468, 3) without pose and size."""
        return normalised_shape(self.mesh)

    @cached_property
    def bare(self) -> NDArray[np.uint8]:
        """The crop without what is between its lips, see `bare_lips`."""
        return bare_lips(self.crop, self.mesh)

    @cached_property
    def plain(self) -> NDArray[np.uint8]:
        """The bare crop in the broad colours of its skin, see `plain_colours`."""
        return plain_colours(self.bare, self.mesh)

    @cached_property
    def even(self) -> NDArray[np.uint8]:
        """The bare crop without strange colours in the dark, see `plain_shadows`."""
        return plain_shadows(self.bare, self.lidded_mesh)

    @cached_property
    def calm(self) -> NDArray[np.uint8]:
        """The bare crop with the contrasts of much fairer skin, see `calm_contrasts`."""
        return calm_contrasts(self.bare, self.plain, self.mesh)

    @cached_property
    def unfolded(self) -> FacePhoto:
        """The same face without the folds of a smile, see `smooth_folds`."""
        return FacePhoto(smooth_folds(self.crop, self.plain, self.mesh), self.mesh)

    def calmed_for(self, light: NDArray[np.floating], folds: float = 0.0) -> NDArray[np.uint8]:
        """The bare crop (256, 256, 3) as it can be given another light (4, 3), and with ``folds``
        of its smile smoothed, 0..1.
        """
        kept = Kept.of(self.light, light)
        made = _mixed(self.even, self.plain, kept.colours) if kept.colours < 1 else self.even
        made = _mixed(made, self.calm, kept.contrasts) if kept.contrasts < 1 else made
        return _mixed(self.unfolded.calmed_for(light), made, folds) if folds else made

    def brightened_for(self, light: NDArray[np.floating], folds: float = 0.0) -> NDArray[np.uint8]:
        """The crop (256, 256, 3) as the swap network is to see it beside a composite in another
        light (4, 3): calmed and brightened where the composite is, too. Arguments as of
        `calmed_for`.
        """
        share = 1 - Kept.of(self.light, light).contrasts
        if not share:
            return _mixed(self.unfolded.crop, self.crop, folds) if folds else self.crop
        gain = np.exp(share * (light[0] - self.light[0]))
        lit = self.calmed_for(light, folds) * gain
        return np.asarray(np.clip(np.round(lit), 0, 255), np.uint8)

    @cached_property
    def eyes(self) -> NDArray[np.float32]:
        """Lids and irises (2, 21, 2), see `measure_eyes`."""
        return measure_eyes(self.crop, self.mesh)

    @cached_property
    def lidded_mesh(self) -> NDArray[np.float32]:
        """The mesh (468, 3) with the lids of ``eyes``."""
        return with_lids(self.mesh, self.eyes)

    @cached_property
    def eyeballs(self) -> tuple[Eye, Eye]:
        """The eyes to take the eyeballs from, see `visible_pair`."""
        return visible_pair(eye_pair(self.mesh, self.eyes))

    @cached_property
    def eye_trust(self) -> float:
        """How well the photo shows the eyeballs, 0..1."""
        return eye_trust(self.eyeballs)

    @cached_property
    def eyewear(self) -> Eyewear:
        """The glasses that the person wears in it."""
        return eyewear([self.crop], [self.mesh])

    @cached_property
    def has_glasses(self) -> bool:
        """Whether glasses are left in it, or hid the eyes before something was taken off: what lies
        behind dark ones is not the person's.
        """
        worn = eyewear([self.as_photographed], [self.mesh])
        return worn is Eyewear.OTHER or self.eyewear is not Eyewear.NONE


def _around_eyes(mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """What dark glasses hide, with a soft edge outwards, (256, 256) in 0..1."""
    zone = cv2.dilate(glasses_zone(mesh), disc(_GLASSES_ROOM))
    return np.asarray(cv2.GaussianBlur(zone, (0, 0), _GLASSES_ROOM / 2) / np.float32(255))


def beard_of(photos: Sequence[FacePhoto]) -> Beard:
    """The beard of the person in these photos, as far as they show the mouth."""
    shown = [one for one in photos if not one.hides_mouth]
    if not shown:
        return NO_BEARD
    return measure_beard([one.as_photographed for one in shown], [one.mesh for one in shown])


def _all_uncovered(
    pictures: list[NDArray[np.uint8]], mesh: NDArray[np.float32], covered: NDArray[np.float32]
) -> list[NDArray[np.uint8]]:
    """A crop (256, 256, 3), and the same crop finer if it follows, without what is ``covered``."""
    if not covered.any():
        return pictures
    expected = expected_face(pictures[0], mesh, covered)
    return [uncover(picture, mesh, covered, expected) for picture in pictures]


def _mixed(one: NDArray[np.uint8], other: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """Two pictures of one size in one; ``share`` is the first's."""
    return np.asarray(cv2.addWeighted(one, share, other, 1 - share, 0), np.uint8)
