"""Identity checks of followed faces whose number is uncertain.

That is where a face is new, was lost, or another one was before it: half a face looks like nobody,
and a mesh may slip from a hidden face to the one that hides it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.followed import REVIEW_EVERY, FollowedFace, overlapping
from swaptalk.faces.detection.landmarks import Landmarks
from swaptalk.faces.detection.people import SAME_PERSON_COSINE, People, Renumbering, unit
from swaptalk.faces.detection.upright import PRESENCE_TO_START
from swaptalk.faces.geometry.pose import estimate_pose, unusable_reason

#: Looks after which a number stays.
REVIEWS = 4
#: A face takes another person's number only if the likeness is larger by this.
LIKENESS_MARGIN = 0.1
#: Overlap of two meshes above which one face may hide the other.
HIDING_IOU = 0.05

#: Identity vector (D,) of a face in an RGB picture (H, W, 3).
Embed = Callable[[NDArray[np.uint8], Landmarks], NDArray[np.float32]]


class IdentityReview:
    """Corrects the numbers of followed faces once they are whole.

    Args:
        embed: gives identity vectors.
        people: identity vectors of the people seen so far.
    """

    def __init__(self, embed: Embed, people: People) -> None:
        self._embed, self._people = embed, people

    def __call__(
        self,
        frame: NDArray[np.uint8],
        index: int,
        followed: list[FollowedFace],
        lost: list[FollowedFace],
    ) -> Iterator[Renumbering]:
        """Check the faces of a frame; yields corrections of numbers.

        Args:
            frame: RGB (H, W, 3) uint8.
            index: its number.
            followed: faces in it; their numbers are corrected.
            lost: faces that are looked for; one that was found under another number is taken out.
        """
        hiding = overlapping(followed, HIDING_IOU)
        for face in hiding:
            face.doubt(index)
        for face in followed:
            if face in hiding or face.doubt_since is None or index < face.next_review:
                continue
            if self._is_whole(face, frame):
                yield from self._judge(frame, index, face, followed, lost)

    @staticmethod
    def _is_whole(face: FollowedFace, frame: NDArray[np.uint8]) -> bool:
        points = face.landmarks.points
        reason = unusable_reason(points, estimate_pose(points), frame.shape[1], frame.shape[0])
        return not reason and face.landmarks.presence >= PRESENCE_TO_START

    def _judge(
        self,
        frame: NDArray[np.uint8],
        index: int,
        face: FollowedFace,
        followed: list[FollowedFace],
        lost: list[FollowedFace],
    ) -> Iterator[Renumbering]:
        vector = unit(self._embed(frame, face.landmarks))
        sure = {f.number for f in followed if f.doubt_since is None} | {face.number}
        other = self._people.recognise(vector, sure)
        own = None if face.provisional else self._people.likeness(face.number, vector)
        if other is not None and self._is_rather(other, own, vector):
            yield from self._renumber(face, other, index, followed, lost)
            self._people.learn(face.number, vector)
            face.doubt_since = None
            return
        face.reviews += 1
        face.next_review = index + REVIEW_EVERY
        alike = own is not None and own >= SAME_PERSON_COSINE
        if face.provisional or alike:
            self._people.learn(face.number, vector)
        if alike or face.reviews >= REVIEWS:
            face.doubt_since = None

    def _is_rather(self, person: int, own: float | None, vector: NDArray[np.float32]) -> bool:
        """Whether a vector is clearly more like a person's than like its own number's."""
        likeness = self._people.likeness(person, vector)
        return likeness is not None and (own is None or likeness > own + LIKENESS_MARGIN)

    def _renumber(
        self,
        face: FollowedFace,
        person: int,
        index: int,
        followed: list[FollowedFace],
        lost: list[FollowedFace],
    ) -> Iterator[Renumbering]:
        """Give a face a person's number; who is followed under it gets the face's old one."""
        old = face.number
        yield Renumbering(old, person, face.doubt_since or 0, index)
        lost[:] = [f for f in lost if f.number != person]
        holder = next((f for f in followed if f.number == person), None)
        face.number = person
        if holder is not None:
            holder.number = old
            yield Renumbering(person, old, holder.doubt_since or 0, index)
        elif face.provisional:
            self._people.forget(old)
