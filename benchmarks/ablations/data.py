"""The part of a dataset that the ablations train and test on."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from swaptalk.data.store import Item, read_index, write_index

#: Clips to train on, clips of one person, photos (one a person) and clips to test on.
TRAIN_CLIPS, CLIPS_A_PERSON, TEST_PHOTOS, TEST_CLIPS = 40, 8, 48, 8
#: Photos enlarged more than this are left out: they are soft.
MAXIMUM_SCALE = 1.6


def _order(item: Item) -> str:
    """Puts items into an order that has nothing to do with what they are, the same every time."""
    return hashlib.sha256(item.name.encode()).hexdigest()


def choose_subset(data: Path, out: Path, train_photos: int) -> Path:
    """A dataset of some items of another one, whose units it points to; caches stay its own.

    Args:
        data: the whole dataset.
        out: folder of the part; made if it is not there.
        train_photos: at most so many photos to train on.
    """
    if (out / "index.csv").exists():
        return out
    items = sorted(read_index(data), key=_order)
    photos = [i for i in items if i.kind == "photo" and i.scale <= MAXIMUM_SCALE]
    test: dict[str, Item] = {}
    for item in photos:
        if item.split == "test":
            test.setdefault(item.identity, item)
    chosen = [i for i in photos if i.split == "train"][:train_photos] + list(test.values())[
        :TEST_PHOTOS
    ]
    clips: Counter[tuple[str, str]] = Counter()
    people: Counter[str] = Counter()
    for item in (i for i in items if i.kind != "photo" and i.trusted):
        wanted = TRAIN_CLIPS if item.split == "train" else TEST_CLIPS
        if clips[item.split, ""] < wanted and people[item.identity] < CLIPS_A_PERSON:
            clips[item.split, ""] += 1
            people[item.identity] += 1
            chosen.append(item)
    out.mkdir(parents=True, exist_ok=True)
    (out / "units").symlink_to((data / "units").resolve())
    write_index(out / "index.csv", chosen)
    return out
