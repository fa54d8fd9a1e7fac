"""Sample items: balanced over people, sharp pictures more often than soft ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swaptalk.data.store import Item
from swaptalk.errors import InputError


class ItemSampler:
    """Draws items with replacement.

    An item's weight falls with the square root of the number of items of its person, so that who
    was filmed a thousand times does not make up the whole training, and with the crop's
    enlargement.

    Args:
        items: candidates.
        sharpness: exponent of ``1 / scale`` for enlarged crops; 0 ignores the enlargement.

    Raises:
        InputError: there are none.
    """

    def __init__(self, items: Sequence[Item], sharpness: float = 1.0) -> None:
        if not items:
            raise InputError(
                "no training item of the kind that this stage needs", remedy="prepare more data"
            )
        self.items = list(items)
        share = Counter(item.identity for item in items)
        weight = np.array(
            [item_weight(item, sharpness) / share[item.identity] ** 0.5 for item in items]
        )
        self._edges = np.cumsum(weight / weight.sum())

    def draw(self, rng: np.random.Generator, count: int) -> list[Item]:
        """Draw ``count`` items."""
        picked = np.searchsorted(self._edges, rng.random(count), side="right")
        return [self.items[min(int(k), len(self.items) - 1)] for k in picked]


class MixedSampler:
    """Draws items with replacement from photos and from clips, a given share of each.

    Args:
        items: candidates.
        video_share: share of clips, where there are both.
        sharpness: see `ItemSampler`.

    Raises:
        InputError: there are none.
    """

    def __init__(self, items: Sequence[Item], video_share: float, sharpness: float = 1.0) -> None:
        clips = [i for i in items if i.kind != "photo"]
        photos = [i for i in items if i.kind == "photo"]
        self._photos = ItemSampler(photos or clips, sharpness)
        self._clips = ItemSampler(clips or photos, sharpness)
        self._video_share = video_share

    def draw(self, rng: np.random.Generator) -> Item:
        """Draw one item."""
        sampler = self._clips if rng.random() < self._video_share else self._photos
        return sampler.draw(rng, 1)[0]


def item_weight(item: Item, sharpness: float) -> float:
    """Weight by sharpness alone: 1 for crops that were not enlarged."""
    return float(min(1.0, 1.0 / max(item.scale, 1e-3)) ** sharpness)


def usable_frame(usable: NDArray[np.bool_], rng: np.random.Generator) -> int | None:
    """Draw one of the frames (count,) that are usable; None if there is none."""
    good = np.flatnonzero(usable)
    return int(rng.choice(good)) if len(good) else None
