"""Options of verbs that print progress and a report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions:
    """What a verb prints."""

    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print the report as one JSON object and no progress."""

    @property
    def is_silent(self) -> bool:
        """Whether neither progress nor sentences are printed."""
        return self.quiet or self.json
