"""Pinned files for the evaluation's tests; a test that needs one that is not there yet is
skipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from swaptalk.runtime import assets


@pytest.fixture
def model() -> Callable[[str], Path]:
    """Path of a pinned file by name, without ever fetching it."""

    def path(name: str) -> Path:
        asset = assets.get(name)
        if assets.status(asset) != "ready":
            pytest.skip(f"{asset.file} is not there: 'swaptalk models pull' fetches it")
        return assets.resolve(name, progress=False)

    return path


@pytest.fixture
def astronaut(model: Callable[[str], Path]) -> NDArray[np.uint8]:
    """A public-domain portrait, (512, 512, 3) uint8."""
    return np.asarray(Image.open(model("astronaut")).convert("RGB"))
