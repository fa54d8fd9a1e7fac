"""What is fuzzed: files made on the spot, and what the program does with a file of that kind.

A new kind is one line in :data:`KINDS`: how to make a good file, and how to read it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import wave
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import av
import numpy as np
from PIL import Image

from swaptalk.data.sources import find_sources
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.ranges import RANGES_NAME, read_ranges
from swaptalk.inference.validate import validated_config
from swaptalk.media.audio import stream_audio
from swaptalk.media.image import is_image, read_image, write_image
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.render.swapped import SWAPPED
from swaptalk.pipeline.template.check import MEMBERS
from swaptalk.pipeline.template.file import describe_file, write_template_file
from swaptalk.pipeline.template.header import StoredSwap, TargetFile, TemplateHeader
from swaptalk.pipeline.template.template import Template
from swaptalk.provenance.manifest import OutputRecord, UsedInput, sign_output
from swaptalk.provenance.manifest_read import read_manifest
from swaptalk.provenance.signing import signing_identity

#: Blocks of sound read of a mutated file: a minute. A damaged clock may promise hours of silence.
AUDIO_BLOCKS = 60


@dataclass(frozen=True)
class Kind:
    """``make(path)`` writes a good file, ``read(path)`` does what the program does with one from a
    stranger."""

    suffix: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]


def make_video(path: Path, video: str, audio: str, pixels: str = "yuv420p") -> None:
    """A second of moving noise, with sound."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(video, rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, pixels
        sound = container.add_stream(audio, rate=48000)
        for _ in range(25):
            frame = av.VideoFrame.from_ndarray(
                rng.integers(0, 256, (48, 64, 3), np.uint8), format="rgb24"
            )
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
        samples = rng.normal(0, 0.1, (1, 48000)).astype(np.float32)
        piece = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        piece.sample_rate, piece.pts = 48000, 0
        for part in av.AudioResampler(
            sound.format.name, sound.layout, 48000, sound.frame_size or 1024
        ).resample(piece):
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))


def make_gif(path: Path) -> None:
    """Ten small moving pictures."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "rgb8"
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(
                rng.integers(0, 256, (24, 32, 3), np.uint8), format="rgb24"
            )
            container.mux(stream.encode(frame.reformat(format="rgb8")))
        container.mux(stream.encode(None))


def make_sound(path: Path, codec: str) -> None:
    """Two seconds of noise."""
    samples = np.random.default_rng(0).normal(0, 0.1, (1, 88200)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=44100, layout="mono")
        piece = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        piece.sample_rate, piece.pts = 44100, 0
        for part in av.AudioResampler(
            stream.format.name, "mono", 44100, stream.frame_size or 1024
        ).resample(piece):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def make_wav(path: Path) -> None:
    """Two seconds of noise, 16 bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(
            np.random.default_rng(0).integers(-9999, 9999, (88200, 2), np.int16).tobytes()
        )


def make_image(path: Path) -> None:
    """A small picture with detail."""
    write_image(path, np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))


def make_signed(path: Path, make: Callable[[Path], object]) -> None:
    """A file with a manifest."""
    unsigned = path.with_name(f"unsigned{path.suffix}")
    make(unsigned)
    inputs = (UsedInput("target", unsigned, "00" * 32),)
    record = OutputRecord("1.0", "ab" * 32, {"swaptalk": "cd" * 32}, inputs, ("face replaced",), 1)
    sign_output(unsigned, path, record, signing_identity())


def make_animation(path: Path) -> None:
    """Four pictures that move, half transparent."""
    rng = np.random.default_rng(0)
    first, *others = [Image.fromarray(rng.integers(0, 256, (24, 32, 4), np.uint8)) for _ in "1234"]
    first.save(path, save_all=True, append_images=others, duration=[40, 0, 100, 40], quality=50)


def read_media(path: Path) -> None:
    """Probe, look at pictures forwards and backwards, listen."""
    info = probe(path)
    if info.video is not None:
        with VideoReader(path) as reader:
            last = len(reader) - 1
            for _ in reader.frames([0, min(2, last), last, max(0, last - 1), max(0, last - 2)]):
                pass
    if info.audio is not None:
        for _ in islice(stream_audio(path), AUDIO_BLOCKS):
            pass


def read_picture(path: Path) -> None:
    """Look whether it is one, and decode it."""
    if is_image(path):
        read_image(path)


def read_bundle(path: Path, name: str, signed: bool) -> None:
    """Put a mutated file into a bundle, with its right SHA-256 if ``signed``, and check the
    bundle."""
    folder = path.parent / "bundle"
    if not folder.exists():
        shutil.copytree(default_directory(), folder)
    good = (default_directory() / name).read_bytes()
    config = (default_directory() / "bundle.json").read_bytes()
    try:
        (folder / name).write_bytes(path.read_bytes())
        if signed:
            stated = json.loads(config)
            stated["sha256"][name] = hashlib.sha256(path.read_bytes()).hexdigest()
            (folder / "bundle.json").write_text(json.dumps(stated))
        validated_config(folder)
    finally:
        (folder / name).write_bytes(good)
        (folder / "bundle.json").write_bytes(config)


def read_activation_ranges(path: Path) -> None:
    """Read a mutated file as the ranges of a bundle."""
    shutil.copy(path, path.parent / RANGES_NAME)
    read_ranges(path.parent, {})


def shipped(name: str) -> Callable[[Path], object]:
    """Makes a copy of a file of the default bundle."""
    return lambda path: shutil.copy(default_directory() / name, path)


def make_template(path: Path) -> None:
    """A template's form; its members hold a few bytes each."""
    content = path.with_suffix(".member")
    content.write_bytes(bytes(range(100)))
    names = [*MEMBERS, SWAPPED]
    header = TemplateHeader(
        software="0",
        weights="0" * 64,
        target=TargetFile("a.mp4", 100, "0" * 64, "a.mp4", "/a.mp4"),
        face=None,
        start=0.0,
        end=None,
        asked_fps=None,
        asked_resolution=None,
        fps="25",
        width=64,
        height=48,
        frames=10,
        usable_frames=10,
        reasons=[""],
        cuts=[],
        renumbered=[],
        members=dict.fromkeys(names, describe_file(content)),
        swap=StoredSwap(["0" * 64], None, 1.0, 1.0, "engine", ["0" * 16], "0" * 16),
    )
    write_template_file(path, header, dict.fromkeys(names, content))


def read_index(path: Path) -> None:
    """List the photos that an index.csv names."""
    folder = path.parent / "photos"
    folder.mkdir(exist_ok=True)
    make_image(folder / "a.png")
    shutil.copy(path, folder / "index.csv")
    find_sources([folder])


def make_index(path: Path) -> None:
    """An index of one photo."""
    path.write_text("name,person,split\na.png,anna,train\n")


KINDS: dict[str, Kind] = {
    "MP4": Kind(".mp4", lambda path: make_video(path, "libx264", "aac"), read_media),
    "WebM": Kind(".webm", lambda path: make_video(path, "libvpx-vp9", "libopus"), read_media),
    "AVI": Kind(".avi", lambda path: make_video(path, "mpeg4", "mp3"), read_media),
    "MPEG-TS": Kind(".ts", lambda path: make_video(path, "mpeg2video", "mp2"), read_media),
    "GIF": Kind(".gif", make_gif, read_media),
    "animated WebP": Kind(".webp", make_animation, read_media),
    "animated AVIF": Kind(".avif", make_animation, read_media),
    "WAV": Kind(".wav", make_wav, read_media),
    "MP3": Kind(".mp3", lambda path: make_sound(path, "mp3"), read_media),
    "FLAC": Kind(".flac", lambda path: make_sound(path, "flac"), read_media),
    "PNG": Kind(".png", make_image, read_picture),
    "JPEG": Kind(".jpg", make_image, read_picture),
    "WebP": Kind(".webp", make_image, read_picture),
    "signed JPEG": Kind(".jpg", lambda path: make_signed(path, make_image), read_manifest),
    "signed MP4": Kind(
        ".mp4",
        lambda path: make_signed(path, partial(make_video, video="libx264", audio="aac")),
        read_manifest,
    ),
    "bundle.json": Kind(
        ".json", shipped("bundle.json"), lambda path: read_bundle(path, "bundle.json", False)
    ),
    "activation ranges": Kind(".json", shipped(RANGES_NAME), read_activation_ranges),
    "ONNX graph": Kind(
        ".onnx", shipped("decoder.onnx"), lambda path: read_bundle(path, "decoder.onnx", True)
    ),
    "template": Kind(".swt", make_template, lambda path: Template.open(path).verify()),
    "index.csv": Kind(".csv", make_index, read_index),
}
