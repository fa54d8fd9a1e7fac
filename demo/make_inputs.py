"""Make the demo's inputs: a source photograph, and a target clip with head, eye and camera motion.

Both pictures are public-domain portraits that ordinary Python packages carry (see README.md beside
this file). The clip is one photograph brought to life: its face mesh and an ellipsoid for the head
give a depth for every pixel, the head turns and tilts by a few degrees as a solid body that fades
into the shoulders, the lids blink, and a hand-held camera drifts and moves closer. Everything is
deterministic.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from swaptalk.faces.align import CROP_SIZE, estimate_alignment
from swaptalk.faces.detect import FaceDetector
from swaptalk.faces.landmarks import FaceMesh
from swaptalk.faces.mesh_warp import dense_map
from swaptalk.faces.region import CropRegion
from swaptalk.faces.topology import MIRROR
from swaptalk.runtime import assets

WIDTH, HEIGHT, FPS, SECONDS = 1280, 720, 25, 6.0
#: Camera: width of the view in pixels of the photograph, and its centre, each at the beginning and
#: the end.
VIEW_WIDTH, VIEW_CENTRE = (474.0, 440.0), ((241.0, 138.0), (237.0, 130.0))
#: The photograph is enlarged this much once, by a better filter than a warp could use in every
#: frame.
ENLARGE = 3
#: Standard deviation of the film grain that each frame gets anew: a still grain would give the
#: trick away.
GRAIN = 1.6
#: One sheet of grain serves all frames, each cut from another of so many places in either
#: direction.
GRAIN_SHIFTS = 128
#: The head's ellipsoid, in eye distances: radii across, down and towards the camera, and how far
#: its centre lies above the middle between the eyes (hair included).
HEAD_RADII, HEAD_RISE = (1.27, 1.55, 1.25), 0.08
#: The head's motion fades out between these multiples of the ellipsoid's radii.
FADE = (0.95, 1.75)
#: The head turns about a point this far below the middle between the eyes and behind the face (eye
#: distances).
PIVOT_DROP, PIVOT_DEPTH = 1.1, 1.0

Field = NDArray[np.float32]

#: Upper lid of the right eye and the lower-lid point below each of its points; then the fold above
#: the lid.
_UPPER_LID, _LOWER_LID = (246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155)
_LID_FOLD = (247, 30, 29, 27, 28, 56, 190)
#: A lid moves this share of the way down, the lower lid and the fold this share of the upper lid's
#: way.
_LID_TRAVEL, _LOWER_SHARE, _FOLD_SHARE = 1.0, 0.15, 0.45
#: The coarse mesh draws the eye too small: its upper and lower lid are moved apart by these shares
#: of the opening.
_UPPER_MISFIT, _LOWER_MISFIT = 0.10, 0.65
#: How closed the eyes are over the frames of a blink: quick down, slower up (25 frames a second).
_BLINK = (0.5, 1.0, 1.0, 0.7, 0.35, 0.15)
_BLINK_TIMES = (0.92, 2.84, 4.72)


@dataclass(frozen=True)
class Pose:
    """State of the scene at one moment: head angles in radians, shifts in pixels of the photograph,
    lids 0..1.
    """

    yaw: float
    pitch: float
    roll: float
    shift: tuple[float, float]
    lids: float
    view_width: float
    view_centre: tuple[float, float]
    view_roll: float


def pose_at(seconds: float) -> Pose:
    """Motion script: slow turns with a few nods, as of someone who listens and is about to
    speak.
    """

    def wave(period: float, phase: float) -> float:
        return float(np.sin(2 * np.pi * (seconds / period + phase)))

    progress = seconds / SECONDS
    ease = progress * progress * (3 - 2 * progress)
    frame = seconds * FPS
    lids = 0.0
    for time in _BLINK_TIMES:
        lids = max(
            lids,
            float(
                np.interp(frame - time * FPS, np.arange(-1, len(_BLINK) + 1), (0.0, *_BLINK, 0.0))
            ),
        )
    return Pose(
        yaw=np.deg2rad(6.0 * wave(5.1, 0.02) + 2.2 * wave(2.3, 0.30)),
        pitch=np.deg2rad(2.2 * wave(3.7, 0.55) + 1.3 * wave(1.6, 0.10)),
        roll=np.deg2rad(2.2 * wave(4.4, 0.40) + 0.8 * wave(1.9, 0.70)),
        shift=(1.6 * wave(4.6, 0.15), 1.0 * wave(3.1, 0.45)),
        lids=lids,
        view_width=_between(VIEW_WIDTH[0], VIEW_WIDTH[1], ease),
        view_centre=(
            _between(VIEW_CENTRE[0][0], VIEW_CENTRE[1][0], ease)
            + 1.4 * wave(4.9, 0.6)
            + 0.5 * wave(1.3, 0.2),
            _between(VIEW_CENTRE[0][1], VIEW_CENTRE[1][1], ease)
            + 1.0 * wave(3.9, 0.1)
            + 0.4 * wave(1.1, 0.5),
        ),
        view_roll=np.deg2rad(0.25 * wave(4.2, 0.8)),
    )


def _between(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


class LivingPortrait:
    """A portrait (H, W, 3) uint8 RGB whose head, lids and camera can move.

    Args:
        image: the photograph.
        mesh: (468, 3) face mesh in its pixels.
    """

    def __init__(self, image: NDArray[np.uint8], mesh: NDArray[np.float32]) -> None:
        size = (image.shape[1] * ENLARGE, image.shape[0] * ENLARGE)
        large = cv2.resize(image, size, interpolation=cv2.INTER_LANCZOS4)
        blurred = cv2.GaussianBlur(large, (0, 0), 0.55 * ENLARGE)
        self._picture = cv2.addWeighted(large, 1.6, blurred, -0.6, 0)
        self._random = np.random.default_rng(0)
        noise = self._random.standard_normal((HEIGHT + GRAIN_SHIFTS, WIDTH + GRAIN_SHIFTS)).astype(
            np.float32
        )
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.7), np.float32)
        self._grain = np.rint(noise * (GRAIN / noise.std())).astype(np.int16)
        rows, columns = np.indices(image.shape[:2], np.float32)
        eyes = (mesh[[33, 133], :2].mean(axis=0), mesh[[263, 362], :2].mean(axis=0))
        middle, unit = (eyes[0] + eyes[1]) / 2, float(np.linalg.norm(eyes[1] - eyes[0]))
        pivot_z = float(mesh[[33, 133, 362, 263], 2].mean()) + PIVOT_DEPTH * unit
        # Normalised position on the head's ellipsoid; the radius is 1 at its outline.
        across = (columns - middle[0]) / (HEAD_RADII[0] * unit)
        down = (rows - (middle[1] - HEAD_RISE * unit)) / (HEAD_RADII[1] * unit)
        radius = np.hypot(across, down)
        self._weight = _fade(radius, *FADE)
        self._x = columns - middle[0]
        self._y = rows - (middle[1] + PIVOT_DROP * unit)
        self._z = _head_depth(radius, mesh, pivot_z, unit)
        self._closing = _closing_lids((mesh + 0.5) * ENLARGE - 0.5, size)

    def frame(self, pose: Pose) -> NDArray[np.uint8]:
        """Render one moment as (720, 1280, 3) uint8 RGB."""
        # All maps go backwards, from what is seen to where it is in the photograph; half resolution
        # is plenty.
        place = _view(pose)
        head = self._head_motion(pose)
        start = place
        for _ in range(
            4
        ):  # invert x + motion(x) = place by fixed-point iteration: the motion is smooth and small
            start = place - _look_up(head, start)
        full = cv2.resize(
            (start + 0.5) * ENLARGE - 0.5, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR
        )
        if pose.lids > 0:
            full = full + pose.lids * _look_up(self._closing, np.asarray(full, np.float32))
        x, y = cv2.split(full)
        seen = cv2.remap(self._picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        row, column = self._random.integers(GRAIN_SHIFTS, size=2)
        grain = self._grain[row : row + HEIGHT, column : column + WIDTH, None]
        return np.asarray(np.clip(seen.astype(np.int16) + grain, 0, 255), np.uint8)

    def _head_motion(self, pose: Pose) -> Field:
        """Displacement (H, W, 2) of each pixel of the photograph as the head takes this pose."""
        cy, sy, cp, sp = np.cos(pose.yaw), np.sin(pose.yaw), np.cos(pose.pitch), np.sin(pose.pitch)
        cr, sr = np.cos(pose.roll), np.sin(pose.roll)
        x1 = cy * self._x + sy * self._z
        z1 = -sy * self._x + cy * self._z
        y1 = cp * self._y - sp * z1
        moved_x = cr * x1 - sr * y1 + pose.shift[0]
        moved_y = sr * x1 + cr * y1 + pose.shift[1]
        motion = np.stack([moved_x - self._x, moved_y - self._y], axis=-1) * self._weight[..., None]
        return motion.astype(np.float32)


def _fade(value: Field, start: float, end: float) -> Field:
    """1 below ``start``, 0 above ``end``, a smooth step in between."""
    share = np.clip((end - value) / (end - start), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _head_depth(radius: Field, mesh: NDArray[np.float32], pivot_z: float, unit: float) -> Field:
    """Height above the pivot towards the camera, in pixels: the mesh inside the face, an ellipsoid
    around it.
    """
    ellipsoid = HEAD_RADII[2] * unit * np.sqrt(np.clip(1 - radius**2, 0, 1))
    # Normalised convolution spreads the mesh's depth to the pixels between its points.
    points, height = np.zeros((2, *radius.shape), np.float32)
    for x, y, z in mesh:
        column, row = round(float(x)), round(float(y))
        points[row, column] += 1
        height[row, column] += pivot_z - z
    sigma = 0.1 * unit
    points, height = (
        cv2.GaussianBlur(points, (0, 0), sigma),
        cv2.GaussianBlur(height, (0, 0), sigma),
    )
    face = height / np.maximum(points, 1e-6)
    hull = np.zeros(radius.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(mesh[:, :2].round().astype(np.int32)), 1)
    inside = cv2.GaussianBlur(
        cv2.erode(hull, np.ones((5, 5), np.uint8)).astype(np.float32), (0, 0), 0.14 * unit
    )
    both = face * inside + ellipsoid * (1 - inside)
    return np.asarray(cv2.GaussianBlur(both, (0, 0), 0.08 * unit), np.float32)


def _closing_lids(mesh: NDArray[np.float32], size: tuple[int, int]) -> Field:
    """Backward displacement (H, W, 2) in pixels that closes both eyes of a mesh in a picture of (W,
    H) pixels.
    """
    opened = mesh.copy()
    for side in (np.arange(len(mesh)), MIRROR):
        upper, lower = side[list(_UPPER_LID)], side[list(_LOWER_LID)]
        opening = mesh[lower, :2] - mesh[upper, :2]
        opened[upper, :2] -= opening * _UPPER_MISFIT
        opened[lower, :2] += opening * _LOWER_MISFIT
    closed = opened.copy()
    for side in (np.arange(len(mesh)), MIRROR):
        upper, lower, fold = side[list(_UPPER_LID)], side[list(_LOWER_LID)], side[list(_LID_FOLD)]
        travel = opened[lower, :2] - opened[upper, :2]
        closed[upper, :2] += travel * (_LID_TRAVEL - _LOWER_SHARE)
        closed[lower, :2] -= travel * _LOWER_SHARE
        closed[fold, :2] += travel * _FOLD_SHARE
    alignment = estimate_alignment(mesh[:, :2])
    scale = float(
        2.0 ** np.ceil(np.log2(1 / alignment.scale) + 1)
    )  # two samples a pixel or more: lids are thin
    extent = round(CROP_SIZE * scale)
    matrix = alignment.matrix * scale
    source, target = (m[:, :2] @ matrix[:, :2].T + matrix[:, 2] for m in (opened, closed))
    field = dense_map(source, target, extent, step=1)
    rows, columns = np.indices((extent, extent), np.float32)
    shift = (field - np.stack([columns, rows], axis=-1)) @ np.linalg.inv(matrix[:, :2]).T.astype(
        np.float32
    )
    # The crop lies inside the photograph, and the field is zero at its border.
    placed = cv2.warpAffine(shift, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(placed, np.float32)


def _view(pose: Pose) -> Field:
    """Where each second pixel of the output looks, (360, 640, 2) x, y in pixels of the
    photograph.
    """
    rows, columns = np.indices((HEIGHT // 2, WIDTH // 2), np.float32)
    x, y = (columns * 2 + 0.5 - (WIDTH - 1) / 2), (rows * 2 + 0.5 - (HEIGHT - 1) / 2)
    scale = pose.view_width / WIDTH
    cos, sin = np.cos(pose.view_roll) * scale, np.sin(pose.view_roll) * scale
    return np.stack(
        [cos * x - sin * y + pose.view_centre[0], sin * x + cos * y + pose.view_centre[1]], axis=-1
    ).astype(np.float32)


def _look_up(field: Field, place: Field) -> Field:
    x, y = cv2.split(place)
    return np.asarray(
        cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def face_mesh(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mesh (468, 3) of the largest face in an image (H, W, 3) uint8 RGB."""
    files = assets.resolve_all(["blazeface-back", "blazeface-full-range", "face-mesh"])
    detector = FaceDetector(files["blazeface-back"], files["blazeface-full-range"])
    network = FaceMesh(files["face-mesh"])
    found = network(image, CropRegion.around_detection(detector(image)[0]))
    return network(image, CropRegion.around_points(found.xy)).points


def frames(portrait: LivingPortrait) -> Iterator[NDArray[np.uint8]]:
    """All frames of the clip in order."""
    for index in range(round(SECONDS * FPS)):
        yield portrait.frame(pose_at(index / FPS))


def write_clip(path: Path, portrait: LivingPortrait) -> None:
    """Encode the clip as H.264 (BT.709, limited range) in MP4."""
    partial = path.with_suffix(".part.mp4")
    with av.open(str(partial), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(FPS), options={"crf": "17", "preset": "veryfast"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = stream.codec_context
        context.color_range, context.colorspace = 1, 1  # limited range, BT.709
        context.color_primaries, context.color_trc = 1, 1
        for pixels in tqdm(
            frames(portrait), total=round(SECONDS * FPS), desc=path.name, unit="frame", disable=None
        ):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture = picture.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            for packet in stream.encode(picture):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    partial.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Make the demo's source photograph and target clip."
    )
    parser.add_argument(
        "--directory", type=Path, default=Path(__file__).parent, help="where to write both"
    )
    directory: Path = parser.parse_args().directory
    photos = assets.resolve_all(["grace-hopper", "astronaut"])
    shutil.copyfile(photos["grace-hopper"], directory / "source.jpg")
    with Image.open(photos["astronaut"]) as photo:
        image = np.asarray(photo.convert("RGB"), np.uint8)
    write_clip(directory / "target.mp4", LivingPortrait(image, face_mesh(image)))
    print(f"{directory / 'source.jpg'}\n{directory / 'target.mp4'}")


if __name__ == "__main__":
    main()
