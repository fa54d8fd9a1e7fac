"""Windows of clips whose lips and sound belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.sampling import ItemSampler
from swaptalk.data.store import Item
from swaptalk.media.mel import MELS_PER_PICTURE, N_MELS, SILENCE


@dataclass(frozen=True)
class ClipWindow:
    """Consecutive usable frames of a clip, from ``start``."""

    item: Item
    start: int


def window_starts(usable: NDArray[np.bool_], frames: int) -> NDArray[np.intp]:
    """Where ``frames`` consecutive usable frames begin."""
    if len(usable) < frames:
        return np.zeros(0, np.intp)
    runs = np.lib.stride_tricks.sliding_window_view(usable, frames).all(axis=1)
    return np.flatnonzero(runs)


def mel_window(mel: NDArray[np.float32], first: int, frames: int) -> NDArray[np.float32]:
    """Mel (4 * frames, 80) of video frames ``first`` .. ``first + frames - 1``; silence beyond the
    ends.
    """
    begin, end = MELS_PER_PICTURE * first, MELS_PER_PICTURE * (first + frames)
    result = np.full((end - begin, N_MELS), SILENCE, np.float32)
    inside = slice(max(begin, 0), min(end, len(mel)))
    if inside.stop > inside.start:
        result[inside.start - begin : inside.stop - begin] = mel[inside]
    return result


class WindowSampler:
    """Random windows of clips.

    Args:
        usable: which frames (count,) of an item may be drawn.
        items: candidates; those without a long enough run of usable frames are left out.
        frames: length of a window.
        sharpness: preference for sharp clips.
    """

    def __init__(
        self,
        usable: Callable[[Item], NDArray[np.bool_]],
        items: list[Item],
        frames: int,
        sharpness: float,
    ) -> None:
        self._starts = {i.name: s for i in items if len(s := window_starts(usable(i), frames))}
        self.items = [i for i in items if i.name in self._starts]
        self._sampler = ItemSampler(self.items, sharpness) if self.items else None

    def draw(self, rng: np.random.Generator) -> ClipWindow:
        """One window.

        Raises:
            ValueError: there are none.
        """
        if self._sampler is None:
            raise ValueError("no clip is long enough")
        (item,) = self._sampler.draw(rng, 1)
        return ClipWindow(item, int(rng.choice(self._starts[item.name])))

    def spread(self, item: Item, count: int) -> list[ClipWindow]:
        """Up to ``count`` windows of an item, evenly over it."""
        starts = self._starts[item.name]
        picked = np.unique(np.linspace(0, len(starts) - 1, count).astype(int))
        return [ClipWindow(item, int(starts[k])) for k in picked]
