"""The run-time reads no format that can carry code: no pickles, no evaluated text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import swaptalk

PACKAGE = Path(swaptalk.__file__).parent
#: Parts that are installed and run without PyTorch (training and evaluation read checkpoints,
#: through allow-lists).
PARTS = (
    "storage",
    "media",
    "faces",
    "inference",
    "assets",
    "workers",
    "pipeline",
    "provenance",
    "serving",
    "batch",
    "cli",
)
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "jsonpickle",
    "yaml",
}
CALLS = {"eval", "exec", "compile", "__import__"}


def files() -> list[Path]:
    return [path for part in PARTS for path in sorted((PACKAGE / part).rglob("*.py"))]


def problems(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in CALLS:
                found.append(f"{node.func.id}()")
            for argument in node.keywords:
                pickled = (
                    argument.arg == "allow_pickle"
                    and getattr(argument.value, "value", None) is not False
                )
                shell = (
                    argument.arg == "shell" and getattr(argument.value, "value", None) is not False
                )
                if pickled or shell:
                    found.append(f"{argument.arg}= at line {node.lineno}")
    return found


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_code_in_data(path: Path) -> None:
    assert problems(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_check_finds_what_it_looks_for() -> None:
    source = (
        "import pickle\nfrom joblib import load\nnp.load(f, allow_pickle=True)\n"
        "eval(x)\nrun(c, shell=True)"
    )
    assert len(problems(ast.parse(source))) == 5
    assert problems(ast.parse("np.load(f, allow_pickle=False)\nre.compile(x)")) == []
