"""Videos to mark: the demo's clip, portraits under a drifting camera, clips of speech."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import random
import tarfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from benchmarks.watermark.attacks import Frames
from numpy.typing import NDArray
from PIL import Image

from swaptalk.media.video_reader import VideoReader
from swaptalk.provenance.watermark_embed import Watermarker

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SWAPTALK_SHARED", ROOT.parent / "shared"))
#: Frames of each host: two seconds. Longer videos are read better.
FRAMES = 50
IDENTIFIER_SEED = 1


def hosts(names: Sequence[str]) -> Iterator[tuple[str, str, Frames]]:
    """(kind, name, frames); the kinds take turns, so that a run that is stopped early has some of
    each.
    """
    kinds = [HOSTS[name]() for name in names]
    while kinds:
        for kind in list(kinds):
            host = next(kind, None)
            if host is None:
                kinds.remove(kind)
            else:
                yield host


def _demo() -> Iterator[tuple[str, str, Frames]]:
    path = ROOT / "demo" / "target.mp4"
    if path.exists():
        with VideoReader(path) as reader:
            for start in range(0, len(reader) - FRAMES + 1, FRAMES):
                yield (
                    "demo 960 x 720",
                    f"demo-{start}",
                    list(reader.frames(range(start, start + FRAMES))),
                )


def photos(wanted: Callable[[dict[str, str]], bool]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Pictures of the shared set, in the order of its archives."""
    folder = SHARED / "data" / "images"
    if not (folder / "index.csv").exists():
        return
    with (folder / "index.csv").open(encoding="utf-8") as file:
        rows = {(row["shard"], row["name"]): row for row in csv.DictReader(file)}
    for shard in sorted(folder.glob("*.tar")):
        with tarfile.open(shard) as archive:
            for member in archive:
                row = rows.get((shard.name, member.name))
                content = archive.extractfile(member) if row is not None and wanted(row) else None
                if content is not None:
                    yield (
                        member.name,
                        np.asarray(Image.open(io.BytesIO(content.read())).convert("RGB")),
                    )


def _portraits() -> Iterator[tuple[str, str, Frames]]:
    for name, photo in photos(lambda row: row["set"] == "us_congress_portraits"):
        grown = cv2.resize(
            photo, (680, 680 * photo.shape[0] // photo.shape[1]), interpolation=cv2.INTER_CUBIC
        )
        noise = np.random.default_rng(int(name.split(".")[0]))
        frames = []
        for index in range(FRAMES):
            x, y = round(20 + 12 * math.sin(index / 17)), round(60 + 10 * math.cos(index / 23))
            grain = noise.normal(0, 1.5, (480, 640, 1))
            frames.append(np.clip(grown[y : y + 480, x : x + 640] + grain, 0, 255).astype(np.uint8))
        yield "portraits 640 x 480", name, frames


def _clips() -> Iterator[tuple[str, str, Frames]]:
    folder = SHARED / "data" / "video"
    if not (folder / "index.csv").exists():
        return
    with (folder / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    for row in rows:
        with VideoReader(folder / "clips" / f"{row['id']}.webm") as reader:
            yield (
                "clips up to 320 x 320",
                row["id"],
                list(reader.frames(range(min(FRAMES, len(reader))))),
            )


#: Kinds of hosts.
HOSTS = {"demo": _demo, "portraits": _portraits, "clips": _clips}


def missing_hosts(
    path: Path, limit: int, names: Sequence[str]
) -> Iterator[tuple[str, str, Frames, Watermarker]]:
    """Kind, name, frames and marker of the hosts that a file of results does not have yet."""
    done = (
        {json.loads(line)["host"] for line in path.read_text().splitlines()}
        if path.exists()
        else set()
    )
    for kind, name, frames in islice(hosts(names), limit):
        if name not in done:
            identifier = random.Random(f"{IDENTIFIER_SEED} {name}").getrandbits(64)
            yield (
                kind,
                name,
                frames,
                Watermarker(identifier, frames[0].shape[1], frames[0].shape[0]),
            )
