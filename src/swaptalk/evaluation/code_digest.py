"""Digests of the package's own code: stored videos and numbers are not taken over when it has
changed.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
#: Packages and modules that decide what a video looks like, and how it is prepared.
RENDERING = (
    "__init__.py",
    "assets",
    "errors.py",
    "evaluation/__init__.py",
    "evaluation/cascades.py",
    "evaluation/code_digest.py",
    "evaluation/inputs.py",
    "evaluation/methods.py",
    "evaluation/observe.py",
    "evaluation/protocols.py",
    "faces",
    "inference",
    "media",
    "metrics",
    "pipeline",
    "provenance",
    "storage",
    "workers",
)
#: Packages and modules that decide what is measured on a video.
MEASURING = (
    "__init__.py",
    "assets",
    "errors.py",
    "evaluation/__init__.py",
    "evaluation/code_digest.py",
    "evaluation/inputs.py",
    "evaluation/measure.py",
    "evaluation/observe.py",
    "evaluation/protocols.py",
    "evaluation/reconstruction.py",
    "evaluation/run.py",
    "faces",
    "inference",
    "losses",
    "media",
    "metrics",
    "models",
    "storage",
    "workers",
)


@cache
def code_digest(parts: tuple[str, ...], package: Path = PACKAGE) -> str:
    """First 16 digits of the SHA-256 over all files of these parts of a package, without compiled
    ones.

    Args:
        parts: paths of files and folders below ``package``.
        package: folder of the package.
    """
    digest = hashlib.sha256()
    for part in parts:
        place = package / part
        files = [place] if place.is_file() else [one for one in place.rglob("*") if one.is_file()]
        for file in sorted(files):
            name = file.relative_to(package)
            if "__pycache__" not in name.parts:
                content = file.read_bytes()
                digest.update(f"{name.as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
