"""From one source to a unit of the dataset: faces found, aligned, cropped, their sound and identity
measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from swaptalk.assets.catalogue import resolve
from swaptalk.data.faces import to_tensor
from swaptalk.data.sources import Source
from swaptalk.data.store import FRAME_RATE, SAMPLES_PER_FRAME, Item, encode_picture, write_unit
from swaptalk.data.sync import delay, estimate_sync
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.detection.track import TrackedFace
from swaptalk.faces.geometry.align import Alignment, crop_face, estimate_alignment
from swaptalk.faces.geometry.pose import eye_distance
from swaptalk.faces.geometry.smooth import smooth_alignments
from swaptalk.faces.geometry.topology import POINT_COUNT
from swaptalk.media.audio import read_audio
from swaptalk.media.mel import SAMPLE_RATE, log_mel
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.voice_activity import level, speech_weight
from swaptalk.models.identity import SFace

#: Tight photos are searched again with this share of mirrored border, since the detectors want to
#: see a whole head.
BORDER = 0.25
#: Presence that a photo's mesh needs; clips have their own rule in the tracker.
PHOTO_PRESENCE = 0.9
#: Frames of a clip whose identities are averaged.
IDENTITY_FRAMES = 3
#: Fewest usable frames of a clip: one second.
MINIMUM_FRAMES = FRAME_RATE
#: Width of SFace's directions.
_IDENTITY_WIDTH = 128


@dataclass(frozen=True)
class Extraction:
    """What a worker needs to know. ``units``: folder of units; ``identities``: whether to recognise
    people; ``moments``: pictures to keep of each clip, 0 for the whole clip with its sound.
    """

    units: Path
    identities: bool
    moments: int = 0


class Extractor:
    """Turns sources into units; one in each worker process.

    Args:
        settings: see `Extraction`.
    """

    def __init__(self, settings: Extraction) -> None:
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        self._settings = settings
        self._analyser = FaceAnalyser(progress=False)
        self._recogniser = SFace(resolve("sface", progress=False)) if settings.identities else None

    def __call__(self, unit: str, sources: Sequence[Source]) -> None:
        """Write the unit of one clip or of a handful of photos. Bad sources are listed in it and
        never raise.
        """
        if sources[0].kind == "photo":
            self._photos(unit, sources)
        else:
            try:
                take = self._moments if self._settings.moments else self._clip
                take(unit, sources[0])
            except Exception as error:  # one broken file must not end a night's work
                self._write_dropped(unit, sources[0], error)

    def _write_dropped(self, unit: str, source: Source, error: Exception) -> None:
        write_unit(
            self._settings.units / unit,
            [],
            [dropped_row(source, reason_of(error))],
            [],
            _arrays([], [], []),
        )

    def _identity(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Mean identity direction (128,) of crops; NaN where none is wanted."""
        if self._recogniser is None or not crops:
            return np.full(_IDENTITY_WIDTH, np.nan, np.float32)
        with torch.inference_mode():
            mean = self._recogniser(to_tensor(np.stack(crops))).mean(dim=0)
            return np.asarray((mean / mean.norm().clamp(min=1e-6)).numpy(), np.float32)

    def _photos(self, unit: str, sources: Sequence[Source]) -> None:
        items: list[Item] = []
        dropped: list[dict[str, str]] = []
        pictures: list[bytes] = []
        meshes, alignments, embeddings = [], [], []
        for source in sources:
            try:
                image = source.read_photo()
                face = self._largest(image)
                alignment = estimate_alignment(face.landmarks.xy)
                crop = crop_face(image, alignment)
                embeddings.append(self._identity([crop]))
            except Exception as error:  # as above
                dropped.append(dropped_row(source, reason_of(error)))
                continue
            items.append(_item(source, unit, len(pictures), 1, alignment.scale))
            pictures.append(encode_picture(crop))
            meshes.append(alignment.to_crop(face.landmarks.points))
            alignments.append(alignment.matrix)
        arrays = _arrays(meshes, alignments, embeddings)
        write_unit(self._settings.units / unit, items, dropped, pictures, arrays)

    def _largest(self, image: NDArray[np.uint8]) -> TrackedFace:
        """The largest usable face of a photo.

        Raises:
            SwapTalkError: there is none.
        """
        reason = "no face"
        for border in (0, round(BORDER * max(image.shape[:2]))):
            shown = (
                np.pad(image, ((border, border), (border, border), (0, 0)), mode="reflect")
                if border
                else image
            )
            faces = self._analyser.tracker().update(np.ascontiguousarray(shown)).faces
            faces = tuple(f for f in faces if f.presence >= PHOTO_PRESENCE)
            usable = [f for f in faces if f.usable]
            if usable:
                best = max(usable, key=lambda f: eye_distance(f.landmarks.points))
                best.landmarks.points[:, :2] -= border
                return best
            reason = faces[0].reason if faces else reason
        raise SwapTalkError(reason, remedy="give another photo")

    def _moments(self, unit: str, source: Source) -> None:
        """Keep some pictures of a clip, spread over it, each found as in a photo."""
        pictures: list[bytes] = []
        crops, meshes, alignments = [], [], []
        with _reader(source) as reader:
            spread = np.linspace(0, len(reader) - 1, self._settings.moments + 2)[1:-1]
            for frame in reader.frames(sorted(set(spread.astype(int).tolist()))):
                try:
                    face = self._largest(frame)
                except SwapTalkError:
                    continue
                alignment = estimate_alignment(face.landmarks.xy)
                crops.append(crop_face(frame, alignment))
                pictures.append(encode_picture(crops[-1]))
                meshes.append(alignment.to_crop(face.landmarks.points))
                alignments.append(alignment)
        if not crops:
            raise SwapTalkError(
                "no usable face in the frames looked at", remedy="give another clip"
            )
        item = _item(source, unit, 0, len(crops), float(np.median([a.scale for a in alignments])))
        arrays = _arrays(meshes, [a.matrix for a in alignments], [self._identity(crops)])
        write_unit(self._settings.units / unit, [item], [], pictures, arrays)

    def _clip(self, unit: str, source: Source) -> None:
        faces, cuts = self._follow(source)
        usable = np.array([face is not None and face.usable for face in faces])
        if int(usable.sum()) < MINIMUM_FRAMES:
            reasons = [f.reason for f in faces if f is not None and f.reason]
            problem = max(set(reasons), key=reasons.count) if reasons else "no face"
            raise SwapTalkError(
                f"fewer than {MINIMUM_FRAMES} usable frames ({problem})", remedy="give another clip"
            )
        raw = [estimate_alignment(f.landmarks.xy) if f is not None else None for f in faces]
        alignments = smooth_alignments(raw, cuts)
        pictures, shown = self._crops(source, alignments, usable)
        nowhere = np.full((POINT_COUNT, 3), np.nan, np.float32)
        meshes = [
            a.to_crop(f.landmarks.points) if a is not None and f is not None else nowhere
            for a, f in zip(alignments, faces, strict=True)
        ]
        matrices = [a.matrix if a is not None else np.full((2, 3), np.nan) for a in alignments]
        arrays = _arrays(meshes, matrices, [self._identity(shown)])
        arrays["usable"] = usable
        scales = [a.scale for a in alignments if a is not None]
        item = _item(source, unit, 0, len(faces), float(np.median(scales)))
        if probe(source.path).audio is not None:
            item = self._add_sound(item, source, arrays)
        write_unit(self._settings.units / unit, [item], [], pictures, arrays)

    def _follow(self, source: Source) -> tuple[list[TrackedFace | None], list[int]]:
        """The main face of each 25 fps frame (the one seen largest and longest), and where scenes
        begin.
        """
        tracker = self._analyser.tracker()
        frames: list[tuple[TrackedFace, ...]] = []
        cuts: list[int] = []
        presence: dict[int, float] = {}
        with _reader(source) as reader:
            for frame in reader.frames():
                found = tracker.update(frame)
                if found.cut:
                    cuts.append(len(frames))
                frames.append(found.faces)
                for face in found.faces:
                    if face.usable:
                        presence[face.track] = presence.get(face.track, 0.0) + eye_distance(
                            face.landmarks.points
                        )
        main = max(presence, key=lambda k: presence[k], default=-1)
        return [next((f for f in faces if f.track == main), None) for faces in frames], cuts

    def _crops(
        self, source: Source, alignments: Sequence[Alignment | None], usable: NDArray[np.bool_]
    ) -> tuple[list[bytes], list[NDArray[np.uint8]]]:
        """JPEG of each frame's crop (empty without a face), and some usable crops for the
        identity.
        """
        wanted = set(np.linspace(0, int(usable.sum()) - 1, IDENTITY_FRAMES).astype(int).tolist())
        good = np.cumsum(usable) - 1
        pictures: list[bytes] = []
        shown: list[NDArray[np.uint8]] = []
        with _reader(source) as reader:
            for index, (frame, alignment) in enumerate(
                zip(reader.frames(), alignments, strict=True)
            ):
                if alignment is None:
                    pictures.append(b"")
                    continue
                crop = crop_face(frame, alignment)
                pictures.append(encode_picture(crop))
                if usable[index] and int(good[index]) in wanted:
                    shown.append(crop)
        return pictures, shown

    def _add_sound(self, item: Item, source: Source, arrays: dict[str, NDArray[Any]]) -> Item:
        """Read a clip's sound into the arrays, moved to fit the lips; returns the item with what is
        known of it.
        """
        audio = np.zeros(item.count * SAMPLES_PER_FRAME, np.float32)
        end = source.start + item.count / FRAME_RATE
        try:
            samples = read_audio(source.path, SAMPLE_RATE, source.start, end)[: len(audio)]
        except InputError:  # the track ends before this piece of the clip begins, or is damaged
            return item
        audio[: len(samples)] = samples
        found = estimate_sync(arrays["landmarks"], arrays["usable"], audio)
        audio = delay(audio, found.offset * SAMPLES_PER_FRAME)
        arrays["speech"] = speech_weight(level(log_mel(audio)), item.count)
        arrays["audio"] = np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)
        values = {
            "sound": True,
            "offset": found.offset,
            "sync": found.correlation,
            "trusted": found.trusted,
        }
        return Item(**{**vars(item), **values, "distrust": found.reason})


def _reader(source: Source) -> VideoReader:
    return VideoReader(source.path, Fraction(FRAME_RATE), source.start, source.end, threads=1)


def _arrays(
    meshes: Sequence[NDArray[Any]],
    alignments: Sequence[NDArray[Any]],
    embeddings: Sequence[NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    return {
        "landmarks": np.array(meshes, np.float32).reshape(-1, POINT_COUNT, 3),
        "usable": np.ones(len(meshes), np.bool_),
        "alignment": np.array(alignments, np.float32).reshape(-1, 2, 3),
        "embedding": np.array(embeddings, np.float32).reshape(-1, _IDENTITY_WIDTH),
    }


def _item(source: Source, unit: str, first: int, count: int, scale: float) -> Item:
    """The item of a source; its person and split are decided when all items are known."""
    return Item(
        name=source.name,
        unit=unit,
        first=first,
        count=count,
        kind=source.kind,
        identity=source.identity,
        split="train",
        scale=round(scale, 4),
        source=str(source.path),
        licence=source.licence,
    )


def dropped_row(source: Source, reason: str) -> dict[str, str]:
    """A row of ``dropped.csv``."""
    return {"name": source.name, "source": str(source.path), "reason": reason}


def reason_of(error: Exception) -> str:
    """An error in a few words."""
    if isinstance(error, SwapTalkError):
        return error.problem
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def unit_name(sources: Sequence[Source]) -> str:
    """Name of a unit, from the names of its sources alone."""
    return hashlib.sha256("\n".join(s.name for s in sources).encode()).hexdigest()[:16]
