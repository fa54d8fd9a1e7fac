"""Compare the packaged mesh and our lip network with the lip network's teacher on speaking lips.

    python benchmarks/landmarks.py [--seconds 4]

Clips are the test clips of real people in ``SWAPTALK_SHARED`` (default ``../shared`` beside the
repository). The teacher is ``models/face_landmarks_detector.tflite`` there, 478 points with refined
lips, which the product does not use. All see the same frames. Nobody labelled the lips by hand, so
the sound that belongs to them is compared, too.
"""

from __future__ import annotations

import argparse
import csv
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.assets.catalogue import resolve
from swaptalk.data.teacher_labels import LandmarkTeacher
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.detection.landmarks import FaceMesh
from swaptalk.faces.detection.lips import LipNetwork
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS, measure_motion
from swaptalk.faces.geometry.region import CropRegion
from swaptalk.faces.geometry.smooth import smooth_points
from swaptalk.faces.geometry.topology import LIPS, POINT_COUNT
from swaptalk.media.audio import read_audio
from swaptalk.media.video_reader import VideoReader
from swaptalk.metrics.bootstrap import bootstrap_mean
from swaptalk.metrics.envelope_sync import MAXIMUM_SHIFT, envelope_sync
from swaptalk.metrics.landmark_distance import eye_distance
from swaptalk.metrics.lip_leak import frame_levels

SHARED = Path(os.environ.get("SWAPTALK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
FPS = 25
#: Frames count as still that change least around the mouth: this share of a clip's.
STILL = 0.25


@dataclass
class Clip:
    """A clip's points by each network (T, 468, 3), how much the mouth's picture changed (T,), and
    loudness (T,) dB.
    """

    name: str
    mesh: NDArray[np.float32]
    refined: NDArray[np.float32]
    teacher: NDArray[np.float32]
    change: NDArray[np.float64]
    levels: NDArray[np.float64]


class Networks:
    """The mesh alone, the lip network, and its teacher; and what follows the face."""

    def __init__(self) -> None:
        self.analyser = FaceAnalyser(progress=False)
        self.mesh = FaceMesh(resolve("face-mesh"), refine_lips=False)
        self.lips = LipNetwork()
        self.teacher = LandmarkTeacher(SHARED / "models" / "face_landmarks_detector.tflite")


def measure(path: Path, seconds: float, networks: Networks) -> Clip | None:
    """Run all networks over a clip; None where there is hardly any face."""
    tracker = networks.analyser.tracker()
    meshes, refined, points, changes = [], [], [], []
    before: NDArray[np.float32] | None = None
    with VideoReader(path, Fraction(FPS), end=seconds) as reader:
        for frame in reader.frames():
            faces = tracker.update(frame).faces
            if not faces:
                continue
            found = max(faces, key=lambda f: float(np.ptp(f.landmarks.xy[:, 0]))).landmarks
            region = CropRegion.around_points(found.xy)
            meshes.append(networks.mesh(frame, region).points)
            refined.append(networks.lips(frame, meshes[-1]))
            points.append(networks.teacher(frame, region)[:POINT_COUNT])
            low, high = (
                found.xy[LIPS].min(axis=0).astype(int),
                found.xy[LIPS].max(axis=0).astype(int) + 1,
            )
            mouth = frame[max(low[1], 0) : high[1], max(low[0], 0) : high[0]]
            small = np.asarray(
                cv2.resize(mouth, (32, 16), interpolation=cv2.INTER_AREA), np.float32
            )
            changes.append(0.0 if before is None else float(np.abs(small - before).mean()))
            before = small
    if len(meshes) <= 3 * MAXIMUM_SHIFT:
        return None
    levels = frame_levels(read_audio(path, end=seconds), 16000, FPS, len(meshes))
    return Clip(
        path.stem, np.stack(meshes), np.stack(refined), np.stack(points), np.array(changes), levels
    )


def opening(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Opening of the inner lips (T,) in % of the eye distance, as motion tokens measure it."""
    return np.array(
        [100 * measure_motion(p)[:ABSOLUTE_CHANNELS].mean() for p in points], np.float64
    )


def noise(series: NDArray[np.float64], still: NDArray[np.bool_]) -> float:
    """Standard deviation of a frame's error where nothing moves, from second differences of series
    (T, ...).
    """
    second = (series[:-2] - 2 * series[1:-1] + series[2:]) / 6**0.5
    return float(np.sqrt((second[still[1:-1]] ** 2).mean()))


def rows(clip: Clip) -> dict[str, float]:
    """Numbers of a clip; lengths in % of the eye distance."""
    size = eye_distance(clip.teacher)[:, None, None]
    present = np.ones(len(clip.mesh), bool)
    seen = {"mesh": clip.mesh, "lip network": clip.refined, "teacher": clip.teacher}
    seen |= {f"{name} smoothed": smooth_points(points, present) for name, points in seen.items()}
    still = clip.change <= np.quantile(clip.change, STILL)
    curves = {name: opening(points) for name, points in seen.items()}
    result: dict[str, float] = {}
    for name, points in seen.items():
        lips = 100 * (points[:, LIPS, :2] - points[:, LIPS, :2].mean(axis=1, keepdims=True)) / size
        result[f"noise of the opening, {name}"] = noise(curves[name], still)
        result[f"noise of a lip point, {name}"] = noise(lips.astype(np.float64), still)
        result[f"spread of the opening, {name}"] = float(curves[name].std())
        result[f"opening with loudness, best shift, r, {name}"] = envelope_sync(
            curves[name], clip.levels
        ).peak
    for name in ("mesh", "lip network", "mesh smoothed", "lip network smoothed"):
        result[f"opening, r with the teacher's, {name}"] = float(
            np.corrcoef(curves[name], curves["teacher"])[0, 1]
        )
        result[f"opening minus the teacher's, {name}"] = float(
            (curves[name] - curves["teacher"]).mean()
        )
        apart = 100 * (seen[name][:, LIPS, :2] - clip.teacher[:, LIPS, :2]) / size
        result[f"lips from the teacher's, {name}"] = float(np.linalg.norm(apart, axis=2).mean())
        moved = apart - apart.mean(axis=0)
        result[f"lips from the teacher's, mean offset removed, {name}"] = float(
            np.linalg.norm(moved, axis=2).mean()
        )
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each clip")
    arguments = parser.parse_args()
    with (SHARED / "data" / "video" / "index.csv").open(newline="") as file:
        names = [
            r["id"] for r in csv.DictReader(file) if r["split"] == "test" and r["kind"] == "real"
        ]
    networks = Networks()
    clips = SHARED / "data" / "video" / "clips"
    found = [measure(clips / f"{name}.webm", arguments.seconds, networks) for name in names]
    tables = [rows(clip) for clip in found if clip is not None]
    print(
        f"| {len(tables)} clips | median | 10 % | 90 % | mean, with 95 % interval "
        "|\n|---|---|---|---|---|"
    )
    for name in tables[0]:
        values = np.array([table[name] for table in tables])
        low, middle, high = (f"{x:.2f}" for x in np.quantile(values, (0.1, 0.5, 0.9)))
        mean = bootstrap_mean(values.tolist())
        print(
            f"| {name} | {middle} | {low} | {high} | {mean.value:.2f} [{mean.low:.2f}, "
            f"{mean.high:.2f}] |"
        )


if __name__ == "__main__":
    main()
