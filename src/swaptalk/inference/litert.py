"""A thin typed wrapper around a LiteRT (TensorFlow Lite) interpreter."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_OPENING = threading.Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Discard standard error of native code: LiteRT writes its CPU kernels there."""
    with _OPENING, open(os.devnull, "wb") as nowhere:
        kept = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


class LiteRTModel:
    """A ``.tflite`` network with one input, called with a NumPy array. Not safe for use from
    several threads at once.

    Args:
        path: the model file.
        threads: CPU threads the interpreter may use.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import (
            Interpreter,
        )  # takes a tenth of a second, and not every job finds faces

        with _quiet():
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Return the shape of the input, batch first."""
        return tuple(int(n) for n in self._input["shape"])

    def __call__(self, value: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run once; ``value`` must have ``input_shape``. Returns copies of all outputs in the
        file's order.
        """
        self._interpreter.set_tensor(self._input["index"], value.astype(np.float32, copy=False))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(o["index"]) for o in self._outputs]
