"""The ``swaptalk`` command: find the verb, read its options, run it, print errors as one line.

A verb's module is imported only when the verb is called: ``swaptalk --help`` answers at once, and
a verb may need an extra that is not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from swaptalk.errors import InputError, SwapTalkError

DEBUG_VARIABLE = "SWAPTALK_DEBUG"
#: NumPy's products of matrices are small here. In two threads they are no faster on an idle machine
#: and up to thirty times slower on a busy one, where the threads wait for each other.
ONE_BLAS_THREAD = ("OPENBLAS_NUM_THREADS", "1")

EXIT_OK, EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True)
class Verb:
    """One verb: ``module`` holds a dataclass ``options`` (or a union of them) and a function
    ``run(options) -> int``.

    ``extra`` names the optional dependencies that the module needs, as in ``pip install
    'swaptalk[extra]'``. A verb whose options depend on its first argument names a function
    ``parse(arguments) -> options`` instead of ``options``.
    """

    name: str
    summary: str
    module: str
    options: str = "Options"
    run: str = "run"
    extra: str | None = None
    parse: str | None = None


VERBS: tuple[Verb, ...] = (
    Verb(
        name="generate",
        summary="make a talking video: the photo's face, the video's scene, the recording's words",
        module="swaptalk.cli.generate",
        options="GenerateCommand",
        run="run_generate",
    ),
    Verb(
        name="swap",
        summary="change only the face; the video keeps its own speech",
        module="swaptalk.cli.generate",
        options="SwapCommand",
        run="run_swap",
    ),
    Verb(
        name="sync",
        summary="change only the words; the video keeps its own face",
        module="swaptalk.cli.generate",
        options="SyncCommand",
        run="run_sync",
    ),
    Verb(
        "verify",
        "show the marks of files, whether they hold, and who signed",
        "swaptalk.cli.verify",
    ),
    Verb("consent", "sign a person's agreement into a photo", "swaptalk.cli.consent"),
    Verb(
        "template",
        "analyse a video once for many jobs; show what a template holds",
        "swaptalk.cli.template",
    ),
    Verb(
        name="serve",
        summary="start the web page and the HTTP API on this machine",
        module="swaptalk.cli.serve",
        extra="serve",
    ),
    Verb(
        "keys", "add, list and remove the API keys of a server", "swaptalk.cli.keys", extra="serve"
    ),
    Verb(
        "voices",
        "list the voices that speak text, and what they may be used for",
        "swaptalk.cli.voices",
    ),
    Verb("batch", "render a table of jobs, here or on a cluster", "swaptalk.cli.batch"),
    Verb(
        name="evaluate",
        summary="measure quality on your footage and write a report",
        module="swaptalk.cli.evaluate",
        extra="eval",
    ),
    Verb(
        name="prepare",
        summary="turn videos and photos into a dataset for training",
        module="swaptalk.cli.prepare",
        extra="train",
    ),
    Verb(
        name="train",
        summary="train one of the networks",
        module="swaptalk.cli.train",
        extra="train",
        parse="parse",
    ),
    Verb(
        name="export",
        summary="turn trained runs into a bundle for generate, swap and sync",
        module="swaptalk.cli.export",
        extra="train",
    ),
    Verb(
        name="calibrate",
        summary="measure the ranges that a bundle needs to be computed in int8",
        module="swaptalk.cli.calibrate",
        extra="train",
    ),
    Verb("models", "list, fetch and find the third-party model files", "swaptalk.cli.models"),
    Verb(
        "licences",
        "show the terms of all code, weights, model files and training data",
        "swaptalk.cli.licences",
    ),
)


def available(verbs: Sequence[Verb] = VERBS) -> list[Verb]:
    """Return the verbs whose modules are part of this installation."""
    return [verb for verb in verbs if importlib.util.find_spec(verb.module) is not None]


def version() -> str:
    """Return the version of the installed package, or ``unknown`` in a bare source tree."""
    from importlib import metadata

    try:
        return metadata.version("swaptalk")
    except metadata.PackageNotFoundError:
        return "unknown"


def usage(verbs: Sequence[Verb]) -> str:
    """Return the text of ``swaptalk --help``."""
    width = max(len(verb.name) for verb in verbs)
    lines = "\n".join(f"  {verb.name:<{width}}  {verb.summary}" for verb in verbs)
    return (
        "usage: swaptalk VERB [options]\n\n"
        "One photo, one video, one recording in; that person, in that scene, saying those words "
        "out.\n\n"
        f"verbs:\n{lines}\n\n"
        "options:\n"
        "  -h, --help   show this text; 'swaptalk VERB --help' shows the options of a verb\n"
        "  --version    show the version\n\n"
        "exit codes: 0 done, 1 failed, 2 wrong input or options, 130 interrupted. "
        f"{DEBUG_VARIABLE}=1 shows tracebacks."
    )


def main(arguments: Sequence[str] | None = None, verbs: Sequence[Verb] = VERBS) -> int:
    """Run the command line and return its exit code; user errors never raise."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault(*ONE_BLAS_THREAD)
    try:
        return _dispatch(argv, available(verbs))
    except SystemExit as leaving:  # tyro has shown help, or said what is wrong with the options
        return (
            leaving.code
            if isinstance(leaving.code, int)
            else EXIT_OK
            if leaving.code is None
            else EXIT_USAGE
        )
    except KeyboardInterrupt:
        _reraise_when_debugging()
        print("swaptalk: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (`| head`): point stdout elsewhere so that closing it
        # says nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except SwapTalkError as error:
        _reraise_when_debugging()
        print(f"swaptalk: error: {error}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, InputError) else EXIT_FAILURE
    except OSError as error:  # disk full, no permission, and what else the system refuses
        _reraise_when_debugging()
        subject = f"{error.filename}: " if error.filename is not None else ""
        print(f"swaptalk: error: {subject}{error.strerror or error}", file=sys.stderr)
        return EXIT_FAILURE
    except Exception as error:
        _reraise_when_debugging()
        said = " ".join(f"{type(error).__name__}: {error}".split())
        print(
            f"swaptalk: internal error: {said}; set {DEBUG_VARIABLE}=1 for the traceback and "
            "report it",
            file=sys.stderr,
        )
        return EXIT_FAILURE


def _reraise_when_debugging() -> None:
    if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        raise  # noqa: PLE0704 - called from an except block only


def _dispatch(argv: list[str], verbs: Sequence[Verb]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage(verbs), file=sys.stdout if argv else sys.stderr)
        return EXIT_OK if argv else EXIT_USAGE
    if argv[0] in ("--version", "-V"):
        print(f"swaptalk {version()}")
        return EXIT_OK
    verb = next((verb for verb in verbs if verb.name == argv[0]), None)
    if verb is None:
        import difflib

        near = difflib.get_close_matches(argv[0], [verb.name for verb in verbs], n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(f"unknown verb '{argv[0]}'", remedy=f"{hint}'swaptalk --help' lists them")
    options, run = _load(verb)
    if verb.parse is not None:
        return run(options(argv[1:]))
    import tyro

    chosen = tyro.cli(
        options,
        prog=f"swaptalk {verb.name}",
        description=f"{verb.summary[0].upper()}{verb.summary[1:]}.",
        args=argv[1:],
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone),
    )
    return run(chosen)


def _load(verb: Verb) -> tuple[Any, Callable[[Any], int]]:
    try:
        module = importlib.import_module(verb.module)
    except ModuleNotFoundError as error:
        if verb.extra is None or (error.name or "").split(".")[0] == "swaptalk":
            raise
        raise SwapTalkError(
            f"'swaptalk {verb.name}' needs the package {error.name}, which is not installed",
            remedy=f"pip install 'swaptalk[{verb.extra}]'",
        ) from error
    return getattr(module, verb.parse or verb.options), getattr(module, verb.run)


if __name__ == "__main__":
    raise SystemExit(main())
