"""Extract and validate the manifests of a file with the C2PA library, offline.

Runs in the decoding process (:data:`swaptalk.media.sandbox.child.READERS`), because the library
parses what strangers wrote in native code; :mod:`swaptalk.provenance.manifest_read` asks it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import c2pa

#: Signing keeps larger files on disk (the system's temporary folder), MB. By its own choice the
#: library holds them in memory, twice: 580 MB for a video of 290.
LARGEST_IN_MEMORY_MB = 16
#: No network requests and no decoded thumbnails for files of strangers.
SETTINGS: Mapping[str, Any] = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
    "builder": {"thumbnail": {"enabled": False}},
    "core": {"backing_store_memory_threshold_in_mb": LARGEST_IN_MEMORY_MB},
}
#: Characters of a file's manifests as JSON. Ours have some 5,000, those of cameras and editors up
#: to 100,000.
LONGEST_STORE = 900_000
# The library logs what it raises as well.
logging.getLogger("c2pa").setLevel(logging.CRITICAL)


def read_store(path: Path, kind: str, anchors: Sequence[str]) -> dict[str, Any] | None:
    """Read a file's manifests.

    Args:
        path: the file.
        kind: its media type.
        anchors: certificates (PEM) of authorities that are trusted.

    Returns:
        ``store``, all manifests as the library describes them, and ``state``: Trusted, Valid or
        Invalid; or ``problem`` if there is something that cannot be read. None if there is nothing,
        or the kind carries none.
    """
    try:
        with path.open("rb") as file:
            reader = c2pa.Reader.try_create(kind, file, context=_context(tuple(anchors)))
            if reader is None:
                return None
            with reader:
                store, state = reader.json(), reader.get_validation_state() or "Invalid"
    except (c2pa.C2paError.NotSupported, c2pa.C2paError.ManifestNotFound):
        return None
    except c2pa.C2paError as error:
        return {"problem": str(error)[:1000]}
    if len(store) > LONGEST_STORE:
        return {"problem": f"the manifests are too large ({len(store)} characters)"}
    return {"store": json.loads(store), "state": state}


@lru_cache(maxsize=8)
def _context(anchors: tuple[str, ...]) -> Any:
    trust = {"trust": {"user_anchors": "\n".join(anchors)}} if anchors else {}
    return c2pa.Context(c2pa.Settings.from_dict({**SETTINGS, **trust}))
