"""Reads files in a process of its own, so that a crash, a hang or a flood of memory is seen from
outside.

One request a line on standard input: kind, tab, path; one verdict a line on standard output, as
JSON.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from kinds import KINDS

from swaptalk.errors import SwapTalkError
from swaptalk.media.sandbox import pool
from swaptalk.media.sandbox.usage import peak_resident_bytes


def verdict(kind: str, path: Path) -> tuple[str, str]:
    """``read``, ``refused`` (one clear line) or ``wrong``, and the words."""
    try:
        KINDS[kind].read(path)
    except SwapTalkError as error:
        message = str(error)
        if "\n" in message or "; " not in message or len(message) > 2000:
            return "wrong", f"not one clear line: {message!r}"
        return ("crash contained" if "decoder crashed" in message else "refused"), message
    except Exception:
        return "wrong", traceback.format_exc()
    return "read", ""


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        kind, path = line.rstrip("\n").split("\t")
        begun = time.monotonic()
        outcome, words = verdict(kind, Path(path))
        answer = {
            "outcome": outcome,
            "words": words,
            "seconds": time.monotonic() - begun,
            "memory": peak_resident_bytes(),
            "decoder": pool.peak_memory_bytes(),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
