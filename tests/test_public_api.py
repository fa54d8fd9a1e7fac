"""What `import swaptalk` gives, and what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import swaptalk


def test_every_public_name_is_there() -> None:
    assert [name for name in swaptalk.__all__ if not hasattr(swaptalk, name)] == []
    assert set(dir(swaptalk)) == set(swaptalk.__all__)
    assert not hasattr(swaptalk, "generate")


def test_the_import_alone_loads_nothing() -> None:
    heavy = "('numpy', 'cv2', 'swaptalk.')"
    program = f"import swaptalk, sys; print([m for m in sys.modules if m.startswith({heavy})])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_documents_and_examples_import_promised_names_only() -> None:
    root = Path(__file__).parents[1]
    places = [root / "README.md", *root.glob("docs/**/*.md"), *root.glob("examples/*.py")]
    text = "\n".join(place.read_text(encoding="utf-8") for place in places)
    found = re.findall(r"^\s*from (swaptalk[\w.]*) import ([\w, ]+)$", text, re.M)
    assert len(found) >= 8
    names = {name for module, names in found if module == "swaptalk" for name in names.split(", ")}
    assert names <= set(swaptalk.__all__)
    assert {module for module, _ in found} <= {"swaptalk", "swaptalk.client"}
