from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from swaptalk.evaluation.code_digest import MEASURING, PACKAGE, RENDERING, code_digest

#: Prints the files of the package that these modules load.
LOADED = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module("swaptalk." + name)
for name, module in sys.modules.items():
    if name.partition(".")[0] == "swaptalk" and getattr(module, "__file__", None):
        print(module.__file__)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of two parts of the package."""
    for part in ("metrics", "storage"):
        shutil.copytree(PACKAGE / part, tmp_path / part)
    return tmp_path


def digest(package: Path) -> str:
    code_digest.cache_clear()
    return code_digest(("metrics", "storage"), package)


def test_the_digest_follows_every_file_but_compiled_ones(package: Path) -> None:
    before = digest(package)
    assert before == code_digest(("metrics", "storage"))  # wherever the package lies
    compiled = package / "metrics" / "__pycache__" / "ssim.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(b"compiled")
    (package / "other.py").write_text("not one of these parts")
    assert digest(package) == before
    found = {before}
    for change in (
        lambda: (package / "metrics" / "ssim.py").write_text("VALUE = 1\n"),
        lambda: (package / "metrics" / "ssim.py").write_text("VALUE = 2\n"),
        lambda: (package / "storage" / "new.py").write_text(""),
        lambda: (package / "storage" / "new.py").rename(package / "storage" / "newer.py"),
        lambda: (package / "metrics" / "sync_scorer.json").write_text("{}"),
    ):
        change()
        found.add(digest(package))
    assert len(found) == 6


@pytest.mark.parametrize(
    ("parts", "modules"),
    [
        (RENDERING, ["evaluation.cascades", "pipeline.api", "faces.detection.analyser"]),
        (MEASURING, ["evaluation.measure", "metrics.own_sync", "metrics.perceptual"]),
    ],
    ids=["rendering", "measuring"],
)
def test_no_loaded_code_is_left_out(parts: tuple[str, ...], modules: list[str]) -> None:
    if parts == MEASURING:
        pytest.importorskip("torch")
    said = subprocess.run(
        [sys.executable, "-c", LOADED, *modules], capture_output=True, text=True, check=True
    ).stdout
    loaded = [Path(line).relative_to(PACKAGE) for line in said.splitlines()]
    assert len(loaded) > 20
    covered = [Path(part) for part in parts]
    assert [
        one for one in loaded if not any(one == part or part in one.parents for part in covered)
    ] == []
