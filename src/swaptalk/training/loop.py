"""The training loop of all stages, on Lightning Fabric: the same on a CPU, a GPU or many machines.

Batch k and all random numbers of its step follow from the seed, the process's rank and k alone. A
run that is killed and started again therefore goes on with exactly the batches and dropouts that it
would have had (with a budget in steps; a budget in minutes ends where the clock says).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.losses.terms import LossTerms
from swaptalk.media.image import write_image
from swaptalk.training.average import WeightAverage
from swaptalk.training.checkpoint import (
    Checkpoint,
    full_state,
    load_checkpoint,
    load_full_state,
    save_checkpoint,
    starting_weights,
    write_config,
)
from swaptalk.training.options import LoopOptions, to_json
from swaptalk.training.prefetch import Prefetcher
from swaptalk.training.record import Record
from swaptalk.training.schedule import Schedule, progress
from swaptalk.training.signals import StopRequest
from swaptalk.training.stage import Batch, Stage

#: File with the batch that made a loss infinite or NaN.
NAN_NAME = "nan-batch.pt"


class Trainer:
    """Runs a stage to the end of its budget.

    Args:
        stage: what is trained.
        options: how.
        quiet: print nothing.
    """

    def __init__(self, stage: Stage, options: LoopOptions, quiet: bool = False) -> None:
        options.check()
        self.stage, self.options, self._quiet = stage, options, quiet
        self.fabric = Fabric(
            accelerator=options.accelerator,
            devices=options.devices,
            num_nodes=options.nodes,
            strategy=options.strategy,
            precision=options.precision,
        )
        self.state = Checkpoint()
        self._schedule = Schedule(options.warm_up, options.decay_share)
        self._used = 0.0

    def run(self) -> Path:
        """Train, from the checkpoint in the run's folder if there is one; returns the folder.

        Raises:
            InputError: the options or the checkpoint do not fit this stage.
            SwapTalkError: a loss became infinite or NaN.
            KeyboardInterrupt: asked to stop by Ctrl-C or SIGTERM; everything is saved.
        """
        self.fabric.launch()
        folder = self.options.out
        if self.fabric.is_global_zero:
            folder.mkdir(parents=True, exist_ok=True)
            write_config(folder, self.stage.name, to_json(self.options))
        self.stage.device = self.fabric.device
        self.stage.autocast = self.fabric.autocast
        if self.fabric.is_global_zero:
            self._prepare()
        self.fabric.barrier()
        if not self.fabric.is_global_zero:
            self._prepare()
        self._set_up()
        self._resume()
        self._record = (
            Record(folder, self.state.step, self.options.tensorboard)
            if self.fabric.is_global_zero
            else None
        )
        try:
            self._train()
        finally:
            if self._record is not None:
                self._record.close()
        return folder

    def _prepare(self) -> None:
        """Let the stage build its caches, in the run's precision."""
        with self.fabric.autocast():
            self.stage.prepare()

    def _set_up(self) -> None:
        """Move everything to the device and wrap it."""
        stage = self.stage
        self._plain = dict(stage.networks)
        for network in self._plain.values():
            network.to(self.fabric.device).train()
        for network in stage.frozen.values():
            network.to(self.fabric.device).eval().requires_grad_(False)
        self._average = WeightAverage(
            {n: self._plain[n] for n in stage.averaged}, self.options.ema_decay
        )
        optimizers = stage.optimizers()
        if self.options.compile:
            stage.compile()
        wrapped: dict[str, Any] = {
            name: self.fabric.setup_module(m) for name, m in self._plain.items()
        }
        for name, method in stage.methods:
            wrapped[name].mark_forward_method(method)
        stage.networks = wrapped
        self._optimizers: dict[str, list[Optimizer]] = {
            group: [self.fabric.setup_optimizers(o) for o in members]  # type: ignore[misc]
            for group, members in optimizers.items()
        }

    def _resume(self) -> None:
        found = (
            None if self.options.restart else load_checkpoint(self.options.out, self.fabric.device)
        )
        try:
            if found is not None:
                self._load(found)
                self._say(f"resumed after step {found.step}")
            elif self.options.start_from is not None:
                self._start_from(self.options.start_from)
        except (ValueError, KeyError) as error:
            place = self.options.out if found is not None else self.options.start_from
            raise InputError(
                f"holds a run of other networks: {error}",
                path=place,
                remedy="use its options, or another folder",
            ) from error

    def _start_from(self, place: Path) -> None:
        """Load another run's averaged weights, or a bundle's; networks that it lacks start from
        scratch.

        Raises:
            KeyError: it lacks a network that gets exported.
        """
        weights = starting_weights(place, self._plain)
        for name, network in self._plain.items():
            if name in weights or name in self.stage.averaged:
                load_full_state(network, weights[name])
        for name, network in self._average.networks.items():
            load_full_state(network, weights[name])

    def _load(self, found: Checkpoint) -> None:
        for name, network in self._plain.items():
            load_full_state(network, found.networks[name])
        for name, network in self._average.networks.items():
            load_full_state(network, found.averages[name])
        for group, members in self._optimizers.items():
            for optimizer, saved in zip(members, found.optimizers[group], strict=True):
                rates = [parameters["base_lr"] for parameters in optimizer.param_groups]
                optimizer.load_state_dict(saved)
                for parameters, rate in zip(optimizer.param_groups, rates, strict=True):
                    parameters["base_lr"] = rate  # the options of now, not those of then
        self.state = found

    def _save(self) -> None:
        if not self.fabric.is_global_zero:
            return
        self.state.networks = {n: full_state(m) for n, m in self._plain.items()}
        self.state.averages = {n: full_state(m) for n, m in self._average.networks.items()}
        self.state.optimizers = {
            group: [o.state_dict() for o in members] for group, members in self._optimizers.items()
        }
        self.state.extra = self.stage.extra_state()
        save_checkpoint(self.options.out, self.state)

    def _train(self) -> None:
        options, state = self.options, self.state
        saved = time.monotonic()
        first = state.step * options.accumulate
        with (
            Prefetcher(self._numbered_batch, first, options.threads) as batches,
            StopRequest() as stop,
        ):
            while self._agree(stop) < 1.0:
                began = time.monotonic()
                self._step(batches)
                state.step += 1
                state.elapsed += time.monotonic() - began
                if state.step % options.log_every == 0:
                    self._log()
                if options.evaluate_every and state.step % options.evaluate_every == 0:
                    self._evaluate()
                    self._save()
                    saved = time.monotonic()
                elif time.monotonic() - saved > 60 * options.save_every:
                    self._save()
                    saved = time.monotonic()
        if not options.evaluate_every or state.step % options.evaluate_every:
            self._save()  # an interrupted evaluation must not cost the steps since the last save
            self._evaluate()
        self._save()

    def _progress(self) -> float:
        """Return this process's share of the budget used, 0..1."""
        return progress(
            self.state.step, self.state.elapsed, self.options.steps, self.options.minutes
        )

    def _agree(self, stop: StopRequest) -> float:
        """Share the first process's progress: one learning rate, one end.

        Raises:
            KeyboardInterrupt: the run was asked to stop; it is saved.
        """
        used = self._progress()
        asked = stop.requested
        if self.fabric.world_size > 1:
            used, asked = self.fabric.broadcast((used, asked))
        if asked:
            self._save()
            self._say(f"stopped and saved after step {self.state.step}")
            raise KeyboardInterrupt
        self._used = used
        return used

    def _numbered_batch(self, number: int) -> Batch:
        """Make batch ``number`` of this process."""
        return self.stage.batch(
            np.random.default_rng([self.options.seed, self.fabric.global_rank, number])
        )

    def _step(self, batches: Prefetcher[Batch]) -> None:
        """Run one optimiser step of every group."""
        options = self.options
        factor = self._schedule.factor(self.state.step, self._used)
        for members in self._optimizers.values():
            for optimizer in members:
                for parameters in optimizer.param_groups:
                    parameters["lr"] = parameters["base_lr"] * factor
        for part in range(options.accumulate):
            number = self.state.step * options.accumulate + part
            batch: Batch = self.fabric.to_device(next(batches))
            seed = np.random.SeedSequence(
                [options.seed, self.fabric.global_rank, number, 1]
            ).generate_state(1)[0]
            torch.manual_seed(int(seed))
            for group, terms in self.stage.training_step(batch, self.state.step):
                self._check(terms, batch, group)
                with self._synchronised(group, part == options.accumulate - 1):
                    self.fabric.backward(terms.total / options.accumulate)
                self._note(group, terms)
        for group, members in self._optimizers.items():
            norm = self._clip(group)
            if not math.isfinite(norm):
                self._abort(batch, f"the {group}'s gradient", {})
            for optimizer in members:
                optimizer.step()
                optimizer.zero_grad()
            self._pend(f"{group}_gradient", norm)
        self._average.update(self._plain, self.state.step + 1)

    @contextlib.contextmanager
    def _synchronised(self, group: str, last: bool) -> Iterator[None]:
        """Exchange gradients between processes only with the last accumulated batch."""
        with contextlib.ExitStack() as stack:
            for name in self.stage.groups()[group]:
                network: Any = self.stage.networks[name]  # by now wrapped by Fabric
                stack.enter_context(self.fabric.no_backward_sync(network, enabled=not last))
            yield

    def _clip(self, group: str) -> float:
        """Clip the gradient of a group's networks; return its norm before."""
        weights = [p for name in self.stage.groups()[group] for p in self._plain[name].parameters()]
        limit = self.options.clip or math.inf
        return float(nn.utils.clip_grad_norm_([p for p in weights if p.grad is not None], limit))

    def _check(self, terms: LossTerms, batch: Batch, group: str) -> None:
        if not bool(torch.isfinite(terms.total)):
            self._abort(
                batch, f"the {group}'s loss", {k: float(v) for k, v in terms.values.items()}
            )

    def _abort(self, batch: Batch, what: str, losses: dict[str, float]) -> None:
        path = self.options.out / NAN_NAME
        torch.save({"step": self.state.step, "losses": losses, "batch": batch}, path)
        shown = "".join(f" {name} {value:.4g}" for name, value in losses.items())
        raise SwapTalkError(
            f"{what} is not finite at step {self.state.step}{':' if shown else ''}{shown}",
            path=path,
            remedy="look at the batch saved there, lower --learning-rate, and start the same "
            "command to go on from the "
            "last checkpoint",
        )

    def _note(self, group: str, terms: LossTerms) -> None:
        for name, value in terms.values.items():
            self._pend(name, float(value))

    def _pend(self, name: str, value: float) -> None:
        total = self.state.pending.setdefault(name, [0.0, 0.0])
        total[0] += value
        total[1] += 1

    def _log(self) -> None:
        """Write the means since the last row."""
        state, pending = self.state, self.state.pending
        means = {name: total / count for name, (total, count) in pending.items()}
        state.pending = {}
        if self._record is None:
            return
        factor = self._schedule.factor(state.step - 1, self._used)
        speed = (
            state.step
            * self.options.batch_size
            * self.options.accumulate
            * self.fabric.world_size
            / state.elapsed
        )
        values = {**means, "rate": factor, "samples_per_second": speed, "elapsed": state.elapsed}
        self._record.write_losses(state.step, values)
        shown = " ".join(f"{name} {value:.4g}" for name, value in means.items())
        self._say(f"{state.step}: {shown}; {speed:.1f} samples/s, {100 * self._progress():.0f} %")

    def _evaluate(self) -> None:
        """Evaluate the averages in the first process; random numbers of the training stay."""
        if self._record is not None:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(self.options.seed)
                networks: dict[str, nn.Module] = {**self._plain, **self._average.networks}
                modes = {name: network.training for name, network in networks.items()}
                for network in networks.values():
                    network.eval()
                result = self.stage.evaluate(networks, self.state.step)
                for name, network in networks.items():
                    network.train(modes[name])
            self._record.write_metrics(self.state.step, result.metrics, result.sheet)
            if result.sheet is not None:
                samples = self.options.out / "samples"
                samples.mkdir(exist_ok=True)
                write_image(samples / f"{self.state.step:06d}.jpg", result.sheet)
            self._say(
                f"validation {self.state.step}: "
                + " ".join(f"{k} {v:.4g}" for k, v in result.metrics.items())
            )
        self.fabric.barrier()

    def _say(self, text: str) -> None:
        if not self._quiet and self.fabric.is_global_zero:
            print(text, flush=True)
