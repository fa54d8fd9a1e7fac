"""Options of training runs: dataclasses, whose field docstrings are the help texts, and JSON."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from swaptalk.data.split import VALIDATION_SHARE
from swaptalk.errors import InputError
from swaptalk.training.optimizers import OptimizerName

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """Options of every stage: folder, budget, optimiser, hardware."""

    out: Path
    """Folder of the run; a run found there is resumed."""
    restart: bool = False
    """Start again, even if the folder holds a checkpoint."""
    start_from: Path | None = None
    """Run of the same stage, or bundle, from whose (averaged) weights this one starts."""
    steps: int = 0
    """Optimiser steps in all, with those before an interruption; 0: no limit."""
    minutes: float = 0.0
    """Minutes of training in all, with those before an interruption; 0: no limit."""
    batch_size: int = 8
    """Samples in the batch of each process."""
    accumulate: int = 1
    """Batches accumulated for one optimiser step."""
    optimizer: OptimizerName = "muon"
    """muon learns faster in few steps; adamw is the common choice."""
    learning_rate: float = 3e-3
    """Learning rate of Muon, or of AdamW if it trains everything."""
    other_rate: float = 1e-3
    """Learning rate of AdamW for biases, first and last layers."""
    warm_up: int = 50
    """Steps over which the learning rate rises."""
    decay_share: float = 0.3
    """Share of the budget, at its end, over which the learning rate falls to 0."""
    clip: float = 1.0
    """Largest gradient norm of a network; 0: no clipping."""
    ema_decay: float = 0.998
    """Decay of the moving average of the weights, which is exported."""
    seed: int = 0
    """Batch k and its random numbers follow from this number and k alone."""
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    """Arithmetic of the networks."""
    compile: bool = False
    """Compile the networks; pays off after some hundred steps."""
    accelerator: str = "auto"
    """cpu, gpu, mps or auto."""
    devices: int = 1
    """Processes on each machine; the same number as given to torchrun or Slurm."""
    nodes: int = 1
    """Number of machines."""
    strategy: str = "auto"
    """Strategy of Lightning Fabric: auto, ddp, ..."""
    threads: int = 2
    """Threads that prepare batches."""
    log_every: int = 20
    """Steps averaged in a row of log.csv."""
    evaluate_every: int = 500
    """Steps between evaluations, with one at the end; 0: only that one."""
    validation_share: float = VALIDATION_SHARE
    """Share of the training people used for validation; 0: nobody, for a final run."""
    save_every: float = 5.0
    """Minutes between checkpoints, besides those at evaluations and at the end."""
    tensorboard: bool = True
    """TensorBoard files beside the CSV."""

    def files(self) -> tuple[str, ...]:
        """Names of the third-party files that the stage reads, of `swaptalk.assets.catalogue`."""
        return ()

    def check(self) -> None:
        """Refuse values that cannot work.

        Raises:
            InputError: no budget, or a number out of range.
        """
        if self.steps <= 0 and self.minutes <= 0:
            raise InputError("the run has no end", remedy="give --steps or --minutes")
        if not 0 <= self.validation_share < 1:
            raise InputError(
                f"--validation-share {self.validation_share} is no share", remedy="give 0 to 0.5"
            )
        for name in ("batch_size", "accumulate", "devices", "nodes", "log_every"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"--{name.replace('_', '-')} must be at least 1",
                    remedy="give a positive number",
                )


#: What a short run has in place of the options of that name: it meets every loss in two steps.
_SHORT: dict[str, Any] = {
    "steps": 2,
    "minutes": 0.0,
    "batch_size": 2,
    "accumulate": 1,
    "accelerator": "cpu",
    "compile": False,
    "resident": False,
    "evaluate_every": 0,
    "tensorboard": False,
    "triplets": 8,
    "judged_triplets": 8,
    "samples": 8,
    "judged_samples": 8,
    "workers": 1,
    "speech_batch": 2,
    "geometry_steps": 2,
    "teacher_steps": 1,
    "identity_from": 1,
    "decode_from": 1,
    "sync_from": 1,
    "driven_from": 1,
    "adversarial_from": 1,
}


def shortened(options: T) -> T:
    """Options of a run that shows in two steps on the CPU whether everything is there."""
    names = {field.name for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    return dataclasses.replace(  # type: ignore[type-var]
        options, **{name: value for name, value in _SHORT.items() if name in names}
    )


def to_json(options: Any) -> str:
    """Convert options to JSON, which `from_dict` reads."""
    return json.dumps(dataclasses.asdict(options), indent=1, default=str)


def from_dict(kind: type[T], values: dict[str, Any], path: Path | None = None) -> T:
    """Build a dataclass of options, nested ones too, from JSON's types; fields that are not given
    keep defaults.

    Args:
        kind: the dataclass.
        values: its fields by name.
        path: file that the values come from, named in errors.

    Raises:
        InputError: a key that is no option, a value of the wrong kind, or a required option is
            missing.
    """
    try:
        return _build(kind, values)
    except InputError as error:
        if path is None:
            raise
        raise InputError(error.problem, path=path, remedy=error.remedy) from error


def _build(kind: type[T], values: dict[str, Any]) -> T:
    """Build a dataclass as `from_dict` does."""
    hints = typing.get_type_hints(kind)
    fields = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - fields)
    if unknown:
        raise InputError(
            f"no such option: {', '.join(unknown)}", remedy="see the stage's --help for the names"
        )
    try:
        return kind(**{name: _convert(hints[name], value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the options do not fit {kind.__name__}: {error}", remedy="correct the file"
        ) from error


def _convert(hint: Any, value: Any) -> Any:
    """Convert a JSON value to the type of a field."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _convert(next(a for a in arguments if a is not type(None)), value)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} is no JSON object")
        return _build(hint, value)  # type: ignore[arg-type]
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} is no JSON object")
        return {key: _convert(arguments[1], item) for key, item in value.items()}
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{value!r} is no list")
        inner = arguments[0]
        return tuple(_convert(inner, item) for item in value)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is none of {', '.join(map(str, arguments))}")
        return value
    if hint is Path:
        return Path(value)
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and not isinstance(value, hint):
        raise ValueError(f"{value!r} is not {hint.__name__}")
    return value


def read_options(kind: type[T], path: Path) -> T:
    """Read options from a JSON file, such as the ``config.json`` of a run.

    Raises:
        InputError: not readable as JSON, or not these options.
    """
    return from_dict(kind, read_json(path), path)


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a JSON file.

    Raises:
        InputError: not readable as JSON, or not an object.
    """
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"is not a readable JSON file ({error})", path=path, remedy="check the path"
        ) from error
    if not isinstance(values, dict):
        raise InputError(
            "holds no JSON object", path=path, remedy='write it as {"option": value, ...}'
        )
    return values
