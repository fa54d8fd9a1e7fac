"""The dataset folder that `swaptalk prepare` writes and every stage reads.

::

    DATASET/
      index.csv             one row an item: a photo, or one person's appearance in a clip
      dropped.csv           what was left out, and why
      untrusted.csv         items whose sound cannot be trusted to fit the lips, and why
      units/<unit>/         one clip, or up to some hundred photos; appears whole or not at all
        pictures.bin        aligned 256 px crops, JPEG after JPEG
        offsets.npy         (n + 1,) int64: where each picture begins
        landmarks.npy       (n, 468, 3) float32: mesh in crop pixels
        usable.npy          (n,) bool
        alignment.npy       (n, 2, 3) float32: similarity from image to crop
        embedding.npy       (items, 128) float32: SFace identity, NaN where it was not computed
        speech.npy          (n,) float32: 1 in speech, 0 in silence; clips with sound only
        audio.npy           int16, 16 kHz mono, aligned with frame 0 and corrected by the offset;
        clips with sound only unit.json           its items and what was dropped

Frame i of a clip is the picture on screen i / 25 s after its first one.
"""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.data.split import VALIDATION_SHARE, Split, validation_people
from swaptalk.errors import InputError
from swaptalk.media.mel import SAMPLE_RATE, log_mel
from swaptalk.storage.files import AtomicFile

FRAME_RATE = 25
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE
#: JPEG quality of crops, without chroma subsampling: below the noise of the footage.
JPEG_QUALITY = 95
#: Clips whose arrays stay open.
_OPEN_UNITS = 256
#: Clips whose spectrogram is kept.
_KEPT_MELS = 512

Kind = Literal["photo", "real", "generated"]


@dataclass(frozen=True)
class Item:
    """One photo, or one person in one clip.

    ``first`` and ``count`` say which pictures of the ``unit`` are its. ``scale`` is crop pixels per
    pixel of the original: above 1 the crop is enlarged, so soft. ``sound`` says whether there is
    any; ``offset`` by how many frames it was moved to fit the lips, ``sync`` how well it fits
    (-1..1), ``trusted`` whether it may be trained on, and ``distrust`` why not.
    """

    name: str
    unit: str
    first: int
    count: int
    kind: Kind
    identity: str
    split: Split
    scale: float
    sound: bool = False
    offset: int = 0
    sync: float = 0.0
    trusted: bool = False
    distrust: str = ""
    source: str = ""
    licence: str = ""


_FIELDS = [field.name for field in dataclasses.fields(Item)]


def write_index(path: Path, items: Iterable[Item]) -> None:
    """Write items as CSV."""
    write_table(path, _FIELDS, (dataclasses.asdict(item) for item in items))


def write_table(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write a CSV file whole or not at all."""
    with AtomicFile(path) as target, target.part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def item_from_strings(row: dict[str, Any]) -> Item:
    """An item from the cells of a row of CSV, or from JSON."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Item):
        cell = row[field.name]
        if field.type == "int":
            cell = int(cell)
        elif field.type == "float":
            cell = float(cell)
        elif field.type == "bool":
            cell = cell in (True, "True")
        values[field.name] = cell
    return Item(**values)


@dataclass(frozen=True)
class Unit:
    """The arrays of a unit, mapped from disk; see the module's description. ``speech`` and
    ``audio`` may be absent.
    """

    pictures: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    usable: NDArray[np.bool_]
    alignment: NDArray[np.float32]
    embedding: NDArray[np.float32]
    speech: NDArray[np.float32] | None
    audio: NDArray[np.int16] | None


def encode_picture(crop: NDArray[np.uint8]) -> bytes:
    """JPEG of an RGB crop."""
    flags = [
        cv2.IMWRITE_JPEG_QUALITY,
        JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), flags)[1])


def decode_picture(coded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB crop (256, 256, 3) of a JPEG's bytes.

    Raises:
        ValueError: they are damaged.
    """
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("not a readable JPEG")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def read_index(folder: Path) -> list[Item]:
    """Items of a dataset folder as ``index.csv`` has them: for training or for testing.

    Raises:
        InputError: it is no such folder.
    """
    try:
        with (folder / "index.csv").open(newline="") as file:
            return [item_from_strings(row) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            "is not a prepared dataset",
            path=folder,
            remedy="make it with 'swaptalk prepare VIDEOS... --out DATA'",
        ) from error


class Dataset:
    """Read access to a dataset folder; safe to use from several threads.

    Args:
        folder: made by ``swaptalk prepare``.
        validation_share: share of the training people whose items get the split ``validation``.

    Raises:
        InputError: it is no such folder, or empty.
    """

    def __init__(self, folder: Path, validation_share: float = VALIDATION_SHARE) -> None:
        self.folder = folder
        items = read_index(folder)
        if not items:
            raise InputError(
                "the dataset is empty", path=folder, remedy="see dropped.csv in it for the reasons"
            )
        apart = validation_people(
            (i.identity for i in items if i.split == "train"), validation_share
        )
        self.items = [
            dataclasses.replace(i, split="validation")
            if i.split == "train" and i.identity in apart
            else i
            for i in items
        ]
        self.unit = lru_cache(_OPEN_UNITS)(self._open)
        self._mel = lru_cache(_KEPT_MELS)(self._compute_mel)
        self._positions = lru_cache(_OPEN_UNITS)(self._read_positions)

    def select(self, split: Split | None = None, kinds: Sequence[Kind] | None = None) -> list[Item]:
        """Items of a split and of some kinds (None: any)."""
        return [
            i
            for i in self.items
            if (split is None or i.split == split) and (kinds is None or i.kind in kinds)
        ]

    def judged(self, kinds: Sequence[Kind] | None = None) -> list[Item]:
        """What a run is judged on while it trains: validation people, or training people where
        there are none.
        """
        return self.select("validation", kinds) or self.select("train", kinds)

    def _open(self, name: str) -> Unit:
        folder = self.folder / "units" / name

        def array(part: str) -> Any:
            path = folder / f"{part}.npy"
            absent = part in ("speech", "audio") and not path.exists()
            return None if absent else np.load(path, mmap_mode="r")

        parts = {
            field.name: array(field.name)
            for field in dataclasses.fields(Unit)
            if field.name != "pictures"
        }
        return Unit(pictures=np.memmap(folder / "pictures.bin", np.uint8, "r"), **parts)

    def picture(self, item: Item, frame: int) -> NDArray[np.uint8]:
        """Aligned crop (256, 256, 3) uint8 RGB of a frame of an item, 0 .. count - 1.

        Raises:
            InputError: the stored picture is damaged.
        """
        unit = self.unit(item.unit)
        begin, end = unit.offsets[item.first + frame : item.first + frame + 2]
        try:
            return decode_picture(np.asarray(unit.pictures[begin:end]))
        except ValueError as error:
            raise InputError(
                f"picture {frame} of {item.name} is damaged",
                path=self.folder,
                remedy="prepare it again",
            ) from error

    def landmarks(self, item: Item) -> NDArray[np.float32]:
        """Mesh (count, 468, 3) of an item's frames, crop pixels."""
        return self.unit(item.unit).landmarks[item.first : item.first + item.count]

    def usable(self, item: Item) -> NDArray[np.bool_]:
        """Which frames (count,) show the face well enough to learn from."""
        return self.unit(item.unit).usable[item.first : item.first + item.count]

    def speech(self, item: Item) -> NDArray[np.float32]:
        """1 in speech, 0 in silence, (count,); zeros where there is no sound."""
        speech = self.unit(item.unit).speech
        if speech is None:
            return np.zeros(item.count, np.float32)
        return speech[item.first : item.first + item.count]

    def audio(self, item: Item) -> NDArray[np.float32]:
        """Samples (640 * count,) at 16 kHz in [-1, 1]; silence where the recording is shorter.

        Raises:
            ValueError: the item has no sound.
        """
        stored = self.unit(item.unit).audio
        if stored is None:
            raise ValueError(f"{item.name} has no sound")
        samples = np.zeros(item.count * SAMPLES_PER_FRAME, np.float32)
        begin = item.first * SAMPLES_PER_FRAME
        part = stored[begin : begin + len(samples)]
        samples[: len(part)] = part.astype(np.float32) / 32768
        return samples

    def mel(self, item: Item) -> NDArray[np.float32]:
        """Log-mel (4 * count, 80) of an item's sound."""
        return self._mel(item)

    def _compute_mel(self, item: Item) -> NDArray[np.float32]:
        return log_mel(self.audio(item))

    def embedding(self, item: Item) -> NDArray[np.float32]:
        """SFace identity (128,), NaN where it was not computed."""
        return np.asarray(self.unit(item.unit).embedding[self._positions(item.unit)[item.name]])

    def _read_positions(self, unit: str) -> dict[str, int]:
        """Number of each item within its unit."""
        items = json.loads((self.folder / "units" / unit / "unit.json").read_text())["items"]
        return {entry["name"]: index for index, entry in enumerate(items)}


def write_unit(
    folder: Path,
    items: Sequence[Item],
    dropped: Sequence[dict[str, str]],
    pictures: Sequence[bytes],
    arrays: dict[str, NDArray[Any]],
) -> None:
    """Write a unit's files into a fresh folder ``<unit>.part`` and give it its name when all are
    there.

    Args:
        folder: ``units/<unit>``.
        items: rows of the index; may be empty, if everything was dropped.
        dropped: rows of ``dropped.csv``.
        pictures: JPEG of each crop.
        arrays: the arrays by name, without ``offsets``.
    """
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    (part / "pictures.bin").write_bytes(b"".join(pictures))
    sizes = np.array([0, *(len(p) for p in pictures)], np.int64)
    for name, array in {**arrays, "offsets": np.cumsum(sizes)}.items():
        np.save(part / f"{name}.npy", array)
    record = {"items": [dataclasses.asdict(item) for item in items], "dropped": list(dropped)}
    (part / "unit.json").write_text(json.dumps(record))
    part.rename(folder)
