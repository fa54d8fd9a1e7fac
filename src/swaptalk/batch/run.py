"""Run a table of jobs: build shared templates first, retry failed rows, skip finished ones."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from swaptalk.batch.folder import batch_folder
from swaptalk.batch.scheduler import BatchProgress, Scheduler
from swaptalk.batch.status import Status, read_status
from swaptalk.batch.table import CheckedTable, Row, TableError, check_table
from swaptalk.batch.worker import CORES_PER_WORKER, JobWorker, Task
from swaptalk.pipeline.inputs import InputFiles
from swaptalk.pipeline.job import job_fingerprint
from swaptalk.pipeline.options import (
    EngineOptions,
    GenerateOptions,
    SourceOptions,
    TargetOptions,
    fingerprinted,
)
from swaptalk.pipeline.plan import make_plan
from swaptalk.pipeline.template.file import TEMPLATE_SUFFIX
from swaptalk.pipeline.template.template import is_template
from swaptalk.storage.files import output_error
from swaptalk.storage.locks import lock_file
from swaptalk.workers.pool import LocalPool, Pool

#: What compiling a target costs in comparison to rendering as many frames from it.
TEMPLATE_COST = 0.7
#: Frames of a target beyond which no source is built into its template unasked: they would take
#: more than 1 GB.
MOST_SWAPPED = 15_000


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Options of a batch."""

    workers: int = 0
    """Number of processes; 0: one for every two cores."""
    ray: str | None = None
    """Address of a Ray cluster; None for this machine."""
    retries: int = 2
    """Further attempts of a row in one run after a crash."""
    engine: EngineOptions = EngineOptions()
    """Of each worker; 0 threads: the cores are shared evenly."""
    skip_faulty: bool = False
    """Render the other rows where some are at fault."""


@dataclass
class Summary:
    """Result of a batch: the final status of every row."""

    rows: list[Status] = field(default_factory=list)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    """What is wrong with the rows that were left out (``skip_faulty``), a line each."""
    faulty: int = 0
    """How many they are."""
    notes: list[str] = field(default_factory=list)
    """What was done to inputs without being asked for, a line each."""

    @property
    def failed(self) -> list[Status]:
        """Rows that are not done."""
        return [row for row in self.rows if row.state != "done"]

    def to_json(self) -> str:
        """Return the summary as JSON text."""
        return json.dumps(
            {
                "done": len(self.rows) - len(self.failed),
                "failed": len(self.failed),
                "faulty": self.faulty,
                "seconds": round(self.seconds, 3),
                "faults": self.faults,
                "notes": self.notes,
                "rows": [asdict(row) for row in self.rows],
            },
            indent=1,
        )


def run_batch(
    table: Path,
    settings: BatchSettings,
    told: Callable[[BatchProgress], object] = lambda _: None,
    checked: Callable[[CheckedTable], object] = lambda _: None,
) -> Summary:
    """Render all rows that are not done yet; folders of outputs that are not there are created.

    Args:
        table: the jobs.
        settings: how they are run.
        told: called with every change.
        checked: called with the table before the first row is started.

    Raises:
        InputError: rows are wrong (nothing is started, unless the settings skip them), another
            process works on this table, or the cluster cannot be reached.
        KeyboardInterrupt: finished rows are kept for the next run.
    """
    found = check_table(table)
    if found.faulty and not (settings.skip_faulty and found.rows):
        raise TableError(table, found.faults, found.faulty)
    checked(found)
    rows = found.rows
    begun = time.monotonic()
    folder = batch_folder(table)
    folder.mkdir(exist_ok=True)
    with lock_file(folder / "lock"):
        tasks, templates = plan_tasks(rows, folder, settings)
        todo = [task for task in tasks if not _is_done(task)]
        _create_folders(todo)
        if todo:
            pool = _pool(settings, len(todo))
            with closing(pool):
                Scheduler(pool, todo, templates, len(tasks), settings.retries + 1, told).run()
    states = [read_status(task.status, task.name, task.fingerprint) for task in tasks]
    seconds = time.monotonic() - begun
    return Summary(states, seconds, found.faults, found.faulty, found.notes)


def _create_folders(tasks: Sequence[Task]) -> None:
    """Raises InputError where a folder cannot be created."""
    for task in tasks:
        for path in (task.options.output, task.options.stats):
            if path is None:
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise output_error(error, path.parent) from error


def _pool(settings: BatchSettings, tasks: int) -> Pool[Task, Status]:
    if settings.ray is not None:
        from swaptalk.workers.cluster import ClusterPool

        return ClusterPool(
            JobWorker, settings.ray, settings.workers, settings.engine.threads or CORES_PER_WORKER
        )
    return LocalPool(JobWorker, min(tasks, _workers(settings)))


def _workers(settings: BatchSettings) -> int:
    return settings.workers or max(1, (os.cpu_count() or 1) // CORES_PER_WORKER)


def _threads(settings: BatchSettings) -> int:
    if settings.engine.threads:
        return settings.engine.threads
    return (
        CORES_PER_WORKER
        if settings.ray is not None
        else max(1, (os.cpu_count() or 1) // _workers(settings))
    )


def plan_tasks(
    rows: Sequence[Row], folder: Path, settings: BatchSettings
) -> tuple[list[Task], dict[str, Task]]:
    """Make a task for every row, and map row names to the template they wait for."""
    shared: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        shared[_shared_key(row)].append(row)
    tasks, templates = [], {}
    made: dict[tuple[str, ...], Task] = {}
    for row in rows:
        key, options = _shared_key(row), row.options
        name = f"row-{row.number:06d}"
        # The same file through a template gives the same frames, so the fingerprint is that of the
        # row itself.
        fingerprint = job_fingerprint(
            [file.fingerprint for file in row.plan.inputs],
            {
                **fingerprinted(row.options),
                "models": str(settings.engine.models),
                "output": str(row.options.output),
            },
        )
        if (
            len(shared[key]) > 1
            and not is_template(row.options.target)
            and row.plan.playback.length > 1
        ):
            if key not in made:
                made[key] = _template_task(key, shared[key], folder, settings)
            templates[name] = made[key]
            options = replace(
                options,
                target=template_path(folder, key),
                start=0.0,
                end=None,
                fps=None,
                resolution=None,
            )
        tasks.append(
            Task(
                name,
                "row",
                options,
                _engine(settings),
                folder / f"{name}.json",
                fingerprint,
                row.plan.frames,
            )
        )
    return tasks, templates


def _engine(settings: BatchSettings) -> EngineOptions:
    """The engine of each worker, which has its share of the cores."""
    return replace(settings.engine, threads=_threads(settings))


def _shared_key(row: Row) -> tuple[str, ...]:
    """Key of the analysis: rows with equal keys can share a template."""
    options = row.options
    return tuple(
        str(part)
        for part in (
            options.target.resolve(),
            options.face,
            options.start,
            options.end,
            options.fps,
            options.resolution,
        )
    )


def _source_key(options: GenerateOptions) -> tuple[object, ...]:
    """Key of the swap: rows of one target with equal keys can share a built-in source."""
    photos = tuple(photo.resolve() for photo in options.source)
    return photos, options.source_face, options.strength, options.shape


def _template_task(
    key: tuple[str, ...], rows: Sequence[Row], folder: Path, settings: BatchSettings
) -> Task:
    """Make the task of a shared template, with the source that most rows name built in."""
    path = template_path(folder, key)
    named = Counter(
        _source_key(row.options)
        for row in rows
        if row.options.source and row.options.order != "sync-first" and not row.options.warps_lips
    )
    most, count = named.most_common(1)[0] if named else (None, 0)
    length = make_plan(
        _template_options(rows[0].options),
        "template",
        files=InputFiles(known=rows[0].plan.inputs),
    ).playback.length
    built_in = count > 1 and length <= MOST_SWAPPED
    row = next(row for row in rows if not built_in or _source_key(row.options) == most)
    source = row.options.source if built_in else ()
    options = replace(_template_options(row.options), source=source, output=path)
    inputs = [row.plan.target, *(row.plan.sources if built_in else ())]
    fingerprint = " ".join(
        map(
            str,
            (
                *(file.fingerprint for file in inputs),
                settings.engine.models,
                options.source_face,
                options.strength,
                options.shape,
                key,
            ),
        )
    )
    frames = round(length * TEMPLATE_COST)
    status = path.with_suffix(".json")
    return Task(path.stem, "template", options, _engine(settings), status, fingerprint, frames)


def _template_options(options: GenerateOptions) -> GenerateOptions:
    """The options that a template of a row's target has: none of the words and the output."""
    kept = {one.name for kind in (TargetOptions, SourceOptions) for one in fields(kind)}
    values = {name: getattr(options, name) for name in kept - {"source"}}
    return GenerateOptions(**values, consent=options.consent)


def template_path(folder: Path, key: tuple[str, ...]) -> Path:
    """Return the path of a shared template."""
    name = hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
    return folder / f"template-{name}{TEMPLATE_SUFFIX}"


def _is_done(task: Task) -> bool:
    output = task.options.output
    status = read_status(task.status, task.name, task.fingerprint)
    return status.state == "done" and output is not None and output.exists()
