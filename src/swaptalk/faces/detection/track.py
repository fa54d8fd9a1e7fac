"""Faces followed through a clip: the mesh leads from frame to frame, the detectors run only when
they are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.detect import FaceDetector, intersection_over_union
from swaptalk.faces.detection.followed import FollowedFace, mesh_box, overlapping, thumbnail
from swaptalk.faces.detection.identity_review import (
    HIDING_IOU,
    LIKENESS_MARGIN,
    Embed,
    IdentityReview,
)
from swaptalk.faces.detection.landmarks import FaceMesh, Landmarks
from swaptalk.faces.detection.people import SAME_PERSON_COSINE, People, Renumbering, unit
from swaptalk.faces.detection.scene import SceneCutDetector
from swaptalk.faces.detection.upright import UprightMesh
from swaptalk.faces.geometry.pose import Pose, estimate_pose, eye_distance, unusable_reason
from swaptalk.faces.geometry.region import CropRegion, Detection

#: Presence below which a followed face is lost; a new one needs `PRESENCE_TO_START`.
PRESENCE_TO_KEEP = 0.5
#: The detectors look for newcomers every this many frames: one second at 25 fps.
DETECT_EVERY = 25
#: While a face is lost or none is known they look more often.
DETECT_EVERY_WHEN_LOST = 3
#: Frames after which a lost face is forgotten: longer than a hand's passing or a blink of the mesh.
RELINK_WITHIN = 50
#: A lost face is found again within this many face sizes of where its motion leads, and with at
#: most this size ratio.
RELINK_DISTANCE, RELINK_SIZE_RATIO = 0.8, 1.6
#: Without ``embed``, a face just after a cut at the place of one before is that person if the
#: aligned grey pictures correlate more than this: 82 % of same and 6 % of different people do over
#: three seconds.
SAME_THUMBNAIL = 0.6
#: Overlap of box and mesh above which they are the same face.
SAME_FACE_IOU = 0.3
#: Overlap of two meshes above which both lie on one face.
TWIN_IOU = 0.5
#: Change of the mesh's size from one frame to the next beyond which it has jumped to something
#: else.
MAXIMUM_JUMP = 1.5
#: Detectors get a picture of at most this many pixels a side; their networks see 256.
DETECTION_SIDE = 512
#: Frames for which a face beside another one is not reported after its mesh has slipped or was
#: found: it slips to the face in front, and from its edge back to the one that comes out.
SETTLING_FRAMES = 3
#: Share of the last motion that is expected to go on.
_MOMENTUM = 0.7


@dataclass(frozen=True)
class TrackedFace:
    """One face in one frame.

    ``track`` is the person's number, from 0 in order of appearance. ``landmarks`` are in image
    pixels. ``usable`` is False for faces that the networks should leave alone, with the ``reason``
    in words.
    """

    track: int
    landmarks: Landmarks
    pose: Pose
    usable: bool
    reason: str

    @property
    def presence(self) -> float:
        """The mesh network's confidence, 0..1."""
        return self.landmarks.presence

    @property
    def box(self) -> NDArray[np.float32]:
        """(left, top, right, bottom) of the mesh in pixels."""
        return mesh_box(self.landmarks.xy)


@dataclass(frozen=True)
class TrackedFrame:
    """All faces of a frame, whether a new scene begins with it, and what was found out in it about
    numbers that were given before.
    """

    index: int
    cut: bool
    faces: tuple[TrackedFace, ...]
    renumbered: tuple[Renumbering, ...] = ()

    def face(self, track: int) -> TrackedFace | None:
        """The face of a track, if it is in this frame."""
        return next((f for f in self.faces if f.track == track), None)


def _moved(region: CropRegion, by: NDArray[np.float32]) -> CropRegion:
    return CropRegion(region.centre + by, region.side, region.rotation)


class FaceTracker:
    """Follows several faces; give it the frames of a clip in order.

    Memory does not grow with the clip: only the last frame and the last mesh of each face are kept.

    Args:
        detector: finds faces.
        mesh: finds the landmarks.
        embed: optional identity vector (D,) of a face from (frame, landmarks). With it a person
            keeps the number across scene cuts and long absences; without it only one who stays at
            the same place, as at a jump cut.
    """

    def __init__(
        self,
        detector: FaceDetector,
        mesh: FaceMesh,
        embed: Embed | None = None,
    ) -> None:
        self._mesh, self._embed = mesh, embed
        self._upright = UprightMesh(detector, mesh)
        self._cuts = SceneCutDetector()
        self._tracks: list[FollowedFace] = []
        self._last_frame: NDArray[np.uint8] | None = None
        self._people = People()
        self._review = None if embed is None else IdentityReview(embed, self._people)
        self._next_number = 0
        self._index = 0
        self._since_detection = 0
        self._last_search = -DETECT_EVERY

    def update(self, frame: NDArray[np.uint8]) -> TrackedFrame:
        """Take the next frame, RGB (H, W, 3) uint8."""
        cut = self._cuts(frame)
        if cut:
            self._remember()
        self._last_frame = frame
        lost_now = self._follow(frame)
        if self._cuts.sudden:
            for track in self._tracks:
                if track.lost_for == 0:  # a mesh also fits whoever is where the face was
                    track.doubt_anew(self._index)
        self._since_detection += 1
        searching = any(t.lost_for for t in self._tracks) or not self._tracks
        interval = DETECT_EVERY_WHEN_LOST if searching else DETECT_EVERY
        if cut or lost_now or not self._index or self._since_detection >= interval:
            known = [t for t in self._tracks if t.lost_for == 0]
            self._detect(frame, cut)
            found = [t for t in self._tracks if not (t.lost_for or any(t is k for k in known))]
            self._wait_with(found, known)
            self._since_detection = 0
        renumbered: tuple[Renumbering, ...] = ()
        if self._review is not None:
            followed = [t for t in self._tracks if t.lost_for == 0]
            lost = [t for t in self._tracks if t.lost_for]
            renumbered = tuple(self._review(frame, self._index, followed, lost))
            self._tracks = followed + lost
        seen = [t for t in self._tracks if t.lost_for == 0]
        faces = tuple(self._report(t, frame) for t in seen if not t.unsettled)
        for track in seen:
            track.unsettled = max(0, track.unsettled - 1)
        ordered = tuple(sorted(faces, key=lambda f: f.track))
        result = TrackedFrame(self._index, cut, ordered, renumbered)
        self._index += 1
        return result

    @staticmethod
    def _wait_with(faces: Sequence[FollowedFace], others: Sequence[FollowedFace]) -> None:
        """Report faces later that are partly behind one of the others."""
        for face in faces:
            around = [other for other in others if other is not face]
            if any(hidden is face for hidden in overlapping([face, *around], HIDING_IOU)):
                face.unsettled = SETTLING_FRAMES

    def _remember(self) -> None:
        """Stop following all faces but keep their last positions: after a jump cut or a flash the
        same people are linked again.
        """
        for track in self._tracks:
            if track.lost_for == 0 and self._last_frame is not None:
                track.thumbnail = thumbnail(self._last_frame, track.landmarks)
            track.velocity = np.zeros(2, np.float32)
            track.lost_for += 1
            track.other_scene = True

    def _follow(self, frame: NDArray[np.uint8]) -> bool:
        """Run the mesh where each face should be; True if one got lost in this frame."""
        lost_now, slipped = False, list[FollowedFace]()
        for track in self._tracks:
            if track.lost_for == 0:
                region = CropRegion.around_points(track.landmarks.xy)
                found = self._mesh(frame, _moved(region, track.velocity * _MOMENTUM))
                if not self._believable(track, found):
                    found = self._mesh(frame, region)
                if self._believable(track, found):
                    slipped += [track] if track.slips_to(found) else []
                    track.follow(found)
                    continue
                lost_now = True
            track.lost_for += 1
            track.velocity *= _MOMENTUM
        self._tracks = [t for t in self._tracks if t.lost_for <= RELINK_WITHIN]
        self._drop_twins(frame)
        self._wait_with(slipped, [t for t in self._tracks if t.lost_for == 0])
        return lost_now

    @staticmethod
    def _believable(track: FollowedFace, found: Landmarks) -> bool:
        ratio = eye_distance(found.points) / max(eye_distance(track.landmarks.points), 1e-3)
        return found.presence >= PRESENCE_TO_KEEP and 1 / MAXIMUM_JUMP < ratio < MAXIMUM_JUMP

    def _drop_twins(self, frame: NDArray[np.uint8]) -> None:
        """Merge two tracks that lie on one face: keep the better identity match, else the older."""
        kept: list[FollowedFace] = []
        for track in sorted(self._tracks, key=lambda t: t.number):
            box = mesh_box(track.landmarks.xy)
            twin = next(
                (
                    k
                    for k in kept
                    if k.lost_for == 0
                    and intersection_over_union(mesh_box(k.landmarks.xy), box) > TWIN_IOU
                ),
                None,
            )
            if track.lost_for > 0 or twin is None:
                kept.append(track)
            elif self._is_rather(track, twin, frame):
                kept[kept.index(twin)] = track
        self._tracks = kept

    def _is_rather(self, track: FollowedFace, twin: FollowedFace, frame: NDArray[np.uint8]) -> bool:
        """Whether the one face of two tracks looks like the first one's person."""
        if self._embed is None:
            return False
        vector = unit(self._embed(frame, track.landmarks))
        likeness = [self._people.likeness(t.number, vector) or 0.0 for t in (track, twin)]
        return likeness[0] > likeness[1] + LIKENESS_MARGIN

    def _detect(self, frame: NDArray[np.uint8], cut: bool) -> None:
        """Find faces that no track follows: lost ones are linked again, others are new."""
        scale = min(1.0, DETECTION_SIDE / max(frame.shape[:2]))
        small = frame
        if scale < 1:
            size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
            small = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        # Faces on their side take three more looks, so they are searched as rarely as newcomers.
        alone = not any(track.lost_for == 0 for track in self._tracks)
        search = alone and (cut or self._index - self._last_search >= DETECT_EVERY)
        if search:
            self._last_search = self._index
        # New faces of one frame are numbered from left to right.
        for landmarks in self._upright(frame, small, search, self._is_known):
            box = mesh_box(landmarks.xy)
            if not self._is_followed(box, box):
                self._link(landmarks, frame)

    def _is_known(self, face: Detection) -> bool:
        return self._is_followed(mesh_box(face.keypoints), face.box)

    def _is_followed(self, inner: NDArray[np.float32], outer: NDArray[np.float32]) -> bool:
        """Whether a box overlaps a followed mesh, or its inner part lies mostly inside one."""
        for track in self._tracks:
            if track.lost_for:
                continue
            box = mesh_box(track.landmarks.xy)
            centre = (inner[:2] + inner[2:]) / 2
            if intersection_over_union(box, outer) > SAME_FACE_IOU or bool(
                (centre > box[:2]).all() and (centre < box[2:]).all()
            ):
                return True
        return False

    def _link(self, landmarks: Landmarks, frame: NDArray[np.uint8]) -> None:
        centre = landmarks.xy.mean(axis=0)
        appearance = None if self._embed is None else unit(self._embed(frame, landmarks))
        lost = [
            t
            for t in self._tracks
            if t.lost_for and self._plausible(t, landmarks, frame, appearance)
        ]
        if lost:
            nearest = min(lost, key=lambda t: float(np.linalg.norm(t.centre + t.velocity - centre)))
            nearest.follow(landmarks)
            nearest.doubt(self._index)
            return
        present = {t.number for t in self._tracks if t.lost_for == 0}
        number = None if appearance is None else self._people.recognise(appearance, present)
        if number is not None:
            self._tracks = [t for t in self._tracks if t.number != number]
        track = FollowedFace(self._next_number if number is None else number, landmarks)
        if number is None:
            self._next_number += 1
            track.doubt(self._index, provisional=True)
            if appearance is not None:
                self._people.learn(track.number, appearance)
        self._tracks.append(track)

    def _plausible(
        self,
        track: FollowedFace,
        landmarks: Landmarks,
        frame: NDArray[np.uint8],
        appearance: NDArray[np.float32] | None,
    ) -> bool:
        """Whether a found face can be a lost one: near where it went, of its size, and not of
        another person.
        """
        old, new = eye_distance(track.landmarks.points), eye_distance(landmarks.points)
        away = float(np.linalg.norm(track.centre + track.velocity - landmarks.xy.mean(axis=0)))
        if away > RELINK_DISTANCE * 2 * max(old, new) or max(old, new) > RELINK_SIZE_RATIO * min(
            old, new
        ):
            return False
        likeness = None if appearance is None else self._people.likeness(track.number, appearance)
        if likeness is not None:
            # In one scene place and time speak for the same person already, and a returning face
            # may be half hidden.
            return likeness >= (SAME_PERSON_COSINE if track.other_scene else SAME_PERSON_COSINE / 2)
        if track.other_scene and track.thumbnail is not None:
            return float(track.thumbnail @ thumbnail(frame, landmarks)) >= SAME_THUMBNAIL
        return not track.other_scene

    @staticmethod
    def _report(track: FollowedFace, frame: NDArray[np.uint8]) -> TrackedFace:
        points = track.landmarks.points
        pose = estimate_pose(points)
        reason = unusable_reason(points, pose, frame.shape[1], frame.shape[0])
        return TrackedFace(track.number, track.landmarks, pose, not reason, reason)


def track_faces(
    frames: Iterable[NDArray[np.uint8]],
    detector: FaceDetector,
    mesh: FaceMesh,
    embed: Embed | None = None,
) -> Iterator[TrackedFrame]:
    """Follow the faces of a clip's frames (H, W, 3), streaming; see `FaceTracker`."""
    tracker = FaceTracker(detector, mesh, embed)
    for frame in frames:
        yield tracker.update(frame)
