"""Find what makes a photo a poor source, and say what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.beard import measure_beard
from swaptalk.faces.editing.eyewear import Eyewear, eyewear
from swaptalk.faces.editing.hair import mouth_is_hidden
from swaptalk.faces.editing.light import measure_light
from swaptalk.faces.editing.mesh_warp import bare_skin, skin_weight
from swaptalk.faces.geometry.align import CROP_SIZE, Alignment
from swaptalk.faces.geometry.pose import estimate_pose
from swaptalk.faces.geometry.topology import LIPS, mouth_openness

#: Limits beyond which composites of a photo looked bad. In brackets: the share of 150 press photos
#: that each concerns. Share of the face that is bare skin, not hair, hat or hand (5 %).
LEAST_BARE = 0.8
#: Change of the log colour of skin along x or y of its normal, from `measure_light` (12 %).
HARDEST_LIGHT = 0.25
#: Degrees of yaw (18 %) and pitch (3 %).
LARGEST_YAW, LARGEST_PITCH = 25.0, 18.0
#: Opening of the mouth in its widths (6 %): official portraits smile with .22 at most.
LARGEST_OPENING = 0.25
#: Ninth decile of the high-pass relative to the brightness (1 %); half of small web pictures lie
#: below.
LEAST_SHARPNESS = 0.035
#: Crop pixels per pixel of the photo: above it the face is smaller than 150 px.
LARGEST_SCALE = 1.8
#: Standard deviation of the low-pass behind the sharpness, and grey levels added to the brightness.
_SHARPNESS_SIGMA, _DARK = 1.5, 8.0
#: Rings of points around both eyes, for the region of glasses, and the forehead down to the brows.
_EYES, _FOREHEAD = [70, 105, 107, 336, 334, 300, 347, 118], [54, 10, 284, 105, 334]
#: What each warning says, and what to do about it.
_TEXTS = {
    "glasses": (
        "the person wears glasses, which are not carried over",
        "give a photo without glasses",
    ),
    "beard": (
        "the person has a full beard, which is shaved off for faces that have none",
        "give a photo without the beard, or a video of somebody with one",
    ),
    "hair": ("hair, a hat or a hand covers part of the face", "give a photo with a free forehead"),
    "covered": (
        "a hand, a microphone or something else is in front of the mouth",
        "give a photo that shows the mouth",
    ),
    "light": (
        "the light is hard or comes from one side",
        "give a photo in even light, such as from a window in front",
    ),
    "turned": (
        "the head is turned away",
        "give a photo from the front, or several from different sides",
    ),
    "small": ("the face is small", "give a photo in which it is 300 pixels high or more"),
    "blurred": ("the face is blurred", "give a sharper photo"),
    "mouth": ("the mouth is open", "give a photo with closed lips or a slight smile"),
}


@dataclass(frozen=True)
class PhotoWarning:
    """A reason why results of a photo will look worse than they could."""

    code: str
    """``glasses``, ``beard``, ``hair``, ``covered``, ``light``, ``turned``, ``blurred``, ``small``
    or ``mouth``.
    """
    message: str
    """What is wrong, in words."""
    remedy: str
    """What to do."""
    region: tuple[float, float, float, float]
    """Where it is seen: left, top, right, bottom in pixels of the photo."""


def photo_warnings(
    crop: NDArray[np.uint8], mesh: NDArray[np.floating], alignment: Alignment
) -> list[PhotoWarning]:
    """Check a source photo.

    Args:
        crop: aligned crop (256, 256, 3) uint8 RGB of the face.
        mesh: (468, 3) in its pixels.
        alignment: how the crop lies in the photo.

    Returns:
        One warning for each thing found; none for a good photo.
    """
    pose, light = estimate_pose(mesh), measure_light(crop, mesh)
    skin = skin_weight(mesh, CROP_SIZE)
    bare = float((bare_skin(crop, mesh) * skin).sum() / max(float(skin.sum()), 1.0))
    everything, hidden = mesh[:, :2], mouth_is_hidden(crop, mesh)
    found = (
        (eyewear([crop], [mesh]) is not Eyewear.NONE, "glasses", mesh[_EYES]),
        (not hidden and measure_beard([crop], [mesh]).covers_jaw, "beard", mesh[LIPS]),
        (bare < LEAST_BARE, "hair", mesh[_FOREHEAD]),
        (hidden, "covered", mesh[LIPS]),
        (float(np.abs(light[1:3].mean(axis=1)).max()) > HARDEST_LIGHT, "light", everything),
        (abs(pose.yaw) > LARGEST_YAW or abs(pose.pitch) > LARGEST_PITCH, "turned", everything),
        (alignment.scale > LARGEST_SCALE, "small", everything),
        (
            alignment.scale <= LARGEST_SCALE and _sharpness(crop, mesh) < LEAST_SHARPNESS,
            "blurred",
            everything,
        ),
        (mouth_openness(mesh) > LARGEST_OPENING, "mouth", mesh[LIPS]),
    )
    return [
        PhotoWarning(code, *_TEXTS[code], _box(points, alignment))
        for applies, code, points in found
        if applies
    ]


def _sharpness(crop: NDArray[np.uint8], mesh: NDArray[np.floating]) -> float:
    """Strength of edges inside the face relative to the brightness around them."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), _SHARPNESS_SIGMA)) / (grey + _DARK)
    hull = np.zeros(grey.shape, np.uint8)
    points = cv2.convexHull(np.round(mesh[:, :2]).astype(np.int32))
    cv2.fillConvexPoly(hull, points, (1,))
    inside = cv2.erode(hull, np.ones((25, 25), np.uint8)) > 0  # without the outline of the face
    return float(np.quantile(edges[inside], 0.9)) if inside.any() else 0.0


def _box(points: NDArray[np.floating], alignment: Alignment) -> tuple[float, float, float, float]:
    placed = alignment.to_image(np.asarray(points[:, :2], np.float32))
    (left, top), (right, bottom) = placed.min(axis=0).tolist(), placed.max(axis=0).tolist()
    return left, top, right, bottom
