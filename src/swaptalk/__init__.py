"""One photo, one video, one recording in; that person, in that scene, saying those words out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swaptalk.errors import InputError, SwapTalkError
    from swaptalk.pipeline.api import SwapTalk
    from swaptalk.pipeline.options import GenerateOptions

__all__ = ["GenerateOptions", "InputError", "SwapTalk", "SwapTalkError"]

_HOMES = {
    "SwapTalk": "pipeline.api",
    "GenerateOptions": "pipeline.options",
    "InputError": "errors",
    "SwapTalkError": "errors",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that ``import swaptalk`` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
