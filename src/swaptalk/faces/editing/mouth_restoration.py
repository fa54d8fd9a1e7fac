"""The mouth that the lip-sync network made, drawn again with the person's own pixels.

The network decides where lips, jaw and cheeks are, and how light each place is; skin, lips and
teeth are taken from reference frames, warped to where a look at the network's picture finds the
lips. So the mouth follows the sound as the network's does, and is as sharp as the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.agreement import Agreement
from swaptalk.faces.editing.light import luma
from swaptalk.faces.editing.lip_composite import (
    MOUTH_BOX,
    LipReference,
    blended_mouth,
    inside_shown,
    mouth_inside,
    ramp,
    warped_mouth,
)
from swaptalk.faces.editing.mask import mouth_mask
from swaptalk.faces.editing.mesh_warp import skin_weight
from swaptalk.faces.editing.mouth_colour import natural_inside
from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.faces.geometry.lip_shape import even_lips, follow_lips
from swaptalk.faces.geometry.topology import mouth_openness

#: The light of what is coarser than this is the network's, crop pixels (standard deviation).
SIGMA = 4.0
#: A place is made lighter or darker by this factor at most: where references and network disagree
#: more, the references show something else.
LARGEST_GAIN = 1.5
#: Where network and references show something else, the network's picture stays: it is soft, but
#: says what is said.
AGREEMENT = Agreement(fine=2.0, coarse=8.0, reach=5.0, least=-0.2, full=0.3, flat=4.0)
#: The inside of a mouth is one thing, teeth or dark: it is the references' from the second mean
#: agreement on, the network's up to the first. So many pixels of it are needed to tell.
INSIDE_AGREEMENT, LEAST_INSIDE = (0.4, 0.7), 30.0
#: Opening (share of the mouth's width) that the motion wants, up to which the lips are where it
#: wants them, and from which they are where they are seen: closed lips in a soft picture are seen
#: restless.
SEEN_FROM = (0.08, 0.16)
#: References that open the mouth by less than this share of what is wanted do not show its inside:
#: wholly up to the first, not at all from the second.
SHOWN = (0.25, 0.5)
#: Then it is the network's of this frame in a mouth open by the second (share of its width), since
#: it shows teeth and tongue where they are; up to the first it is a mush, and that of another
#: picture of the network is better.
WIDE = (0.15, 0.3)
#: Skin is tinted by this factor at most.
LARGEST_TINT = 1.25
#: Added to brightness, and to a channel's share of it, so that black places have a ratio.
_FLOOR, _LEAST_COLOUR = 8.0, 0.05


class MouthGuide(NamedTuple):
    """The person's own pixels for a mouth."""

    pixels: NDArray[np.uint8]
    """The part `MOUTH_BOX` of a face, (144, 256, 3) RGB, in the network's brightness."""
    mask: NDArray[np.float32]
    """(256, 256) in 0..1, where they belong."""
    inside: NDArray[np.float32]
    """The part `MOUTH_BOX` of what lies between the lips, (144, 256) in 0..1."""

    def on(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture (256, 256, 3) with these pixels."""
        return blended_mouth(self.pixels, picture, self.mask)


def mouth_guide(
    references: Sequence[LipReference],
    face: NDArray[np.uint8],
    mesh: NDArray[np.float32],
    seen: NDArray[np.float32],
) -> MouthGuide:
    """Warp references to where a face's lips are, in its light.

    Args:
        references: of the same person, one or more.
        face: (256, 256, 3) uint8 RGB, as the decoder gives it.
        mesh: (468, 3) of the face, with jaw and cheeks where the motion wants them.
        seen: (468, 3), the same with the lips where ``face`` shows them.
    """
    share = np.float32(ramp(mouth_openness(mesh), SEEN_FROM))
    shaped = even_lips(follow_lips(mesh, mesh + share * (seen - mesh)))
    mouth, made = warped_mouth(references, shaped, None), face[MOUTH_BOX.slices]
    mask = mouth_mask(shaped)
    skin = (skin_weight(shaped, CROP_SIZE) * mask)[MOUTH_BOX.slices]
    half = (cv2.resize(_gain(made, mouth), MOUTH_BOX.size)[..., None] - 1) / 2
    coloured = mouth * _tint(made, mouth, skin)
    # Half of the light is multiplied, half is added: colours become neither glaring nor grey.
    lit = np.clip(coloured + half * (coloured + luma(mouth)[..., None]), 0, 255).astype(np.uint8)
    inside = mouth_inside(shaped)[MOUTH_BOX.slices]
    unknown = 1 - ramp(inside_shown(references, shaped), SHOWN)
    if unknown > 0 and inside.any():
        natural = _made_inside(made, lit, skin, inside, ramp(mouth_openness(shaped), WIDE))
        replaced = inside * np.float32(unknown)
        lit = np.asarray(cv2.blendLinear(natural, lit, replaced, 1 - replaced), np.uint8)
    return MouthGuide(lit, mask, inside)


def _made_inside(
    made: NDArray[np.uint8],
    lit: NDArray[np.uint8],
    skin: NDArray[np.float32],
    inside: NDArray[np.float32],
    wide: float,
) -> NDArray[np.uint8]:
    """The inside of a mouth that no reference shows: the network's of this frame as far as it is
    ``wide`` open, else that of the one open mouth that the network has made as a reference.
    """
    where = np.asarray(skin > 0.5, np.uint8)
    mixed = np.zeros(made.shape, np.float32)
    for source, share, contrast in ((made, wide, True), (lit, 1 - wide, False)):
        if share > 0:
            mixed += np.float32(share) * natural_inside(source, lit, where, inside, contrast)
    return np.asarray(np.round(mixed), np.uint8)


def restore_mouth(face: NDArray[np.uint8], guide: MouthGuide) -> NDArray[np.uint8]:
    """The face (256, 256, 3), as the decoder gives it, with its mouth drawn again."""
    mask = guide.mask.copy()
    agreed = AGREEMENT(face[MOUTH_BOX.slices], guide.pixels)
    area = float(guide.inside.sum())
    if area > LEAST_INSIDE:
        mean = float((agreed * guide.inside).sum()) / area
        whole = np.float32(ramp(mean, INSIDE_AGREEMENT))
        agreed += guide.inside * (whole - agreed)
    mask[MOUTH_BOX.slices] *= agreed
    return blended_mouth(guide.pixels, face, mask)


def _gain(face: NDArray[np.uint8], mouth: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the brightness of ``mouth`` is multiplied by, on every second pixel."""
    height, width = face.shape[0] // 2, face.shape[1] // 2  # light is coarse
    made, real = (
        cv2.GaussianBlur(
            cv2.resize(luma(one), (width, height), interpolation=cv2.INTER_AREA),
            (0, 0),
            SIGMA / 2,
        )
        for one in (face, mouth)
    )
    return np.asarray(
        np.clip((made + _FLOOR) / (real + _FLOOR), 1 / LARGEST_GAIN, LARGEST_GAIN), np.float32
    )


def _tint(
    face: NDArray[np.uint8], mouth: NDArray[np.uint8], skin: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What each channel (3,) of ``mouth`` is multiplied by so that its skin has the colour of the
    face's, at the same brightness.
    """
    where = np.asarray(skin > 0.5, np.uint8)
    made, real = (
        np.array(cv2.mean(one, where)[:3]) / max(cv2.mean(luma(one), where)[0], 1.0)
        for one in (face, mouth)
    )
    tint = (made + _LEAST_COLOUR) / (real + _LEAST_COLOUR)
    return np.asarray(np.clip(tint, 1 / LARGEST_TINT, LARGEST_TINT), np.float32)
