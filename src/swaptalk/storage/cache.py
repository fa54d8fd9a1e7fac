"""The user's cache folder."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import platformdirs

#: Names a folder to use instead of the user's own cache folder.
CACHE_VARIABLE = "SWAPTALK_CACHE_DIR"
#: What was made here and has not been used for this long is deleted.
UNUSED_SECONDS = 7 * 24 * 3600.0


def cache_folder(part: str) -> Path:
    """Return the folder of one kind of content in the cache; it may not exist yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (
        Path(chosen).expanduser()
        if chosen
        else Path(platformdirs.user_cache_dir("swaptalk", False))
    ) / part


def delete_unused(folder: Path) -> None:
    """Delete files and folders that have not been used for `UNUSED_SECONDS`."""
    oldest = time.time() - UNUSED_SECONDS
    for path in folder.iterdir():
        try:
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError:  # another process was quicker
            continue
