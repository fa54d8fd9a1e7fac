"""Methods made of the project's own modules: this model, its halves, and cascades through
pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.evaluation.code_digest import RENDERING, code_digest
from swaptalk.evaluation.inputs import LOSSLESS_ENOUGH, PreparedPair
from swaptalk.evaluation.methods import adopt, edit_frames
from swaptalk.evaluation.observe import FPS
from swaptalk.pipeline.options import Order

#: Unsharp mask of the restoration step: width in pixels and strength.
_SHARPEN_SIGMA, _SHARPEN_AMOUNT = 1.5, 0.8


class Editor(Protocol):
    """Interface to the project's own modules: edits a video into the next."""

    @property
    def fingerprint(self) -> str:
        """Changes with the weights and the code."""
        ...

    def edit(
        self,
        target: Path,
        source: Path | None,
        audio: Path | None,
        output: Path,
        order: Order = "swap-first",
    ) -> None:
        """Swap the face if ``source`` is given, drive the lips if ``audio`` is; both in one latent
        space, in order.
        """
        ...


def sharpen(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Apply an unsharp mask to a frame (H, W, 3): the restoration step of the ``-Restore``
    methods.
    """
    soft = cv2.GaussianBlur(frame, (0, 0), _SHARPEN_SIGMA)
    return np.asarray(
        cv2.addWeighted(frame, 1 + _SHARPEN_AMOUNT, soft, -_SHARPEN_AMOUNT, 0), np.uint8
    )


@dataclass(frozen=True)
class Cascade:
    """Steps one after the other, each on the pixels that the last one wrote: "swap", "sync",
    "restore" and the two orders of swap and lip-sync in one latent space, "swap-first" and
    "sync-first".

    ``("swap-first",)`` is this model, one step alone is one of its halves. Sync-Swap is ``("sync",
    "swap")``, Swap-Sync the reverse: the frame is decoded and encoded again in between, which is
    what the paper says costs quality.
    """

    name: str
    steps: tuple[str, ...]
    editor: Editor

    @property
    def fingerprint(self) -> str:
        """Changes with the weights, the code and the steps."""
        return f"{self.editor.fingerprint}-{'-'.join(self.steps)}"

    def render(self, pair: PreparedPair, output: Path) -> Path:
        """Run the steps through videos in the pair's shared folder; what another row has done there
        is taken over.
        """
        pair.shared.mkdir(parents=True, exist_ok=True)
        current = pair.target
        for count in range(1, len(self.steps) + 1):
            name = f"{self.editor.fingerprint}-{'-'.join(self.steps[:count])}"
            result = pair.shared / f"{name}.mp4"
            if not result.is_file():
                part = pair.shared / f"{name}.rendering.mp4"
                self._edit(self.steps[count - 1], current, pair, part)
                part.replace(result)
            current = result
        return adopt(current, output)

    def _edit(self, step: str, current: Path, pair: PreparedPair, result: Path) -> None:
        if step == "restore":
            edit_frames(current, pair.audio, result, sharpen)
        elif step == "swap":
            self.editor.edit(current, pair.source, None, result)
        elif step == "sync":
            self.editor.edit(current, None, pair.audio, result)
        elif step in get_args(Order):
            self.editor.edit(current, pair.source, pair.audio, result, cast(Order, step))
        else:
            raise ValueError(f"unknown step {step}")


#: The methods made of the project's own modules, named as in the paper where it has them.
CASCADES: dict[str, tuple[str, ...]] = {
    "Sync-Swap": ("sync", "swap"),
    "Swap-Sync": ("swap", "sync"),
}
RESTORED: dict[str, tuple[str, ...]] = {
    "Sync-Swap-Restore": ("sync", "swap", "restore"),
    "Swap-Restore-Sync": ("swap", "restore", "sync"),
}
LATENT: dict[str, tuple[str, ...]] = {"SwapTalk": ("swap-first",)}
HALVES: dict[str, tuple[str, ...]] = {"Swap alone": ("swap",), "Lip-sync alone": ("sync",)}
LATENT_SYNC_FIRST: dict[str, tuple[str, ...]] = {"Latent, sync first": ("sync-first",)}


def made_of_modules(editor: Editor, steps: Mapping[str, tuple[str, ...]]) -> list[Cascade]:
    """Methods made of the project's own modules, from their steps by name, such as `CASCADES`."""
    return [Cascade(name, in_order, editor) for name, in_order in steps.items()]


class PipelineEditor:
    """The installed pipeline as an editor.

    Args:
        models: folder with other weights than the package's.
        threads: CPU threads, 0 for all cores.

    Raises:
        SwapTalkError: the weights are missing.
    """

    def __init__(self, models: Path | None = None, threads: int = 0) -> None:
        from swaptalk.faces.detection.analyser import FaceAnalyser
        from swaptalk.inference.bundle import ModelBundle
        from swaptalk.pipeline.api import SwapTalk

        networks = ModelBundle.from_pretrained(models, threads)
        self._engine = SwapTalk(networks, FaceAnalyser(), unmarked=True)
        self.fingerprint = f"{networks.fingerprint}-{code_digest(RENDERING)}"

    def edit(
        self,
        target: Path,
        source: Path | None,
        audio: Path | None,
        output: Path,
        order: Order = "swap-first",
    ) -> None:
        """Run the pipeline, without watermarks (cascades would get two) and almost without loss in
        the encoder.
        """
        self._engine.generate(
            target=target,
            source=source or (),
            audio=audio,
            output=output,
            length="video",
            fps=str(FPS),
            quality=str(LOSSLESS_ENOUGH),
            order=order,
        )
