"""Protocols: find test clips and photos in a folder, and draw the pairs of each protocol.

Paper: HDTF in pieces of 10 s at 25 fps. Self-driven: the target's own audio, so that the real lips
    are known.
Cross-driven (asynchronous): the audio of another clip. Paused (our own, after KeySync's LipLeak):
the same with its second half silent, while the target speaks on; the pauses of real clips are few
and short, and real lips move in them.
"""

from __future__ import annotations

import csv
import random
import re
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.media.image import is_image, read_image, write_image
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader

ProtocolName = Literal["self", "cross", "paused"]

#: Longest piece of a clip that is used, and the shortest that is (seconds).
CLIP_SECONDS, SHORTEST_CLIP_SECONDS = 10.0, 2.0
VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v")
#: HDTF's pieces as talking-face papers name them: video, index of the piece, its first and last
#: second.
_HDTF_PIECE = re.compile(r"^(?P<video>.+)_(?P<index>\d{3})_(?P<start>\d+)_(?P<end>\d+)$")
#: HDTF's videos: person, number of the video.
_HDTF_VIDEO = re.compile(r"^(?P<person>.+)_\d{3}$")
#: Set of photos that needs no labels, one official portrait a person; sharp, so drawn first.
_PORTRAITS = "us_congress_portraits"


@dataclass(frozen=True)
class Clip:
    """A test clip: one person speaking. ``seconds`` is its whole length; ``language`` is empty
    where no index says.
    """

    name: str
    person: str
    path: Path
    seconds: float
    language: str = ""


@dataclass(frozen=True)
class Photo:
    """A source photo, one a person."""

    name: str
    person: str
    path: Path


@dataclass(frozen=True)
class Pair:
    """One thing to render: the source's face into the target clip, speaking the audio clip's
    words.
    """

    protocol: ProtocolName
    source: Photo
    target: Clip
    audio: Clip

    @property
    def name(self) -> str:
        """Unique within a protocol; ``<source>_<target>`` as in the paper, with the audio's clip
        where it differs.
        """
        parts = [self.source.name, self.target.name]
        return "_".join(parts + ([self.audio.name] if self.audio != self.target else []))


@dataclass
class Skipped:
    """Items that were left out: (name, reason), in order."""

    items: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, reason: str) -> None:
        """Add an item; duplicates are kept once."""
        if (name, reason) not in self.items:
            self.items.append((name, reason))


def find_clips(folder: Path, skipped: Skipped) -> list[Clip]:
    """Usable test clips under a folder, by name.

    Layouts: ``index.csv`` with a column ``id`` beside ``clips/`` (only rows with split ``test`` and
        kind ``real``;
    ``group`` tells the people apart, ``language`` may say what they speak), or any folder of
    videos, in which HDTF's names tell the people apart. Clips without sound, too short or
    unreadable are noted in ``skipped``.

    Raises:
        InputError: there is no such folder, its index lacks columns, or no usable clip is left.
    """
    if not folder.is_dir():
        raise InputError(
            "there is no such folder", path=folder, remedy="give a folder of video clips"
        )
    found = _indexed_clips(folder) if (folder / "index.csv").is_file() else _loose_clips(folder)
    clips = []
    for name, person, path, language in found:
        try:
            info = probe(path)
        except SwapTalkError as error:
            skipped.add(name, str(error).removeprefix(f"{path}: "))
            continue
        if info.video is None:
            skipped.add(name, "has no pictures")
        elif info.audio is None:
            skipped.add(name, "has no sound")
        elif min(info.duration, info.audio.duration) < SHORTEST_CLIP_SECONDS:
            skipped.add(name, f"lasts {info.duration:.2f} s, less than {SHORTEST_CLIP_SECONDS:g} s")
        else:
            seconds = min(info.duration, info.audio.duration)
            clips.append(Clip(name, person, path, seconds, language))
    if not clips:
        raise InputError(
            "no usable test clip is left"
            + (f" ({len(skipped.items)} skipped)" if skipped.items else ""),
            path=folder,
            remedy=f"give a folder of videos with sound of at least {SHORTEST_CLIP_SECONDS:g} s",
        )
    return clips


def _read_index(path: Path, columns: set[str]) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = columns - set(reader.fieldnames or ())
        if missing:
            raise InputError(
                f"columns are missing: {', '.join(sorted(missing))}",
                path=path,
                remedy="mend the index",
            )
        return list(reader)


def _indexed_clips(folder: Path) -> list[tuple[str, str, Path, str]]:
    rows = _read_index(folder / "index.csv", {"id", "kind", "group", "split"})
    used = [row for row in rows if row["split"] == "test" and row["kind"] == "real"]
    files = {path.stem: path for path in _videos(folder)}
    # A file that the index names and the folder lacks is probed, and thereby named, all the same.
    return [
        (
            row["id"],
            row["group"],
            files.get(row["id"], folder / "clips" / f"{row['id']}.webm"),
            row.get("language") or "",
        )
        for row in used
    ]


def _loose_clips(folder: Path) -> list[tuple[str, str, Path, str]]:
    found = []
    for path in _videos(folder):
        piece = _HDTF_PIECE.match(path.stem)
        video = piece["video"] if piece else path.stem
        person = _HDTF_VIDEO.match(video)
        found.append((path.stem, person["person"] if person else video, path, ""))
    return found


def _videos(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()
    )


def find_photos(folder: Path, extracted: Path, skipped: Skipped, limit: int = 100) -> list[Photo]:
    """One photo of each of at most ``limit`` people under a folder, by name.

    Layouts: ``index.csv`` beside ``*.tar`` shards (columns ``shard``, ``name``, ``set``,
        ``person``, ``split``; of the
    rows with split ``test`` the first of each person; the files are put into ``extracted``), or any
    folder of photos, each of another person.

    Raises:
        InputError: there is no such folder, its index lacks columns, or no photo is left.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder", path=folder, remedy="give a folder of photos")
    if (folder / "index.csv").is_file():
        photos = _indexed_photos(folder, extracted, limit)
    else:
        files = sorted(p for p in folder.rglob("*") if p.is_file() and is_image(p))[:limit]
        photos = [Photo(path.stem, path.stem, path) for path in files]
    usable = []
    for photo in photos:
        try:
            read_image(photo.path)
        except SwapTalkError as error:
            skipped.add(photo.name, str(error).removeprefix(f"{photo.path}: "))
        else:
            usable.append(photo)
    if not usable:
        raise InputError(
            "no usable photo is left", path=folder, remedy="give a folder of photos of faces"
        )
    return usable


def _indexed_photos(folder: Path, extracted: Path, limit: int) -> list[Photo]:
    rows = _read_index(folder / "index.csv", {"shard", "name", "set", "person", "split"})
    tested = sorted(
        (row for row in rows if row["split"] == "test"), key=lambda row: row["set"] != _PORTRAITS
    )
    chosen: dict[str, dict[str, str]] = {}
    for row in tested:
        person = row["person"] or (
            f"{_PORTRAITS}/{row['name']}" if row["set"] == _PORTRAITS else ""
        )
        if person:
            chosen.setdefault(person, row)
    if not chosen:
        problem = "no row of split 'test' names its person"
        raise InputError(problem, path=folder / "index.csv", remedy="fill in the column 'person'")
    people = list(chosen.items())[:limit]
    by_shard: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for person, row in people:
        by_shard.setdefault(row["shard"], []).append((person, row))
    extracted.mkdir(parents=True, exist_ok=True)
    photos = []
    for shard, members in by_shard.items():
        with tarfile.open(folder / shard) as archive:
            for person, row in members:
                name = f"{Path(shard).stem}-{Path(row['name']).stem}"
                path = extracted / f"{name}{Path(row['name']).suffix}"
                if not path.is_file():
                    content = archive.extractfile(row["name"])
                    if content is None:
                        raise InputError(
                            f"lacks {row['name']}", path=folder / shard, remedy="mend the index"
                        )
                    path.write_bytes(content.read())
                photos.append(Photo(name, person, path))
    return sorted(photos, key=lambda photo: photo.name)


def photos_from_clips(clips: Sequence[Clip], folder: Path, skipped: Skipped) -> list[Photo]:
    """The first frame of one clip of each person as a source photo, for folders without photos."""
    folder.mkdir(parents=True, exist_ok=True)
    photos: dict[str, Photo] = {}
    for clip in sorted(clips, key=lambda clip: clip.name):
        if clip.person in photos:
            continue
        path = folder / f"{clip.name}.png"
        try:
            if not path.is_file():
                with VideoReader(clip.path) as reader:
                    write_image(path, next(reader.frames([0])))
        except SwapTalkError as error:
            skipped.add(clip.name, str(error).removeprefix(f"{clip.path}: "))
        else:
            photos[clip.person] = Photo(clip.name, clip.person, path)
    return list(photos.values())


def draw_pairs(
    protocol: ProtocolName,
    clips: Sequence[Clip],
    photos: Sequence[Photo],
    seed: int = 0,
    limit: int | None = None,
) -> list[Pair]:
    """One pair for each clip, drawn with a seed: the same folder and seed give the same pairs.

    The source is a photo of another person than the target, each photo being used once before any
    is used again. Unless self-driven, the audio comes from the clip of another person that lasts at
    least as long, or else from the longest.

    Raises:
        InputError: a clip has no source of another person, or no other voice.
    """
    rng = random.Random(f"{protocol} {seed}")
    order = sorted(clips, key=lambda clip: clip.name)
    rng.shuffle(order)
    pool: list[Photo] = []
    pairs = []
    for target in order[:limit]:
        source = _draw_source(target, photos, pool, rng)
        audio = target if protocol == "self" else _draw_voice(target, clips, rng)
        pairs.append(Pair(protocol, source, target, audio))
    return sorted(pairs, key=lambda pair: pair.name)


def _draw_source(
    target: Clip, photos: Sequence[Photo], pool: list[Photo], rng: random.Random
) -> Photo:
    for refill in (False, True):
        if refill:
            pool[:] = sorted(photos, key=lambda photo: photo.name)
            rng.shuffle(pool)
        for index, photo in enumerate(pool):
            if photo.person != target.person:
                return pool.pop(index)
    raise InputError(
        f"no source photo shows another person than the target clip {target.name}",
        remedy="add photos of other people",
    )


def _draw_voice(target: Clip, clips: Iterable[Clip], rng: random.Random) -> Clip:
    others = sorted((c for c in clips if c.person != target.person), key=lambda clip: clip.name)
    if not others:
        raise InputError(
            f"no other person speaks than the one of {target.name}",
            remedy="add clips of other people, or drop cross",
        )
    needed = min(target.seconds, CLIP_SECONDS)
    return rng.choice(
        [c for c in others if c.seconds >= needed] or [max(others, key=lambda clip: clip.seconds)]
    )


def pair_seconds(pair: Pair) -> float:
    """Return the length of the pair's video: 10 s, or the shorter of clip and audio."""
    return min(CLIP_SECONDS, pair.target.seconds, pair.audio.seconds)
