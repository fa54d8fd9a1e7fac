"""The shared loop, on a stage of a few weights."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

pytest.importorskip("lightning_fabric")

from torch import nn  # noqa: E402

from swaptalk.errors import InputError, SwapTalkError  # noqa: E402
from swaptalk.losses.terms import LossTerms  # noqa: E402
from swaptalk.media.image import read_image  # noqa: E402
from swaptalk.models.quantizer import ProductQuantizer  # noqa: E402
from swaptalk.training.checkpoint import load_checkpoint, trained_weights  # noqa: E402
from swaptalk.training.loop import NAN_NAME, Trainer  # noqa: E402
from swaptalk.training.optimizers import build_optimizers  # noqa: E402
from swaptalk.training.options import LoopOptions  # noqa: E402
from swaptalk.training.stage import Batch, Evaluation, Stage  # noqa: E402


class Student(nn.Module):
    """Everything that makes resuming hard: dropout, running statistics, codebooks that follow, two
    optimisers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 8, 1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.2)
        self.quantizer = ProductQuantizer(8, 2, 4)
        self.inner = nn.Conv2d(8, 8, 1)
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        quantized, commitment = self.quantizer(self.drop(self.norm(self.first(x))))
        return self.last(torch.relu(self.inner(quantized))), commitment


class TwoPlayers(Stage):
    """A student that mirrors pictures, and a critic of it."""

    name = "toy"
    averaged = ("student",)

    def __init__(self, options: LoopOptions, poison: int = -1) -> None:
        super().__init__(options)
        torch.manual_seed(options.seed)
        self.networks = {"student": Student(), "critic": nn.Conv2d(2, 1, 1)}
        self.frozen = {}
        self.poison = poison

    def groups(self) -> dict[str, tuple[str, ...]]:
        return {"generator": ("student",), "critic": ("critic",)}

    def optimizers(self) -> dict[str, list[torch.optim.Optimizer]]:
        options = self.options
        return {
            "generator": build_optimizers(
                self.networks["student"], "muon", 0.02, 0.01, ("first", "last")
            ),
            "critic": build_optimizers(
                self.networks["critic"], "adamw", options.learning_rate, 0.0
            ),
        }

    def batch(self, rng: np.random.Generator) -> Batch:
        return {
            "x": torch.from_numpy(
                rng.standard_normal((self.options.batch_size, 2, 4, 4), np.float32)
            )
        }

    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        x = batch["x"] * (float("nan") if step == self.poison else 1)
        made, commitment = self.networks["student"](x)
        terms = LossTerms({"mirror": 1.0, "commitment": 0.1, "never": 0.0})
        terms.add("mirror", lambda: (made - x.flip(1)).abs().mean())
        terms.add("commitment", lambda: commitment)
        terms.add("never", lambda: pytest.fail("a loss of weight 0 was computed"))
        yield "generator", terms
        judged = LossTerms({"critic": 1.0})
        judged.add("critic", lambda: torch.relu(1 + self.networks["critic"](made.detach())).mean())
        yield "critic", judged

    def evaluate(self, networks: dict[str, nn.Module], step: int) -> Evaluation:
        assert not networks["student"].training
        x = torch.ones(1, 2, 4, 4)
        # Random numbers drawn here must not change the training that follows.
        torch.rand(3)
        error = float((networks["student"](x)[0] - x).abs().mean())
        return Evaluation({"error": error}, np.full((8, 8, 3), 99, np.uint8))


def options(folder: Path, **changes: object) -> LoopOptions:
    values = dict(
        out=folder,
        steps=12,
        batch_size=4,
        learning_rate=0.01,
        log_every=5,
        evaluate_every=4,
        save_every=0.0,
        precision="32-true",
        accelerator="cpu",
        threads=0,
        tensorboard=False,
        warm_up=3,
    )
    return LoopOptions(**{**values, **changes})


def run(folder: Path, poison: int = -1, **changes: object) -> Path:
    chosen = options(folder, **changes)
    return Trainer(TwoPlayers(chosen, poison), chosen, quiet=True).run()


def curve(folder: Path) -> list[dict[str, str]]:
    """Rows of the log without what depends on the clock."""
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {k: v for k, v in row.items() if k not in ("samples_per_second", "elapsed")} for row in rows
    ]


class KilledError(Exception):
    pass


class Killable(TwoPlayers):
    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        if step == self.poison:
            raise KilledError
        yield from super().training_step(batch, step)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("killed_at", [1, 6, 7])
def test_a_killed_and_resumed_run_has_the_same_curve(
    tmp_path: Path, killed_at: int, accumulate: int
) -> None:
    whole = run(tmp_path / "whole", accumulate=accumulate)
    chosen = options(tmp_path / "parts", accumulate=accumulate, threads=2)
    with pytest.raises(KilledError):
        stage = Killable(chosen, poison=killed_at)
        Trainer(stage, chosen, quiet=True).run()
    parts = run(tmp_path / "parts", accumulate=accumulate, threads=2)
    assert curve(parts) == curve(whole)
    assert (parts / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
    ends = [load_checkpoint(folder) for folder in (whole, parts)]
    for name in ("student", "critic"):
        for key, value in ends[0].networks[name].items():
            assert torch.equal(value, ends[1].networks[name][key]), (name, key)
    for key, value in ends[0].averages["student"].items():
        assert torch.equal(value, ends[1].averages["student"][key]), key


def test_a_run_killed_between_checkpoints_repeats_the_steps_since(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", save_every=99.0)
    chosen = options(tmp_path / "parts", save_every=99.0)
    with pytest.raises(KilledError):
        Trainer(Killable(chosen, poison=7), chosen, quiet=True).run()
    assert load_checkpoint(chosen.out).step == 4  # that of the evaluation
    assert curve(run(chosen.out, save_every=99.0)) == curve(whole)


class Terminated(TwoPlayers):
    def training_step(self, batch: Batch, step: int) -> Iterator[tuple[str, LossTerms]]:
        if step == self.poison:
            self.poison = -1
            os.kill(os.getpid(), signal.SIGTERM)
        yield from super().training_step(batch, step)


def run_terminated(folder: str) -> None:
    """A run that gets SIGTERM in its seventh step; called in a process of its own."""
    chosen = options(Path(folder), save_every=99.0, evaluate_every=0)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        Trainer(Terminated(chosen, poison=6), chosen, quiet=True).run()
    assert load_checkpoint(chosen.out).step == 7
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_terminated_run_finishes_its_step_and_saves(tmp_path: Path) -> None:
    """In a process of its own: libraries of other tests leave threads and handlers of their own in
    this one."""
    whole = run(tmp_path / "whole", save_every=99.0, evaluate_every=0)
    parts = tmp_path / "parts"
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import "
        f"{Path(__file__).stem} as test; "
        f"test.run_terminated({str(parts)!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
    assert curve(run(parts, save_every=99.0, evaluate_every=0)) == curve(whole)


def test_the_budget_can_be_prolonged(tmp_path: Path) -> None:
    run(tmp_path, steps=5)
    assert load_checkpoint(run(tmp_path, steps=8)).step == 8


def test_seeds_differ(tmp_path: Path) -> None:
    assert curve(run(tmp_path / "a")) != curve(run(tmp_path / "b", seed=1))


def test_restart_begins_anew(tmp_path: Path) -> None:
    run(tmp_path, steps=8)
    again = run(tmp_path, steps=5, restart=True)
    assert load_checkpoint(again).step == 5
    assert [row["step"] for row in curve(again)] == ["5"]


def test_a_minute_budget_ends_and_its_time_is_kept(tmp_path: Path) -> None:
    folder = run(tmp_path, steps=0, minutes=0.003)
    state = load_checkpoint(folder)
    assert state.step > 0 and state.elapsed >= 0.003 * 60
    # Nothing is left of the budget, so a second call only evaluates.
    assert load_checkpoint(run(tmp_path, steps=0, minutes=0.003)).step == state.step


def test_nan_aborts_and_keeps_batch_and_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SwapTalkError, match="generator's loss is not finite at step 6: mirror nan"):
        run(tmp_path, poison=6)
    kept = torch.load(tmp_path / NAN_NAME, weights_only=True)
    assert kept["step"] == 6 and kept["batch"]["x"].shape == (4, 2, 4, 4)
    state = load_checkpoint(tmp_path)
    assert state.step == 6
    assert all(torch.isfinite(v).all() for v in state.networks["student"].values())


def test_samples_are_written(tmp_path: Path) -> None:
    run(tmp_path, steps=5)
    assert {p.name for p in (tmp_path / "samples").iterdir()} == {"000004.jpg", "000005.jpg"}
    assert read_image(tmp_path / "samples" / "000005.jpg").shape == (8, 8, 3)


def test_start_from_takes_weights_but_not_steps(tmp_path: Path) -> None:
    first = run(tmp_path / "first", steps=6)
    second = run(tmp_path / "second", steps=1, start_from=first, learning_rate=0.0, warm_up=1000)
    _, weights = trained_weights(first)
    assert load_checkpoint(second).step == 1
    assert torch.allclose(
        load_checkpoint(second).networks["critic"]["weight"], weights["critic"]["weight"]
    )


def test_another_networks_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    run(tmp_path, steps=1)
    chosen = options(tmp_path)
    stage = TwoPlayers(chosen)
    stage.networks["critic"] = nn.Conv2d(2, 3, 1)
    with pytest.raises(InputError, match="run of other networks"):
        Trainer(stage, chosen, quiet=True).run()


def test_a_damaged_checkpoint_is_an_error_and_not_a_new_run(tmp_path: Path) -> None:
    run(tmp_path, steps=1)
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(SwapTalkError, match="cannot be read"):
        run(tmp_path)


def test_a_run_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no end"):
        run(tmp_path, steps=0)
