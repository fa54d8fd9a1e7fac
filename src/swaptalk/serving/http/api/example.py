"""The demo's free inputs, to try the server with one click."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

from fastapi import APIRouter
from pydantic import BaseModel, Field

import swaptalk
from swaptalk.serving.http.api.uploads import take_in, view_of
from swaptalk.serving.http.context import Context, Owner, Server
from swaptalk.serving.http.problems import documented, not_found
from swaptalk.serving.http.schemas import UploadView
from swaptalk.storage.hashing import sha256_of

router = APIRouter(tags=["server"])
FILES = {"source": "source.jpg", "target": "target.mp4", "audio": "speech.opus"}
#: What the uploads are called.
NAMES = {
    "source": "Example person.jpg",
    "target": "Example scene.mp4",
    "audio": "Example words.opus",
}
CONSENT = (
    "The example of SwapTalk: the photo, the scene and the voice are the demo's free inputs, whose "
    "licences permit it."
)


class Example(BaseModel):
    """Three uploads that make a job, and the consent that goes with them."""

    source: UploadView
    target: UploadView
    audio: UploadView
    consent: str = Field(description="Whose files they are.")


def example_folder() -> Path | None:
    """Where the demo's inputs are: beside the sources, or where the package was installed with its
    data; None if they are not there.
    """
    for folder in (
        Path(swaptalk.__file__).parents[2] / "demo",
        Path(sysconfig.get_path("data")) / "share" / "swaptalk" / "demo",
    ):
        if all((folder / name).exists() for name in FILES.values()):
            return folder
    return None


@router.post("/api/v1/example", status_code=201, responses=documented(401, 404, 413, 507))
def create_example(owner: Owner, server: Server) -> Example:
    """Take the demo's free inputs as your uploads."""
    server.check_room()
    folder = example_folder()
    if folder is None:
        raise not_found("example on this server", "body")
    taken = {
        field: _taken(server, owner, folder / name, NAMES[field]) for field, name in FILES.items()
    }
    return Example(consent=CONSENT, **taken)


def _taken(server: Context, owner: str, path: Path, name: str) -> UploadView:
    part = server.data.uploads.part()
    shutil.copyfile(path, part)
    digest = sha256_of(part)
    upload, _ = take_in(server, owner, name, part, digest)
    return view_of(server, upload)
