from __future__ import annotations

import ast
import itertools
import os
import re
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

import swaptalk
from swaptalk.cli.main import VERBS, Verb, available, main
from swaptalk.errors import InputError, SwapTalkError


@dataclass(frozen=True)
class Options:
    """What to raise."""

    failure: str = ""
    """Name of the failure."""


def run(options: Options) -> int:
    failures: dict[str, BaseException] = {
        "input": InputError("no face", path="photo.jpg", remedy="give a photo\nwith a face"),
        "failed": SwapTalkError("cannot be written", path=Path("out.mp4"), remedy="make room"),
        "interrupted": KeyboardInterrupt(),
        "full": OSError(28, "No space left on device", "out.mp4"),
        "bug": ZeroDivisionError("line one\nline two"),
    }
    if options.failure in failures:
        raise failures[options.failure]
    return 0


@pytest.fixture
def verbs(monkeypatch: pytest.MonkeyPatch) -> list[Verb]:
    module = types.ModuleType("swaptalk_test_verb")
    module.__spec__ = types.SimpleNamespace(name="swaptalk_test_verb")  # type: ignore[assignment]
    module.Options, module.run = Options, run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "swaptalk_test_verb", module)
    monkeypatch.delenv("SWAPTALK_DEBUG", raising=False)
    return [Verb("try", "fail in a chosen way", "swaptalk_test_verb")]


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        ("", 0, ""),
        ("input", 2, "swaptalk: error: photo.jpg: no face; give a photo with a face\n"),
        ("failed", 1, "swaptalk: error: out.mp4: cannot be written; make room\n"),
        ("interrupted", 130, "swaptalk: interrupted\n"),
        ("full", 1, "swaptalk: error: out.mp4: No space left on device\n"),
        (
            "bug",
            1,
            "swaptalk: internal error: ZeroDivisionError: line one line two; set SWAPTALK_DEBUG=1 "
            "for the traceback "
            "and report it\n",
        ),
    ],
)
def test_failures_are_one_line_and_an_exit_code(
    verbs: list[Verb], capsys: pytest.CaptureFixture[str], failure: str, code: int, said: str
) -> None:
    assert main(["try", "--failure", failure], verbs) == code
    assert capsys.readouterr().err == said


def test_debug_shows_the_traceback(verbs: list[Verb], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWAPTALK_DEBUG", "1")
    with pytest.raises(InputError):
        main(["try", "--failure", "input"], verbs)


@pytest.mark.parametrize(
    "arguments", [["try", "--unknown"], ["try", "extra"], ["models", "pull", "--al"]]
)
def test_wrong_options_exit_with_2(
    verbs: list[Verb], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments, [*verbs, *VERBS]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_unknown_verb_suggests_a_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modles"]) == 2
    assert "did you mean 'models'?" in capsys.readouterr().err


def test_nothing_given_shows_the_usage_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: swaptalk VERB" in capsys.readouterr().err


def test_verb_of_a_missing_extra_names_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needy_verb.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["needy"], [Verb("needy", "needs more", "needy_verb", extra="train")]) == 1
    said = capsys.readouterr().err
    assert "surely_not_installed" in said and "pip install 'swaptalk[train]'" in said


@pytest.mark.parametrize("verb", [verb.name for verb in available()])
def test_every_verb_explains_its_options(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"usage: swaptalk {verb}" in capsys.readouterr().out


def test_help_and_version_do_not_wait_for_heavy_imports() -> None:
    script = (
        "import sys; from swaptalk.cli.main import main; main(['--help']); main(['--version']); "
        "sys.exit(any(m in sys.modules for m in ('numpy', 'cv2', 'av', 'onnxruntime', 'torch', "
        "'tyro')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "models" in done.stdout and "swaptalk" in done.stdout


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux does")
def test_products_of_matrices_take_one_thread() -> None:
    program = """
import os
from swaptalk.cli.main import main
assert main(["--version"]) == 0
import numpy as np
(np.ones((500, 500), np.float32) @ np.ones((500, 500), np.float32)).sum()
print(len(os.listdir("/proc/self/task")))
"""
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.split()[-1] == "1"


def test_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m swaptalk models list | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


#: Where classes whose fields are options of the command line are, and what their names end with.
WITH_OPTIONS = ("cli", "models", "pipeline", "serving", "training")
OPTIONS = re.compile("(Options|Weights|Config|Command)$")


def test_every_help_text_of_an_option_is_one_line() -> None:
    """Line breaks in them would be shown as they are."""
    found = []
    package = Path(swaptalk.__file__).parent
    for path in (p for folder in WITH_OPTIONS for p in (package / folder).rglob("*.py")):
        for kind in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(kind, ast.ClassDef) or not OPTIONS.search(kind.name):
                continue
            for before, text in itertools.pairwise(kind.body):
                if isinstance(before, ast.AnnAssign) and isinstance(text, ast.Expr):
                    found.append(f"{path.name}: {ast.literal_eval(text.value)}")
    assert len(found) > 150
    assert [text for text in found if "\n" in text] == []
