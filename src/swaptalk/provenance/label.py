"""Visible label: text in the lower left corner of every picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError

if TYPE_CHECKING:
    from PIL import ImageFont

#: Height of the letters, and margin around them, as shares of the picture's shorter side.
_LETTERS, _PADDING = 1 / 24, 1 / 60
#: Letters smaller than this many pixels cannot be read.
_SMALLEST = 9
#: How dark the box behind the letters is, 0..1.
_BOX = 0.55
LONGEST_LABEL = 60
#: A code point that no font has: it is drawn as a box.
_NO_LETTER = "\uffff"


class VisibleLabel:
    """Draws white text on a dark box into the lower left corner of pictures of one size.

    Pillow's own font has plain Latin letters only; ``font_file`` (.ttf, .otf) is for all others.

    Raises:
        InputError: the text is empty, too long, has letters that the font lacks, or does not fit
            into the picture.
    """

    def __init__(self, text: str, width: int, height: int, font_file: Path | None = None) -> None:
        from PIL import Image, ImageDraw  # only here: most videos carry no label

        if not text.strip() or len(text) > LONGEST_LABEL or not text.isprintable():
            raise InputError(
                f"--label-text of {len(text)} characters",
                remedy=f"give 1 to {LONGEST_LABEL} in one line",
            )
        side = min(width, height)
        letter_font = LetterFont(font_file, max(_SMALLEST, round(side * _LETTERS)))
        letter_font.check(text, "--label-text")
        font = letter_font.font
        padding = max(2, round(side * _PADDING))
        left, top, right, bottom = font.getbbox(text)
        size = (round(right - left) + 2 * padding, round(bottom - top) + 2 * padding)
        if size[0] + padding > width or size[1] + padding > height:
            raise InputError(
                f"the label '{text}' does not fit into {width}x{height}",
                remedy="give a shorter one",
            )
        box = Image.new("L", size, 0)
        ImageDraw.Draw(box).text((padding - left, padding - top), text, 255, font)
        letters = np.asarray(box, np.float32)[..., None] / 255
        # picture x share + light: the box darkens, the letters cover.
        self._share, self._light = (1 - _BOX) * (1 - letters), 255 * letters
        self._rows = slice(height - padding - size[1], height - padding)
        self._columns = slice(padding, padding + size[0])

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Draw the label into a picture (H, W, 3) in place; return the picture."""
        corner = picture[self._rows, self._columns]
        picture[self._rows, self._columns] = (corner * self._share + self._light + 0.5).astype(
            np.uint8
        )
        return picture


class LetterFont:
    """A font of one size; Pillow's own has plain Latin letters only.

    Args:
        path: of a .ttf or .otf file, None for Pillow's own.
        size: of the letters in pixels.

    Raises:
        InputError: the file is no font.
    """

    def __init__(self, path: Path | None, size: int) -> None:
        from PIL import ImageFont

        self.font: ImageFont.FreeTypeFont | ImageFont.ImageFont
        try:
            self.font = (
                ImageFont.load_default(size)
                if path is None
                else ImageFont.truetype(str(path), size)
            )
        except (OSError, ValueError) as error:
            raise InputError(
                "is not a readable font", path=path, remedy="give a .ttf or .otf file"
            ) from error

    def width(self, text: str) -> float:
        """Width of a line in pixels."""
        return float(self.font.getlength(text))

    def check(self, text: str, option: str) -> None:
        """Refuse letters that the font lacks.

        Raises:
            InputError: naming them and the option that the text is from.
        """
        box = bytes(self.font.getmask(_NO_LETTER))
        lacking = sorted(
            {one for one in text if not one.isspace() and bytes(self.font.getmask(one)) == box}
        )
        if lacking:
            raise InputError(
                f"the font has no '{''.join(lacking)}'",
                remedy=f"write {option} in plain Latin letters, or give a --label-font that has it",
            )
