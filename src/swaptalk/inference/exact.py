"""Small networks of our own whose answers must not depend on the device of the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class Spares(Generic[T]):
    """Objects that serve one thread at a time, as networks do: one that has nothing to do is lent,
    or another is made, so that there are as many as were ever needed at once.

    Args:
        make: makes one.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._idle: deque[T] = deque()  # its ends may be used from several threads

    @contextmanager
    def lent(self) -> Iterator[T]:
        """One for the caller alone."""
        try:
            one = self._idle.pop()
        except IndexError:
            one = self._make()
        try:
            yield one
        finally:
            self._idle.append(one)
