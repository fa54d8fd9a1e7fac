"""Bundles from strangers: everything that the engines would be given is looked at before."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import load_file, save_file

from swaptalk.cli.main import main
from swaptalk.errors import InputError
from swaptalk.inference import onnx_file
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.validate import BUNDLE_NAME, GRAPHS, validated_config

if not (default_directory() / BUNDLE_NAME).exists():
    pytest.skip("needs the default weights", allow_module_level=True)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_directory(), tmp_path / "bundle"))


def sign(bundle: Path, change: Callable[[dict[str, Any]], object] = lambda config: None) -> None:
    """Let the config state the sums of the files as they are now, as a stranger would."""
    path = bundle / BUNDLE_NAME
    config = json.loads(path.read_text())
    for name in config["sha256"]:
        if (bundle / name).is_file():
            config["sha256"][name] = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    change(config)
    path.write_text(json.dumps(config))


def change_graph(bundle: Path, name: str, change: Callable[[onnx.ModelProto], object]) -> None:
    path = bundle / f"{name}.onnx"
    model = onnx.load(str(path), load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())
    sign(bundle)


def refused(bundle: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        validated_config(bundle)
    assert "\n" not in str(caught.value) and str(bundle) in str(caught.value)


def test_our_own_passes(bundle: Path) -> None:
    assert validated_config(bundle)["format"] == 2
    sign(bundle)
    assert validated_config(bundle)["networks"]


def test_graphs_are_read_as_onnx_reads_them() -> None:
    for name in GRAPHS:
        path = default_directory() / f"{name}.onnx"
        ours, theirs = (
            onnx_file.parse(path.read_bytes()),
            onnx.load(str(path), load_external_data=False),
        )
        assert ours.operators == {node.op_type for node in theirs.graph.node}
        assert [one.name for one in ours.inputs] == [one.name for one in theirs.graph.input]
        assert [weight.shape for weight in ours.weights] == [
            tuple(one.dims) for one in theirs.graph.initializer
        ]
        assert [weight.external for weight in ours.weights] == [
            {entry.key: entry.value for entry in one.external_data} or None
            for one in theirs.graph.initializer
        ]
        assert ours.opsets == {"ai.onnx": theirs.opset_import[0].version}


def test_another_file_than_stated(bundle: Path) -> None:
    data = bytearray((bundle / "swap.safetensors").read_bytes())
    data[-1] ^= 1
    (bundle / "swap.safetensors").write_bytes(data)
    refused(bundle, "another SHA-256")


def relocate(place: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].external_data[0].value = place

    return change


def lengthen(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].external_data[1].value = str(10**15)


def reshape(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] *= 2


def foreign(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


def branch(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(
        helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    )


def hidden_branch(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(
        helper.make_attribute("body", helper.make_graph([], "inner", [], []))
    )


def hidden_file(model: onnx.ModelProto) -> None:
    tensor = TensorProto(
        name="x", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(helper.make_node("Constant", [], ["y"], value=tensor))


def old(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 9


def other_domain(model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)


def function(model: onnx.ModelProto) -> None:
    model.functions.append(
        helper.make_function("d", "f", [], [], [], [helper.make_opsetid("", 20)])
    )


def other_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 65


def no_output(model: onnx.ModelProto) -> None:
    del model.graph.output[:]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (relocate("/etc/passwd"), "outside of the bundle"),
        (relocate("../secret.safetensors"), "outside of the bundle"),
        (relocate("sub/../vqgan.safetensors"), "outside of the bundle"),
        (relocate("decoder.onnx"), "outside of the bundle"),
        (lengthen, "behind the end|places?"),
        (reshape, "another size"),
        (foreign, "operators com.example::"),
        (branch, "operators If"),
        (hidden_branch, "nested graphs"),
        (hidden_file, "weights in attributes"),
        (old, "operator sets ai.onnx 9"),
        (other_domain, "operator sets"),
        (function, "functions"),
        (other_input, "other inputs"),
        (no_output, "other outputs"),
    ],
)
def test_graphs_that_do_something_else(
    bundle: Path, change: Callable[[onnx.ModelProto], None], match: str
) -> None:
    change_graph(bundle, "decoder", change)
    refused(bundle, match)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: c.pop("motion"), "motion statistics"),
        (lambda c: c["motion"]["mean"].append(float("nan")), "out of range"),
        (lambda c: c["motion"]["mean"].pop(), "different lengths"),
        (lambda c: c["motion"]["spread"].__setitem__(0, 0.0), "not above 0"),
        (lambda c: c["motion"].update(mean="many"), "no list"),
        (lambda c: c["networks"]["vqgan"].update(latent_channels=10**9), "latent_channels from 1"),
        (lambda c: c["networks"]["vqgan"].update(latent_channels=True), "latent_channels from 1"),
        (lambda c: c["networks"]["lipsync"].update(motion_window=4), "not odd"),
        (lambda c: c["sha256"].update({"../evil.onnx": "0" * 64}), "names files"),
        (lambda c: c["sha256"].pop("swap.onnx"), "names no swap.onnx"),
        (lambda c: c["sha256"].update({"swap.onnx": 7}), "not SHA-256"),
        (lambda c: c.update(format=99), "bundle format 99"),
        (lambda c: c.update(description="x" * (2 << 20)), "not a readable"),
    ],
)
def test_configs_out_of_range(
    bundle: Path, change: Callable[[dict[str, Any]], object], match: str
) -> None:
    sign(bundle, change)
    refused(bundle, match)


def test_files_that_are_links_missing_or_damaged(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "audio.safetensors"
    elsewhere = tmp_path / "elsewhere.safetensors"
    path.rename(elsewhere)
    refused(bundle, "lacks audio.safetensors")
    path.symlink_to(elsewhere)
    refused(bundle, "elsewhere")
    path.unlink()
    shutil.copy(elsewhere, path)
    (bundle / "decoder.onnx").write_bytes(b"\xff" * 100)
    sign(bundle)
    refused(bundle, "decoder.onnx: is damaged")


def test_codebooks_of_other_shapes(bundle: Path) -> None:
    path = bundle / "vqgan.safetensors"
    tensors = load_file(path)
    tensors["quantizer.upper.codebook"] = np.zeros((16, 1000, 4), np.float16)
    save_file(tensors, path)
    sign(bundle)
    refused(bundle, "codes|behind|another size")
    path.write_bytes(b"\xff" * 64)
    sign(bundle)
    refused(bundle, "damaged|behind|another size")


def test_the_command_line_refuses_in_one_line(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_graph(bundle, "decoder", relocate("/etc/passwd"))
    code = main(
        [
            "generate",
            "--source",
            "a.jpg",
            "--target",
            "b.mp4",
            "--audio",
            "c.wav",
            "--models",
            str(bundle),
            "--output",
            str(tmp_path / "out.mp4"),
        ]
    )
    said = capsys.readouterr().err
    assert code == 2 and said.count("\n") == 1 and "points at weights outside of the bundle" in said


def test_the_network_that_restores_may_be_left_out_but_not_half_of_it(bundle: Path) -> None:
    assert "restoration" in validated_config(bundle)["networks"]
    (bundle / "restoration.onnx").unlink()

    def without_graph(config: dict[str, Any]) -> None:
        del config["sha256"]["restoration.onnx"]

    sign(bundle, without_graph)
    refused(bundle, "names no restoration.onnx")
    (bundle / "restoration.safetensors").unlink()

    def without_network(config: dict[str, Any]) -> None:
        del config["sha256"]["restoration.safetensors"], config["networks"]["restoration"]

    sign(bundle, without_network)
    assert "restoration" not in validated_config(bundle)["networks"]
