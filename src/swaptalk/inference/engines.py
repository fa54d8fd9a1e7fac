"""Inference engines for the same ONNX graphs: OpenVINO on x86-64 processors, ONNX Runtime on others
and on GPUs. OpenVINO also reads TensorFlow Lite's.

OpenVINO computes in bfloat16 where the processor has units for it, and convolutions in int8 where
that is faster, several times as fast as ONNX Runtime's float32. Either engine is imported only when
it is used, since an installation needs just one.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import itertools
import os
import platform
import sys
import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.inference.compiled import CompiledGraphs
from swaptalk.inference.int8 import is_int8_fastest, quantized_graph
from swaptalk.inference.ranges import LayerRanges, ranges_fingerprint

#: Devices by the names of the command line, and ONNX Runtime's provider for each.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
#: The device name that selects OpenVINO on the CPU.
OPENVINO = "openvino"
#: What ``auto`` tries, in this order. CoreML is left out: it compiles a graph anew for every batch
#: size.
FASTEST_FIRST = ("cuda", "directml", OPENVINO, "cpu")
#: What networks compute in: the fastest that the processor has, or one of them. ``int8`` is for the
#: convolutions that have ranges; all else is then computed as without it.
Precision = Literal["auto", "float32", "bfloat16", "int8"]
#: Share of the cores that decoding, compositing and encoding want. Threads that compute one network
#: together wait for the slowest of them, so that networks on all cores stand still whenever another
#: stage has one (7 % slower on two).
OTHER_STAGES = 0.5
#: Processors with fewer cores never give the networks all of them. On two, networks on both took a
#: tenth more processor time (the threads spin while they wait for each other) and no less time on
#: the clock.
FEWEST_CORES_FOR_ALL = 4


class Engine(ABC):
    """Runs the ONNX graphs of a folder; each is opened once, when it is first needed.

    Args:
        numerics: engine, version and processor: where they are the same, results are the same bit
            by bit. Threads and the size of a batch do not count.
    """

    def __init__(self, numerics: str) -> None:
        self.numerics = numerics
        self._opened: dict[Path, Any] = {}
        #: One for each graph: while one is opened, others run.
        self._locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)

    #: Threads in use, and the most that `use_threads` may give; equal where there is no choice.
    threads = most_threads = 1

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next run on; only where ``most_threads`` is more
        than ``threads``.

        Raises:
            NotImplementedError: there is no choice.
        """
        raise NotImplementedError

    def load(self, path: Path) -> None:
        """Load and compile a graph now instead of at its first run."""
        self._graph(path)

    def _graph(self, path: Path) -> Any:
        with self._locks[path]:
            if path not in self._opened:
                self._opened[path] = self._open(path)
            return self._opened[path]

    @abstractmethod
    def _open(self, path: Path) -> Any:
        """What runs the graph in the file."""

    @abstractmethod
    def run(self, path: Path, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the graph in a file.

        Args:
            path: the graph.
            inputs: arrays by the names, and of the shapes and types, that the graph declares.

        Returns:
            All outputs, in the graph's order.
        """


class OnnxRuntimeEngine(Engine):
    """ONNX Runtime sessions, opened when first needed.

    Args:
        device: a key of `PROVIDERS`.
        threads: CPU threads of a session; 0 for all cores.
    """

    def __init__(self, device: str, threads: int) -> None:
        import onnxruntime as ort

        # Which graphics card it is nobody says; that of another machine may be another.
        where = _processor() if device == "cpu" else f"{_processor()} of {platform.node()}"
        super().__init__(f"onnxruntime {ort.__version__} {device} on {where}")
        self._providers = (
            [PROVIDERS[device]] if device == "cpu" else [PROVIDERS[device], PROVIDERS["cpu"]]
        )
        self._options = ort.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.log_severity_level = (
            3  # errors only: warnings about a graph are not for users
        )
        # Workers that spin while they wait would take the cores from video decoding and
        # compositing.
        self._options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession

    def _open(self, path: Path) -> Any:
        return self._session(str(path), self._options, providers=self._providers)

    def run(self, path: Path, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """All outputs of the graph in the file, in the graph's order."""
        outputs: list[NDArray[Any]] = self._graph(path).run(None, inputs)
        return outputs


#: OpenVINO's names of precisions.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVINOEngine(Engine):
    """OpenVINO on the CPU.

    Args:
        threads: CPU threads; 0 leaves `OTHER_STAGES` of the cores to the other stages of the
            pipeline.
        weights: fingerprint of the graphs' weights, under which compiled graphs are kept; None
            keeps none.
        precision: ``auto`` computes convolutions that have ranges in int8 where the processor is
            fastest in it, and all else in bfloat16 where it has that.
        ranges: for int8, by graph.

    Raises:
        InputError: the processor has no such precision, or int8 is wanted without ranges.
    """

    def __init__(
        self,
        threads: int,
        weights: str | None = None,
        precision: Precision = "auto",
        ranges: Mapping[str, LayerRanges] | None = None,
    ) -> None:
        openvino = _import_openvino()
        self._core, self._tensor = _core(), openvino.Tensor
        self._ranges = self._used_ranges(precision, ranges or {})
        used: str = "its own precision" if precision in ("auto", "int8") else precision
        if self._ranges:
            used = f"int8 ({ranges_fingerprint(self._ranges)}) and {used}"
        super().__init__(
            f"openvino {openvino.__version__} in {used} on {_device_properties()}, {_processor()}"
        )
        cores = available_cores()
        self.threads = threads or max(1, round(cores * (1 - OTHER_STAGES)))
        self.most_threads = threads or (cores if cores >= FEWEST_CORES_FOR_ALL else self.threads)
        self._config: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.threads,
            # Else every process and every engine computes on the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if precision in _HINTS:
            self._config["INFERENCE_PRECISION_HINT"] = _HINTS[precision]
        self._kept = None if weights is None else CompiledGraphs(weights, self.numerics)
        #: Compiled graphs by name, whose constants are read where the cache's files are mapped.
        self._mapped: dict[str, NDArray[np.uint8]] = {}

    def _used_ranges(
        self, precision: Precision, ranges: Mapping[str, LayerRanges]
    ) -> Mapping[str, LayerRanges]:
        """The ranges of the graphs that are computed in int8; none where it is not used."""
        if precision == "int8" and not ranges:
            raise InputError(
                "the weights have no ranges for --precision int8",
                remedy="measure them with 'swaptalk calibrate', or leave --precision out",
            )
        if precision == "bfloat16" and "BF16" not in self._core.get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        ):
            raise InputError(
                "this processor does not compute bfloat16", remedy="leave --precision out"
            )
        wanted = precision == "int8" or (
            precision == "auto" and ranges and is_int8_fastest(self._core, processor_flags())
        )
        return ranges if wanted else {}

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next run on: graphs are loaded anew."""
        self.threads = self._config["INFERENCE_NUM_THREADS"] = threads
        self._opened.clear()

    def _open(self, path: Path) -> Any:
        blob = self._mapped.get(path.stem)
        if blob is None and self._kept is not None:
            blob = self._kept.read(path.stem)
        if blob is not None:
            with contextlib.suppress(RuntimeError):  # what the engine refuses is compiled again
                compiled = self._core.import_model(
                    self._tensor(blob, shared_memory=True), "CPU", self._config
                )
                self._mapped[path.stem] = blob
                return compiled.create_infer_request()
        ranges = self._ranges.get(path.stem)
        graph = str(path) if ranges is None else quantized_graph(self._core, str(path), ranges)
        compiled = self._core.compile_model(graph, "CPU", self._config)
        if self._kept is not None:
            self._kept.keep(path.stem, compiled.export_model().getvalue())
        return compiled.create_infer_request()

    def inputs(self, path: Path) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of a graph's inputs; a side that may vary counts as 1."""
        return {
            port.any_name: tuple(
                side.get_length() if side.is_static else 1 for side in port.partial_shape
            )
            for port in self._graph(path).model_inputs
        }

    def run(self, path: Path, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """All outputs of the graph in the file, in the graph's order."""
        request = self._graph(path)
        with self._locks[path]:  # a request computes one batch at a time
            # Shared: the one copy that is needed is made here, before the next batch overwrites it.
            results = request.infer(inputs, share_outputs=True)
            return [np.array(results[index]) for index in range(len(results))]


@cache
def _core() -> Any:
    """OpenVINO's core, one for all engines of the process: each loads the CPU's plugin anew."""
    return _import_openvino().Core()


@cache
def _device_properties() -> str:
    """Name and capabilities of the CPU as OpenVINO gives them."""
    names = ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
    return " ".join(str(_core().get_property("CPU", name)) for name in names)


def _import_openvino() -> Any:
    """Import OpenVINO without its converter of other frameworks' models, which is a third of the
    time that the import takes. ``openvino.convert_model`` loads it when it is called.
    """
    converter = "openvino.tools.ovc"
    if "openvino" in sys.modules:
        return sys.modules["openvino"]
    sys.modules[converter] = None  # type: ignore[assignment] # makes its import fail
    try:
        openvino = importlib.import_module("openvino")
    finally:
        del sys.modules[converter]

    def convert_model(*arguments: Any, **options: Any) -> Any:
        return importlib.import_module(converter).convert_model(*arguments, **options)

    openvino.__dict__.setdefault("convert_model", convert_model)
    return openvino


def _cpuinfo() -> dict[str, str]:
    """Facts about the first core; empty where the system does not list them."""
    try:
        with open(
            "/proc/cpuinfo", encoding="utf-8", errors="replace"
        ) as file:  # its first paragraph is the first core
            return {
                name.strip(): value.strip()
                for name, _, value in (
                    line.partition(":") for line in itertools.takewhile(str.strip, file)
                )
            }
    except OSError:
        return {}


def _listed_flags(facts: Mapping[str, str]) -> str:
    return facts.get("flags", facts.get("Features", ""))


def processor_flags() -> frozenset[str]:
    """Return the capabilities of the processor as Linux names them; empty on other systems."""
    return frozenset(_listed_flags(_cpuinfo()).split())


def _processor() -> str:
    """Return the model and the capabilities of the processor, as far as known."""
    facts = _cpuinfo()
    if not facts:
        return f"{platform.machine()} {platform.processor()}"
    model = facts.get("model name", platform.machine())
    return f"{model} {hashlib.sha256(_listed_flags(facts).encode()).hexdigest()[:16]}"


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_devices() -> list[str]:
    """Return the names of the available devices, fastest first."""
    usable = []
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime as ort

        providers = set(ort.get_available_providers())
        usable = [device for device, provider in PROVIDERS.items() if provider in providers]
    if importlib.util.find_spec("openvino") is not None:
        usable.append(OPENVINO)
    return sorted(usable, key=lambda device: (FASTEST_FIRST + tuple(PROVIDERS)).index(device))


def create_engine(
    device: str = "auto",
    threads: int = 0,
    weights: str | None = None,
    precision: Precision = "auto",
    ranges: Mapping[str, LayerRanges] | None = None,
) -> Engine:
    """Create the engine of a device: ``auto``, ``openvino`` or a key of `PROVIDERS`.

    Args:
        device: the name.
        threads: CPU threads; 0 leaves some cores to the other stages of the pipeline.
        weights: fingerprint under which an engine may keep what it compiled; None keeps nothing.
        precision: what the networks compute in; ONNX Runtime knows only float32.
        ranges: for int8, by graph.

    Raises:
        InputError: no such device or precision here.
    """
    usable = available_devices()
    if device == "auto":
        device = next(name for name in usable if name in FASTEST_FIRST)
    if device not in usable:
        raise InputError(
            f"device {device} is not available here",
            remedy=f"choose one of auto, {', '.join(usable)}",
        )
    if device == OPENVINO:
        return OpenVINOEngine(threads, weights, precision, ranges)
    if precision not in ("auto", "float32"):
        raise InputError(
            f"device {device} does not compute --precision {precision}",
            remedy=f"leave --precision out; --device {OPENVINO} has it on x86-64",
        )
    return OnnxRuntimeEngine(device, threads)
