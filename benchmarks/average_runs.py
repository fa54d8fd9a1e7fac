"""Average the weights of runs of one stage, as a run of its own.

    python benchmarks/average_runs.py RUN RUN... --out RUN

The runs have one shape, and one began with another's weights. The result is for ``--start-from``
and for ``swaptalk export``, which records what it is made of.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from swaptalk.errors import SwapTalkError
from swaptalk.training.soup import average_runs


def main() -> int:
    """Write the mean; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        average_runs(given.runs, given.out)
    except SwapTalkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
