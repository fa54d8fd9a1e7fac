"""One photo, one video, one recording in; that person, in that scene, saying those words out.

What is listed in ``__all__`` is the public interface, beside `swaptalk.client`, a client of the
HTTP API; nothing else is promised to stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swaptalk.errors import InputError, SwapTalkError
    from swaptalk.media.audio import read_audio, stream_audio
    from swaptalk.media.image import read_image, write_image
    from swaptalk.media.video_reader import VideoReader
    from swaptalk.media.video_writer import VideoWriter
    from swaptalk.pipeline.analysis.found_faces import FoundFace
    from swaptalk.pipeline.api import SwapTalk
    from swaptalk.pipeline.options import EngineOptions, GenerateOptions
    from swaptalk.pipeline.progress import Progress
    from swaptalk.pipeline.render.preview import PreviewFrame
    from swaptalk.pipeline.report import Report
    from swaptalk.pipeline.template.template import Template
    from swaptalk.provenance.signing import SigningIdentity
    from swaptalk.provenance.verify import verify

    __version__: str

__all__ = [
    "EngineOptions",
    "FoundFace",
    "GenerateOptions",
    "InputError",
    "PreviewFrame",
    "Progress",
    "Report",
    "SigningIdentity",
    "SwapTalk",
    "SwapTalkError",
    "Template",
    "VideoReader",
    "VideoWriter",
    "__version__",
    "read_audio",
    "read_image",
    "stream_audio",
    "verify",
    "write_image",
]

_HOMES = {
    "EngineOptions": "pipeline.options",
    "FoundFace": "pipeline.analysis.found_faces",
    "GenerateOptions": "pipeline.options",
    "InputError": "errors",
    "PreviewFrame": "pipeline.render.preview",
    "Progress": "pipeline.progress",
    "Report": "pipeline.report",
    "SigningIdentity": "provenance.signing",
    "SwapTalk": "pipeline.api",
    "SwapTalkError": "errors",
    "Template": "pipeline.template.template",
    "VideoReader": "media.video_reader",
    "VideoWriter": "media.video_writer",
    "read_audio": "media.audio",
    "read_image": "media.image",
    "stream_audio": "media.audio",
    "verify": "provenance.verify",
    "write_image": "media.image",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that ``import swaptalk`` alone costs nothing."""
    import importlib

    if name == "__version__":
        return importlib.import_module(f"{__name__}.pipeline.job").version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
