"""State of the compositor at the end of every chunk, so that a resumed job is bit-exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    def restore(self, compositors: Sequence[Compositor], first: int) -> None:
        """Restore the state of each person's compositor before frame ``first``, where a chunk
        begins.

        Raises:
            SwapTalkError: the state was not kept.
        """
        if first == 0:
            return
        path = self._place(first // self._every - 1)
        try:
            with np.load(path, allow_pickle=False) as stored:
                for number, compositor in enumerate(compositors):
                    own = f"{number}."
                    compositor.state = {
                        name.removeprefix(own): value
                        for name, value in stored.items()
                        if name.startswith(own)
                    }
        except (OSError, ValueError) as error:
            remedy = "leave out --resume to start anew"
            raise SwapTalkError("is missing or damaged", path=path, remedy=remedy) from error

    def keep(self, compositors: Sequence[Compositor], frame: int) -> None:
        """Store and sync the states after ``frame`` if a chunk ends with it."""
        if (frame + 1) % self._every:
            return
        path = self._place(frame // self._every)
        arrays: Any = {
            f"{number}.{name}": value
            for number, compositor in enumerate(compositors)
            for name, value in compositor.state.items()
        }
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, **arrays)
