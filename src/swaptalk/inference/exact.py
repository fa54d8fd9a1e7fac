"""Small networks of our own whose answers must not depend on the device of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.inference.engines import OPENVINO, available_devices, create_engine
from swaptalk.storage.hashing import sha256_of

T = TypeVar("T")


def network_fingerprint(path: Path) -> str:
    """Twelve hexadecimal digits that change with a network's file: names of what was measured with
    it.
    """
    return sha256_of(path)[:12]


class ExactNetwork:
    """A network that measures views: computed in float32 on the CPU, whatever the device of the
    other networks. Not for use from several threads at once.

    Args:
        path: the ONNX file, with one input ``views`` and one output.
        threads: CPU threads.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._path = path
        device = OPENVINO if OPENVINO in available_devices() else "cpu"
        self._engine = create_engine(device, threads, network_fingerprint(path), "float32")
        self._engine.load(path)

    def __call__(self, views: NDArray[np.uint8]) -> NDArray[Any]:
        """Answer to views (N, S, S, 3) uint8 RGB, one row for each."""
        (answer,) = self._engine.run(self._path, {"views": views})
        return answer

    def marked(self, view: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How sure a network that marks places is of each pixel of a view (H, W, 3) uint8 RGB:
        (H, W), 0..1, from its logits on a coarser grid.
        """
        logits = np.asarray(self(view[None])[0], np.float32)
        return np.asarray(cv2.resize(1 / (1 + np.exp(-logits)), view.shape[1::-1]), np.float32)


class PerThread(Generic[T]):
    """One object for each thread that asks, made when it first does: networks are not for use from
    several threads at once.

    Args:
        make: makes one.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make, self._local = make, threading.local()

    def __call__(self) -> T:
        """The calling thread's."""
        if not hasattr(self._local, "made"):
            self._local.made = self._make()
        made: T = self._local.made
        return made
