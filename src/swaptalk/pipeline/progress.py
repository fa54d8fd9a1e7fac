"""Interface for the progress of a job."""

from __future__ import annotations


class Progress:
    """Told about the stages of a job; this one keeps silent. Subclass it to show them."""

    def note(self, text: str) -> None:
        """Something is done to an input without being asked for (:mod:`swaptalk.pipeline.notes`);
        comes before the frames are made.
        """

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """A stage of ``total`` frames begins, of which ``done`` are finished already."""

    def advance(self, count: int) -> None:
        """So many more frames of the stage are finished."""

    def end(self) -> None:
        """The stage is over, finished or not."""
