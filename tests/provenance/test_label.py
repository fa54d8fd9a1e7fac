from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.provenance.label import VisibleLabel


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (320, 320), (160, 144)])
def test_it_can_be_read_in_the_corner_and_nothing_else_changes(width: int, height: int) -> None:
    picture = np.full((height, width, 3), 120, np.uint8)
    labelled = VisibleLabel("AI-generated", width, height)(picture.copy())
    changed = np.argwhere((labelled != picture).any(axis=2))
    assert changed[:, 0].min() > 0.8 * height and changed[:, 1].max() < 0.75 * width
    assert labelled.max() > 200 and labelled.min() < 70  # white on dark


@pytest.mark.parametrize("text", ["", " ", "x" * 61, "two\nlines"])
def test_labels_that_cannot_be(text: str) -> None:
    with pytest.raises(InputError, match="--label-text"):
        VisibleLabel(text, 640, 360)


def test_a_label_must_fit() -> None:
    with pytest.raises(InputError, match="does not fit into 64x64"):
        VisibleLabel("A rather long label for this", 64, 64)


def test_letters_that_the_font_lacks() -> None:
    VisibleLabel("KI-generiert; wygenerowane przez AI", 1280, 720)
    with pytest.raises(InputError, match="has no '人工'.*--label-font"):
        VisibleLabel("AI 人工", 1280, 720)
    with pytest.raises(InputError, match="not a readable font"):
        VisibleLabel("AI", 1280, 720, Path(__file__))
