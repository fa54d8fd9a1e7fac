"""Measure jobs with several people: who is who, still mouths, cost, sound, containers.

    python benchmarks/people.py --beside man.webm --photos anna.jpg ben.jpg --out runs/people

Scenes of 960 x 480 at 25 frames a second are made of the demo's clip and another one (``--beside``,
one person): side by side, and as two panels that pass each other. Each person gets a photo and a
recording made of the demo's. The tables are printed and kept in ``people.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import wave
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.detection.landmarks import Landmarks
from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.media.audio import read_audio
from swaptalk.media.image import read_image
from swaptalk.media.loudness import integrated_loudness
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.provenance.verify import verify

DEMO = Path(__file__).resolve().parents[1] / "demo"
SIDE, FRAMES, RATE, FPS = 480, 75, 48000, 25
#: Seconds of speech; the rest of a recording is silent.
SPOKEN = 1.4
#: Containers: name of the file, further options.
CONTAINERS = (
    ("out.mp4", ()),
    ("hevc.mp4", ("--codec", "hevc")),
    ("out.webm", ()),
    ("av1.webm", ("--codec", "av1")),
    ("out.mov", ()),
    ("out.gif", ()),
    ("out.webp", ()),
    ("alpha.mov", ()),
)
#: Frame of the cut.
CUT = FRAMES // 2
#: Runs of the jobs whose cost is measured; the cheapest counts.
ROUNDS = 3
Frame = NDArray[np.uint8]


def squares(path: Path) -> Iterator[Frame]:
    """Yield the middle of a clip at the scene's height and rate, played back and forth."""
    with VideoReader(path, fps=Fraction(FPS)) as video:
        frames = []
        for frame in islice(video.frames(), FRAMES):
            side = min(frame.shape[:2])
            x, y = (frame.shape[1] - side) // 2, (frame.shape[0] - side) // 2
            frames.append(cv2.resize(frame[y : y + side, x : x + side], (SIDE, SIDE)))
    for index in range(FRAMES):
        turn = index % max(1, 2 * len(frames) - 2)
        yield np.asarray(frames[min(turn, 2 * len(frames) - 2 - turn)], np.uint8)


def write_scenes(left: Path, right: Path, folder: Path) -> None:
    """Write ``couple.mp4``, ``cut.mp4`` and ``cross.mp4``: side by side, the same with a cut in the
    middle after which they have changed places, and the left clip passing in front.
    """
    half = SIDE // 2
    with (
        VideoWriter(folder / "couple.mp4", 2 * SIDE, SIDE, FPS) as beside,
        VideoWriter(folder / "cut.mp4", 2 * SIDE, SIDE, FPS) as changing,
        VideoWriter(folder / "cross.mp4", 2 * SIDE, SIDE, FPS) as passing,
    ):
        for index, pair in enumerate(zip(squares(left), squares(right), strict=True)):
            beside.write(np.concatenate(pair, axis=1))
            changing.write(np.concatenate(pair if index < CUT else pair[::-1], axis=1))
            scene = np.full((SIDE, 2 * SIDE, 3), 96, np.uint8)
            x = round((2 * SIDE - SIDE) * index / (FRAMES - 1))
            scene[:, SIDE - x : 2 * SIDE - x] = pair[1]
            # Her panel is narrower, so that he is seen again before she is past him.
            scene[:, x + half // 4 : x + SIDE - half // 4] = pair[0][:, half // 4 : -half // 4]
            passing.write(scene)


def write_wav(path: Path, samples: NDArray[np.floating], rate: int = RATE) -> None:
    """Write mono samples in [-1, 1]."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def write_recordings(folder: Path) -> None:
    """Write what each says, one after the other, both in one recording, and the turns."""
    voice = read_audio(DEMO / "speech.opus", RATE)[: round(SPOKEN * RATE)]
    whole = np.zeros(FRAMES * RATE // FPS, np.float32)
    first, second, late = whole.copy(), whole.copy(), round(1.5 * RATE)
    first[: len(voice)] = voice
    higher = np.interp(np.arange(0, len(voice), 1.12), np.arange(len(voice)), voice)
    second[late : late + len(higher)] = higher
    for name, samples in (("a", first), ("b", second), ("mixed", first + second)):
        write_wav(folder / f"{name}.wav", samples)
    rows = ("start,end,person", "0,1.45,anna", "1.45,3,right")
    (folder / "turns.csv").write_text("\n".join(rows) + "\n")


def swaptalk(*arguments: object) -> float:
    """Run the command; its processor time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "swaptalk", *map(str, arguments), "--quiet"]
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


class Watcher:
    """Finds and recognises faces in results, knowing nothing of the job."""

    def __init__(self) -> None:
        self._analyser = FaceAnalyser()

    def _identity(self, picture: Frame, face: Landmarks) -> NDArray[np.float32]:
        assert self._analyser.recogniser is not None
        vector = self._analyser.recogniser(picture, face)
        return vector / np.linalg.norm(vector)

    def photo(self, path: Path) -> NDArray[np.float32]:
        """Identity of the person in a photo."""
        picture = read_image(path)
        return self._identity(picture, self._analyser.faces(picture)[0])

    def faces(self, path: Path) -> Iterator[list[tuple[float, NDArray[np.float32], float]]]:
        """Yield the faces of each frame: x of the middle, identity, opening of the mouth."""
        tracker = self._analyser.tracker()
        with VideoReader(path) as video:
            for picture in video.frames():
                found = [one.landmarks for one in tracker.update(picture).faces]
                yield [
                    (
                        float(face.xy[:, 0].mean()),
                        self._identity(picture, face),
                        mouth_openness(face.points),
                    )
                    for face in found
                ]


def beside_table(
    watcher: Watcher, path: Path, photos: Sequence[NDArray[np.float32] | None]
) -> list[dict[str, Any]]:
    """Who is who on each side of a scene side by side, and how the mouths move."""
    rows = []
    frames = list(watcher.faces(path))
    speaking = np.arange(len(frames)) < SPOKEN * FPS
    for side, photo in enumerate(photos):
        seen = [[one for one in faces if (one[0] > SIDE) == bool(side)] for faces in frames]
        assert all(len(one) == 1 for one in seen), "a face was lost, or one too many found"
        opening = np.array([one[0][2] for one in seen])
        steps = np.abs(np.diff(opening, prepend=opening[:1]))
        own = speaking if side == 0 else np.arange(len(frames)) >= 1.5 * FPS
        # Two frames on either side of a change belong to neither.
        listens = ~np.convolve(own, np.ones(9), "same").astype(bool)
        row: dict[str, Any] = {
            "side": ("left", "right")[side],
            "frames": len(seen),
            "speaking": [float(opening[own].mean()), float(steps[own].mean())],
            "listening": [float(opening[listens].mean()), float(steps[listens].mean())],
        }
        if photo is not None:
            row |= likeness([one[0][1] for one in seen], photo, photos[1 - side])
        rows.append(row)
    return rows


def likeness(
    vectors: Sequence[NDArray[np.float32]],
    own: NDArray[np.float32],
    other: NDArray[np.float32] | None,
) -> dict[str, Any]:
    """Cosines to the own photo and to the other one."""
    to_own = np.array([float(vector @ own) for vector in vectors])
    row: dict[str, Any] = {"own": float(to_own.mean())}
    if other is not None:
        to_other = np.array([float(vector @ other) for vector in vectors])
        row |= {
            "other": float(to_other.mean()),
            "right": int((to_own > to_other).sum()),
            "least_lead": float((to_own - to_other).min()),
        }
    return row


def crossing_table(
    watcher: Watcher, path: Path, photos: Sequence[NDArray[np.float32]]
) -> list[dict[str, Any]]:
    """Who is who where two people pass each other: the face nearest to the middle of the panel in
    front belongs there, others behind.
    """
    seen: dict[int, list[NDArray[np.float32]]] = {0: [], 1: []}
    for index, faces in enumerate(watcher.faces(path)):
        middle = SIDE * index / (FRAMES - 1) + SIDE / 2
        for rank, (_, vector, _) in enumerate(sorted(faces, key=lambda one: abs(one[0] - middle))):
            seen[min(rank, 1)].append(vector)
    return [
        {"person": ("in front", "behind")[who], "frames": len(vectors)}
        | likeness(vectors, photos[who], photos[1 - who])
        for who, vectors in seen.items()
    ]


def cut_table(
    watcher: Watcher, path: Path, photos: Sequence[NDArray[np.float32]]
) -> list[dict[str, Any]]:
    """Who is who before and after a cut with which two people change places."""
    seen: dict[int, list[NDArray[np.float32]]] = {0: [], 1: []}
    for index, faces in enumerate(watcher.faces(path)):
        for middle, vector, _ in faces:
            seen[int((middle > SIDE) != (index >= CUT))].append(vector)
    return [
        {"person": ("left first", "right first")[who], "frames": len(vectors)}
        | likeness(vectors, photos[who], photos[1 - who])
        for who, vectors in seen.items()
    ]


def offset(written: NDArray[np.float32], recording: NDArray[np.float32]) -> int:
    """Samples by which a written sound is late, from the peak of the cross-correlation."""
    size = 1 << (len(written) + len(recording)).bit_length()
    both = np.fft.rfft(written, size) * np.conj(np.fft.rfft(recording, size))
    late = int(np.argmax(np.fft.irfft(both, size)))
    return late - size if late > size // 2 else late


def sound_row(path: Path, recording: Path) -> dict[str, Any]:
    """Loudness, peak and offset of a written sound."""
    samples = read_audio(path, RATE)
    blocks: Iterable[NDArray[np.float32]] = [samples[:, None].astype(np.float32)]
    peak = float(np.abs(samples).max())
    return {
        "lufs": integrated_loudness(blocks, RATE, 1),
        "peak": float(20 * np.log10(peak)),
        "offset": offset(samples, read_audio(recording, RATE)),
        "samples": len(samples),
    }


def write_oval(path: Path) -> None:
    """Write the demo's clip cut out along an oval, as ProRes 4444."""
    with VideoReader(DEMO / "target.mp4") as video:
        height, width = video.height, video.width
        alpha = np.zeros((height, width, 1), np.uint8)
        axes = (width // 3, height // 2)
        cv2.ellipse(alpha, (width // 2, height // 2), axes, 0, 0, 360, 255, -1)
        with VideoWriter(path, width, height, video.fps, "prores", alpha=True) as writer:
            for frame in video.frames(range(60)):
                writer.write(np.concatenate([frame, alpha], axis=2))


def container_table(folder: Path, photo: Path) -> list[dict[str, Any]]:
    """Write the demo in every container, probe it, and look for its marks."""
    rows, words, oval = [], folder / "words.wav", folder / "oval.mov"
    write_wav(words, read_audio(DEMO / "speech.opus", RATE)[: 2 * RATE])
    write_oval(oval)
    small = (
        "--source",
        photo,
        "--audio",
        words,
        "--resolution",
        480,
        "--consent",
        "A measurement.",
    )
    for name, more in CONTAINERS:
        path, target = folder / name, oval if name == "alpha.mov" else DEMO / "target.mp4"
        swaptalk("generate", "--target", target, *small, *more, "--output", path)
        row: dict[str, Any] = {"file": name}
        found = verify(path)
        media = probe(path)
        assert media.video is not None and found.watermark is not None
        row |= {"video": media.video.codec, "frames": media.video.frame_count_estimate}
        row |= {"transparent": media.video.transparent, "pixels": media.video.pixel_format}
        row["sound"] = None if media.audio is None else media.audio.codec
        row["manifest"] = None if found.manifest is None else found.manifest.valid
        row["watermark"] = found.watermark.identifier is not None
        row["score"] = found.watermark.score
        rows.append(row)
    return rows


def sound_table(folder: Path) -> list[dict[str, Any]]:
    """Set the loudness of words in every container with sound."""
    rows, words = [], folder / "all-words.wav"
    write_wav(words, read_audio(DEMO / "speech.opus", RATE))
    small = ("--target", DEMO / "target.mp4", "--resolution", 240, "--consent", "A measurement.")
    for suffix in (".mp4", ".webm", ".mov"):
        for loudness in (-16, -23):
            path = folder / f"loud{suffix}"
            swaptalk("sync", *small, "--audio", words, f"--loudness={loudness}", "--output", path)
            rows.append({"file": suffix, "asked": loudness} | sound_row(path, words))
    return rows


def people_tables(folder: Path, photos: Sequence[Path]) -> dict[str, Any]:
    """Render the scenes with two people, and measure them."""
    anna, ben = photos
    consent = ("--consent", "A measurement.")
    a, b, mixed = (folder / f"{name}.wav" for name in ("a", "b", "mixed"))
    both = (
        *("--person", f"face=left,source={anna},audio={a}"),
        *("--person", f"face=right,source={ben},audio={b}"),
    )
    one, two = folder / "one.mp4", folder / "two.mp4"
    target = ("generate", "--target", folder / "couple.mp4", *consent)
    short = (*both[:2], "--length", "video", "--end", 1)
    jobs = {"two": (both, two), "one": (both[:2], one), "one, a third": (short, one)}
    cost = {
        name: min(swaptalk(*target, *more, "--output", output) for _ in range(ROUNDS))
        for name, (more, output) in jobs.items()
    }
    turns = folder / "turns.mp4"
    named = ("--person", "name=anna,face=left", "--person", f"face=right,source={ben}")
    shared = ("--audio", mixed, "--turns", folder / "turns.csv")
    swaptalk(*target, *named, *shared, "--output", turns)
    faces = ("--person", f"face=1,source={anna}", "--person", f"face=2,source={ben}", *consent)
    for scene in ("cross", "cut"):
        output = ("--output", folder / f"{scene}-made.mp4")
        swaptalk("generate", "--target", folder / f"{scene}.mp4", *faces, *output)
    watcher = Watcher()
    first, second = (watcher.photo(photo) for photo in photos)
    return {
        "two": beside_table(watcher, two, [first, second]),
        "turns": beside_table(watcher, turns, [None, second]),
        "crossing": crossing_table(watcher, folder / "cross-made.mp4", [first, second]),
        "cut": cut_table(watcher, folder / "cut-made.mp4", [first, second]),
        "sound of two": sound_row(two, mixed),
        "processor seconds": cost,
    }


def main() -> None:
    """Make the scenes, run the jobs, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--beside", type=Path, required=True, help="clip of another person")
    parser.add_argument("--photos", type=Path, nargs=2, required=True, help="for her and for him")
    parser.add_argument("--out", type=Path, required=True, help="folder for videos and tables")
    options = parser.parse_args()
    folder = options.out
    folder.mkdir(parents=True, exist_ok=True)
    write_scenes(DEMO / "target.mp4", options.beside, folder)
    write_recordings(folder)
    tables = people_tables(folder, options.photos)
    tables |= {
        "sound": sound_table(folder),
        "containers": container_table(folder, options.photos[0]),
    }
    text = json.dumps(tables, indent=1)
    (folder / "people.json").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
