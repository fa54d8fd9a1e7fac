"""How well the packaged 468-point mesh measures speaking lips, against the 478-point network with refined lips.

    python benchmarks/landmarks.py [--seconds 4]

Clips are the test clips of real people in ``SWAPTALK_SHARED`` (default ``../shared`` beside the repository), the
teacher is its ``models/face_landmarks_detector.tflite``, which the product does not use. Both networks look at the same
region of every frame. There is no truth by hand; what decides between the two is the sound that belongs to the lips.
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

from swaptalk.evaluation.metrics.bootstrap import bootstrap_mean
from swaptalk.evaluation.metrics.envelope_sync import MAXIMUM_SHIFT, envelope_sync
from swaptalk.evaluation.metrics.landmark_distance import MOUTH, eye_distance
from swaptalk.evaluation.metrics.lip_leak import frame_levels
from swaptalk.faces.landmarks import CropRegion
from swaptalk.faces.smooth import smooth_points
from swaptalk.media.audio import read_audio
from swaptalk.media.video_reader import VideoReader
from swaptalk.models.motion import ABSOLUTE_CHANNELS, measure_motion
from swaptalk.pipeline.vision import Vision
from swaptalk.runtime.litert import LiteRTModel

SHARED = Path(os.environ.get("SWAPTALK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
FPS = 25
#: Frames count as still that change least around the mouth: this share of a clip's.
STILL = 0.25
#: Points of both networks that are numbered alike.
COMMON = 468


class Teacher:
    """The 478-point network; the first 468 points are the packaged mesh's, the lips among them refined."""

    def __init__(self, path: Path) -> None:
        self._model = LiteRTModel(path)
        self._size = self._model.input_shape[1]

    def __call__(self, image: NDArray[np.uint8], region: CropRegion) -> NDArray[np.float32]:
        """Points (478, 3) in pixels of an RGB image (H, W, 3)."""
        matrix = region.matrix(self._size)
        crop = cv2.warpAffine(image, matrix, (self._size, self._size), flags=cv2.INTER_LINEAR)
        outputs = self._model(crop[None].astype(np.float32) / 255)
        points = next(o for o in outputs if o.size == 478 * 3).reshape(-1, 3).copy()
        inverse = cv2.invertAffineTransform(matrix)
        points[:, :2] = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
        points[:, 2] *= region.side / self._size
        return points


@dataclass
class Clip:
    """A clip's points by both networks (T, 468, 3), how much the mouth's picture changed (T,), and loudness (T,) dB."""

    name: str
    mesh: NDArray[np.float32]
    teacher: NDArray[np.float32]
    change: NDArray[np.float64]
    levels: NDArray[np.float64]


def measure(path: Path, seconds: float, vision: Vision, teacher: Teacher) -> Clip | None:
    """Run both networks over a clip; None where there is hardly any face."""
    tracker = vision.tracker()
    meshes, points, changes = [], [], []
    before: NDArray[np.float32] | None = None
    with VideoReader(path, Fraction(FPS), end=seconds) as reader:
        for frame in reader.frames():
            faces = tracker.update(frame).faces
            if not faces:
                continue
            found = max(faces, key=lambda f: float(np.ptp(f.landmarks.xy[:, 0]))).landmarks
            region = CropRegion.around_points(found.xy)
            meshes.append(vision.mesh(frame, region).points)
            points.append(teacher(frame, region)[:COMMON])
            low, high = found.xy[MOUTH].min(axis=0).astype(int), found.xy[MOUTH].max(axis=0).astype(int) + 1
            mouth = frame[max(low[1], 0) : high[1], max(low[0], 0) : high[0]]
            small = np.asarray(cv2.resize(mouth, (32, 16), interpolation=cv2.INTER_AREA), np.float32)
            changes.append(0.0 if before is None else float(np.abs(small - before).mean()))
            before = small
    if len(meshes) <= 3 * MAXIMUM_SHIFT:
        return None
    levels = frame_levels(read_audio(path, end=seconds), 16000, FPS, len(meshes))
    return Clip(path.stem, np.stack(meshes), np.stack(points), np.array(changes), levels)


def opening(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Opening of the inner lips (T,) in % of the eye distance, as motion tokens measure it."""
    return np.array([100 * measure_motion(p)[:ABSOLUTE_CHANNELS].mean() for p in points], np.float64)


def noise(series: NDArray[np.float64], still: NDArray[np.bool_]) -> float:
    """Standard deviation of a frame's error where nothing moves, from second differences of series (T, ...)."""
    second = (series[:-2] - 2 * series[1:-1] + series[2:]) / 6**0.5
    return float(np.sqrt((second[still[1:-1]] ** 2).mean()))


def rows(clip: Clip) -> dict[str, float]:
    """Numbers of a clip; lengths in % of the eye distance."""
    size = eye_distance(clip.teacher)[:, None, None]
    smooth = smooth_points(clip.mesh, np.ones(len(clip.mesh), bool))
    teacher_smooth = smooth_points(clip.teacher, np.ones(len(clip.mesh), bool))
    still = clip.change <= np.quantile(clip.change, STILL)
    result: dict[str, float] = {}
    curves = {}
    for name, points in (
        ("468", clip.mesh), ("478", clip.teacher), ("468 smoothed", smooth), ("478 smoothed", teacher_smooth)
    ):  # fmt: skip
        lips = 100 * (points[:, MOUTH, :2] - points[:, MOUTH, :2].mean(axis=1, keepdims=True)) / size
        curves[name] = opening(points)
        result[f"noise of the opening, {name}"] = noise(curves[name], still)
        result[f"noise of a lip point, {name}"] = noise(lips.astype(np.float64), still)
        result[f"spread of the opening, {name}"] = float(curves[name].std())
        result[f"opening with loudness, best shift, r, {name}"] = envelope_sync(curves[name], clip.levels).peak
    for name, points in (("468", clip.mesh), ("468 smoothed", smooth)):
        result[f"opening, r with 478, {name}"] = float(np.corrcoef(curves[name], curves["478"])[0, 1])
        apart = 100 * (points[:, MOUTH, :2] - clip.teacher[:, MOUTH, :2]) / size
        result[f"lips from 478's, {name}"] = float(np.linalg.norm(apart, axis=2).mean())
        moved = apart - apart.mean(axis=0)
        result[f"lips from 478's, mean offset removed, {name}"] = float(np.linalg.norm(moved, axis=2).mean())
    result["opening, 468 minus 478"] = float((curves["468"] - curves["478"]).mean())
    for kind in ("", " smoothed"):
        better = [result[f"opening with loudness, best shift, r, {points}{kind}"] for points in ("478", "468")]
        result[f"r with loudness, 478 minus 468{kind}"] = better[0] - better[1]
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each clip")
    arguments = parser.parse_args()
    with (SHARED / "data" / "video" / "index.csv").open(newline="") as file:
        names = [r["id"] for r in csv.DictReader(file) if r["split"] == "test" and r["kind"] == "real"]
    vision, teacher = Vision(progress=False), Teacher(SHARED / "models" / "face_landmarks_detector.tflite")
    clips = SHARED / "data" / "video" / "clips"
    found = [measure(clips / f"{name}.webm", arguments.seconds, vision, teacher) for name in names]
    tables = [rows(clip) for clip in found if clip is not None]
    print(f"| {len(tables)} clips | median | 10 % | 90 % | mean, with 95 % interval |\n|---|---|---|---|---|")
    for name in tables[0]:
        values = np.array([table[name] for table in tables])
        low, middle, high = (f"{x:.2f}" for x in np.quantile(values, (0.1, 0.5, 0.9)))
        mean = bootstrap_mean(values.tolist())
        print(f"| {name} | {middle} | {low} | {high} | {mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}] |")


if __name__ == "__main__":
    main()
