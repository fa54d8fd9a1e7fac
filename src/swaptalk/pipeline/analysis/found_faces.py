"""The people seen in a target, listed for the user to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.media.image import write_image
from swaptalk.pipeline.analysis.analyse import find_faces
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.report import Stopwatch


@dataclass(frozen=True)
class FoundFace:
    """A person in the target, as ``--list-faces`` reports it."""

    number: int
    frames: int
    usable_frames: int
    first_frame: int

    @property
    def summary(self) -> str:
        """Return the numbers in words."""
        where = f"in {self.frames} frames from frame {self.first_frame} on"
        return f"{where}, {self.usable_frames} of them usable"


def list_faces(plan: Plan, analyser: FaceAnalyser, progress: Progress) -> list[FoundFace]:
    """Find the people in the target of a plan; write their numbered contact sheet where
    ``list_faces`` of its options says.

    Raises:
        InputError: nobody is seen, or the sheet cannot be written.
    """
    selector = find_faces(plan, analyser, progress, Stopwatch())
    if not selector.faces:
        raise InputError(
            "no face was found in it", path=plan.options.target, remedy="give another target"
        )
    if plan.options.list_faces is not None:
        write_image(plan.options.list_faces, selector.contact_sheet())
    return [
        FoundFace(face.number, face.frames, face.usable_frames, face.first_frame)
        for face in selector.faces
    ]
