"""State of a followed face: last mesh, motion, and how sure its person's number is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.detect import intersection_over_union
from swaptalk.faces.detection.landmarks import Landmarks
from swaptalk.faces.detection.people import unit
from swaptalk.faces.geometry.align import crop_face, estimate_alignment

#: Frames between two looks at whose face it is.
REVIEW_EVERY = 5


#: Distance from where its motion leads, in widths of the mesh, by which it has slipped. Faces that
#: nobody hides stay below 0.05.
SLIP = 0.08


@dataclass
class FollowedFace:
    """One face: ``number`` of the person, mesh and motion (pixels a frame) when it was last seen,
    frames since then, and whether a new scene began since then.
    """

    number: int
    landmarks: Landmarks
    velocity: NDArray[np.float32] = field(default_factory=lambda: np.zeros(2, np.float32))
    lost_for: int = 0
    other_scene: bool = False
    thumbnail: NDArray[np.float32] | None = None
    #: Frame since which it is in doubt whose face this is, None where it is not; whether the number
    #: was given only then; looks taken since, and frame of the next one.
    doubt_since: int | None = None
    provisional: bool = False
    reviews: int = 0
    next_review: int = 0
    #: Frames for which it is not reported yet: half behind another face, its mesh is still moving
    #: to its place.
    unsettled: int = 0

    def doubt(self, frame: int, provisional: bool = False) -> None:
        """Ask for the identity to be checked again."""
        if self.doubt_since is None:
            self.doubt_since, self.provisional = frame, provisional
        self.reviews, self.next_review = 0, frame + REVIEW_EVERY

    def doubt_anew(self, frame: int) -> None:
        """Ask for the identity to be checked from this frame on, whatever was in doubt before."""
        self.doubt_since, self.provisional = frame, False
        self.reviews, self.next_review = 0, frame + REVIEW_EVERY

    @property
    def centre(self) -> NDArray[np.float32]:
        """Mean of the mesh (2,) in pixels."""
        return np.asarray(self.landmarks.xy.mean(axis=0), np.float32)

    def slips_to(self, landmarks: Landmarks) -> bool:
        """Whether the mesh of the next frame is elsewhere than its motion leads."""
        away = landmarks.xy.mean(axis=0) - self.centre - self.velocity
        width = float(np.ptp(self.landmarks.xy[:, 0]))
        return float(np.linalg.norm(away)) > SLIP * width

    def follow(self, landmarks: Landmarks) -> None:
        """Take the face's mesh in the next frame."""
        moved = landmarks.xy.mean(axis=0) - self.centre
        self.velocity = np.asarray(moved / (self.lost_for + 1), np.float32)
        self.landmarks, self.lost_for, self.other_scene = landmarks, 0, False


def mesh_box(xy: NDArray[np.floating]) -> NDArray[np.float32]:
    """(left, top, right, bottom) around points (N, 2)."""
    return np.concatenate([xy.min(axis=0), xy.max(axis=0)]).astype(np.float32)


def overlapping(tracks: Sequence[FollowedFace], smallest: float) -> list[FollowedFace]:
    """Faces whose mesh overlaps another one's by more than this share of their union."""
    boxes = [mesh_box(track.landmarks.xy) for track in tracks]
    return [
        track
        for track, box in zip(tracks, boxes, strict=True)
        if any(
            other is not box and intersection_over_union(other, box) > smallest for other in boxes
        )
    ]


def thumbnail(frame: NDArray[np.uint8], landmarks: Landmarks) -> NDArray[np.float32]:
    """Luminance pattern of the aligned face as a unit vector: a weak identity cue that ignores
    exposure.
    """
    # The face without its surroundings.
    crop = crop_face(frame, estimate_alignment(landmarks.xy))[20:250, 40:216]
    small = cv2.resize(crop, (24, 32), interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32).ravel()
    return unit(grey - grey.mean())
