"""Run each kind of job."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.inference.bundle import ModelBundle
from swaptalk.media.image import write_image
from swaptalk.pipeline.analysis.inspect import Inspection, View, inspect_target, left_to_right
from swaptalk.pipeline.analysis.source import source_face
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.job import OtherJobError, job_path
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.plan import make_plan
from swaptalk.pipeline.template.file import TEMPLATE_SUFFIX
from swaptalk.serving.people import person_entries, turn_table
from swaptalk.serving.settings import ServeOptions
from swaptalk.serving.store.claims import Claims
from swaptalk.serving.store.job import Job, Kind
from swaptalk.serving.store.uploads import UploadNotFoundError, UploadStore
from swaptalk.serving.store.workspace import Workspace
from swaptalk.serving.user_messages import note_in_words
from swaptalk.serving.worker.attempt import Attempt
from swaptalk.serving.worker.cluster import ON_CLUSTER, ClusterMaker, connect
from swaptalk.serving.worker.pictures import fitted, write_frame, write_poster

#: Longest side of the picture that shows who was found, in pixels.
VIEW_SIDE = 960
PICTURE, PREVIEW, VIDEO, STILL, REPORT, POSTER = (
    "picture.jpg",
    "preview.png",
    "output.mp4",
    "output.png",
    "report.json",
    "poster.jpg",
)
SUBTITLES, TURNS = "words.srt", "turns.csv"
TEMPLATE = f"scene{TEMPLATE_SUFFIX}"


class Tasks:
    """Runs the jobs of one worker process; the networks stay loaded between them.

    Args:
        settings: of the server.
        kinds: the jobs that will come.
        uploads: where the inputs are.
        jobs: folder of all jobs.
        claims: where results are published.

    Raises:
        InputError: the Ray cluster that the settings name cannot be joined.
    """

    def __init__(
        self,
        settings: ServeOptions,
        kinds: Sequence[Kind],
        uploads: UploadStore,
        jobs: Path,
        claims: Claims,
    ) -> None:
        self._settings, self._uploads, self._jobs, self._claims = settings, uploads, jobs, claims
        self._cluster = connect(settings) if any(kind in ON_CLUSTER for kind in kinds) else None
        self._loaded_analyser: FaceAnalyser | None = None
        self._loaded_networks: ModelBundle | None = None

    @property
    def _analyser(self) -> FaceAnalyser:
        if self._loaded_analyser is None:
            self._loaded_analyser = FaceAnalyser(progress=False)
        return self._loaded_analyser

    def _maker(self, attempt: Attempt) -> SwapTalk | ClusterMaker:
        if self._cluster is not None:
            return ClusterMaker(self._cluster, self._settings, attempt)
        return self._maker_here(attempt)

    def _maker_here(self, attempt: Attempt) -> SwapTalk:
        if self._loaded_networks is None:
            settings = self._settings
            self._loaded_networks = ModelBundle.from_pretrained(
                settings.models, settings.threads, settings.device, settings.precision
            )
        attempt.check()
        return SwapTalk(self._loaded_networks, self._analyser, attempt)

    def run(self, job: Job, attempt: Attempt) -> None:
        """Run a job and publish its result.

        Raises:
            InputError: the inputs or options are at fault.
            LeaseLostError, CancelledError, StoppedError: see :class:`Attempt`.
        """
        {
            "inspect": self._inspect,
            "preview": self._preview,
            "render": self._render,
            "template": self._template,
        }[job.kind](job, attempt)

    def inputs(self, job: Job) -> dict[Path, tuple[str, str]]:
        """Field and user's name of every input file of a job that is still there, by path."""
        found = {}
        asked = [
            (field, job.request.get(field)) for field in ("upload", "target", "source", "audio")
        ]
        asked += [
            ("people", person.get(name))
            for person in job.request.get("people", [])
            for name in ("like", "source", "audio")
        ]
        for field, value in asked:
            for upload in [value] if isinstance(value, str) else value or []:
                try:
                    found[self._uploads.path(upload)] = (
                        field,
                        self._uploads.get(job.owner, upload).name,
                    )
                except UploadNotFoundError:
                    continue
        return found

    def entries(self, job: Job) -> tuple[str, ...]:
        """The entries of ``--person`` of a job."""
        return person_entries(job.request.get("people", []), self._uploads.path)

    def _options(self, job: Job, **more: Any) -> GenerateOptions:
        request = job.request
        values = {
            **request["options"],
            "target": self._target(job),
            "source": tuple(self._uploads.path(upload) for upload in request["source"]),
            "audio": None if request["audio"] is None else self._uploads.path(request["audio"]),
            "person": self.entries(job),
            "certificate": self._settings.certificate,
            "key": self._settings.key,
        }
        if job.consent is not None:
            # The option also takes the name of a file; with words in front no text of a user's can
            # be one.
            values["consent"] = f"Stated with the request: {job.consent['statement']}"
        return GenerateOptions(**values, **more)

    def _target(self, job: Job) -> Path:
        """The scene, or the template of it that was there when the job was submitted and still
        is.
        """
        if job.template is not None:
            template = Workspace(self._jobs, job.template).file(TEMPLATE)
            if template.exists():
                return template
        return self._uploads.path(job.request["target"])

    def _template(self, job: Job, attempt: Attempt) -> None:
        space = Workspace(self._jobs, job.id)
        folder = space.begin(job.token, VIDEO)
        self._maker(attempt).build_template(
            self._uploads.path(job.request["target"]), folder / TEMPLATE, face=job.request["face"]
        )
        self._claims.finish(
            job,
            {"bytes": (folder / TEMPLATE).stat().st_size},
            lambda: space.publish(job.token, [TEMPLATE]),
        )
        space.clear(job.token)

    def _inspect(self, job: Job, attempt: Attempt) -> None:
        space = Workspace(self._jobs, job.id)
        folder = space.begin(job.token, VIDEO)

        def show(view: View) -> None:
            write_image(folder / PICTURE, fitted(view.picture, VIEW_SIDE))
            attempt.check()
            space.file(PICTURE).unlink(missing_ok=True)
            space.publish(job.token, [PICTURE])
            self._claims.show(job, {"view": _view(view)})

        path = self._uploads.path(job.request["upload"])
        found = inspect_target(path, self._analyser, attempt, show)
        warnings = _photo_warnings(path, found, self._analyser)
        names = []
        for person in found.people:
            names.append(f"person-{person.number}.jpg")
            write_image(folder / names[-1], person.thumbnail)
        result = {**_inspected(found), "warnings": warnings}
        self._claims.finish(job, result, lambda: space.publish(job.token, names))
        space.clear(job.token)

    def _preview(self, job: Job, attempt: Attempt) -> None:
        space = Workspace(self._jobs, job.id)
        folder = space.begin(job.token, VIDEO)
        at = job.request.get("at")
        options = self._options(job, preview=folder / PREVIEW, **_texts(job, folder))
        frames, length = self._maker_here(attempt).preview(options, at)
        told = [write_frame(job.id, index, frame, folder) for index, frame in enumerate(frames)]
        names = [path.name for path in folder.glob("*.jpg")] + [PREVIEW]
        size = sum((folder / name).stat().st_size for name in names)
        self._claims.finish(
            job,
            {"bytes": size, "length": round(length, 3), "frames": told},
            lambda: space.publish(job.token, names),
        )
        space.clear(job.token)

    def _render(self, job: Job, attempt: Attempt) -> None:
        space = Workspace(self._jobs, job.id)
        kind = job.request.get("format", "mp4")  # jobs of earlier versions have none
        name = STILL if job.request["still"] else Path(VIDEO).with_suffix(f".{kind}").name
        if space.file(
            name
        ).exists():  # the last attempt died after publishing, before it could say so
            self._claims.finish(job, self._result(job, space.file(name), space.file(REPORT)))
            space.clear(job.token)
            return
        folder = space.begin(job.token, name)
        if not (
            folder / name
        ).exists():  # else the last attempt died after making it, before publishing
            options = self._options(
                job,
                output=folder / name,
                stats=folder / REPORT,
                resume=True,
                allow_long=True,
                **_texts(job, folder),
            )
            self._check_length(options)
            try:
                self._maker(attempt).generate(options)
            except OtherJobError:  # begun by another version of the program or with other weights
                shutil.rmtree(job_path(folder / name))
                self._maker(attempt).generate(options)
        write_poster(folder / name, folder / POSTER)
        result = self._result(job, folder / name, folder / REPORT)
        self._claims.finish(job, result, lambda: space.publish(job.token, [POSTER, REPORT, name]))
        space.clear(job.token)

    def _check_length(self, options: GenerateOptions) -> None:
        """Refuse a result above the server's limit. Headers may lie about the length; a plan has
        measured it.

        The maker plans once more, since it may be on another machine (`ClusterMaker`), to which no
        plan can be sent. For a clip of some seconds that costs a tenth of a second.
        """
        seconds, most = float(make_plan(options).seconds), self._settings.max_seconds
        if seconds > most:
            raise InputError(
                f"the result would be {seconds:.0f} seconds long",
                remedy=f"make at most {most} of it",
            )

    def _result(self, job: Job, output: Path, report: Path) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if report.exists():
            said = json.loads(report.read_text(encoding="utf-8"))
            names = {path: name for path, (_, name) in self.inputs(job).items()}
            quoted = {path: f"“{name}”" for path, name in names.items()}
            if said.get("output") is not None:  # where it was made, not where it is now
                quoted[Path(said.pop("output"))] = "the result"
            scene = self._uploads.path(job.request["target"])
            quoted.setdefault(self._target(job), quoted.get(scene, "the scene"))
            said["notes"] = [note_in_words(note, quoted) for note in said.get("notes", [])]
            for warning in said.get("photo_warnings", []):
                warning["photo"] = names.get(Path(warning["photo"]), "the photo")
            asked = job.request.get("people", [])
            for person, request in zip(said.get("people", []), asked, strict=True):
                person.pop("entry", None)  # it holds paths of the server
                like = Path() if "like" not in request else self._uploads.path(request["like"])
                known = request.get("name") or request.get("face")
                person["person"] = known or names.get(like, "by a photo")
        poster = output.with_name(POSTER).exists()
        return {**said, "file": output.name, "bytes": output.stat().st_size, "poster": poster}


def _texts(job: Job, folder: Path) -> dict[str, Path]:
    """The options with a job's subtitles and turns, as files in its folder."""
    found, turns = {}, job.request.get("turns")
    for option, name, text in (
        ("subtitles", SUBTITLES, job.request.get("subtitles")),
        ("turns", TURNS, turn_table(turns) if turns else None),
    ):
        if text is not None:
            found[option] = folder / name
            found[option].write_text(text, encoding="utf-8")
    return found


def _view(view: View) -> dict[str, Any]:
    height, width = view.picture.shape[:2]
    faces = [
        {
            "number": one.number,
            "oval": [[round(float(x), 4), round(float(y), 4)] for x, y in one.oval],
        }
        for one in view.outlines
    ]
    return {"width": width, "height": height, "frame": view.frame, "faces": faces}


def _photo_warnings(path: Path, found: Inspection, analyser: FaceAnalyser) -> list[dict[str, Any]]:
    """What makes a photo of one or more people a poor source, by its largest face; a region is
    left, top, width and height as shares of the picture.
    """
    if found.frames != 1 or found.view is None or not found.people:
        return []
    try:
        _, warnings = source_face(path, "largest", analyser)
    except InputError:  # a job with this source says so
        return []
    height, width = found.view.picture.shape[:2]
    told = []
    for warning in warnings:
        left, right = (min(max(x / width, 0.0), 1.0) for x in warning.region[::2])
        top, bottom = (min(max(y / height, 0.0), 1.0) for y in warning.region[1::2])
        told.append(
            {
                "code": warning.code,
                "message": f"{warning.message[0].upper()}{warning.message[1:]}.",
                "remedy": f"{warning.remedy[0].upper()}{warning.remedy[1:]}.",
                "region": [left, top, right - left, bottom - top],
            }
        )
    return told


def _inspected(found: Inspection) -> dict[str, Any]:
    people = [
        {
            "number": one.number,
            "frames": one.frames,
            "usable": one.usable,
            "first_frame": one.first_frame,
            "reasons": dict(Counter(one.reasons).most_common()),
            "track": [list(place) for place in one.track],
        }
        for one in found.people
    ]
    return {
        "frames": found.frames,
        "people": people,
        "left_to_right": left_to_right(found),
        "view": None if found.view is None else _view(found.view),
    }
