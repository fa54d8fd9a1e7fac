"""Own sync score: the SyncNet protocol's numbers from the project's own small network; not LSE-C or
LSE-D.

Mouth pixels of 0.2 s (grey, 48 x 96, cut with the project's alignment) and log-mel of the same 0.2
s become unit vectors. For every shift of the sound from -15 to 15 frames, the Euclidean distances
(0..2) of all windows that both have are averaged. *Distance* is the lowest mean (lower is better),
*confidence* the median of the means minus the lowest (higher is better), *offset* where the lowest
lies. Unlike in the protocol, shifts are not padded with zero vectors: next to unit vectors these
would be nearer than any true sound.

The network was trained on training clips only, apart from everything that a loss uses;
``sync_scorer.json`` beside its weights records its numbers on clips of unseen people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from swaptalk.errors import InputError
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.faces.geometry.mouth_view import VIEW_HEIGHT, VIEW_WIDTH, fill_gaps, mouth_view
from swaptalk.faces.geometry.smooth import smooth_alignments
from swaptalk.media.mel import MELS_PER_PICTURE, log_mel
from swaptalk.metrics.sync_offset import MAXIMUM_SHIFT, SyncScore, sync_score
from swaptalk.models.sync_scorer import WINDOW, SyncScorerConfig, SyncScorerNetwork

#: The weights that come with the package; their shape and numbers are in the JSON file beside them.
WEIGHTS = Path(__file__).parent / "sync_scorer.safetensors"
#: Frames whose pictures go through the network together.
_PART = 256


class OwnSyncScorer:
    """The network as an instrument.

    Args:
        network: in evaluation mode.
        device: where it is.
    """

    name = "Own sync"

    def __init__(self, network: SyncScorerNetwork, device: torch.device | str = "cpu") -> None:
        self._network, self._device = network, device

    @classmethod
    def from_pretrained(cls, weights: Path = WEIGHTS) -> OwnSyncScorer:
        """Load weights and, beside them, the shape in a JSON file of the same name.

        Raises:
            InputError: they are missing or do not fit.
        """
        try:
            shape = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))["model"]
            network = SyncScorerNetwork(SyncScorerConfig(**shape))
            network.load_state_dict(
                {name: value.float() for name, value in load_file(weights).items()}
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise InputError(
                f"no usable weights of the own sync network ({type(error).__name__})",
                path=weights,
                remedy="make them with 'swaptalk train sync-scorer' and 'swaptalk export'",
            ) from error
        return cls(network.eval().requires_grad_(False))

    def crops(
        self, frames: Iterable[NDArray[np.uint8]], meshes: NDArray[np.floating]
    ) -> Sequence[NDArray[np.uint8]]:
        """Mouth views (48, 96) of RGB frames with meshes (T, 468, 2 or 3), NaN where no face was
        found.
        """
        known = np.isfinite(meshes[:, 0, 0])
        raw = [
            estimate_alignment(mesh[:, :2]) if good else None
            for mesh, good in zip(meshes, known, strict=True)
        ]
        views = np.zeros((len(meshes), VIEW_HEIGHT, VIEW_WIDTH), np.uint8)
        for view, frame, alignment in zip(views, frames, smooth_alignments(raw), strict=True):
            if alignment is not None:
                view[:] = mouth_view(crop_face(frame, alignment))
        return list(fill_gaps(views, np.flatnonzero(known)))

    def embed_faces(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embeddings (T - 4, D) of windows that begin at frames 0, 1, ... of T views.

        Raises:
            ValueError: fewer than five views.
        """
        return self.embed_views(np.stack(crops))

    def embed_sound(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Embeddings (n // 640 - 4, D) of windows that begin at the same video frames of 16 kHz
        mono sound.

        Raises:
            ValueError: fewer than five frames of it.
        """
        mel = log_mel(samples.astype(np.float32) / 32768)
        return self.embed_mel(mel[: len(mel) // MELS_PER_PICTURE * MELS_PER_PICTURE])

    @torch.inference_mode()
    def embed_views(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings (T - 4, D) of views (T, 48, 96)."""
        _check_length(len(views))
        parts = []
        for start in range(0, len(views) - WINDOW + 1, _PART):
            part = torch.from_numpy(np.array(views[start : start + _PART + WINDOW - 1])).to(
                self._device
            )
            parts.append(
                self._network.embed_lips((part.float() / 127.5 - 1)[None])[0].cpu().numpy()
            )
        return np.concatenate(parts)

    @torch.inference_mode()
    def embed_mel(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings (T - 4, D) of log-mel (4 T, 80)."""
        _check_length(len(mel) // MELS_PER_PICTURE)
        embedded: Any = self._network.embed_sound(
            torch.from_numpy(np.array(mel))[None].to(self._device)
        )
        return np.asarray(embedded[0].cpu().numpy(), np.float32)

    def score(self, video: NDArray[np.float32], audio: NDArray[np.float32]) -> SyncScore:
        """Distance, confidence and offset of two streams of embeddings (W, D), the longer one cut.

        Raises:
            ValueError: they are not longer than the largest shift.
        """
        count = min(len(video), len(audio))
        return sync_score(video[:count], audio[:count], MAXIMUM_SHIFT, padded=False)


def _check_length(frames: int) -> None:
    if frames < WINDOW:
        raise ValueError(f"{frames} frames are shorter than the window of {WINDOW}")
