"""``swaptalk prepare``: footage to dataset, in parallel; interrupted or given more footage it does
only what is new.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from swaptalk.data.exclude import Excluded, only_listed
from swaptalk.data.extract import Extraction, Extractor, unit_name
from swaptalk.data.identities import Candidate, assign
from swaptalk.data.sources import Source, find_sources
from swaptalk.data.store import item_from_strings, read_index, write_index, write_table
from swaptalk.errors import InputError
from swaptalk.media.probe import probe
from swaptalk.workers.pool import map_unordered

#: Photos worked on and stored together.
PHOTOS_PER_UNIT = 256
#: Long clips are cut into pieces of this many seconds; what would be shorter than the least stays
#: with the one before.
PIECE_SECONDS, SHORTEST_PIECE = 60.0, 10.0


@dataclass(frozen=True)
class PrepareSettings:
    """``out``: the dataset; ``workers``: processes (0: one a core; 1: this one); the rest as on the
    command line.
    """

    out: Path
    workers: int = 0
    max_seconds: float = 0.0
    test_share: float = 0.1
    identities: bool = True
    moments: int = 0
    exclude: Path | None = None
    only: Path | None = None


@dataclass
class PrepareReport:
    """What came of it: items by kind and split, hours, and reasons for what was left out."""

    items: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    minutes: float = 0.0
    trusted_minutes: float = 0.0
    dropped: Counter[str] = field(default_factory=Counter)
    untrusted: Counter[str] = field(default_factory=Counter)
    unseen: int = 0

    def lines(self) -> list[str]:
        """The report in words."""
        kept = (
            ", ".join(f"{count} {name}" for name, count in sorted(self.items.items())) or "nothing"
        )
        people = ", ".join(f"{count} {split}" for split, count in sorted(self.people.items()))
        lines = [f"kept: {kept}; people: {people or 'none'}"]
        if self.minutes:
            lines.append(
                f"clips: {self.minutes:.1f} minutes, {self.trusted_minutes:.1f} with sound to be "
                "trusted"
            )
        for title, reasons in (("left out", self.dropped), ("sound not trusted", self.untrusted)):
            lines += [f"{title}: {count} x {reason}" for reason, count in reasons.most_common()]
        if self.unseen:
            lines.append(f"excluded, but not in the footage: {self.unseen} names")
        return lines


def prepare(
    paths: Sequence[Path], settings: PrepareSettings, progress: Any = None
) -> PrepareReport:
    """Make or extend a dataset folder.

    Args:
        paths: videos, photos, folders, tar files; see `swaptalk.data.sources`.
        settings: see `PrepareSettings`.
        progress: called with (units done, units in all) after each.

    Raises:
        InputError: a path is wrong, or nothing could be used.
    """
    found = find_sources(paths)
    if settings.only is not None:
        found = only_listed(found, settings.only)
    units = settings.out / "units"
    units.mkdir(parents=True, exist_ok=True)
    excluded = Excluded(settings.out)
    if settings.exclude is not None:
        excluded.add(settings.exclude, found)
    sources = [
        piece
        for source in found
        if source.name not in excluded
        for piece in pieces(source, settings.max_seconds)
    ]
    for part in units.glob("*.part"):
        shutil.rmtree(part)  # what a killed run had in hand
    jobs = list(_jobs(sources, _seen(units)))
    extraction = Extraction(units, settings.identities, settings.moments)
    workers = settings.workers or os.cpu_count() or 1
    for done, _ in enumerate(map_unordered(partial(_extractor, extraction), jobs, workers), 1):
        if progress is not None:
            progress(done, len(jobs))
    return index_units(settings.out, settings.test_share, {s.name: s for s in sources})


def pieces(source: Source, max_seconds: float) -> list[Source]:
    """A photo or a short clip as it is; a long clip in parts of `PIECE_SECONDS`, so that memory
    stays bounded.

    Args:
        source: what `find_sources` found.
        max_seconds: only so much of a clip, from its beginning; 0: all.
    """
    if source.kind == "photo":
        return [source]
    try:
        duration = probe(source.path).duration
    except InputError:
        return [source]  # the worker finds out the same and says so in dropped.csv
    end = min(duration, max_seconds) if max_seconds else duration
    if end <= PIECE_SECONDS + SHORTEST_PIECE:
        return [dataclasses.replace(source, end=max_seconds or None)]
    starts = [k * PIECE_SECONDS for k in range(int((end - SHORTEST_PIECE) // PIECE_SECONDS) + 1)]
    ends = [*starts[1:], end if max_seconds else None]
    return [
        dataclasses.replace(source, name=f"{source.name}@{start:g}s", start=start, end=stop)
        for start, stop in zip(starts, ends, strict=True)
    ]


def _seen(units: Path) -> set[str]:
    """Names of the sources that are in the dataset, or were left out of it, already."""
    names: set[str] = set()
    for path in units.glob("*/unit.json"):
        record = json.loads(path.read_text())
        names.update(row["name"] for part in ("items", "dropped") for row in record[part])
    return names


def _jobs(sources: Sequence[Source], seen: set[str]) -> Iterator[tuple[str, list[Source]]]:
    """Units to make: each new clip, and new photos by the hundred; clips first, since they take
    longest.
    """
    new = [s for s in sources if s.name not in seen]
    for source in new:
        if source.kind != "photo":
            yield unit_name([source]), [source]
    photos = [s for s in new if s.kind == "photo"]
    for start in range(0, len(photos), PHOTOS_PER_UNIT):
        chunk = photos[start : start + PHOTOS_PER_UNIT]
        yield unit_name(chunk), chunk


def _extractor(settings: Extraction) -> Callable[[tuple[str, list[Source]]], str]:
    extractor = Extractor(settings)

    def extract(job: tuple[str, list[Source]]) -> str:
        extractor(*job)
        return job[0]

    return extract


def index_units(
    out: Path, test_share: float, sources: dict[str, Source] | None = None
) -> PrepareReport:
    """Write index.csv, dropped.csv and untrusted.csv from the finished units.

    Args:
        out: the dataset.
        test_share: share of people for testing where the sources do not say.
        sources: labels and splits as they are given now, by name; items of other sources keep
            theirs.

    Raises:
        InputError: nothing can be used, with the most frequent reason.
    """
    known = {item.name: item for item in read_index(out)} if (out / "index.csv").exists() else {}
    excluded = Excluded(out)
    candidates, dropped = _candidates(out, sources or {}, {n: i.split for n, i in known.items()})
    candidates = [c for c in candidates if c.item.name not in excluded]
    dropped = [row for row in dropped if row["name"] not in excluded] + excluded.dropped()
    items, left_out = assign(candidates, {n: i.identity for n, i in known.items()}, test_share)
    dropped += [{"name": i.name, "source": i.source, "reason": reason} for i, reason in left_out]
    if not items:
        reason = Counter(row["reason"] for row in dropped).most_common(1)
        raise InputError(
            f"nothing of it can be used ({reason[0][0] if reason else 'no source'})",
            path=out,
            remedy="give footage with faces that are large and look towards the camera",
        )
    untrusted = [i for i in items if i.sound and not i.trusted]
    write_table(out / "dropped.csv", ("name", "source", "reason"), dropped)
    rows = (
        {"name": i.name, "source": i.source, "correlation": i.sync, "reason": i.distrust}
        for i in untrusted
    )
    write_table(out / "untrusted.csv", ("name", "source", "correlation", "reason"), rows)
    write_index(out / "index.csv", items)
    report = PrepareReport(unseen=excluded.unseen)
    words = {"photo": "photos", "real": "real clips", "generated": "generated clips"}
    report.items = Counter(f"{words[i.kind]} ({i.split})" for i in items)
    report.people = Counter(split for split, _ in {(i.split, i.identity) for i in items})
    report.minutes = sum(i.count for i in items if i.kind != "photo") / 1500
    report.trusted_minutes = sum(i.count for i in items if i.trusted) / 1500
    report.dropped = Counter(row["reason"].partition(" (")[0] for row in dropped)
    report.untrusted = Counter(i.distrust.partition(" (")[0] for i in untrusted)
    return report


def _candidates(
    out: Path, sources: dict[str, Source], splits: dict[str, str]
) -> tuple[list[Candidate], list[dict[str, str]]]:
    """All items of the units, and what the units left out."""
    import numpy as np

    candidates: list[Candidate] = []
    dropped: list[dict[str, str]] = []
    for folder in sorted((out / "units").iterdir()):
        if not (folder / "unit.json").exists():
            continue
        record = json.loads((folder / "unit.json").read_text())
        dropped += record["dropped"]
        embeddings = np.load(folder / "embedding.npy")
        for row, embedding in zip(record["items"], embeddings, strict=True):
            item = item_from_strings(row)
            source = sources.get(item.name)
            label = source.identity if source is not None else item.identity
            split = source.split if source is not None else splits.get(item.name, "")
            candidates.append(
                Candidate(dataclasses.replace(item, identity=""), label, split, embedding)
            )
    return candidates, dropped
