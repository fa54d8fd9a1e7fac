"""The options of a job with several people: of the whole, and of each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.pipeline.inputs import InputFile, InputFiles
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.people import Person, Turn, like_photo, read_turns


def turns_of(options: GenerateOptions) -> tuple[Turn, ...]:
    """The turns of a job; none without a table.

    Raises:
        InputError: the table is at fault.
    """
    return () if options.turns is None else read_turns(options.turns, options.people)


def recordings_of(options: GenerateOptions, files: InputFiles) -> tuple[InputFile, ...]:
    """All recordings that are spoken, each once."""
    named = [options.audio, *(person.audio for person in options.people)]
    return files.of(dict.fromkeys(path for path in named if path is not None))


def with_all_people(options: GenerateOptions, files: InputFiles) -> GenerateOptions:
    """The options as those of one person who has all photos, and says the longest recording: what
    concerns the job as a whole is decided with these.

    Raises:
        InputError: a photo or recording cannot be used; naming the entry.
    """
    people = options.people
    alike = like_photo(options.face)
    if alike is not None and not files[alike].is_photo:
        raise InputError("is no photo", path=alike, remedy="give --face like: a photo")
    for person in people:
        _check_files(person, files)
    if not people:
        return options
    photos = tuple(dict.fromkeys(photo for person in people for photo in person.source))
    recordings = recordings_of(options, files)
    longest = max(recordings, key=lambda file: file.samples, default=None)
    return replace(options, source=photos, audio=None if longest is None else longest.path)


def _check_files(person: Person, files: InputFiles) -> None:
    """Refuse a person's files that cannot be used."""
    alike = like_photo(person.face)
    try:
        for photo in (*(() if alike is None else (alike,)), *person.source):
            if not files[photo].is_photo:
                raise InputError(
                    "is no photo", path=photo, remedy="save a frame of the person as a photo"
                )
        if person.audio is not None:
            _ = files[person.audio].samples
    except InputError as error:
        raise person.error(f"{error.path}: {error.problem}", error.remedy) from error


def people_options(whole: GenerateOptions, asked: GenerateOptions) -> Iterator[GenerateOptions]:
    """The options of each person, as if there were no other.

    Args:
        whole: the options of the job as a whole.
        asked: as they were given.
    """
    for person in asked.people:
        yield replace(
            whole,
            person=(),
            turns=None,
            face=person.face,
            source=person.source,
            source_face=person.source_face,
            audio=person.audio if asked.turns is None else asked.audio,
            strength=whole.strength if person.strength is None else person.strength,
            shape=whole.shape if person.shape is None else person.shape,
        )


def other_paths(options: GenerateOptions) -> tuple[Path, ...]:
    """Files that decide the output besides target, photos, ``audio`` and subtitles."""
    people = options.people
    named = [like_photo(options.face), options.turns]
    named += [like_photo(person.face) for person in people]
    named += [path for person in people for path in (*person.source, person.audio)]
    return tuple(dict.fromkeys(path for path in named if path is not None))


def other_files(options: GenerateOptions, files: InputFiles) -> tuple[InputFile, ...]:
    """The same as input files."""
    return files.of(other_paths(options))
