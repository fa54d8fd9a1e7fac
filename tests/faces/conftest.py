"""Photographs in the public domain, the face networks, and clips made of the photographs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from swaptalk.assets import catalogue
from swaptalk.faces.detection.detect import FaceDetector
from swaptalk.faces.detection.landmarks import FaceMesh, Landmarks
from swaptalk.faces.geometry.align import Alignment, crop_face, estimate_alignment
from swaptalk.faces.geometry.region import CropRegion

MakeFrame = Callable[..., np.ndarray]


def _pinned(name: str) -> Path:
    asset = catalogue.get(name)
    if catalogue.status(asset) != "ready":
        pytest.skip(f"{asset.file} is not there: 'swaptalk models pull' fetches it")
    return catalogue.resolve(name, progress=False)


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    return FaceDetector(_pinned("blazeface-back"), _pinned("blazeface-full-range"))


@pytest.fixture(scope="session")
def mesh() -> FaceMesh:
    return FaceMesh(_pinned("face-mesh"))


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    return np.asarray(Image.open(_pinned("astronaut")).convert("RGB"))


@pytest.fixture(scope="session")
def hopper() -> np.ndarray:
    return np.asarray(Image.open(_pinned("grace-hopper")).convert("RGB"))


def find_mesh(image: np.ndarray, detector: FaceDetector, mesh: FaceMesh) -> Landmarks:
    """Mesh of the largest face."""
    first = mesh(image, CropRegion.around_detection(detector(image)[0]))
    return mesh(image, CropRegion.around_points(first.xy))


@pytest.fixture(scope="session")
def astronaut_face(astronaut, detector, mesh) -> tuple[np.ndarray, np.ndarray, Alignment]:
    """Aligned crop, mesh in crop pixels, alignment."""
    return _aligned(astronaut, detector, mesh)


@pytest.fixture(scope="session")
def hopper_face(hopper, detector, mesh) -> tuple[np.ndarray, np.ndarray, Alignment]:
    """Aligned crop, mesh in crop pixels, alignment."""
    return _aligned(hopper, detector, mesh)


def _aligned(image, detector, mesh):
    landmarks = find_mesh(image, detector, mesh)
    alignment = estimate_alignment(landmarks.xy)
    return crop_face(image, alignment), alignment.to_crop(landmarks.points), alignment


@pytest.fixture(scope="session")
def make_frame(astronaut) -> MakeFrame:
    """Factory of 720p frames with the astronaut at a place, as a noisy camera sees her."""

    def make(
        x: float = 380,
        y: float = 60,
        angle: float = 0,
        scale: float = 1.3,
        noise: float = 3,
        seed: int = 0,
        image: np.ndarray | None = None,
        background: int = 90,
    ) -> np.ndarray:
        picture = astronaut if image is None else image
        matrix = cv2.getRotationMatrix2D((220, 110), angle, scale)
        matrix[:, 2] += (x, y)
        frame = np.full((720, 1280, 3), background, np.uint8)
        frame[:, :, 0] = np.linspace(40, 160, 1280)
        cv2.warpAffine(picture, matrix, (1280, 720), dst=frame, borderMode=cv2.BORDER_TRANSPARENT)
        if noise:
            grain = np.random.default_rng(seed).normal(0, noise, frame.shape)
            frame = np.clip(frame + grain, 0, 255).astype(np.uint8)
        return frame

    return make


@pytest.fixture(scope="session")
def read_clip() -> Callable[[str, int], list[np.ndarray]]:
    """First frames of a test clip of the shared footage; skips where it is absent."""
    shared = Path(os.environ.get("SWAPTALK_SHARED", Path(__file__).parents[3] / "shared"))

    def read(identifier: str, count: int) -> list[np.ndarray]:
        path = shared / "data" / "video" / "clips" / f"{identifier}.webm"
        if not path.exists():
            pytest.skip("the shared footage is not there")
        return list(_frames(path, count))

    return read


def _frames(path: Path, count: int) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == count:
                return
            yield frame.to_ndarray(format="rgb24")
