"""``swaptalk licences``: every part of the installation has terms, and the bill of materials names
them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import uuid
from pathlib import Path

import pytest

import swaptalk
from swaptalk.assets import catalogue
from swaptalk.cli.main import main
from swaptalk.inference.bundle import default_directory

INSTALLED = any(one.name == "swaptalk" for one in importlib.metadata.distributions())


def test_all_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["licences"]) == 0
    said = capsys.readouterr().out
    for words in ("model file:", "data:", "CelebA", *(("code:", "numpy") if INSTALLED else ())):
        assert words in said
    for asset in catalogue.catalogue():
        assert f"{asset.name} " in said and asset.licence in said


def test_json_has_sums_of_the_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["licences", "--json"]) == 0
    parts = json.loads(capsys.readouterr().out)
    weights = {part["name"]: part["sha256"] for part in parts if part["kind"] == "weights"}
    if (default_directory() / "bundle.json").exists():
        bundle = json.loads((default_directory() / "bundle.json").read_text())["sha256"]
        package = Path(swaptalk.__file__).parent
        instruments = (
            package / "faces" / "detection" / "lips.onnx",
            package / "faces" / "editing" / "eyes.onnx",
            package / "faces" / "editing" / "occlusion.onnx",
            package / "faces" / "editing" / "eyewear.onnx",
            package / "faces" / "editing" / "hair.onnx",
            package / "metrics" / "sync_scorer.safetensors",
        )
        sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in instruments}
        assert weights == {**bundle, **sums}
    assert all(part["licence"] for part in parts)


def test_bill_of_materials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sbom.json"
    assert main(["licences", "--sbom", str(path)]) == 0
    bill = json.loads(path.read_text())
    assert bill["bomFormat"] == "CycloneDX" and bill["specVersion"] == "1.6"
    uuid.UUID(bill["serialNumber"].removeprefix("urn:uuid:"))
    references = [part["bom-ref"] for part in bill["components"]]
    assert len(set(references)) == len(references)
    if INSTALLED:  # not in a bare source tree
        numpy = next(part for part in bill["components"] if part["name"] == "numpy")
        assert numpy["type"] == "library" and numpy["purl"] == f"pkg:pypi/numpy@{numpy['version']}"
    assert main(["licences", "--sbom", str(tmp_path / "nowhere" / "sbom.json")]) == 2
    capsys.readouterr()
