"""Observe a clip for the metrics: meshes, head angles and identity over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.assets import catalogue
from swaptalk.errors import InputError
from swaptalk.faces.detection.detect import FaceDetector
from swaptalk.faces.detection.followed import mesh_box
from swaptalk.faces.detection.landmarks import FaceMesh
from swaptalk.faces.detection.recognise import MobileFaceNet
from swaptalk.faces.detection.track import FaceTracker, TrackedFace
from swaptalk.faces.geometry.recognition_crop import recognition_crop
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.media.image import read_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.metrics.landmark_distance import ALIGNED_EYE_DISTANCE, align_meshes
from swaptalk.metrics.lip_leak import mouth_opening

#: Every clip is measured at this rate, the paper's.
FPS = 25
#: A clip in which the face is seen in a smaller share of the frames is skipped: means over the rest
#: would flatter.
MINIMUM_FACE_SHARE = 0.5


@dataclass(frozen=True)
class ClipObservation:
    """The main face of a clip of T frames at 25 fps.

    ``meshes`` (T, 468, 3) float32 in pixels and ``angles`` (T, 3) yaw, pitch, roll in degrees are
    NaN where ``present`` (T,) is False. ``embeddings`` (T, 192) are unit-length, NaN where they
    were not measured. ``width`` and ``height`` are the picture's.
    """

    meshes: NDArray[np.float32]
    angles: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    present: NDArray[np.bool_]
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.present)

    @property
    def opening(self) -> NDArray[np.float64]:
        """Mouth opening (T,) as a share of the eye distance; gaps are filled by interpolation."""
        known = np.flatnonzero(self.present)
        measured = mouth_opening(align_meshes(self.meshes[known]), ALIGNED_EYE_DISTANCE)
        return np.asarray(np.interp(np.arange(len(self)), known, measured), np.float64)

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                meshes=self.meshes,
                angles=self.angles,
                embeddings=self.embeddings,
                present=self.present,
                size=np.array([self.width, self.height]),
            )

    @classmethod
    def load(cls, path: Path) -> ClipObservation:
        """Read a file written by ``save``."""
        with np.load(path, allow_pickle=False) as stored:
            width, height = (int(n) for n in stored["size"])
            meshes, angles, embeddings = (
                stored[name] for name in ("meshes", "angles", "embeddings")
            )
            return cls(meshes, angles, embeddings, stored["present"], width, height)


class Observer:
    """Reads faces with the detector, mesh and reporting recogniser.

    Args:
        threads: CPU threads of each network.
    """

    def __init__(self, threads: int = 2) -> None:
        paths = catalogue.resolve_all(
            ["blazeface-back", "blazeface-full-range", "face-mesh", "mobilefacenet"]
        )
        self._detector = FaceDetector(
            paths["blazeface-back"], paths["blazeface-full-range"], threads
        )
        self._mesh = FaceMesh(paths["face-mesh"], threads)
        self._recogniser = MobileFaceNet(paths["mobilefacenet"], threads)

    def photo(self, path: Path) -> NDArray[np.float32]:
        """Embedding (192,) of the largest face of a photo.

        Raises:
            InputError: the photo cannot be read or shows no face.
        """
        image = read_image(path)
        (embedding,) = self.embed([image], [self.mesh(image, path)])
        return np.asarray(embedding, np.float32)

    def embed(
        self, images: Iterable[NDArray[np.uint8]], meshes: Iterable[NDArray[np.floating]]
    ) -> NDArray[np.float32]:
        """Unit-length embeddings (N, 192) of faces in RGB images, of which the meshes (468, 2 or 3)
        are known.
        """
        return self._recogniser.directions(
            recognition_crop(a, b) for a, b in zip(images, meshes, strict=True)
        )

    def mesh(self, image: NDArray[np.uint8], path: Path) -> NDArray[np.float32]:
        """Mesh (468, 3) of the largest face of an RGB image; ``path`` is for the error.

        Raises:
            InputError: there is no face.
        """
        found = self._detector(image)
        if not found:
            raise InputError(
                "no face was found", path=path, remedy="leave this photo out or replace it"
            )
        first = self._mesh(image, CropRegion.around_detection(found[0]))
        return self._mesh(image, CropRegion.around_points(first.xy)).points

    def clip(self, path: Path, frames: int | None = None, embed_every: int = 1) -> ClipObservation:
        """Observe a video at 25 fps.

        Args:
            path: the video.
            frames: stop after this many.
            embed_every: measure the identity on every n-th frame.

        Raises:
            InputError: it cannot be read, or shows no face in more than half of its frames.
        """
        with VideoReader(path, fps=Fraction(FPS)) as reader:
            count = min(len(reader), frames or len(reader))
            return self.frames(reader.frames(range(count)), path, embed_every)

    def frames(
        self, frames: Iterable[NDArray[np.uint8]], path: Path, embed_every: int = 1
    ) -> ClipObservation:
        """Observe RGB frames (H, W, 3) in order; see `clip`.

        Raises:
            InputError: no frame shows a face; ``path`` is named.
        """
        tracker = FaceTracker(self._detector, self._mesh)
        seen: list[tuple[TrackedFace, ...]] = []
        crops: dict[tuple[int, int], NDArray[np.uint8]] = {}
        width = height = 0
        for index, frame in enumerate(frames):
            height, width = frame.shape[:2]
            tracked = tracker.update(frame).faces
            seen.append(tracked)
            if index % embed_every == 0:
                crops |= {
                    (index, one.track): recognition_crop(frame, one.landmarks.points)
                    for one in tracked
                }
        main = _main_track(seen)
        chosen = [_main_face(faces, main) for faces in seen]
        present = np.array([face is not None for face in chosen], bool)
        if not seen or present.mean() < MINIMUM_FACE_SHARE:
            found = (
                f"in {present.sum()} of {len(seen)} frames only"
                if present.any()
                else "in any frame"
            )
            raise InputError(f"no face was found {found}", path=path, remedy="leave this clip out")
        meshes = np.full((len(seen), 468, 3), np.nan, np.float32)
        angles = np.full((len(seen), 3), np.nan, np.float32)
        embeddings = np.full((len(seen), 192), np.nan, np.float32)
        measured = []
        for index, face in enumerate(chosen):
            if face is not None:
                meshes[index], angles[index] = face.landmarks.points, face.pose.vector
                crop = crops.get((index, face.track))
                if crop is not None:
                    measured.append((index, crop))
        embeddings[[index for index, _ in measured]] = self._recogniser.directions(
            crop for _, crop in measured
        )
        return ClipObservation(meshes, angles, embeddings, present, width, height)


def _area(face: TrackedFace) -> float:
    left, top, right, bottom = mesh_box(face.landmarks.xy)
    return float((right - left) * (bottom - top))


def _main_track(seen: list[tuple[TrackedFace, ...]]) -> int | None:
    """Return the track that covers most area over the clip."""
    covered: Counter[int] = Counter()
    for faces in seen:
        for face in faces:
            covered[face.track] += round(_area(face))
    return covered.most_common(1)[0][0] if covered else None


def _main_face(faces: tuple[TrackedFace, ...], track: int | None) -> TrackedFace | None:
    """The main track's face; the largest where that track is not seen, because a cut may have
    renumbered it.
    """
    own = [face for face in faces if face.track == track]
    return own[0] if own else max(faces, key=_area, default=None)
