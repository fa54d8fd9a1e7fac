"""Error-correcting code of the 64-bit identifier: CRC, convolutional code, soft Viterbi.

CRC-24 as in RFC 4880 section 6.1 (it does not start from zero, so that a blank picture is no word),
and the rate 1/3 code of constraint length 9 of IS-95 (generators 557, 663 and 711 octal), closed
with zeros. The telecommunication packages that offer these bring SciPy and Matplotlib along; here
they are a hundred lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Bits of an identifier.
ID_BITS = 64
#: Generator polynomial, without its leading bit, and first value of CRC-24.
_CRC_POLYNOMIAL, _CRC_START, CRC_BITS = 0x864CFB, 0xB704CE, 24
#: Bits of memory of the code: eight zeros bring the encoder back to rest.
_MEMORY = 8
_GENERATORS = (0o557, 0o663, 0o711)
#: Bits of a code word.
WORD_BITS = (ID_BITS + CRC_BITS + _MEMORY) * len(_GENERATORS)


def _crc(bits: NDArray[np.uint8]) -> int:
    register = _CRC_START
    for bit in bits.tolist():
        carry = (register >> (CRC_BITS - 1)) ^ bit
        register = (register << 1) & ((1 << CRC_BITS) - 1)
        if carry:
            register ^= _CRC_POLYNOMIAL
    return register


def _bits(value: int, count: int) -> NDArray[np.uint8]:
    """Return bits, most significant first."""
    return np.array([(value >> (count - 1 - place)) & 1 for place in range(count)], np.uint8)


@lru_cache(maxsize=1)
def _trellis() -> NDArray[np.int8]:
    """Return the output signs of the encoder, (256 states, 2 inputs, 3).

    A state is the last eight bits, newest on top.
    """
    registers = (np.arange(2)[None, :] << _MEMORY) | np.arange(1 << _MEMORY)[:, None]
    parity = [
        [[bin(int(r) & g).count("1") & 1 for g in _GENERATORS] for r in row] for row in registers
    ]
    return (2 * np.array(parity) - 1).astype(np.int8)


def encode(identifier: int) -> NDArray[np.int8]:
    """Encode an identifier as a code word, (288,) of -1 and +1.

    Raises:
        ValueError: the identifier has more than 64 bits.
    """
    if not 0 <= identifier < 1 << ID_BITS:
        raise ValueError(f"an identifier has {ID_BITS} bits, not {identifier.bit_length()}")
    data = _bits(identifier, ID_BITS)
    message = np.concatenate([data, _bits(_crc(data), CRC_BITS), np.zeros(_MEMORY, np.uint8)])
    state, word = 0, []
    for bit in message.tolist():
        word.append(_trellis()[state, bit])
        state = (bit << (_MEMORY - 1)) | (state >> 1)
    return np.concatenate(word)


@dataclass(frozen=True)
class Decoded:
    """Result of decoding."""

    identifier: int
    valid: bool
    """The checksum fits; by chance it does for one word of noise in 16.7 million."""


def decode(soft: NDArray[np.floating]) -> Decoded:
    """Decode (288,) soft values (positive: one) by maximum likelihood; any scale."""
    signs = _trellis().astype(np.float64)
    states = 1 << _MEMORY
    numbers = np.arange(states)
    # A state was reached with its top bit as input, from one of the two states that differ in the
    # bit that fell out.
    bit, before = numbers >> (_MEMORY - 1), (numbers << 1) & (states - 1)
    metric = np.full(states, -np.inf)
    metric[0] = 0.0
    choices = []
    for symbols in np.asarray(soft, np.float64).reshape(-1, len(_GENERATORS)):
        gain = signs @ symbols
        zero, one = metric[before] + gain[before, bit], metric[before | 1] + gain[before | 1, bit]
        choices.append(one > zero)
        metric = np.maximum(zero, one)
    state, message = 0, []
    for choice in reversed(choices):
        message.append(state >> (_MEMORY - 1))
        state = ((state << 1) & (states - 1)) | int(choice[state])
    found = np.array(message[::-1][: ID_BITS + CRC_BITS], np.uint8)
    identifier = int("".join(map(str, found[:ID_BITS])), 2)
    return Decoded(identifier, _crc(found[:ID_BITS]) == int("".join(map(str, found[ID_BITS:])), 2))
