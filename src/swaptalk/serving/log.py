"""The log of the server and of its workers: lines on standard error."""

from __future__ import annotations

import logging
import sys

from swaptalk.serving.settings import LogLevel

FORM = "%(asctime)s %(levelname)s %(process)d %(message)s"


def begin_log(level: LogLevel) -> None:
    """Write what the package logs from this level on; other packages' logs are left alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORM))
    log = logging.getLogger("swaptalk")
    log.handlers[:] = [handler]
    log.setLevel(level.upper())
    log.propagate = False
