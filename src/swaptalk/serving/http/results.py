"""What jobs of each kind give, as pydantic models."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from swaptalk.serving.store.job import Job, Kind

Share = float


class FaceView(BaseModel):
    """A face in the picture of an inspection."""

    number: int = Field(description="The person's number.")
    oval: list[tuple[Share, Share]] = Field(
        description="Outline, as shares of the picture's width and height."
    )


class PictureView(BaseModel):
    """The picture that shows most of the people found."""

    width: int
    height: int
    frame: int = Field(description="Where in the file it is.")
    faces: list[FaceView]


class PersonView(BaseModel):
    """One person that was found."""

    number: int = Field(description="What the option `face` takes for a scene.")
    frames: int = Field(description="Frames in which the person is seen.")
    usable: int = Field(description="Those of them in which the face can be changed.")
    first_frame: int
    reasons: dict[str, int] = Field(description="Why it cannot be, with the number of frames.")
    track: list[tuple[float, Share, Share, Share]] = Field(
        default=[],
        description="Where the face is: seconds, x and y of its middle, height, the latter three"
        " as shares of the picture.",
    )


class PhotoWarning(BaseModel):
    """Why a photo will not give a good result."""

    code: str = Field(description="The same for the same cause.")
    message: str
    remedy: str
    region: tuple[Share, Share, Share, Share] | None = Field(
        None, description="Left, top, width, height of what is at fault, as shares of the picture."
    )


class InspectResult(BaseModel):
    """Who is seen in an upload. While it is being looked at there may be only a `view`."""

    frames: int | None = None
    people: list[PersonView] = []
    left_to_right: list[int] = Field(
        default=[], description="Numbers of a photo's people as `source_face` counts them."
    )
    view: PictureView | None = None
    warnings: list[PhotoWarning] = []


class PreviewFrame(BaseModel):
    """One frame of a preview; pictures are JPEG files under their paths."""

    time: float = Field(description="Seconds from the beginning of the result.")
    before: str
    after: str
    face: tuple[int, int, int, int] | None = Field(
        description="Square around the face in pixels: left, top, right, bottom."
    )
    face_before: str | None = Field(description="Close-up of the face in the scene.")
    face_after: str | None = Field(description="Close-up of the face in the result.")


class PreviewResult(BaseModel):
    """A few frames, before and after."""

    bytes: int
    length: float = Field(description="Seconds that the whole result will last.")
    frames: list[PreviewFrame]


class UsedPhotoWarning(BaseModel):
    """Why a photo that was used may have spoilt the result."""

    photo: str = Field(description="The photo's name.")
    code: str = Field(description="The same for the same cause.")
    message: str
    remedy: str
    region: tuple[float, float, float, float] = Field(
        description="Left, top, right, bottom of what is at fault, in pixels of the photo."
    )


_RENDER_EXAMPLE: dict[str, Any] = {
    "file": "output.mp4",
    "bytes": 1_482_310,
    "frames": 150,
    "duration": 6.0,
    "frame_rate": "25",
    "width": 1280,
    "height": 720,
    "changed": 147,
    "passed_through": {"no face": 3},
    "watermark": "5f0c3a9b11d2e874",
    "poster": True,
    "notes": ["“Scene.mov”: HDR (PQ) is tone-mapped to SDR (BT.709)."],
    "photo_warnings": [],
    "stages": {"find faces": 1.4, "generate": 21.9},
}


class ChangedPerson(BaseModel):
    """What became of one of several people."""

    person: str = Field(description="Their name or face, or the photo that they were found by.")
    changed: int = Field(description="Frames in which the face was changed.")
    passed_through: dict[str, int] = Field(description="Why other frames were left as they were.")


class RenderResult(BaseModel):
    """A finished video (or picture)."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_RENDER_EXAMPLE]})

    file: str
    bytes: int
    frames: int | None = None
    duration: float | None = Field(None, description="Seconds.")
    frame_rate: str | None = None
    width: int | None = None
    height: int | None = None
    changed: int | None = Field(None, description="Frames in which the face was changed.")
    passed_through: dict[str, int] = Field(
        default={}, description="Why frames were left as they were, with their number."
    )
    watermark: str | None = Field(None, description="Identifier in the invisible watermark.")
    poster: bool = False
    notes: list[str] = Field(
        default=[],
        description="What was done to the inputs without being asked for, a sentence each.",
    )
    photo_warnings: list[UsedPhotoWarning] = []
    people: list[ChangedPerson] = Field(default=[], description="Of several people, each.")
    stages: dict[str, float] = Field(default={}, description="Seconds of each stage.")


class TemplateResult(BaseModel):
    """A scene that was analysed for later."""

    bytes: int


Result = InspectResult | PreviewResult | RenderResult | TemplateResult
_RESULTS: dict[Kind, type[BaseModel]] = {
    "inspect": InspectResult,
    "preview": PreviewResult,
    "render": RenderResult,
    "template": TemplateResult,
}


def result_of(job: Job) -> Any:
    """The result of a job as its model; None as long as there is none."""
    return None if job.result is None else _RESULTS[job.kind].model_validate(job.result)
