"""Messages between a program and its decoding process: length-prefixed JSON."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from typing import IO, Any

#: Longer messages are refused: the longest honest one is a window of frame numbers, a few
#: kilobytes.
MAX_MESSAGE_BYTES = 1 << 20
_LENGTH = struct.Struct("<I")

Message = dict[str, Any]


class BrokenWireError(Exception):
    """The other side is gone, or what it says is not a message."""


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message.

    Raises:
        BrokenWireError: the other side is gone.
    """
    data = json.dumps(message).encode()
    try:
        stream.write(_LENGTH.pack(len(data)) + data)
        stream.flush()
    except (OSError, ValueError) as error:  # ValueError: closed on this side
        raise BrokenWireError(str(error)) from error


def receive(stream: IO[bytes]) -> Message:
    """Wait for a message.

    Raises:
        BrokenWireError: the other side is gone, or what it says is not a message.
    """
    try:
        (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
        if length > MAX_MESSAGE_BYTES:
            raise BrokenWireError(f"a message of {length} bytes")
        message = json.loads(_exactly(stream, length))
    except (OSError, ValueError, RecursionError) as error:
        raise BrokenWireError(str(error)) from error
    if not isinstance(message, dict):
        raise BrokenWireError("not a message")
    return message


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise BrokenWireError("end of file")
    return data


def fraction_to_text(value: Fraction | None) -> str | None:
    """Convert an exact number to text."""
    return None if value is None else f"{value.numerator}/{value.denominator}"


def text_to_fraction(text: str) -> Fraction:
    """Convert text of :func:`fraction_to_text` back.

    Raises:
        ValueError: the text is not a number.
    """
    numerator, _, denominator = text.partition("/")
    if not denominator or len(text) > 1000 or int(denominator) <= 0:
        raise ValueError("not a fraction")
    return Fraction(int(numerator), int(denominator))
