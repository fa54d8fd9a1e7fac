"""Options of live frames: one person, chunks of sound instead of a recording, and no file."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

from swaptalk.errors import InputError
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.people_plan import people_options

#: Options that concern a file, which live frames are not.
_OF_FILES = (
    "output",
    "list_faces",
    "preview",
    "quality",
    "codec",
    "thumbnail",
    "subtitles",
    "subtitles_as",
    "keep_tracks",
    "stats",
    "resume",
    "allow_long",
)
#: Options that concern the sound, which the caller has.
_OF_SOUND = ("background", "background_gain", "duck_gain", "loudness")
#: Options that need the whole recording before the first frame.
_OF_RECORDINGS = ("length", "turns", "lips")


def live_options(options: GenerateOptions) -> GenerateOptions:
    """Check the options of live frames; a single entry of ``person`` becomes ``face``, ``source``
    and so on.

    Raises:
        InputError: one cannot be followed live, naming it and what to do instead.
    """
    if options.audio is not None:
        raise InputError(
            "is given where chunks of sound are expected",
            path=options.audio,
            remedy="leave out audio, or use generate",
        )
    for names, problem, remedy in (
        (_OF_FILES, "live frames are no file", "leave it out, or use generate"),
        (_OF_SOUND, "live frames have no sound", "mix the sound where the frames are shown"),
        (_OF_RECORDINGS, "live speech has no end yet", "leave it out, or use generate"),
    ):
        for field in dataclasses.fields(options):
            if field.name in names and getattr(options, field.name) != field.default:
                option = f"--{field.name.replace('_', '-')}"
                raise InputError(f"{option} is given, but {problem}", remedy=remedy)
    return _of_one_person(options)


def _of_one_person(options: GenerateOptions) -> GenerateOptions:
    """The options with the only entry of ``person`` put into those of a job with one person."""
    people = options.people
    if not people:
        return options
    if len(people) > 1:
        raise InputError(
            f"{len(people)} entries of --person for live frames, which have one person",
            remedy="give one entry, or render several people with generate",
        )
    for name in ("face", "source", "source_face"):
        if getattr(options, name):
            raise InputError(
                f"--{name.replace('_', '-')} beside --person",
                remedy="put it into the entry of the person",
            )
    if people[0].audio is not None:
        raise people[0].error(
            "has a recording where chunks of sound are expected",
            "leave out its audio=, or use generate",
        )
    return replace(next(people_options(options, options)), audio=None)
