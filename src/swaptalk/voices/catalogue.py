"""All voices of this machine, and the choice among them."""

from __future__ import annotations

from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.voices.espeak import Espeak
from swaptalk.voices.piper import Piper
from swaptalk.voices.plugin import Plugin
from swaptalk.voices.voice import Engine, Voice

#: The engines, those preferred first where only a language is given.
ENGINES: tuple[Engine, ...] = (Plugin(), Piper(), Espeak())
#: Longest text in characters: about two minutes of speech.
LONGEST_TEXT = 2000


def installed_voices() -> list[Voice]:
    """Every voice of every engine; last those whose terms rule out some uses, so that none of them
    is taken unless it is asked for by name.
    """
    voices = [voice for engine in ENGINES for voice in engine.voices()]
    return sorted(voices, key=lambda voice: voice.restricted)


def find_voice(wanted: str) -> Voice:
    """The voice with this id or name, or the first that speaks this language.

    Args:
        wanted: ``piper:en_US-ljspeech-medium``, ``en_US-ljspeech-medium``, ``en`` or ``en-US``;
            ``en`` also takes a voice for ``en-GB``.

    Raises:
        InputError: no such voice is installed.
    """
    voices = installed_voices()
    word = wanted.strip().lower().replace("_", "-")
    tests = (
        lambda voice: voice.id == wanted.strip(),
        lambda voice: (
            word in (voice.id.lower().replace("_", "-").partition(":")[2], voice.name.lower())
        ),
        lambda voice: voice.language.lower() == word,
        lambda voice: voice.language.lower().partition("-")[0] == word,
    )
    for test in tests:
        for voice in voices:
            if test(voice):
                return voice
    if not voices:
        raise InputError(
            "no speech program is installed",
            remedy="record the words, or install espeak-ng, or 'swaptalk[voices]' and a voice "
            "(swaptalk voices --install)",
        )
    raise InputError(
        f"no installed voice is called '{wanted[:60]}' or speaks it",
        remedy="choose one that 'swaptalk voices' lists",
    )


def speak(text: str, voice: Voice, output: Path) -> None:
    """Write a WAV file in which the text is spoken.

    Args:
        text: at most :data:`LONGEST_TEXT` characters, not blank.
        voice: of :func:`find_voice`.
        output: the file; whatever its name it becomes a WAV file.

    Raises:
        InputError: the text is blank or too long, or the engine could not speak it.
    """
    if not text.strip():
        raise InputError("the text is empty", remedy="write what is to be said")
    if len(text) > LONGEST_TEXT:
        raise InputError(
            f"the text has {len(text)} characters",
            remedy=f"give at most {LONGEST_TEXT}, or record the words",
        )
    engine = next(one for one in ENGINES if voice.id in {known.id for known in one.voices()})
    engine.speak(text, voice, output)
