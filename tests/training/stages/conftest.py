"""Footage of stages that learn from single faces."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def data(make_dataset) -> Path:
    """A dataset of one clip and six photos."""
    folder: Path = make_dataset(
        {"clip": "speaker"}, {f"set-{k}": f"who{k}" for k in range(6)}
    ).folder
    return folder
