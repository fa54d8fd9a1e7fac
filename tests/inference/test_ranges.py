"""The ranges of activations beside the weights: read where they fit, refused where they are not
valid.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swaptalk.errors import InputError
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.ranges import (
    MAX_RANGES_BYTES,
    RANGES_FORMAT,
    RANGES_NAME,
    ranges_fingerprint,
    read_ranges,
)

HASHES = {"decoder.onnx": "a" * 64, "vqgan.safetensors": "b" * 64}


def content(**changes: Any) -> dict[str, Any]:
    """A file's content with one network."""
    network = {"files": dict(HASHES), "inputs": {"one.weight": [-0.5, 2], "two.weight": [0, 1.5]}}
    return {"format": RANGES_FORMAT, "networks": {"decoder": {**network, **changes}}}


def write(folder: Path, value: object) -> Path:
    (folder / RANGES_NAME).write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def test_ranges_are_read_by_network_and_layer(tmp_path: Path) -> None:
    read = read_ranges(write(tmp_path, content()), {**HASHES, "swap.onnx": "c" * 64})
    assert read == {"decoder": {"one.weight": (-0.5, 2.0), "two.weight": (0.0, 1.5)}}


def test_a_bundle_may_be_without_them(tmp_path: Path) -> None:
    assert read_ranges(tmp_path, HASHES) == {}


@pytest.mark.parametrize("changed", sorted(HASHES))
def test_ranges_of_other_weights_count_as_none(tmp_path: Path, changed: str) -> None:
    assert read_ranges(write(tmp_path, content()), {**HASHES, changed: "d" * 64}) == {}


def test_ranges_must_name_their_graph(tmp_path: Path) -> None:
    files = {"vqgan.safetensors": HASHES["vqgan.safetensors"]}
    assert read_ranges(write(tmp_path, content(files=files)), HASHES) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        "9" * (MAX_RANGES_BYTES + 1),
        {"format": RANGES_FORMAT + 1, "networks": {}},
        {"format": RANGES_FORMAT},
        {"format": RANGES_FORMAT, "networks": {"decoder": []}},
        content(files=None),
        content(inputs={"one.weight": [0]}),
        content(inputs={"one.weight": [0, "1"]}),
        content(inputs={"one.weight": [0, True]}),
        content(inputs={"one.weight": [0, float("nan")]}),
        content(inputs={"one.weight": [0.5, 1]}),
        content(inputs={"one.weight": [-1, 0]}),
        content(inputs={"one.weight": [0, 1e9]}),
    ],
)
def test_what_is_not_valid_is_refused(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(InputError, match="holds no valid ranges"):
        read_ranges(write(tmp_path, wrong), HASHES)


def test_any_changed_range_changes_the_fingerprint() -> None:
    ranges = {"decoder": {"one.weight": (-0.5, 2.0)}}
    others = [{}, {"decoder": {"one.weight": (-0.5, 2.1)}}, {"encoder": ranges["decoder"]}]
    assert len({ranges_fingerprint(one) for one in [ranges, *others]}) == 4


def test_the_default_weights_have_ranges_of_their_own() -> None:
    """Fails where weights were replaced and 'swaptalk calibrate' was not called again."""
    hashes = json.loads((default_directory() / "bundle.json").read_text())["sha256"]
    assert set(read_ranges(default_directory(), hashes)) == {"encoder", "decoder", "restoration"}
