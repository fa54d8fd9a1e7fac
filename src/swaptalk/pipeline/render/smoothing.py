"""State of the compositor at the end of every chunk, so that a resumed job is bit-exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from swaptalk.errors import SwapTalkError
from swaptalk.faces.editing.composite import Compositor
from swaptalk.storage.files import replacing


class SmoothingStates:
    """The compositor's state after the last frame of each chunk, as files.

    Args:
        place: file of the state after chunk ``number``.
        every: frames in a chunk.
    """

    def __init__(self, place: Callable[[int], Path], every: int) -> None:
        self._place, self._every = place, every

    def restore(self, compositor: Compositor, first: int) -> None:
        """Restore the state of a compositor before frame ``first``, the start of a chunk.

        Raises:
            SwapTalkError: the state was not kept.
        """
        if first == 0:
            return
        path = self._place(first // self._every - 1)
        try:
            with np.load(path, allow_pickle=False) as stored:
                compositor.state = dict(stored)
        except (OSError, ValueError) as error:
            remedy = "leave out --resume to start anew"
            raise SwapTalkError("is missing or damaged", path=path, remedy=remedy) from error

    def keep(self, compositor: Compositor, frame: int) -> None:
        """Store and sync the state after ``frame`` if a chunk ends with it."""
        if (frame + 1) % self._every:
            return
        path = self._place(frame // self._every)
        arrays: Any = compositor.state
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, **arrays)
