"""What is known to fail of several people is refused before it waits in the queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swaptalk.errors import InputError
from swaptalk.pipeline.people import Person, Turn, ordered_turns
from swaptalk.serving.http.problems import ProblemError, invalid
from swaptalk.serving.http.results import InspectResult
from swaptalk.serving.http.schemas import JobRequest, PersonRequest
from swaptalk.serving.store.uploads import Upload
from swaptalk.serving.user_messages import sentence

#: How the uploads of people are called among a job's inputs.
PERSON = "person"


def find_people(
    people: Sequence[PersonRequest],
    photo: Callable[[str, str], Upload],
    recording: Callable[[str, str], Upload],
) -> list[tuple[str, Upload]]:
    """Uploads of all people.

    Args:
        people: of the request.
        photo, recording: find an upload of that kind, given its name and the field.

    Raises:
        ProblemError: 404 or 422 that names the field.
    """
    found = []
    for number, person in enumerate(people):
        place = f"people.{number}"
        if (person.face is None) == (person.like is None):
            raise invalid(
                f"{place}.face", "It must say whose face.", remedy="Give either face or like."
            )
        if person.like is not None:
            found.append((PERSON, photo(person.like, f"{place}.like")))
        for index, asked in enumerate(person.source):
            found.append((PERSON, photo(asked, f"{place}.source.{index}")))
        if person.audio is not None:
            found.append((PERSON, recording(person.audio, f"{place}.audio")))
    return found


def check_turns(body: JobRequest, seconds: float | None) -> None:
    """Refuse turns that overlap, name nobody, or begin after the recording.

    Args:
        body: the request.
        seconds: length of the recording.

    Raises:
        ProblemError: 422 that names the turn.
    """
    people = [Person(str(one.face or one.like), name=one.name) for one in body.people]
    placed = [
        (f"turns.{number}", Turn(one.start, one.end, one.person))
        for number, one in enumerate(body.turns)
    ]
    try:
        ordered_turns(placed, people)
    except InputError as error:
        place, _, problem = error.problem.partition(": ")
        raise invalid(
            place, sentence(problem), remedy=sentence(error.remedy.partition(", as the")[0])
        ) from None
    for place, turn in placed:
        if seconds is not None and turn.start >= seconds:
            raise invalid(
                f"{place}.start", f"The recording ends after {seconds:g} seconds.", limit=seconds
            )


def check_faces(
    body: JobRequest, target: Upload, inspected: Callable[[str], InspectResult | None]
) -> None:
    """Refuse people and photos without a face, as far as the uploads have been looked at.

    Args:
        body: the request.
        target: the scene.
        inspected: what was found in an upload; None before it has been looked at.

    Raises:
        ProblemError: 422 that names the field.
    """
    scene = inspected(target.id)
    for number, person in enumerate(body.people):
        place = f"people.{number}"
        if scene is not None and person.face is not None and person.face.isdecimal():
            usable = {one.number: one.usable for one in scene.people}
            if int(person.face) not in usable:
                raise _nobody(f"{place}.face", int(person.face), target, list(usable))
            if not usable[int(person.face)]:
                raise invalid(f"{place}.face", "This person's face can be changed nowhere.")
        photos = [] if person.like is None else [(f"{place}.like", person.like)]
        photos += [(f"{place}.source.{index}", one) for index, one in enumerate(person.source)]
        for field, photo in photos:
            found = inspected(photo)
            if found is not None and not any(one.usable for one in found.people):
                raise invalid(
                    field,
                    "No face that can be used was found in it.",
                    remedy="Take one that shows a face from the front, larger and in better light.",
                )


def _nobody(field: str, number: int, target: Upload, known: list[int]) -> ProblemError:
    return invalid(
        field,
        f"There is no person {number} in “{target.name}”.",
        limit=max(known, default=None),
        remedy=f"Give one of {', '.join(map(str, known))}." if known else None,
    )
