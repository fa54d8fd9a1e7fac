"""HTTP connections with a time limit for request heads; uvicorn has none."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds within which the request line and all headers of the next request must have arrived.
HEADER_SECONDS = 10.0


class TimedProtocol(H11Protocol):
    """Closes a connection on which no complete request head has arrived in time."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the time limit of a new connection."""
        super().connection_made(transport)
        self._expect_request()

    def on_response_complete(self) -> None:
        """Restart the time limit after a response."""
        super().on_response_complete()
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limit."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # else a request is being answered
            self.transport.close()
