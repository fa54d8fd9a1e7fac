"""Cache of compiled graphs: compiling takes longer than rendering a short video.

What is kept is named after the weights, the engine and the processor, so that it fits or is not
found. A file that is damaged, or that another user wrote, counts as not there: graphs can always be
compiled again.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.storage.cache import cache_folder, delete_unused
from swaptalk.storage.files import replacing

#: Bytes of the CRC-32 at the end of a file.
_CHECKSUM = 4


class CompiledGraphs:
    """The compiled graphs of one set of weights for one engine on one processor.

    Args:
        weights: fingerprint of the weights.
        engine: everything that must be equal for a compiled graph to fit: version, processor,
            precision.
    """

    def __init__(self, weights: str, engine: str) -> None:
        self.folder = (
            cache_folder("compiled")
            / hashlib.sha256(f"{weights}|{engine}".encode()).hexdigest()[:32]
        )

    def _path(self, graph: str) -> Path:
        return self.folder / f"{graph}.blob"

    def read(self, graph: str) -> NDArray[np.uint8] | None:
        """Map a graph of the cache into memory, or return None.

        The file is not copied: an engine that uses its constants in place shares their pages with
        other processes. Files are only ever replaced as a whole, never changed.
        """
        path = self._path(graph)
        try:
            if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
                return None
            # Copy on write, because OpenVINO refuses memory that is for reading only.
            content = np.memmap(path, np.uint8, "c")
            os.utime(self.folder)
        except (OSError, ValueError):  # an empty file cannot be mapped
            return None
        blob, checksum = content[:-_CHECKSUM], content[-_CHECKSUM:].tobytes()
        return blob if zlib.crc32(blob.data).to_bytes(_CHECKSUM, "big") == checksum else None

    def keep(self, graph: str, blob: bytes) -> None:
        """Store a compiled graph, if there is room for it."""
        path = self._path(graph)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            delete_unused(self.folder.parent)
            with replacing(path, durable=False, shared=True) as part:
                part.write_bytes(blob + zlib.crc32(blob).to_bytes(_CHECKSUM, "big"))
        except OSError:  # a full disk or a folder for reading only: the next run compiles again
            pass
