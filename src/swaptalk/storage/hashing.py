"""Hashes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

#: Bytes read at once.
BLOCK = 1 << 20
#: How much of the beginning and of the end of an input goes into its fingerprint; with the size
#: this tells files apart without reading gigabytes.
HASHED_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def file_fingerprint(path: Path) -> str:
    """SHA-256 over size, beginning and end of a file."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(HASHED_BYTES))
        file.seek(max(0, size - HASHED_BYTES))
        digest.update(file.read(HASHED_BYTES))
    return digest.hexdigest()
