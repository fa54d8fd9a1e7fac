"""What is known to fail is refused before it waits in the queue: inputs, people, options."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from swaptalk.errors import InputError
from swaptalk.media.output_format import output_format
from swaptalk.media.subtitles import parse_subtitles
from swaptalk.pipeline.option_values import output_size, parse_fps, view_size
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.output_form import check_form
from swaptalk.pipeline.people import LIKE
from swaptalk.pipeline.target import PHOTO_FPS
from swaptalk.provenance.label import VisibleLabel
from swaptalk.provenance.policy import load_policy
from swaptalk.serving.http.api.people_checks import PERSON, check_faces, check_turns, find_people
from swaptalk.serving.http.api.uploads import find_upload
from swaptalk.serving.http.context import Context
from swaptalk.serving.http.problems import ProblemError, invalid
from swaptalk.serving.http.results import InspectResult
from swaptalk.serving.http.schemas import JobRequest
from swaptalk.serving.people import person_entries
from swaptalk.serving.store.uploads import Upload
from swaptalk.serving.user_messages import field_of, sentence

_NO_FACE = "No face that can be changed was found in it."
_FACE_REMEDY = "Take one that shows a face from the front, larger and in better light."


def find_inputs(body: JobRequest, owner: str, server: Context) -> list[tuple[str, Upload]]:
    """Field and upload of every input, the target first.

    Raises:
        ProblemError: one is not there, or is of the wrong kind.
    """
    target = find_upload(server, owner, body.target, "target")
    if target.kind == "audio":
        raise invalid("target", "The scene must be a video or a photo; this file holds only sound.")
    found = [("target", target)]
    for index, source in enumerate(body.source):
        found.append(("source", _photo(server, owner, source, f"source.{index}")))
    if body.audio is not None:
        found.append(("audio", _recording(server, owner, body.audio, "audio")))
    found += find_people(
        body.people,
        lambda upload, field: _photo(server, owner, upload, field),
        lambda upload, field: _recording(server, owner, upload, field),
    )
    return found


def _photo(server: Context, owner: str, upload: str, field: str) -> Upload:
    photo = find_upload(server, owner, upload, field)
    if photo.kind != "photo":
        raise invalid(
            field,
            "The person must be given as a photo.",
            remedy="Save a frame of the video as a picture and send that.",
        )
    return photo


def _recording(server: Context, owner: str, upload: str, field: str) -> Upload:
    audio = find_upload(server, owner, upload, field)
    if audio.kind == "photo" or not audio.media.get("sound"):
        raise invalid(field, "There is no sound in this file.")
    return audio


def check_job(
    body: JobRequest, options: dict[str, Any], uploads: list[tuple[str, Upload]], server: Context
) -> None:
    """Refuse what the pipeline would refuse.

    Raises:
        ProblemError: 422 that names the field.
    """
    target = uploads[0][1]
    _check_options(body, options, target, server)
    _check_subtitles(body, options)
    form = output_format(Path(f"output.{body.format}"))
    seconds = [upload.media["seconds"] for _, upload in uploads if upload.media.get("seconds")]
    if form.longest is not None and seconds and min(seconds) > form.longest:
        raise invalid(
            "format",
            f"A {form.name} lasts at most {form.longest:g} seconds.",
            limit=form.longest,
            remedy="Choose MP4 or WebM.",
        )
    if options.get("background", "none") != "none" and not target.media.get("sound"):
        raise invalid(
            "options.background", "The scene has no sound.", remedy="Leave this choice out."
        )
    _check_times(body, options, uploads)
    spoken = [upload.media.get("seconds") for field, upload in uploads if field == "audio"]
    check_turns(body, next(iter(spoken), None))
    _check_people(options, uploads, server)
    check_faces(body, target, lambda upload: _inspected(server, target.owner, upload))


def _check_options(
    body: JobRequest, options: dict[str, Any], target: Upload, server: Context
) -> None:
    audio = None if body.audio is None else Path("audio")
    if str(options.get("face", "")).startswith(LIKE):
        raise invalid(
            "options.face", "A photo is no option.", remedy="Send it as `like` of one of `people`."
        )
    people = [person.model_dump() for person in body.people]
    entries = person_entries(people, Path)
    output = Path(f"output.{body.format}")
    try:
        chosen = GenerateOptions(
            target=Path("target"),
            source=tuple(Path("source") for _ in body.source),
            audio=audio,
            output=output,
            person=entries,
            turns=Path("turns") if body.turns else None,
            subtitles=None if body.subtitles is None else Path("subtitles"),
            certificate=server.settings.certificate,
            **options,
        )
        chosen.check_values()
        width, height = output_size(
            chosen.resolution, target.media["width"], target.media["height"]
        )
        shown = view_size(chosen.crop, width, height)
        if target.kind == "video" or chosen.speaks:
            own = Fraction(target.media.get("fps") or PHOTO_FPS)
            check_form(chosen, output, Fraction(0), parse_fps(chosen.fps) or own)
        if chosen.label:
            VisibleLabel(chosen.label_text, *shown)
        elif load_policy().require_label:
            raise InputError("--label is missing, which this server demands", remedy="set it")
    except InputError as error:
        raise _option_problem(error, body, entries) from None
    if width * height > server.settings.max_pixels:
        raise invalid(
            "options.resolution",
            f"At most {server.settings.max_pixels} pixels are allowed.",
            limit=server.settings.max_pixels,
        )


def _option_problem(error: InputError, body: JobRequest, entries: Sequence[str]) -> ProblemError:
    """What the command line says of its options, said of the request's fields."""

    def said(text: str) -> str:
        return sentence(text.replace("--person", "people").replace("--", ""))

    for number, entry in reversed(list(enumerate(entries))):
        if f'"{entry}"' in error.problem:
            problem = error.problem.partition(f'"{entry}": ')[2]
            return invalid(f"people.{number}", said(problem), remedy=said(error.remedy))
    name = field_of(error.problem) or field_of(error.remedy)
    if name in ("source", "audio") and not body.people:
        return invalid(
            name, "Give a person (source) or words (audio): without both nothing would change."
        )
    own = {"person": "people", "certificate": "format"}
    own |= {one: one for one in ("source", "audio", "turns", "subtitles")}
    field = own.get(str(name), f"options.{name}" if name else "options")
    return invalid(field, said(error.problem), remedy=said(error.remedy))


def _check_subtitles(body: JobRequest, options: dict[str, Any]) -> None:
    if options.get("subtitles_as") == "beside":
        raise invalid(
            "options.subtitles_as",
            "The result is one file.",
            remedy="Choose track or burn; you have the subtitles already.",
        )
    if body.subtitles is None:
        return
    try:
        parse_subtitles(body.subtitles)
    except InputError as error:
        raise invalid("subtitles", sentence(error.problem), remedy=sentence(error.remedy)) from None


def _check_times(
    body: JobRequest, options: dict[str, Any], uploads: list[tuple[str, Upload]]
) -> None:
    """Times inside the scene and, for a preview, inside the result."""
    target, start, end = uploads[0][1], options.get("start", 0.0), options.get("end")
    if target.kind == "photo":
        for name in ("start", "end"):
            if options.get(name):
                raise invalid(f"options.{name}", "A photo has no times.", remedy="Leave it out.")
    else:
        seconds = target.media["seconds"]
        if start >= seconds:
            raise invalid(
                "options.start",
                f"The scene ends after {seconds:g} seconds.",
                limit=seconds,
                remedy="Begin earlier.",
            )
        if target.media.get("truncated") and (end is None or end > seconds):
            raise invalid(
                "options.end",
                f"The scene's file breaks off after {seconds:.1f} seconds.",
                limit=seconds,
                remedy=f"Send it again, or use what is there: end at {int(seconds * 10) / 10:g}.",
            )
    if body.at is None:
        return
    if body.kind != "preview":
        raise invalid("at", "Only a preview is of one moment.", remedy="Leave it out.")
    lengths = [upload.media["seconds"] for _, upload in uploads if upload.media.get("seconds")]
    if lengths and body.at >= max(lengths):
        raise invalid("at", f"The result ends after {max(lengths):g} seconds.", limit=max(lengths))


def _check_people(
    options: dict[str, Any], uploads: list[tuple[str, Upload]], server: Context
) -> None:
    """People that are not there, as far as the uploads have been looked at."""
    position = -1
    for field, upload in uploads:
        if field in ("audio", PERSON):
            continue
        position += field == "source"
        found = _inspected(server, upload.owner, upload.id)
        if found is None:
            continue
        name = "target" if field == "target" else f"source.{position}"
        if not any(person.usable for person in found.people):
            raise invalid(name, _NO_FACE, remedy=_FACE_REMEDY)
        option = "face" if field == "target" else "source_face"
        wanted = options.get(option)
        if wanted is None or not wanted.isdecimal():
            continue
        usable = {person.number: person.usable for person in found.people}
        known = usable if field == "target" else range(1, len(found.left_to_right) + 1)
        if int(wanted) not in known:
            numbers = ", ".join(map(str, known))
            raise invalid(
                f"options.{option}",
                f"There is no person {int(wanted)} in “{upload.name}”.",
                limit=max(known),
                remedy=f"Give one of {numbers}." if len(known) > 1 else "Leave it out.",
            )
        if field == "target" and not usable[int(wanted)]:
            raise invalid(f"options.{option}", "This person's face can be changed nowhere.")


def _inspected(server: Context, owner: str, upload: str) -> InspectResult | None:
    job = server.data.store.for_upload(owner, upload, "inspect")
    if job is None or job.state != "done":
        return None
    return InspectResult.model_validate(job.result)
