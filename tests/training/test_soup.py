"""Means of runs: half-way between the weights, recorded, and refused where they make no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from swaptalk.errors import InputError  # noqa: E402
from swaptalk.export.package import describe  # noqa: E402
from swaptalk.models.swap import SwapConfig, SwapTransformer  # noqa: E402
from swaptalk.training.checkpoint import (  # noqa: E402
    Checkpoint,
    full_state,
    load_checkpoint,
    save_checkpoint,
    write_config,
)
from swaptalk.training.options import to_json  # noqa: E402
from swaptalk.training.pretrained import load_network  # noqa: E402
from swaptalk.training.soup import average_runs  # noqa: E402
from swaptalk.training.stages.swap_options import SwapOptions  # noqa: E402


def make_run(
    folder: Path, seed: int, width: int = 16, stage: str = "swap", **extra: Any
) -> SwapTransformer:
    """A run whose moving average is a network of this seed, its last weights another."""
    config = SwapConfig(16, width=width, layers=2, heads=2)
    torch.manual_seed(seed)
    average, last = SwapTransformer(config), SwapTransformer(config)
    folder.mkdir()
    write_config(folder, stage, to_json(SwapOptions(model=config)))
    state = Checkpoint(
        step=10 * seed,
        elapsed=60.0 * seed,
        networks={"swap": full_state(last), "discriminator": {}},
        averages={"swap": full_state(average)},
        extra=extra,
    )
    save_checkpoint(folder, state)
    return average


def test_the_mean_lies_half_way_between_the_moving_averages(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "a", 1), make_run(tmp_path / "b", 2)
    average_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    mean = full_state(load_network("swap", tmp_path / "mean"))
    for name, value in full_state(first).items():
        assert torch.allclose(mean[name].float(), (value + full_state(second)[name]) / 2, atol=1e-6)


def test_a_mean_records_the_runs_that_it_is_made_of(tmp_path: Path) -> None:
    for k in (1, 2, 3):
        make_run(tmp_path / str(k), k, motion={"mean": [1.0]})
    average_runs([tmp_path / "1", tmp_path / "2"], tmp_path / "mean")
    average_runs([tmp_path / "mean", tmp_path / "3"], tmp_path / "again")
    inner = {
        "steps": 0,
        "minutes": 0.0,
        "mean_of": [{"steps": 10, "minutes": 1.0}, {"steps": 20, "minutes": 2.0}],
    }
    described = describe({"swap": tmp_path / "again"})["stages"]["swap"]
    assert described["mean_of"] == [inner, {"steps": 30, "minutes": 3.0}]
    assert described["validation"] == {}
    again = load_checkpoint(tmp_path / "again")
    assert again is not None and again.extra["motion"] == {"mean": [1.0]}  # what the bundle needs


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({"width": 32}, "another shape"),
        ({"stage": "lipsync"}, "stage lipsync"),
        ({"motion": {"mean": [2.0]}}, "another scale"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, other: dict[str, Any], problem: str) -> None:
    make_run(tmp_path / "a", 1)
    make_run(tmp_path / "b", 2, **other)
    with pytest.raises(InputError, match=problem):
        average_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_one_run_or_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1)
    make_run(tmp_path / "b", 2)
    with pytest.raises(InputError, match="fewer than two"):
        average_runs([tmp_path / "a"], tmp_path / "mean")
    with pytest.raises(InputError, match="exists already"):
        average_runs([tmp_path / "a", tmp_path / "a"], tmp_path / "b")
