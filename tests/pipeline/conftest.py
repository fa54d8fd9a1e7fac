"""Networks small enough to reason about, and real face finding."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.errors import SwapTalkError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.media.image import read_image, write_image
from swaptalk.pipeline.api import SwapTalk


class PoolingNetworks:
    """The interface of ModelBundle with arithmetic instead of weights.

    The swap moves the face's mean colour to the source's, the lip-sync lightens the lower half by
    the motion of the moment; silence's motion is 0, speech's is positive.
    """

    motion_window, latent_channels = 5, 3
    threads = most_threads = 1
    silent_motion = np.zeros(1, np.float32)
    #: The lips' opening, in eye distances, is a fifth of the motion.
    motion_scale = (
        np.zeros(41, np.float32),
        np.where(np.arange(41) < 7, 0.2, 1e-3).astype(np.float32),
    )
    fingerprint, numerics = "pooling", "numpy"
    restores = False

    def __init__(self) -> None:
        self.swapped = 0
        self.encoded = 0

    def load(self, *graphs):
        pass

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.encoded += len(crops)
        blocks = crops.reshape(len(crops), 16, 16, 16, 16, 3).mean(axis=(2, 4)) / 255
        return blocks.transpose(0, 3, 1, 2).astype(np.float32)

    def encode_upper(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.encode(crops)[:, :, :8]

    def quantize(self, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        return np.rint(latents * 255).astype(np.uint8)

    def embed(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        return codes.astype(np.float32) / np.float32(255)

    def decode(self, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        faces = [cv2.resize(one.transpose(1, 2, 0), (256, 256)) for one in latents]
        return (np.clip(np.stack(faces), 0, 1) * 255).astype(np.uint8)

    def identity(self, source_latents: NDArray[np.float32]) -> NDArray[np.float32]:
        return source_latents.mean(axis=(0, 2, 3))

    def swap(
        self,
        latents: NDArray[np.float32],
        mask: NDArray[np.float32],
        identity: NDArray[np.float32],
        strength: float = 1.0,
    ) -> NDArray[np.float32]:
        self.swapped += len(latents)
        return latents + strength * (
            identity[None, :, None, None] - latents.mean(axis=(2, 3), keepdims=True)
        )

    def motion(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        tokens = mel.mean(axis=1) + 1  # 0 in digital silence
        tokens = np.concatenate([tokens, np.repeat(tokens[-1:], -len(tokens) % 4)])
        return tokens.reshape(-1, 4).mean(axis=1, keepdims=True).astype(np.float32)

    def lipsync(
        self,
        target: NDArray[np.float32],
        reference: NDArray[np.float32],
        motion: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        result = target.copy()
        result[:, :, 8:] = (
            reference[:, :, 8:] + motion[:, motion.shape[1] // 2, 0][:, None, None, None]
        )
        return result


@pytest.fixture(scope="session")
def analyser() -> FaceAnalyser:
    try:
        return FaceAnalyser(progress=False)
    except SwapTalkError as error:
        pytest.skip(f"face models are not to be had: {error}")


@pytest.fixture
def networks() -> PoolingNetworks:
    return PoolingNetworks()


@pytest.fixture
def maker(analyser: FaceAnalyser, networks: PoolingNetworks) -> SwapTalk:
    return SwapTalk(networks, analyser)


@pytest.fixture
def unmarked(analyser: FaceAnalyser, networks: PoolingNetworks) -> SwapTalk:
    """Without watermarks, which differ with the options, to see what else changes."""
    return SwapTalk(networks, analyser, unmarked=True)


@pytest.fixture
def two_people(tmp_path: Path, photo: Path, other_photo: Path) -> Path:
    """A photo of two people: the portrait on the left, the astronaut on the right."""
    left, right = read_image(photo)[0:512, 0:512], read_image(other_photo)[0:512, 0:512]
    path = tmp_path / "two.png"
    write_image(
        path, np.concatenate([cv2.resize(left, (512, 512)), cv2.resize(right, (512, 512))], axis=1)
    )
    return path
