"""What is installed is whole."""

from __future__ import annotations

import glob
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib")

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "swaptalk"


def test_every_file_of_the_package_is_installed() -> None:
    """Weights and models too: a checkout has them, and would not miss them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["swaptalk"]
    installed = {
        PACKAGE / name
        for pattern in patterns
        for name in glob.glob(pattern, root_dir=PACKAGE, recursive=True)
    }
    files = {path for path in PACKAGE.rglob("*") if path.is_file()}
    code = {path for path in files if path.suffix in (".py", ".pyc")}
    assert sorted(files - code - installed) == []
