"""The new faces of all people of a job: encoder, lip-sync and decoder get them together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.render.encoding import encode_together, parted
from swaptalk.pipeline.render.face_generator import FaceGenerator
from swaptalk.pipeline.render.frame import Frame

#: A person's faces: their generator, frames with a usable face, and the times in the recording.
Part = tuple[FaceGenerator, Sequence[Frame], Sequence[float]]


def faces_together(networks: Networks, parts: Sequence[Part]) -> list[NDArray[np.uint8]]:
    """New faces (N, 256, 256, 3) of each person in the usual light; encoder, lip-sync and decoder
    get all of them at once. The swap network gets each person's on their own: one call of it has
    one identity and one strength.
    """
    faces = encode_together(
        networks, [generator.ready(frames, times) for generator, frames, times in parts]
    )
    speech = [generator.speech(frames, times) for generator, frames, times in parts]
    speaking = [place for place, one in enumerate(speech) if one is not None]
    if speaking:
        spoken = networks.lipsync(
            np.concatenate([faces[place] for place in speaking]),
            np.concatenate([one[0] for one in speech if one is not None]),
            np.concatenate([one[1] for one in speech if one is not None]),
        )
        counts = [len(faces[place]) for place in speaking]
        for place, own in zip(speaking, parted(spoken, counts), strict=True):
            faces[place] = own
    faces = [
        generator.swapped_last(own, frames)
        for own, (generator, frames, _) in zip(faces, parts, strict=True)
    ]
    return parted(networks.decode(np.concatenate(faces)), [len(own) for own in faces])


class PeopleFaces:
    """Makes the faces of all people of a job; one, where there is no ``--person``. ``notes`` tell
    what only their faces show, see `swaptalk.pipeline.notes`.
    """

    def __init__(
        self, networks: Networks, people: Sequence[FaceGenerator], notes: Sequence[str] = ()
    ) -> None:
        self.networks, self.people, self.notes = networks, tuple(people), tuple(notes)

    @property
    def analyses(self) -> tuple[Analysis, ...]:
        """The first pass of each person."""
        return tuple(person.analysis for person in self.people)

    @property
    def analysis(self) -> Analysis:
        """The first pass of the first person."""
        return self.people[0].analysis

    def changed(self, frame: int) -> bool:
        """Whether somebody's face is replaced in a target frame."""
        return any(analysis.usable(frame) for analysis in self.analyses)

    def close(self) -> None:
        """Release the files that are read from."""
        for person in self.people:
            person.close()
