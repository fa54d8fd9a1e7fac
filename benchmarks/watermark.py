"""Measure the invisible watermark: what it survives, false alarms, cost.

    python benchmarks/watermark.py robustness --out runs/watermark  # repeat it for more hosts
    python benchmarks/watermark.py false-alarms --out runs/watermark --cpu-seconds 300
    python benchmarks/watermark.py cost
    python benchmarks/watermark.py report --out runs/watermark      # the tables

Hosts are the demo's clip (960 x 720) and, where ``SWAPTALK_SHARED`` (default ``../shared`` beside
the repository) has them, portraits under a drifting camera (640 x 480) and small clips of real
speech (at most 320 x 320).
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import os
import random
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.inference.bundle import ModelBundle
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.metrics.psnr import psnr
from swaptalk.metrics.ssim import ssim
from swaptalk.pipeline.api import SwapTalk
from swaptalk.provenance.watermark_detect import WatermarkDetector, bit_accuracy
from swaptalk.provenance.watermark_embed import Watermarker

Frames = list[NDArray[np.uint8]]
ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SWAPTALK_SHARED", ROOT.parent / "shared"))
#: Frames of each host: two seconds. Longer videos are read better.
FRAMES = 50
#: How the product writes: its quality "high" at the pipeline's preset.
WRITTEN = (18, "superfast")
IDENTIFIER_SEED = 1
#: Frames of each unmarked clip that are added up for one search.
UNMARKED_FRAMES = 25


def recode(frames: Frames, crf: float, preset: str = "medium", fps: Fraction | int = 25) -> Frames:
    """H.264 and back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        height, width = (side - side % 2 for side in frames[0].shape[:2])
        with VideoWriter(path, width, height, fps, quality=crf, preset=preset) as writer:
            for frame in frames:
                writer.write(np.ascontiguousarray(frame[:height, :width]))
        with VideoReader(path) as reader:
            return list(reader.frames())


def scaled(frames: Frames, factor: float) -> Frames:
    """Resize to even sides."""
    height, width = frames[0].shape[:2]
    size = (round(width * factor / 2) * 2, round(height * factor / 2) * 2)
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return [np.asarray(cv2.resize(frame, size, interpolation=kind), np.uint8) for frame in frames]


def cropped(frames: Frames, share: float) -> Frames:
    """Cut ``share`` of each side away, off the centre."""
    height, width = frames[0].shape[:2]
    top, left = round(height * share * 0.4), round(width * share * 0.7)
    bottom, right = top + round(height * (1 - share)), left + round(width * (1 - share))
    return [frame[top:bottom, left:right] for frame in frames]


def screen_recorded(frames: Frames) -> Frames:
    """A player window with a border on a screen of 30 Hz, enlarged by a third, recorded and encoded
    again.
    """
    border = partial(
        cv2.copyMakeBorder,
        top=40,
        bottom=56,
        left=60,
        right=44,
        borderType=cv2.BORDER_CONSTANT,
        value=(32, 32, 36),
    )
    shown = [np.asarray(border(one), np.uint8) for one in scaled(frames, 4 / 3)]
    return [shown[index * 25 // 30] for index in range(len(shown) * 30 // 25)]


ATTACKS: dict[str, Callable[[Frames], Frames]] = {
    "as written (CRF 18)": lambda frames: frames,
    "H.264 CRF 23": lambda frames: recode(frames, 23),
    "H.264 CRF 28": lambda frames: recode(frames, 28),
    "H.264 CRF 32": lambda frames: recode(frames, 32),
    "scaled to 50 %, CRF 23": lambda frames: recode(scaled(frames, 0.5), 23),
    "scaled to 75 %, CRF 23": lambda frames: recode(scaled(frames, 0.75), 23),
    "scaled to 150 %, CRF 23": lambda frames: recode(scaled(frames, 1.5), 23),
    "20 % of each side cropped, CRF 23": lambda frames: recode(cropped(frames, 0.2), 23),
    "brightness x 1.5, CRF 23": lambda frames: recode(
        [np.asarray(cv2.convertScaleAbs(one, alpha=1.5), np.uint8) for one in frames], 23
    ),
    "screen recording, 30 fps, CRF 26": lambda frames: recode(screen_recorded(frames), 26, fps=30),
}


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


def robustness(out: Path, limit: int, names: Sequence[str]) -> None:
    """One line of JSON for each host and attack; hosts that are there already are skipped."""
    path = out / "robustness.jsonl"
    for kind, name, frames, watermarker in missing_hosts(path, limit, names):
        identifier = watermarker.identifier
        marked = [watermarker(frame.copy()) for frame in frames]
        quality = {
            "psnr": float(
                np.mean([psnr(a, b) for a, b in zip(frames[::10], marked[::10], strict=True)])
            ),
            "ssim": float(
                np.mean([ssim(a, b) for a, b in zip(frames[::10], marked[::10], strict=True)])
            ),
        }
        written = recode(marked, *WRITTEN)
        lines = []
        for attack, apply in ATTACKS.items():
            detector = WatermarkDetector()
            for frame in apply(written):
                detector.add(frame)
            reading = detector.result()
            bits = bit_accuracy(detector.received, identifier)
            lines.append(
                {
                    "kind": kind,
                    "host": name,
                    "attack": attack,
                    "read": reading.identifier == identifier,
                    "wrong": reading.identifier not in (None, identifier),
                    "present": reading.present,
                    "score": reading.score,
                    "bits": bits,
                    **quality,
                }
            )
            print(
                name,
                attack,
                lines[-1]["read"],
                reading.score,
                round(bits, 3),
                flush=True,
            )
        with path.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def false_alarms(out: Path, cpu_seconds: float) -> None:
    """Searches unmarked clips until the time is up; goes on where it stopped."""
    path = out / "false-alarms.jsonl"
    counted = len(path.read_text().splitlines()) if path.exists() else 0
    begun = time.process_time()
    with path.open("a") as file:
        for clip in sorted((SHARED / "data" / "video" / "clips").glob("*.webm"))[counted:]:
            if time.process_time() - begun > cpu_seconds:
                return
            detector = WatermarkDetector()
            with av.open(
                str(clip)
            ) as container:  # footage of our own: no need for the sandbox, which takes longer
                for frame in islice(container.decode(video=0), UNMARKED_FRAMES):
                    detector.add(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            reading = detector.result()
            file.write(
                json.dumps(
                    {
                        "clip": clip.stem,
                        "frames": reading.frames,
                        "read": reading.identifier is not None,
                        "present": reading.present,
                        "score": reading.score,
                    }
                )
                + "\n"
            )
            file.flush()


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z = 1.959964
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def report(out: Path) -> None:
    """Print the tables."""
    lines = [json.loads(line) for line in (out / "robustness.jsonl").read_text().splitlines()]
    kinds = defaultdict(list)
    for line in lines:
        kinds[line["kind"]].append(line)
    for kind, rows in kinds.items():
        names = {row["host"]: row for row in rows}
        print(
            f"\n{kind}, {len(names)} hosts: PSNR "
            f"{np.mean([row['psnr'] for row in names.values()]):.1f} dB "
            f"(least {min(row['psnr'] for row in names.values()):.1f}), "
            f"SSIM {np.mean([row['ssim'] for row in names.values()]):.4f}\n"
        )
        print(
            "| attack | identifier read | 95 % interval | code bits right | pilot score, median |"
        )
        print("|---|---|---|---|---|")
        for attack in ATTACKS:
            tried = [row for row in rows if row["attack"] == attack]
            hits = sum(row["read"] for row in tried)
            low, high = wilson(hits, len(tried))
            print(
                f"| {attack} | {hits} of {len(tried)} | {low:.0%} to {high:.0%} | "
                f"{np.mean([row['bits'] for row in tried]):.1%} | "
                f"{np.median([row['score'] for row in tried]):.1f} |"
            )
    print(f"\nwrong identifiers in {len(lines)} readings: {sum(row['wrong'] for row in lines)}")
    if (out / "false-alarms.jsonl").exists():
        searches = [
            json.loads(line) for line in (out / "false-alarms.jsonl").read_text().splitlines()
        ]
        scores = np.array([row["score"] for row in searches])
        for what in ("read", "present"):
            hits = sum(row[what] for row in searches)
            print(
                f"{sum(row['frames'] for row in searches)} unmarked frames in {len(searches)} "
                f"clips, {what}: {hits}, "
                f"95 % interval up to {wilson(hits, len(searches))[1]:.2%} of clips"
            )
        print(
            f"pilot scores: median {np.median(scores):.2f}, 99.9 % "
            f"{np.quantile(scores, 0.999):.2f}, "
            f"greatest {scores.max():.2f}"
        )


def cost(seconds: float, rounds: int) -> None:
    """What the watermark costs: whole jobs with it and without it by turns, and its share of a
    job's processor time.
    """
    target = ROOT / "demo" / "target.mp4"
    networks, analyser = ModelBundle.from_pretrained(), FaceAnalyser()
    makers = [SwapTalk(networks, analyser, unmarked=unmarked) for unmarked in (False, True)]
    used: tuple[list[float], list[float]] = ([], [])
    signing = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(2 * rounds + 1):
            unmarked = number % 2
            begun = time.process_time()
            made = makers[unmarked].generate(
                source=ROOT / "demo" / "source.jpg",
                target=target,
                end=seconds,
                length="video",
                audio=ROOT / "demo" / "speech.opus",
                output=Path(folder) / "out.mp4",
            )
            if number:  # the first warms up
                used[unmarked].append(time.process_time() - begun)
                which = "without" if unmarked else "with"
                print(which, f"{used[unmarked][-1]:.2f} s", flush=True)
                signing.append(0.0 if made is None else made.stages["sign"])
    assert made is not None
    with VideoReader(target) as reader:
        frames = list(reader.frames(range(20)))
    watermarker = Watermarker(1, made.width, made.height)
    times = []
    for frame in frames:
        begun = time.thread_time()
        watermarker(frame)
        times.append(time.thread_time() - begun)
    whole, each = float(np.median(used[0])), float(np.median(times))
    ratios = [marked / bare for marked, bare in zip(*used, strict=True)]
    print(
        f"job: {whole:.1f} s of processor time for {made.frames} frames, "
        f"{1e3 * whole / made.frames:.0f} ms each; "
        f"watermark: {1e3 * each:.2f} ms a frame, {made.frames * each / whole:.1%} of the job; "
        f"signing {np.median(signing):.2f} s"
    )
    print(
        f"{rounds} jobs with the watermark and {rounds} without, by turns: ratio of processor "
        "time, median "
        f"{np.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}"
    )


def main() -> None:
    """Measure or report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("robustness", "false-alarms", "cost", "report"))
    parser.add_argument("--out", type=Path, default=Path("runs/watermark"))
    parser.add_argument("--limit", type=int, default=33, help="hosts to try in all")
    parser.add_argument(
        "--hosts", nargs="+", choices=tuple(HOSTS), default=tuple(HOSTS), help="only these kinds"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="pairs of jobs of which the cost is measured"
    )
    parser.add_argument("--cpu-seconds", type=float, default=600)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    if options.what == "robustness":
        robustness(options.out, options.limit, options.hosts)
    elif options.what == "false-alarms":
        false_alarms(options.out, options.cpu_seconds)
    elif options.what == "cost":
        cost(seconds=3, rounds=options.rounds)
    else:
        report(options.out)


if __name__ == "__main__":
    main()
