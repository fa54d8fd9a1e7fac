"""What `import swaptalk` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

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
