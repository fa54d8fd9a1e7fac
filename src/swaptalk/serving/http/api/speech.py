"""Words from text, by a voice of the server's machine."""

from __future__ import annotations

import time
from functools import lru_cache

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from swaptalk.errors import InputError
from swaptalk.serving.http.api.uploads import take_in, view_of
from swaptalk.serving.http.context import Context, Owner, Server
from swaptalk.serving.http.problems import ProblemError, documented, invalid
from swaptalk.serving.http.schemas import UploadView
from swaptalk.serving.user_messages import in_words, sentence
from swaptalk.storage.hashing import sha256_of
from swaptalk.voices.catalogue import LONGEST_TEXT, find_voice, installed_voices, speak
from swaptalk.voices.voice import SlowVoiceError, Voice

#: Seconds after which a client may try again while the voices are busy.
RETRY_SECONDS = 5
#: Seconds for which the list of voices is kept: to make it, programs are run.
LIST_SECONDS = 15
router = APIRouter(tags=["speech"])


class SpeechRequest(BaseModel):
    """Words to be spoken."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "Good morning!", "language": "en"}]},
    )

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    voice: str | None = Field(
        None, min_length=1, max_length=200, description="`id` of a voice; else by the language."
    )
    language: str = Field(
        "en",
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$",
        description="Such as en, en-US or de; if no voice is given.",
    )


class VoiceView(BaseModel):
    """A voice that is installed on the server's machine."""

    id: str
    name: str
    language: str
    engine: str
    terms: str = Field(description="What it may be used for, as far as its files say.")
    restricted: bool = Field(
        description="Its terms, or those of the voice it was made from, rule out some uses; such a "
        "voice is not taken for a language."
    )


class VoiceList(BaseModel):
    """The voices that are installed."""

    voices: list[VoiceView]


def known_voices() -> list[Voice]:
    """The voices that are installed, as of a few seconds ago."""
    return _voices_at(int(time.monotonic() // LIST_SECONDS))


@lru_cache(maxsize=1)
def _voices_at(period: int) -> list[Voice]:
    return installed_voices()


@router.get("/api/v1/voices", responses=documented(401))
def list_voices(owner: Owner) -> VoiceList:
    """The voices that text can be spoken with; none where no speech program is installed."""
    return VoiceList(voices=[VoiceView(**vars(voice)) for voice in known_voices()])


@router.post("/api/v1/speech", status_code=201, responses=documented(400, 401, 415, 422, 503, 507))
def create_speech(body: SpeechRequest, owner: Owner, server: Server) -> UploadView:
    """Have text spoken by a program on the server's machine; the result is an upload. While as many
    texts as it can manage are being spoken, and if it takes too long, the answer is 503.
    """
    server.check_room()
    if not server.speakers.acquire(blocking=False):
        raise _busy("Other texts are being spoken.", "Try again in a few seconds.")
    try:
        return _spoken(body, owner, server)
    finally:
        server.speakers.release()


def _busy(detail: str, remedy: str) -> ProblemError:
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return ProblemError(503, "voice-busy", "The voice is busy", detail, headers, remedy=remedy)


def _spoken(body: SpeechRequest, owner: str, server: Context) -> UploadView:
    part = server.data.uploads.part()
    field = "language" if body.voice is None else "voice"
    try:
        voice = find_voice(body.voice or body.language)
        field = "text"
        speak(body.text, voice, part)
        digest = sha256_of(part)
        upload, _ = take_in(
            server, owner, f"{' '.join(body.text.split())[:60].rstrip(' .')}.wav", part, digest
        )
    except SlowVoiceError as error:
        raise _busy(sentence(error.problem), sentence(error.remedy)) from None
    except InputError as error:
        raise invalid(
            field, sentence(in_words(error.problem)), remedy=sentence(error.remedy)
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return view_of(server, upload)
