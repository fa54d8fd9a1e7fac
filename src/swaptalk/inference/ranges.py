"""The ranges of activations that int8 needs, kept beside the weights of a bundle.

A convolution in int8 rounds its input to 256 steps between a lowest and a highest value. Both are
measured on faces when weights are made (`swaptalk calibrate`), never on what a user gives. The file
`RANGES_NAME` is JSON::

    {"format": 1, "about": "...", "networks": {"decoder": {
        "files": {"decoder.onnx": SHA-256, "vqgan.safetensors": SHA-256},
        "inputs": {"vqgan.decoder.body.2.first.weight": [-0.99, 10.6], ...}, ...}}}

``inputs`` names the convolutions that are computed in int8, by their weights; all others stay as
they are. ``files`` are those that the ranges were measured with: where one has changed, its
networks count as having no ranges. A bundle may be without the file.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swaptalk.errors import InputError

#: Name of the file in a bundle.
RANGES_NAME = "activation_ranges.json"
#: Version of its layout; ranges of another version are refused.
RANGES_FORMAT = 1
#: Bytes, layers of a network and largest absolute value that are accepted; real ones are 10 kB, 18
#: and 30.
MAX_RANGES_BYTES, MAX_LAYERS, MAX_VALUE = 1 << 20, 1000, 1e6

#: Lowest and highest input of a layer; the lowest is at most 0, the highest above it.
Range = tuple[float, float]
#: Ranges of a network's layers by the names of their weights.
LayerRanges = Mapping[str, Range]


def read_ranges(directory: Path, hashes: Mapping[str, str]) -> dict[str, dict[str, Range]]:
    """Read the ranges of a bundle's networks; empty if there are none for its files.

    Args:
        directory: the bundle, which may be untrusted.
        hashes: SHA-256 of its files by name.

    Returns:
        Ranges by graph (``decoder``) and by the name of the layer's weight.

    Raises:
        InputError: the file is there and not valid.
    """
    path = directory / RANGES_NAME
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            text = file.read(MAX_RANGES_BYTES + 1)
        if len(text) > MAX_RANGES_BYTES:
            raise ValueError("it is too large")
        return _checked(json.loads(text), hashes)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"holds no valid ranges ({error})",
            path=path,
            remedy="make it again with 'swaptalk calibrate', or delete it",
        ) from error


def _checked(content: Any, hashes: Mapping[str, str]) -> dict[str, dict[str, Range]]:
    if not isinstance(content, dict) or content.get("format") != RANGES_FORMAT:
        raise ValueError(f"not of format {RANGES_FORMAT}")
    networks = content.get("networks")
    if not isinstance(networks, dict):
        raise ValueError("no networks")
    found = {}
    for name, entry in networks.items():
        files = entry.get("files") if isinstance(entry, dict) else None
        inputs = entry.get("inputs") if isinstance(entry, dict) else None
        if not isinstance(files, dict) or not isinstance(inputs, dict) or len(inputs) > MAX_LAYERS:
            raise ValueError(f"no files and inputs of {name[:40]}")
        layers = {layer: _range(layer, value) for layer, value in inputs.items()}
        fits = f"{name}.onnx" in files and all(hashes.get(f) == files[f] for f in files)
        if fits and layers:
            found[name] = layers
    return found


def _range(layer: str, value: Any) -> Range:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{layer[:60]} has no lowest and highest value")
    for end in value:
        if isinstance(end, bool) or not isinstance(end, (int, float)) or not math.isfinite(end):
            raise ValueError(f"the range of {layer[:60]} is not made of numbers")
    low, high = float(value[0]), float(value[1])
    if not -MAX_VALUE <= low <= 0 < high <= MAX_VALUE:
        raise ValueError(f"the range of {layer[:60]} is not around 0")
    return low, high


def ranges_fingerprint(ranges: Mapping[str, LayerRanges]) -> str:
    """Return sixteen hexadecimal digits that change with any range."""
    text = json.dumps({graph: dict(layers) for graph, layers in ranges.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
