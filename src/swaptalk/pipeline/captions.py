"""Subtitles drawn into the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.subtitles import Cue, without_overlaps
from swaptalk.provenance.label import LetterFont

#: Height of the letters and margin below them, as shares of the picture's height and width.
_LETTERS, _MARGIN = 1 / 18, 1 / 14
#: In upright pictures letters are bounded by the width.
_WIDEST_LETTERS = 1 / 16
#: Lines fill at most this share of the width.
_LINE = 0.9
_SMALLEST, _MOST_LINES = 10, 4


class Captions:
    """Draws white, outlined text at the lower edge of pictures of one size.

    Args:
        cues: texts and their times.
        width, height: of the pictures.
        font_file: needed for other than Latin letters.

    Raises:
        InputError: the font lacks letters, or a text does not fit into the picture.
    """

    def __init__(
        self, cues: Sequence[Cue], width: int, height: int, font_file: Path | None = None
    ) -> None:
        self._cues = without_overlaps(cues)
        self._starts = np.array([cue.start for cue in self._cues])
        self._size = (width, height)
        letters = max(_SMALLEST, round(min(height * _LETTERS, width * _WIDEST_LETTERS)))
        self._font = LetterFont(font_file, letters)
        self._outline = max(1, round(letters / 12))
        for cue in self._cues:
            self._font.check(cue.text, "--subtitles")
            if len(self._lines(cue.text)) > _MOST_LINES:
                raise InputError(
                    f"the subtitle '{cue.text[:40]}' does not fit into {width}x{height}",
                    remedy="cut it into shorter ones",
                )
        self._drawn = lru_cache(4)(self._draw)

    def __call__(self, picture: NDArray[np.uint8], time: float) -> NDArray[np.uint8]:
        """Draw what is to be read at ``time`` into a picture (H, W, 3) in place; return it."""
        index = int(np.searchsorted(self._starts, time + 1e-6, side="right")) - 1
        if index >= 0 and time < self._cues[index].end:
            rows, share, light = self._drawn(self._cues[index].text)
            picture[rows] = (picture[rows] * share + light + 0.5).astype(np.uint8)
        return picture

    def _lines(self, text: str) -> list[str]:
        lines = []
        for written in text.split("\n"):
            line = ""
            for word in written.split():
                longer = f"{line} {word}".strip()
                if line and self._font.width(longer) > _LINE * self._size[0]:
                    lines.append(line)
                    longer = word
                line = longer
            lines.append(line)
        return lines

    def _draw(self, text: str) -> tuple[slice, NDArray[np.float32], NDArray[np.float32]]:
        """Rows of the picture, what is left of it there, and the light of the letters."""
        from PIL import Image, ImageDraw  # only here: jobs without subtitles start sooner

        width, height = self._size
        layer = Image.new("L", (width, height), 0)
        edge = Image.new("L", (width, height), 0)
        place = (width // 2, height - round(min(self._size) * _MARGIN))
        for image, outline in ((layer, 0), (edge, self._outline)):
            ImageDraw.Draw(image).multiline_text(
                place,
                "\n".join(self._lines(text)),
                255,
                self._font.font,
                anchor="md",
                align="center",
                stroke_width=outline,
            )
        found = np.flatnonzero(np.asarray(edge).any(axis=1))
        rows = slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)
        letters = np.asarray(layer, np.float32)[rows, :, None] / 255
        covered = np.asarray(edge, np.float32)[rows, :, None] / 255
        return rows, np.asarray(1 - covered, np.float32), np.asarray(255 * letters, np.float32)
