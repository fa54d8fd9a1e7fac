"""Cost of what is done with a face beside the networks: its composite, its detail, its way back
into the picture.

    python -m benchmarks.speed.faces

Every row is processor time on one core; the quickest round counts, not the median.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.editing.composite import Compositor
from swaptalk.faces.editing.detail import FrameDetail, PhotoDetail
from swaptalk.faces.editing.exposure import face_light
from swaptalk.faces.editing.face_composite import composite_face, shape_difference
from swaptalk.faces.editing.occlusion import OcclusionNetwork
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.faces.geometry.identity_shape import normalised_shape
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.analysis.source import read_source

DEMO = Path(__file__).parents[2] / "demo"
#: Frames of the demo's target that are looked at.
FRAMES = 30


class DemoFaces:
    """The demo's photo, and faces of its target: ``pictures`` with their ``alignments`` and
    ``meshes`` (468, 3) in crop pixels.
    """

    def __init__(self) -> None:
        analyser = FaceAnalyser(progress=False)
        self.photos = read_source([DEMO / "source.jpg"], None, analyser).photos
        with VideoReader(DEMO / "target.mp4") as video:
            self.pictures = list(video.frames(range(FRAMES)))
        points = [analyser.faces(picture)[0].points for picture in self.pictures]
        self.alignments = [estimate_alignment(one) for one in points]
        self.meshes = [to.to_crop(one) for to, one in zip(self.alignments, points, strict=True)]
        self.crops = [
            crop_face(picture, to)
            for picture, to in zip(self.pictures, self.alignments, strict=True)
        ]
        shape = np.mean([normalised_shape(mesh) for mesh in self.meshes], axis=0)
        self.difference = shape_difference(self.photos, shape)

    def calls(self) -> dict[str, Callable[[int], object]]:
        """What is measured, by name; each takes the number of a frame."""
        detail, occlusion = PhotoDetail(self.photos, spoken=True), OcclusionNetwork()
        moved = list(map(detail, self.meshes, self.alignments))
        plain, detailed, covered = Compositor(), Compositor(), Compositor(occlusion=occlusion)

        def pasted(
            compositor: Compositor, frame: int, part: FrameDetail | None = None
        ) -> NDArray[np.uint8]:
            return compositor(
                self.pictures[frame],
                self.crops[frame - 1],
                self.alignments[frame],
                self.meshes[frame],
                part,
            )

        return {
            "composite of photo and target": lambda frame: composite_face(
                self.photos, self.crops[frame], self.meshes[frame], self.difference
            ),
            "colours, mask and paste": lambda frame: pasted(plain, frame),
            "the same with the photo's detail": lambda frame: pasted(detailed, frame, moved[frame]),
            "the same with what is in front of the face": lambda frame: pasted(covered, frame),
            "the photo's detail, moved": lambda frame: detail(
                self.meshes[frame], self.alignments[frame]
            ),
            "light of a face (fades, flashes)": lambda frame: face_light(
                self.pictures[frame], self.alignments[frame].to_image(self.meshes[frame])
            ),
            "search for what is in front of the face": lambda frame: occlusion(
                self.crops[frame], self.meshes[frame]
            ),
        }


def milliseconds(rounds: int) -> dict[str, float]:
    """Processor time of a frame by what is done."""
    cv2.setNumThreads(1)
    taken: dict[str, list[float]] = {}
    for name, call in DemoFaces().calls().items():
        call(0)  # the first one warms up
        for _ in range(rounds):
            begun = time.process_time()
            for frame in range(FRAMES):
                call(frame)
            taken.setdefault(name, []).append((time.process_time() - begun) / FRAMES * 1000)
    return {name: min(times) for name, times in taken.items()}


def rows(rounds: int) -> list[dict[str, Any]]:
    """As `benchmarks.speed` tabulates them."""
    return [
        {"what": name, "frames": FRAMES, "rounds": rounds, "cpu_ms_per_frame": value}
        for name, value in milliseconds(rounds).items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    print(json.dumps(rows(parser.parse_args().rounds)))
