"""Networks in int8: near to float32, the same bits again, and only where they are the fastest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.inference.bundle import ModelBundle, default_directory
from swaptalk.inference.engines import OPENVINO, available_devices, processor_flags
from swaptalk.inference.int8 import int8_kernel, is_int8_fastest, quantized_graph
from swaptalk.inference.ranges import RANGES_NAME, read_ranges
from swaptalk.metrics.psnr import psnr
from swaptalk.storage.cache import CACHE_VARIABLE

needs_openvino = pytest.mark.skipif(
    OPENVINO not in available_devices(), reason="only OpenVINO computes in int8"
)


@pytest.fixture
def face(astronaut: np.ndarray) -> np.ndarray:
    """Faces (2, 256, 256, 3): one, and its mirror image."""
    one = cv2.resize(astronaut[:256, 96:352], (256, 256))
    return np.stack([one, one[:, ::-1]])


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The default bundle in a folder of its own."""
    folder = tmp_path / "bundle"
    shutil.copytree(default_directory(), folder)
    return folder


def made(bundle: ModelBundle, faces: np.ndarray) -> list[np.ndarray]:
    """What the networks that int8 is for make of faces."""
    latents = bundle.encode(faces)
    decoded = bundle.decode(latents)
    mask = np.full(faces.shape[:3], 255, np.uint8)
    return [latents, decoded, bundle.restore(decoded, decoded, faces, mask)]


@needs_openvino
def test_pictures_in_int8_are_near_to_those_in_float32(face: np.ndarray) -> None:
    exact, rounded = (
        ModelBundle.from_pretrained(threads=1, device=OPENVINO, precision=precision)
        for precision in ("float32", "int8")
    )
    assert exact.numerics != rounded.numerics
    assert exact.fingerprint == rounded.fingerprint  # the same weights
    wanted, found = made(exact, face), made(rounded, face)
    assert psnr(wanted[-1], found[-1]) > 44
    assert not any(np.array_equal(a, b) for a, b in zip(wanted, found, strict=True))


@needs_openvino
def test_in_int8_neither_batches_nor_threads_nor_the_cache_change_a_bit(
    face: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    first = made(ModelBundle.from_pretrained(threads=1, precision="int8"), face)
    assert len(list((tmp_path / "cache").rglob("decoder.blob"))) == 1
    again = ModelBundle.from_pretrained(threads=2, precision="int8")
    one_by_one = [made(again, face[k : k + 1]) for k in (0, 1)]
    alone = [np.concatenate(parts) for parts in zip(*one_by_one, strict=True)]
    assert all(np.array_equal(a, b) for a, b in zip(alone, first, strict=True))


@needs_openvino
def test_layers_with_ranges_and_no_others_are_computed_in_int8() -> None:
    import openvino

    core = openvino.Core()
    hashes = json.loads((default_directory() / "bundle.json").read_text())["sha256"]
    ranges = read_ranges(default_directory(), hashes)["decoder"]
    few = dict(list(ranges.items())[:3])
    graph = quantized_graph(core, str(default_directory() / "decoder.onnx"), few)
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    nodes = core.compile_model(graph, "CPU", config).get_runtime_model().get_ops()
    kernels = [
        str(getattr(about["primitiveType"], "value", about["primitiveType"]))
        for about in (node.get_rt_info() for node in nodes)
        if "Convolution" in str(getattr(about["layerType"], "value", about["layerType"]))
    ]
    assert sum(kernel.endswith("I8") for kernel in kernels) == 3 and len(kernels) == 18


@needs_openvino
def test_a_bundle_without_ranges_computes_as_before(copied: Path) -> None:
    (copied / RANGES_NAME).unlink()
    bundle = ModelBundle.from_pretrained(copied, threads=1)
    assert "int8" not in bundle.numerics
    with pytest.raises(InputError, match="no ranges for --precision int8"):
        ModelBundle.from_pretrained(copied, precision="int8", device=OPENVINO)


@needs_openvino
def test_other_ranges_are_other_numerics_and_must_name_layers(copied: Path) -> None:
    path = copied / RANGES_NAME
    content = json.loads(path.read_text())
    before = ModelBundle.from_pretrained(copied, threads=1, precision="int8").numerics
    content["networks"]["decoder"]["inputs"]["no.weight"] = [0, 1]
    path.write_text(json.dumps(content))
    bundle = ModelBundle.from_pretrained(copied, threads=1, precision="int8")
    assert bundle.numerics != before
    with pytest.raises(InputError, match="has no convolution no.weight"):
        bundle.load("decoder")


@pytest.mark.skipif("cpu" not in available_devices(), reason="ONNX Runtime is not installed")
@pytest.mark.parametrize("precision", ("int8", "bfloat16"))
def test_onnx_runtime_computes_in_float32_only(precision: str) -> None:
    with pytest.raises(InputError, match=f"does not compute --precision {precision}"):
        ModelBundle.from_pretrained(device="cpu", precision=precision)  # type: ignore[arg-type]
    assert ModelBundle.from_pretrained(device="cpu", precision="float32").numerics


@pytest.mark.parametrize(
    ("flags", "fastest"),
    [
        ("sse4_2 avx", False),
        ("sse4_2 avx avx2", True),
        ("avx2 avx512f", True),
        ("avx2 avx_vnni", True),
        ("avx2 avx512f avx512_vnni", True),
        ("avx2 avx512f avx512_vnni avx_vnni avx512_bf16", True),
        ("avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_tile amx_int8", False),
    ],
)
def test_flags_of_the_processor_decide(flags: str, fastest: bool) -> None:
    assert is_int8_fastest(None, frozenset(flags.split())) is fastest


@needs_openvino
@pytest.mark.skipif(not processor_flags(), reason="the system lists no flags to compare with")
def test_without_flags_the_engine_answers_the_same() -> None:
    import openvino

    assert is_int8_fastest(openvino.Core(), frozenset()) is is_int8_fastest(None, processor_flags())
    assert int8_kernel(openvino.Core()).endswith("I8")


@needs_openvino
@pytest.mark.parametrize(("isa", "fastest"), [("SSE41", "False"), ("AVX2", "True")])
def test_the_engine_is_asked_which_kernel_it_takes(isa: str, fastest: str) -> None:
    """oneDNN can be told to take the processor for an older one."""
    if "avx2" not in processor_flags():
        pytest.skip("this processor cannot be taken for both")
    program = (
        "import openvino; from swaptalk.inference.int8 import is_int8_fastest; "
        "print(is_int8_fastest(openvino.Core(), frozenset()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == fastest
