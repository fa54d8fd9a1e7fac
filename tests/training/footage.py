"""Photographs in the public domain that are made to speak."""

from __future__ import annotations

import wave
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.assets.catalogue import resolve
from swaptalk.errors import SwapTalkError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.geometry.topology import INNER_LIPS, LIP_BOTTOM, LIP_LEFT, LIP_RIGHT, LIP_TOP
from swaptalk.media.image import read_image, write_image
from swaptalk.media.mux import AudioSource, mux
from swaptalk.media.video_writer import VideoWriter

FRAMES = 60
#: Where head and shoulders are in the two photographs: rows, columns.
CUT = {
    "grace-hopper": (slice(20, 380), slice(60, 460)),
    "astronaut": (slice(0, 280), slice(90, 370)),
}


def speak(photo: NDArray[np.uint8], loudness: NDArray[np.float32], path: Path, sound: Path) -> None:
    """Film a photo whose mouth opens with the loudness (frames,), 0..1."""
    mesh = FaceAnalyser(progress=False).faces(photo)[0].points
    width = float(np.linalg.norm(mesh[LIP_LEFT, :2] - mesh[LIP_RIGHT, :2]))
    rows, columns = np.indices(photo.shape[:2], np.float32)
    middle = (mesh[LIP_TOP, :2] + mesh[LIP_BOTTOM, :2]) / 2
    near = np.exp(
        -(((columns - middle[0]) / width) ** 2)
        - (np.maximum(rows - middle[1], 0) / (1.2 * width)) ** 2
    )
    below = (1 + np.tanh((rows - middle[1]) * 0.75)) / 2
    silent = path.with_suffix(".silent.mp4")
    with VideoWriter(silent, photo.shape[1], photo.shape[0], 25, quality=12) as writer:
        for index, loud in enumerate(loudness):
            drop = 0.35 * width * float(loud)
            drift = 1.5 * np.sin(index / 9)
            moved = np.asarray(rows - drop * near * below, np.float32)
            across = np.asarray(columns + drift, np.float32)
            picture = cv2.remap(
                photo, across, moved, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
            )
            lips = mesh[INNER_LIPS, :2].copy()
            lips[:, 0] -= drift
            lips[lips[:, 1] > middle[1], 1] += drop
            cv2.fillPoly(
                picture, [np.round(lips * 16).astype(np.int32)], (60, 25, 25), cv2.LINE_AA, 4
            )
            writer.write(np.ascontiguousarray(picture))
    mux([silent], AudioSource(sound), path, 25)
    silent.unlink()


def syllables(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Loudness (FRAMES,) of irregular syllables with a pause, and a voice (n,) as loud as that."""
    rng = np.random.default_rng(seed)
    loudness = np.convolve(rng.random(FRAMES) > 0.6, np.hanning(7), "same")
    loudness[40:50] = 0
    loudness = np.clip(loudness / 1.5, 0, 1).astype(np.float32)
    t = np.arange(FRAMES * 640) / 16000
    tone = np.sum([np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 15)], axis=0)
    voice = 0.2 * tone * np.interp(t * 25, np.arange(FRAMES), loudness)
    return np.asarray(loudness, np.float32), np.asarray(voice, np.float32)


def make_footage(folder: Path) -> None:
    """Fill a folder with two people, each with a talking clip and two photos, and with files that
    are of no use.
    """
    for seed, (name, cut) in enumerate(CUT.items()):
        try:
            photo = read_image(resolve(name, progress=False))[cut]
            resolve("sface", progress=False)
            resolve("lpips-alexnet", progress=False)
        except SwapTalkError as error:
            pytest.skip(f"files are not to be had: {error}")
        person = folder / name
        person.mkdir()
        loudness, voice = syllables(seed)
        sound = folder.parent / f"{name}.wav"
        with wave.open(str(sound), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes((voice * 32767).astype("<i2").tobytes())
        small = cv2.resize(photo, (192, 192), interpolation=cv2.INTER_AREA)
        speak(np.ascontiguousarray(small), loudness, person / "clip.mp4", sound)
        write_image(person / "photo.png", np.ascontiguousarray(photo))
        write_image(person / "mirrored.png", np.ascontiguousarray(photo[:, ::-1]))
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "cut.mp4").write_bytes((folder / "astronaut" / "clip.mp4").read_bytes()[:2000])
    write_image(folder / "wall.png", np.full((64, 64, 3), 128, np.uint8))
