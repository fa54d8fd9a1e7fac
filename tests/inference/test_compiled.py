"""Compiled graphs are kept, found again, and made again when something is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from swaptalk.inference.bundle import ModelBundle, default_directory
from swaptalk.inference.compiled import CompiledGraphs
from swaptalk.inference.engines import OPENVINO, available_devices
from swaptalk.storage import cache
from swaptalk.storage.cache import CACHE_VARIABLE, cache_folder, delete_unused


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def identity_keys() -> np.ndarray:
    """What the smallest graph makes of a fixed input, in a bundle opened anew."""
    bundle = ModelBundle.from_pretrained(default_directory(), threads=1)
    source = (
        np.random.default_rng(0)
        .standard_normal((1, bundle.latent_channels, 16, 16))
        .astype(np.float32)
    )
    return bundle.identity(source).keys


def kept(graphs: CompiledGraphs, graph: str) -> bytes | None:
    """The bytes of a graph in the cache."""
    found = graphs.read(graph)
    assert found is None or isinstance(found, np.memmap)  # not copied into memory
    return None if found is None else found.tobytes()


def test_weights_and_engine_have_folders_of_their_own() -> None:
    graphs = CompiledGraphs("weights", "engine 1")
    graphs.keep("swap", b"compiled")
    assert kept(CompiledGraphs("weights", "engine 1"), "swap") == b"compiled"
    for other in (CompiledGraphs("weights", "engine 2"), CompiledGraphs("other", "engine 1")):
        assert other.read("swap") is None
    assert graphs.read("decoder") is None


def test_a_damaged_or_foreign_file_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = CompiledGraphs("weights", "engine")
    graphs.keep("swap", b"compiled")
    (path,) = graphs.folder.iterdir()
    whole = path.read_bytes()
    for wrong in (whole[:-3], b"", whole[:2] + b"x" + whole[3:]):
        path.write_bytes(wrong)
        assert graphs.read("swap") is None
    path.write_bytes(whole)
    assert kept(graphs, "swap") == b"compiled"
    if hasattr(os, "getuid"):
        monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
        assert graphs.read("swap") is None


def test_where_nothing_can_be_written_nothing_is_kept(own_cache: Path) -> None:
    own_cache.write_text("a file where the folder should be")
    graphs = CompiledGraphs("weights", "engine")
    graphs.keep("swap", b"compiled")
    assert graphs.read("swap") is None


def test_what_is_unused_is_deleted() -> None:
    folder = cache_folder("compiled")
    (folder / "old").mkdir(parents=True)
    (folder / "new").mkdir()
    (folder / "old" / "swap.blob").write_bytes(b"x")
    os.utime(folder / "old", (0, 0))
    delete_unused(folder)
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert cache.UNUSED_SECONDS > 24 * 3600


@pytest.mark.skipif(OPENVINO not in available_devices(), reason="only OpenVINO's graphs are kept")
def test_a_kept_graph_computes_the_same_and_a_bad_one_is_replaced() -> None:
    first = identity_keys()
    (path,) = cache_folder("compiled").rglob("identity.blob")
    made = path.stat().st_mtime_ns
    assert np.array_equal(identity_keys(), first)
    assert path.stat().st_mtime_ns == made  # read, not made again
    path.write_bytes(path.read_bytes()[:1000])
    assert np.array_equal(identity_keys(), first)
    (again,) = cache_folder("compiled").rglob("identity.blob")
    assert again.stat().st_size > 1000
