"""'swaptalk calibrate' writes ranges into a bundle, of training people only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("openvino")

from swaptalk.cli.main import main  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402
from swaptalk.export import calibrate as module  # noqa: E402
from swaptalk.inference.bundle import ModelBundle, default_directory  # noqa: E402
from swaptalk.inference.ranges import RANGES_NAME, read_ranges  # noqa: E402


@pytest.fixture
def data(make_dataset: Callable[..., Dataset]) -> Path:
    return make_dataset({}, {"a1": "ada", "a2": "ada", "b1": "bob", "b2": "bob"}).folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The default weights without ranges."""
    folder = tmp_path / "bundle"
    shutil.copytree(default_directory(), folder, ignore=shutil.ignore_patterns(RANGES_NAME))
    return folder


def test_a_calibrated_bundle_can_be_computed_in_int8(
    data: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "CHECKED", 2)
    assert main(["calibrate", str(data), "--models", str(bundle), "--faces", "3"]) == 0
    said = capsys.readouterr().out
    assert "decoder: " in said and " of 18 convolutions in int8, pictures at " in said
    hashes = json.loads((bundle / "bundle.json").read_text())["sha256"]
    ranges = read_ranges(bundle, hashes)
    assert set(ranges) == {"encoder", "decoder", "restoration"}
    assert "vqgan.encoder.body.1.weight" not in ranges["encoder"]  # the first one
    assert "vqgan.encoder.head.weight" not in ranges["encoder"]  # the last one
    content = json.loads((bundle / RANGES_NAME).read_text())
    assert all(one["psnr"] >= module.LEAST_PSNR for one in content["networks"].values())
    used = ModelBundle.from_pretrained(bundle, threads=1, precision="int8")
    assert "int8" in used.numerics


def test_layers_that_cost_the_picture_too_much_stay_as_they_are(
    data: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKED", 1)
    monkeypatch.setattr(module, "NETWORKS", ("encoder",))
    every = module.calibrate(bundle, data, 1)["encoder"]
    monkeypatch.setattr(module, "LEAST_PSNR", every.psnr + 2)
    fewer = module.calibrate(bundle, data, 1)["encoder"]
    assert set(fewer.inputs) < set(every.inputs) and fewer.psnr >= every.psnr + 2
    assert fewer.layers == every.layers == 14
    assert all(every.inputs[layer] == ends for layer, ends in fewer.inputs.items())


def test_what_cannot_be_calibrated_is_said(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(tmp_path / "none"), "--models", str(bundle)]) == 2
    assert "is not a prepared dataset" in capsys.readouterr().err
    assert main(["calibrate", str(tmp_path), "--models", str(tmp_path)]) == 2
    assert "is not a readable weights bundle" in capsys.readouterr().err
    assert not (bundle / RANGES_NAME).exists()
