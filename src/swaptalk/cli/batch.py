"""``swaptalk batch``: render a table of jobs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tyro

from swaptalk.batch.folder import batch_folder
from swaptalk.batch.run import BatchSettings, Summary, run_batch
from swaptalk.batch.scheduler import BatchProgress
from swaptalk.batch.table import CheckedTable, TableError, check_table
from swaptalk.cli.console import ConsoleOptions
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.pipeline.options import EngineOptions, narrowed


@dataclass(frozen=True, kw_only=True)
class Options(ConsoleOptions, EngineOptions):
    """Render a table of jobs (.csv or .jsonl). Columns are the options of 'swaptalk generate'.

    All rows are checked before the first one starts. Run the same command again after an
    interruption: finished rows are kept, unfinished ones continue.
    """

    jobs: tyro.conf.Positional[Path]
    """Table of jobs. Paths are relative to its folder; several photos are separated by ';'."""
    workers: int = 0
    """Rows rendered at the same time; 0: one for every two cores."""
    ray: str | None = None
    """Address of a Ray cluster (auto, HOST:PORT) to render on; needs swaptalk[cluster]."""
    retries: int = 2
    """Further attempts for a row whose worker crashed or whose machine was lost."""
    dry_run: bool = False
    """Only check all rows and say what would be made."""
    skip_faulty: bool = False
    """Render the other rows where some are at fault; the exit code is 1 then."""


#: Seconds without a word where standard error is no terminal.
_LINE_SECONDS = 30.0


class Teller:
    """Prints progress on standard error: a line for every row, or one line on a terminal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._renewed = sys.stderr.isatty()
        self._clock, self._said = clock, clock()

    def __call__(self, progress: BatchProgress) -> None:
        """Print what has changed, or after a while how far the batch is."""
        left = (
            ""
            if progress.seconds_left is None
            else f", about {_duration(progress.seconds_left)} left"
        )
        failed = f", {progress.failed} failed" if progress.failed else ""
        line = f"{progress.done} of {progress.total} rows done{failed}{left}"
        if self._renewed:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        last, now = progress.last, self._clock()
        if last is None and not self._renewed and now - self._said > _LINE_SECONDS:
            print(line, file=sys.stderr, flush=True)
            self._said = now
        if last is not None and (not self._renewed or last.error is not None):
            said = f"{last.name}: {last.state}" + (
                f" ({last.error})" if last.error else f" in {last.seconds:.1f} s"
            )
            print(
                f"{'' if not self._renewed else chr(10)}{said}; {line}", file=sys.stderr, flush=True
            )
            self._said = now

    def end(self) -> None:
        """End the progress line."""
        if self._renewed:
            print(file=sys.stderr)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes} min"
        if hours
        else f"{minutes} min"
        if minutes > 4
        else f"{60 * minutes + rest} s"
    )


def run(options: Options) -> int:
    """``swaptalk batch``; returns the exit code: 0 only if every row is done."""
    for name, value in (
        ("--workers", options.workers),
        ("--retries", options.retries),
    ):
        if not 0 <= value <= 10_000:
            raise InputError(f"{name} {value} is out of range", remedy="give 0 or more")
    options.check_engine()
    settings = BatchSettings(
        workers=options.workers,
        ray=options.ray,
        retries=options.retries,
        engine=narrowed(options, EngineOptions),
        skip_faulty=options.skip_faulty,
    )
    if options.dry_run:
        return _dry_run(options)
    teller = None if options.is_silent else Teller()
    try:
        summary = run_batch(
            options.jobs,
            settings,
            teller or (lambda _: None),
            (lambda _: None) if teller is None else _tell_checked,
        )
    except TableError as error:
        for row in error.rows:
            print(f"swaptalk: {row}", file=sys.stderr)
        raise
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise SwapTalkError(
            "--ray needs the package ray, which is not installed",
            remedy="pip install 'swaptalk[cluster]'",
        ) from error
    except KeyboardInterrupt:
        print(
            f"\nswaptalk: finished rows are kept in {batch_folder(options.jobs)}; "
            "continue with the same command",
            file=sys.stderr,
        )
        raise
    if teller is not None:
        teller.end()
    _report(options, summary)
    return 1 if summary.failed or summary.faulty else 0


def _tell_checked(table: CheckedTable) -> None:
    for line in [*(f"note: {note}" for note in table.notes), *table.faults]:
        print(f"swaptalk: {line}", file=sys.stderr)


def _dry_run(options: Options) -> int:
    table = check_table(options.jobs)
    if options.json:
        rows = [
            {
                "row": row.number,
                "output": str(row.options.output),
                "frames": row.plan.frames,
                "seconds": round(float(row.plan.seconds), 3),
                "width": row.plan.width,
                "height": row.plan.height,
                "notes": row.plan.notes,
            }
            for row in table.rows
        ]
        print(json.dumps({"faulty": table.faulty, "faults": table.faults, "rows": rows}, indent=1))
    elif not options.quiet:
        _tell_checked(table)
        for row in table.rows:
            plan = row.plan
            print(
                f"row {row.number}: {row.options.output}: {plan.frames} frames of "
                f"{plan.width}x{plan.height}, {float(plan.seconds):.1f} s"
            )
        seconds = sum(float(row.plan.seconds) for row in table.rows)
        print(
            f"{options.jobs}: {len(table.rows)} rows could be started ({_duration(seconds)} of "
            f"video), {table.faulty} at fault; nothing was started"
        )
    return 2 if table.faulty else 0


def _report(options: Options, summary: Summary) -> None:
    if options.json:
        print(summary.to_json())
        return
    for row in summary.failed:
        print(f"swaptalk: {row.name}: {row.error}", file=sys.stderr)
    if not options.quiet:
        done = len(summary.rows) - len(summary.failed)
        left_out = f", {summary.faulty} at fault left out" if summary.faulty else ""
        print(
            f"{options.jobs}: {done} of {len(summary.rows)} rows done, {len(summary.failed)} "
            f"failed{left_out}; "
            f"{summary.seconds:.1f} s; states in {batch_folder(options.jobs)}"
        )
