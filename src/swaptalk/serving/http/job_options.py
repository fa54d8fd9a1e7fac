"""The options of a job as a pydantic model, made from those of the command line."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from swaptalk.pipeline.options import GenerateOptions

#: Options of a job that the server decides, or that have a field of their own. Options that name
#: files or addresses (``..._url``) are never offered either, whatever they are called.
SERVER_OPTIONS = frozenset(("resume", "allow_long", "person", "consent"))
#: Longest text option; the longest sensible one is a frame rate such as 30000/1001.
_OPTION_LENGTH = 32


def _names_files(kind: Any) -> bool:
    return kind is Path or any(_names_files(inner) for inner in get_args(kind))


def _docstrings(kind: type) -> dict[str, str]:
    """The texts below the fields of a dataclass and those it inherits from."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, text in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                found[statement.target.id] = str(text.value.value)
    return found


def _bounded(kind: Any) -> dict[str, Any]:
    """Limits that keep odd values away from what reads them."""
    members = get_args(kind) if get_origin(kind) is not Literal else ()
    if kind is str or str in members:
        return {"max_length": _OPTION_LENGTH}
    if kind is float or float in members:
        return {"allow_inf_nan": False}
    return {}


def _job_options() -> type[BaseModel]:
    """A model with the same options as the command line's, so that a new one is there without being
    named again.
    """
    hints, texts = get_type_hints(GenerateOptions), _docstrings(GenerateOptions)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(GenerateOptions):
        kind = hints[field.name]
        if (
            field.name not in SERVER_OPTIONS
            and not field.name.endswith("_url")
            and not _names_files(kind)
        ):
            fields[field.name] = (
                kind,
                Field(field.default, description=texts.get(field.name), **_bounded(kind)),
            )
    return create_model("JobOptions", __config__=ConfigDict(extra="forbid"), **fields)


if TYPE_CHECKING:
    JobOptions = BaseModel
else:
    JobOptions = _job_options()
