"""TensorFlow Lite networks, run by the engine that is there anyway: OpenVINO on x86-64, LiteRT
elsewhere.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.inference.engines import OPENVINO, OpenVINOEngine, available_devices
from swaptalk.storage.hashing import sha256_of

_OPENING = threading.Lock()


class TFLiteModel:
    """A ``.tflite`` network with one input, called with a NumPy array. Not safe for use from
    several threads at once.

    Computed in float32; the engines differ by rounding only (below 1e-5 of the outputs' range on
    the networks in use).

    Args:
        path: the model file.
        threads: CPU threads it may use.

    Raises:
        OSError, ValueError, RuntimeError: it cannot be read.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._model: _InOpenVINO | _InLiteRT = (
            _InOpenVINO(path, threads)
            if OPENVINO in available_devices()
            else _InLiteRT(path, threads)
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Return the shape of the input, batch first."""
        return self._model.input_shape

    def __call__(self, value: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run once; ``value`` must have ``input_shape``. Returns copies of all outputs in the
        file's order.
        """
        return self._model(value.astype(np.float32, copy=False))


class _InOpenVINO:
    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._engine = OpenVINOEngine(threads, sha256_of(path), "float32")
        ((self._name, self.input_shape),) = self._engine.inputs(path).items()

    def __call__(self, value: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return self._engine.run(self._path, {self._name: value})


class _InLiteRT:
    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter  # not everywhere installed

        with _quiet():
            self._interpreter: Any = Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()
        self.input_shape = tuple(int(n) for n in self._input["shape"])

    def __call__(self, value: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self._interpreter.set_tensor(self._input["index"], value)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(one["index"]) for one in self._outputs]


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
