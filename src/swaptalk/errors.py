"""Errors that are meant for the person at the keyboard."""

from __future__ import annotations

from pathlib import Path


class SwapTalkError(Exception):
    """Something the user can act on; ``str()`` is one line, ``path: problem; remedy``.

    Args:
        problem: what is wrong, in a few words, without a full stop.
        path: the file or folder it is about.
        remedy: what to do about it.
    """

    def __init__(self, problem: str, *, path: str | Path | None = None, remedy: str) -> None:
        self.problem = problem
        self.path = path
        self.remedy = remedy
        subject = f"{path}: " if path is not None else ""
        # Messages of other libraries may be part of the problem: keep the whole thing on one line.
        super().__init__(" ".join(f"{subject}{problem}; {remedy}".split()))


class InputError(SwapTalkError):
    """The user's input or options are at fault (exit code 2 on the command line)."""
