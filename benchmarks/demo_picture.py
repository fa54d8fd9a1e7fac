"""Make the first picture of README.md from a fresh render of the demo.

    python benchmarks/demo_picture.py

The upper row shows the three inputs, the lower row three frames of the result: mouth closed, half
open and open. Frames are chosen by their measured mouth opening, and cut out at the video's own
size.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from swaptalk import SwapTalk
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.media.audio import read_audio
from swaptalk.media.image import read_image
from swaptalk.media.video_reader import VideoReader

DEMO = Path(__file__).resolve().parents[1] / "demo"
PICTURE = DEMO.parent / "docs" / "images" / "demo.jpg"
WORDS = ("“Hello! Nobody has this face", "or this voice. My video was", "made with SwapTalk.”")
#: Width and height of a cell, and of the gap between cells, in pixels.
CELL, GAP = (400, 480), 8
#: Share of a cell's height from its top edge to the middle of the face, and of the face's height.
FACE_AT, FACE_HEIGHT = 0.52, 0.56
#: Frames before this time are passed over: nobody has begun to speak.
QUIET_SECONDS = 0.3
INK, PAPER = (32, 36, 44), (255, 255, 255)

Picture = NDArray[np.uint8]


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    return ImageFont.load_default(size)


def face_cell(picture: Picture, points: NDArray[np.floating], scale: float | None) -> Image.Image:
    """Cut a cell around a face out of a picture.

    Args:
        picture: (H, W, 3) RGB.
        points: (468, 2) or (468, 3) face mesh in its pixels.
        scale: cell pixels per picture pixel; None gives the face a fixed height.
    """
    top, bottom = points[:, 1].min(), points[:, 1].max()
    scale = CELL[1] * FACE_HEIGHT / (bottom - top) if scale is None else scale
    high, wide = picture.shape[:2]
    scale = max(scale, CELL[0] / wide, CELL[1] / high)
    width, height = (round(side / scale) for side in CELL)
    left = round((points[:, 0].min() + points[:, 0].max() - width) / 2)
    upper = round((top + bottom) / 2 - FACE_AT * height)
    left, upper = min(max(left, 0), wide - width), min(max(upper, 0), high - height)
    part = Image.fromarray(picture[upper : upper + height, left : left + width])
    return part.resize(CELL, Image.Resampling.LANCZOS)


def speech_cell(samples: NDArray[np.float32]) -> Image.Image:
    """Draw a recording's waveform above the words that it says."""
    cell = Image.new("RGB", CELL, (241, 243, 247))
    pen = ImageDraw.Draw(cell)
    margin, middle, reach = 30, 190, 110
    for column in range(margin, CELL[0] - margin, 4):
        share = (column - margin) / (CELL[0] - 2 * margin)
        start = int(share * len(samples))
        height = reach * float(np.abs(samples[start : start + len(samples) // 85]).max(initial=0))
        pen.line([(column, middle - height - 1), (column, middle + height + 1)], (54, 98, 176), 2)
    for number, line in enumerate(WORDS):
        pen.text((CELL[0] // 2, 346 + 32 * number), line, INK, font(22), anchor="mm")
    return cell


def labelled(cell: Image.Image, text: str) -> Image.Image:
    """Write a label into a cell's lower left corner."""
    pen = ImageDraw.Draw(cell)
    box = pen.textbbox((14, CELL[1] - 14), text, font(20), anchor="ls")
    pen.rounded_rectangle((box[0] - 7, box[1] - 6, box[2] + 7, box[3] + 6), 5, PAPER)
    pen.text((14, CELL[1] - 14), text, INK, font(20), anchor="ls")
    return cell


def sheet(rows: list[list[Image.Image]]) -> Image.Image:
    """Arrange cells in rows of equal length."""
    wide, high = CELL[0] + GAP, CELL[1] + GAP
    page = Image.new("RGB", (wide * len(rows[0]) - GAP, high * len(rows) - GAP), PAPER)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            page.paste(cell, (column * wide, row * high))
    return page


def main() -> None:
    """Render the demo and write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    source, target, audio = (DEMO / name for name in ("source.jpg", "target.mp4", "speech.opus"))
    analyser = FaceAnalyser()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "out.mp4"
        SwapTalk.from_pretrained().generate(
            source=source, target=target, audio=audio, output=result
        )
        with VideoReader(result) as video:
            rate, frames = float(video.fps), list(video.frames())
    tracker = analyser.tracker()
    meshes = [tracker.update(frame).faces[0].landmarks.xy for frame in frames]
    quiet = round(QUIET_SECONDS * rate)
    opening = np.array([mouth_openness(points) for points in meshes])[quiet:]
    half = (opening.min() + opening.max()) / 2
    chosen = {
        "mouth closed": int(opening.argmin()),
        "half open": int(np.abs(opening - half).argmin()),
        "open": int(opening.argmax()),
    }
    photo = read_image(source)
    with VideoReader(target) as video:
        scene = next(video.frames([0]))
    inputs = [
        labelled(face_cell(photo, analyser.faces(photo)[0].xy, None), "photo"),
        labelled(face_cell(scene, analyser.faces(scene)[0].xy, 1), "video"),
        labelled(speech_cell(read_audio(audio)), "recording"),
    ]
    results = [
        labelled(
            face_cell(frames[quiet + index], meshes[quiet + index], 1),
            f"result: {state}",
        )
        for state, index in chosen.items()
    ]
    sheet([inputs, results]).save(options.output, quality=88, optimize=True)
    print(options.output)


if __name__ == "__main__":
    main()
