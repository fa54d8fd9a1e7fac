"""LSE-C and LSE-D with SyncNet (Chung & Zisserman 2016), by the protocol of Wav2Lip's evaluation
(Prajwal et al. 2020).

The network and the preparation of its input are those of ``syncnet_python`` (MIT): 25 fps, face
crops of 224 px as 8-bit JPEG pictures in BGR order and 0..255, five frames against 20 steps of 13
MFCCs of 16-bit 16 kHz mono. The trained weights, ``syncnet_v2.model``, come from the authors' site
with no stated licence: the user gives a path. Without them no number may be called LSE.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from swaptalk.errors import InputError
from swaptalk.metrics.fid import load_state
from swaptalk.metrics.mfcc import mfcc
from swaptalk.metrics.sync_offset import MAXIMUM_SHIFT, SyncScore, sync_score

FPS = 25
INPUT_SIZE = 224
#: Video frames and MFCC steps of one window, and MFCC steps per frame.
WINDOW, _AUDIO_WINDOW, _AUDIO_PER_FRAME = 5, 20, 4
#: Samples of 16 kHz audio per video frame.
_SAMPLES_PER_FRAME = 640
#: Quality of the intermediate JPEG: ffmpeg's default for image sequences corresponds to about this.
_JPEG_QUALITY = 92
_BATCH = 16
#: The protocol's crop: enlargement of the detector's box, grey beyond the border, frames of its
#: median filter.
_CROP_SCALE, _BORDER_GREY, _MEDIAN = 0.40, 110, 13


def _block(convolution: nn.Module, channels: int, norm: type[nn.Module]) -> list[nn.Module]:
    return [convolution, norm(channels), nn.ReLU()]


class SyncNet(nn.Module):
    """Both streams of SyncNet; names of modules are those of the weight file."""

    def __init__(self, embedding: int = 1024) -> None:
        super().__init__()
        two, three = nn.BatchNorm2d, nn.BatchNorm3d
        self.netcnnaud = nn.Sequential(
            *_block(nn.Conv2d(1, 64, 3, padding=1), 64, two),
            nn.MaxPool2d(1, 1),
            *_block(nn.Conv2d(64, 192, 3, padding=1), 192, two),
            nn.MaxPool2d(3, (1, 2)),
            *_block(nn.Conv2d(192, 384, 3, padding=1), 384, two),
            *_block(nn.Conv2d(384, 256, 3, padding=1), 256, two),
            *_block(nn.Conv2d(256, 256, 3, padding=1), 256, two),
            nn.MaxPool2d(3, 2),
            *_block(nn.Conv2d(256, 512, (5, 4)), 512, two),
        )
        self.netfcaud = self._head(embedding)
        self.netfclip = self._head(embedding)
        self.netcnnlip = nn.Sequential(
            *_block(nn.Conv3d(3, 96, (5, 7, 7), (1, 2, 2)), 96, three),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block(nn.Conv3d(96, 256, (1, 5, 5), (1, 2, 2), (0, 1, 1)), 256, three),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_block(nn.Conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1)), 256, three),
            *_block(nn.Conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1)), 256, three),
            *_block(nn.Conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1)), 256, three),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block(nn.Conv3d(256, 512, (1, 6, 6)), 512, three),
        )

    @staticmethod
    def _head(embedding: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, embedding)
        )

    def embed_audio(self, cepstra: Tensor) -> Tensor:
        """MFCC windows (N, 1, 13, 20) -> embeddings (N, 1024)."""
        embedded: Tensor = self.netfcaud(self.netcnnaud(cepstra).flatten(1))
        return embedded

    def embed_video(self, frames: Tensor) -> Tensor:
        """Frame windows (N, 3, 5, 224, 224), BGR 0..255 -> embeddings (N, 1024)."""
        embedded: Tensor = self.netfclip(self.netcnnlip(frames).flatten(1))
        return embedded


class SyncNetScorer:
    """LSE-C, LSE-D and the offset of a clip.

    Args:
        weights: ``syncnet_v2.model``.

    Raises:
        InputError: there is no such file or it does not hold this network.
    """

    name = "LSE"

    def __init__(self, weights: Path) -> None:
        self._network = SyncNet().eval()
        try:
            self._network.load_state_dict(load_state(weights, "SyncNet weights"))
        except RuntimeError as error:
            raise InputError(
                "these are not the weights of SyncNet",
                path=weights,
                remedy="give syncnet_v2.model of the authors of SyncNet",
            ) from error

    def __call__(
        self,
        faces: Iterable[NDArray[np.uint8]],
        samples: NDArray[np.int16],
        maximum_shift: int = MAXIMUM_SHIFT,
    ) -> SyncScore:
        """Score a clip.

        Args:
            faces: RGB face crops (H, W, 3) uint8, one per frame at 25 fps; resized to 224 px.
            samples: the clip's sound (n,) int16, 16 kHz mono, from the same instant on.
            maximum_shift: frames searched to either side.

        Raises:
            ValueError: the clip is not longer than the window of five frames.
        """
        return self.score(self.embed_faces(faces), self.embed_sound(samples), maximum_shift)

    def score(
        self,
        video: NDArray[np.float32],
        audio: NDArray[np.float32],
        maximum_shift: int = MAXIMUM_SHIFT,
    ) -> SyncScore:
        """Compare two streams of embeddings (W, 1024) by the protocol; the longer one is cut.

        Raises:
            ValueError: they are empty.
        """
        count = min(len(video), len(audio))
        return sync_score(video[:count], audio[:count], maximum_shift)

    def crops(
        self, frames: Iterable[NDArray[np.uint8]], meshes: NDArray[np.floating]
    ) -> Sequence[NDArray[np.uint8]]:
        """The protocol's face crops (224, 224, 3) of RGB frames with meshes (T, 468, 2 or 3), NaN
        in gaps.
        """
        return [
            protocol_crop(frame, box) for frame, box in zip(frames, face_boxes(meshes), strict=True)
        ]

    @torch.no_grad()
    def embed_faces(self, faces: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embeddings (T - 5, 1024) of windows of five frames that begin at frames 0, 1, ... of T
        crops.
        """
        frames = torch.from_numpy(np.stack([protocol_frame(face) for face in faces]))
        embedded = []
        for batch in _batches(usable_windows(len(frames))):
            stacked = torch.stack([frames[i : i + WINDOW].permute(3, 0, 1, 2) for i in batch])
            embedded.append(self._network.embed_video(stacked.float()).numpy())
        return np.concatenate(embedded)

    @torch.no_grad()
    def embed_sound(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Embeddings (n // 640 - 5, 1024) of windows of 200 ms that begin at video frames 0, 1, ...
        of n samples.
        """
        cepstra = torch.from_numpy(mfcc(samples).T.astype(np.float32))
        embedded = []
        for batch in _batches(usable_windows(len(samples) // _SAMPLES_PER_FRAME)):
            steps = [
                cepstra[None, :, i * _AUDIO_PER_FRAME : i * _AUDIO_PER_FRAME + _AUDIO_WINDOW]
                for i in batch
            ]
            embedded.append(self._network.embed_audio(torch.stack(steps)).numpy())
        return np.concatenate(embedded)


def _batches(count: int) -> Iterator[range]:
    for start in range(0, count, _BATCH):
        yield range(start, min(start + _BATCH, count))


def usable_windows(frames: int) -> int:
    """How many windows of a stream of so many frames the protocol uses: frames - 5, of which the
    shorter stream counts.

    Raises:
        ValueError: none.
    """
    if frames <= WINDOW:
        raise ValueError(f"{frames} frames are not longer than SyncNet's window of {WINDOW}")
    return frames - WINDOW


def face_boxes(meshes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Steady boxes (T, 3), centre x, y and half size, of meshes (T, 468, 2 or 3); gaps (NaN) are
    interpolated.

    The protocol takes S3FD's boxes, fills gaps, and filters centre and size with a median over 13
    frames. Here the mesh's extent stands for the detector's box, which it matches from the hairline
    to the chin; say so with the number.
    """
    points = meshes[..., :2].astype(np.float64)
    known = np.flatnonzero(np.isfinite(points[:, 0, 0]))
    low, high = points[known].min(axis=1), points[known].max(axis=1)
    raw = np.concatenate([(low + high) / 2, (high - low).max(axis=1, keepdims=True) / 2], axis=1)
    filled = np.stack(
        [np.interp(np.arange(len(points)), known, column) for column in raw.T], axis=1
    )
    half = _MEDIAN // 2
    padded = np.pad(filled, ((half, half), (0, 0)))  # zeros, as in the filter the protocol calls
    return np.asarray(
        np.median(np.lib.stride_tricks.sliding_window_view(padded, _MEDIAN, axis=0), axis=-1)
    )


def protocol_crop(frame: NDArray[np.uint8], box: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The protocol's face crop (224, 224, 3) of an RGB frame (H, W, 3) for a box (3,): centre x, y,
    half size.

    The crop reaches from the box's top to 0.8 half sizes below its bottom and 1.4 half sizes to
    either side; beyond the picture it is grey 110.
    """
    x, y, half = (float(v) for v in box)
    border = int(half * (1 + 2 * _CROP_SCALE))
    padded = cv2.copyMakeBorder(
        frame, border, border, border, border, cv2.BORDER_CONSTANT, value=(_BORDER_GREY,) * 3
    )
    top, bottom = int(y + border - half), int(y + border + half * (1 + 2 * _CROP_SCALE))
    left, right = (
        int(x + border - half * (1 + _CROP_SCALE)),
        int(x + border + half * (1 + _CROP_SCALE)),
    )
    crop = padded[max(top, 0) : bottom, max(left, 0) : right]
    return np.asarray(cv2.resize(crop, (INPUT_SIZE, INPUT_SIZE)), np.uint8)


def protocol_frame(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A face crop as the protocol sees it: 224 x 224, through JPEG, BGR: (H, W, 3) RGB -> (224,
    224, 3).
    """
    resized = (
        face
        if face.shape[:2] == (INPUT_SIZE, INPUT_SIZE)
        else cv2.resize(face, (INPUT_SIZE, INPUT_SIZE))
    )
    _, encoded = cv2.imencode(
        ".jpg", resized[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
