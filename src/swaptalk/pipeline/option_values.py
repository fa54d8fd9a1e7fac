"""Values of options that are text: rates, sizes, codecs, qualities; read and checked."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.media.animation import check_animation_quality
from swaptalk.media.output_format import output_format
from swaptalk.media.video_writer import CODECS, available_codecs

#: Frames per second outside of these are typing errors rather than wishes.
FPS_RANGE = (1, 240)
#: Longest side the encoder and browsers cope with (H.264 level 6.2).
LONGEST_SIDE = 8192
SMALLEST_SIDE = 64


def rate_factor(quality: str, codec: str) -> float:
    """The encoder's constant rate factor behind ``--quality``.

    Raises:
        InputError: unknown codec, a codec that cannot be encoded here, or unknown quality.
    """
    if codec not in available_codecs():
        raise InputError(
            f"--codec {codec} is unknown or has no encoder here",
            remedy=f"give one of {', '.join(available_codecs())}",
        )
    known = CODECS[codec]
    try:
        value = float(known.quality.get(quality, quality if codec != "prores" else math.nan))
    except ValueError:
        value = math.nan
    if not 0 <= value <= known.worst:
        raise InputError(
            f"--quality {quality} is unknown",
            remedy=f"give {', '.join(known.quality)}"
            + ("" if codec == "prores" else f", or a number from 0 to {known.worst}"),
        )
    return value


def check_codec(output: Path | None, codec: str | None, quality: str) -> None:
    """Refuse a codec or quality that the output's container does not have.

    Raises:
        InputError: naming what it has.
    """
    form = output_format(output)
    if form.animated:
        if codec is not None:
            raise InputError(
                f"--codec {codec} for a {form.name}, which has none", remedy="leave out --codec"
            )
        check_animation_quality(quality)
        return
    rate_factor(quality, codec or form.codecs[0])
    if codec is not None and codec not in form.codecs:
        raise InputError(
            f"--codec {codec} cannot be held by {form.name} files",
            remedy=f"give {', '.join(form.codecs)}, or another ending of --output",
        )


def check_known(option: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a word that is none of the known ones.

    Raises:
        InputError: naming them.
    """
    if value not in known:
        raise InputError(f"{option} {value} is unknown", remedy=f"give one of {', '.join(known)}")


def check_range(option: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside ``low`` to ``high``.

    Raises:
        InputError: naming the bounds.
    """
    if not low <= value <= high:  # also refuses NaN
        bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
        raise InputError(f"{option} {value} is out of range", remedy=f"give a number {bounds}")


def parse_fps(text: str | None) -> Fraction | None:
    """Read ``25``, ``29.97`` or ``30000/1001``; the decimal forms of the NTSC rates mean the exact
    ones.

    Raises:
        InputError: not a number, or not between 1 and 240.
    """
    if text is None:
        return None
    try:
        # Fraction itself also takes exponents, and would work on a large one for hours.
        fps = Fraction(text if re.fullmatch(r"\d{1,9}(\.\d{1,9}|/\d{1,9})?", text) else "")
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"--fps {text} is not a number", remedy="give for example 25 or 30000/1001"
        ) from None
    ntsc = Fraction(round(fps) * 1000, 1001)
    if fps.denominator != 1 and abs(fps - ntsc) < Fraction(1, 200):
        fps = ntsc
    check_range("--fps", fps, *FPS_RANGE)  # type: ignore[arg-type]
    return fps


def view_size(crop: str | None, width: int, height: int) -> tuple[int, int]:
    """Width and height of the largest part with the shape of ``crop`` in a picture, even numbers.

    Raises:
        InputError: less than 64 pixels would be left of a side.
    """
    if crop is None:
        return width, height
    across, down = (int(part) for part in crop.split(":"))
    view_width = min(width, height * across / down)
    size = (int(view_width / 2) * 2, int(view_width * down / across / 2) * 2)
    if min(size) < SMALLEST_SIDE:
        raise InputError(
            f"--crop {crop} leaves {size[0]}x{size[1]} pixels of {width}x{height}",
            remedy="give a larger --resolution",
        )
    return size


def output_size(text: str | None, width: int, height: int) -> tuple[int, int]:
    """Width and height of the output for a target of ``width`` x ``height`` pixels.

    A height alone keeps the shape of the picture. Sizes asked for are rounded to even numbers, as
    4:2:0 video has them.

    Raises:
        InputError: not a size, or beyond what can be encoded.
    """
    if text is None:
        return width, height
    match = re.fullmatch(r"(?:(\d{1,6})x)?(\d{1,6})p?", text.lower())
    if match is None:
        raise InputError(
            f"--resolution {text} is not a size", remedy="give for example 1280x720 or 720"
        )
    new_height = int(match[2])
    new_width = int(match[1]) if match[1] else width * new_height / height
    size = (round(new_width / 2) * 2, round(new_height / 2) * 2)
    if not (SMALLEST_SIDE <= min(size) and max(size) <= LONGEST_SIDE):
        raise InputError(
            f"--resolution {text} is out of range",
            remedy=f"give sides from {SMALLEST_SIDE} to {LONGEST_SIDE} pixels",
        )
    return size
