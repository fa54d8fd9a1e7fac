"""The run-time bundle: SwapTalk's own networks, called with NumPy arrays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from swaptalk.inference.codebooks import Codebooks
from swaptalk.inference.engines import Engine, Precision, create_engine
from swaptalk.inference.ranges import read_ranges
from swaptalk.inference.validate import validated_config
from swaptalk.media.mel import MELS_PER_PICTURE


@dataclass(frozen=True)
class SourceIdentity:
    """What the source photos contribute to every frame: keys and values of the swap transformer's
    layers.
    """

    keys: NDArray[np.float32]
    values: NDArray[np.float32]


class ModelBundle:
    """The networks. Arrays are NumPy; latents are (N, C, 16, 16) float32, rows 0..7 the upper
    half of the face.

    Use `from_pretrained`. Sessions may be called from several threads.
    """

    def __init__(
        self,
        directory: Path,
        threads: int = 0,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.directory = directory
        self._config = validated_config(directory)
        ranges = read_ranges(directory, self._config["sha256"])
        self._engine: Engine = create_engine(device, threads, self.fingerprint, precision, ranges)
        quantizer = load_file(directory / "vqgan.safetensors")
        lower = quantizer.get("quantizer.lower.codebook", quantizer["quantizer.upper.codebook"])
        self._codebooks = Codebooks([quantizer["quantizer.upper.codebook"], lower])
        self._mean, self._spread, self._silence = (
            np.array(self._config["motion"][key], np.float32)
            for key in ("mean", "spread", "silence")
        )

    @classmethod
    def from_pretrained(
        cls,
        directory: Path | None = None,
        threads: int = 0,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> ModelBundle:
        """Load a bundle; without a directory, the default weights inside the package.

        Args:
            directory: folder with ``bundle.json``.
            threads: CPU threads of the networks; 0 leaves some cores to the other stages of the
                pipeline.
            device: a name of `swaptalk.inference.engines.available_devices`, or ``auto`` for the
                fastest of them.
            precision: what the networks compute in; ``auto`` takes the fastest that this processor
                has and the weights have ranges for.

        Raises:
            InputError: the folder holds no bundle that passes :mod:`swaptalk.inference.validate`,
                or the device or the precision is not available.
        """
        return cls(directory or default_directory(), threads, device, precision)

    @property
    def latent_channels(self) -> int:
        """Width C of an embedding."""
        return int(self._config["networks"]["vqgan"]["latent_channels"])

    @property
    def motion_window(self) -> int:
        """Motion tokens W around a frame that `lipsync` reads: odd, centred, 40 ms apart."""
        return int(self._config["networks"]["lipsync"]["motion_window"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the hashes of all files: names these weights exactly."""
        return hashlib.sha256(
            json.dumps(self._config["sha256"], sort_keys=True).encode()
        ).hexdigest()

    @property
    def numerics(self) -> str:
        """Names the engine, its version and the processor: where it is the same, results are the
        same bit by bit.
        """
        return self._engine.numerics

    @property
    def silent_motion(self) -> NDArray[np.float32]:
        """The motion token (D,) of a closed, silent mouth."""
        return self._silence

    @property
    def threads(self) -> int:
        """CPU threads that compute a network."""
        return self._engine.threads

    @property
    def most_threads(self) -> int:
        """The most threads that `use_threads` may be given; `threads` where the user has chosen."""
        return self._engine.most_threads

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next call on; results stay the same."""
        self._engine.use_threads(threads)

    @property
    def motion_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and spread (D,) of the measurements behind motion tokens, eye distances."""
        return self._mean, self._spread

    def load(self, *graphs: str) -> None:
        """Make graphs (``encoder``, ``decoder``, ...) ready now rather than at first use."""
        for graph in graphs:
            self._engine.load(self.directory / f"{graph}.onnx")

    def _run(self, graph: str, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        return self._engine.run(self.directory / f"{graph}.onnx", inputs)

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Latents of aligned faces uint8 (N, 256, 256, 3) RGB."""
        return self._run("encoder", {"faces": crops})[0]

    def encode_upper(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Upper halves (N, C, 8, 16) of the latents of aligned faces (N, 256, 256, 3), for half of
        the cost: no convolution of the encoder crosses the cut and both halves have the same
        weights, so that the upper halves of two faces are encoded as one picture.
        """
        count, rows, columns = crops.shape[:3]
        halves = crops[:, : rows // 2]
        if count % 2:
            halves = np.concatenate([halves, halves[-1:]])
        latents = self.encode(np.ascontiguousarray(halves.reshape(-1, rows, columns, 3)))
        _, channels, height, width = latents.shape
        pairs = latents.reshape(-1, channels, 2, height // 2, width).swapaxes(1, 2)
        return pairs.reshape(-1, channels, height // 2, width)[:count]

    def decode(self, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Aligned faces uint8 (N, 256, 256, 3) RGB of latents."""
        return self._run("decoder", {"latents": latents})[0]

    @property
    def restores(self) -> bool:
        """Whether there is a network for `restore`."""
        return "restoration" in self._config["networks"]

    def restore(
        self,
        face: NDArray[np.uint8],
        restored: NDArray[np.uint8],
        guide: NDArray[np.uint8],
        mask: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Faces (N, 256, 256, 3) nearer to real pictures; only where `restores`.

        Args:
            face: (N, 256, 256, 3), as decoded.
            restored: the same, restored without a network.
            guide: (N, 256, 256, 3), real pixels of the person where they belong.
            mask: (N, 256, 256), 255 where the guide shows the person.
        """
        inputs = {"face": face, "restored": restored, "guide": guide, "mask": mask}
        return self._run("restoration", inputs)[0]

    def quantize(self, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Codes uint8 (N, heads, 16, 16): each sub-vector's nearest entry in its half's
        codebook.
        """
        return self._codebooks.quantize(latents)

    def embed(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Quantised latents of codes uint8 (N, heads, 16, 16)."""
        return self._codebooks.embed(codes)

    def identity(self, source: NDArray[np.float32]) -> SourceIdentity:
        """Prepare the swap from latents (K, C, 16, 16) of K photos of one person."""
        keys, values = self._run("identity", {"source": source})
        return SourceIdentity(keys, values)

    def swap(
        self,
        latents: NDArray[np.float32],
        mask: NDArray[np.float32],
        identity: SourceIdentity,
        strength: float = 1.0,
    ) -> NDArray[np.float32]:
        """Correct composites of source and target.

        Args:
            latents: of composites (N, C, 16, 16).
            mask: (N, 1, 64, 64) in 0..1, where they show the source.
            identity: of the source.
            strength: 0 changes nothing, 1 is the full correction.
        """
        return self._run(
            "swap",
            {
                "composite": latents,
                "mask": mask,
                "keys": identity.keys,
                "values": identity.values,
                "strength": np.array(strength, np.float32),
            },
        )[0]

    def motion(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Motion tokens (ceil(M / 4), D) of log-mel frames (M, 80); token j describes the picture
        at j * 40 ms.
        """
        missing = -len(mel) % MELS_PER_PICTURE
        if missing or not len(mel):
            mel = np.concatenate(
                [mel, np.full((missing or MELS_PER_PICTURE, mel.shape[1]), -1.0, np.float32)]
            )
        tokens: NDArray[np.float32] = self._run("motion", {"mel": mel[None]})[0][0]
        return tokens

    def lipsync(
        self,
        target: NDArray[np.float32],
        reference: NDArray[np.float32],
        motion: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Replace the lower half of target latents.

        Args:
            target: latents (N, C, 16, 16), whose upper half is kept.
            reference: latents (N, C, 16, 16) of other frames of the same person, which give the
                lower half's looks.
            motion: motion tokens (N, W, D) around each frame.
        """
        return self._run("lipsync", {"target": target, "reference": reference, "motion": motion})[0]


def default_directory() -> Path:
    """Folder of the weights inside the installed package."""
    return Path(str(resources.files("swaptalk") / "weights"))
