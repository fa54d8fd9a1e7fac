"""Robustness, false alarms and cost of the watermark."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import av
import numpy as np
from benchmarks.watermark.attacks import ATTACKS, recode
from benchmarks.watermark.hosts import ROOT, SHARED, missing_hosts

from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.inference.bundle import ModelBundle
from swaptalk.media.video_reader import VideoReader
from swaptalk.metrics.psnr import psnr
from swaptalk.metrics.ssim import ssim
from swaptalk.pipeline.api import SwapTalk
from swaptalk.provenance.watermark_detect import WatermarkDetector, bit_accuracy
from swaptalk.provenance.watermark_embed import Watermarker

#: How the product writes: its quality "high" at the pipeline's preset.
WRITTEN = (18, "superfast")
#: Frames of each unmarked clip that are added up for one search.
UNMARKED_FRAMES = 25


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
