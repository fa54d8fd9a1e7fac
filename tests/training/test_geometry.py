"""The geometry regressor learns from a cache, also inside autocast, and is fitted once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from swaptalk.data.latents import LatentCache  # noqa: E402
from swaptalk.data.motion import MotionTable  # noqa: E402
from swaptalk.data.pairs import FrameSampler  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402
from swaptalk.data.unit_arrays import save_array  # noqa: E402
from swaptalk.models.motion import ABSOLUTE_CHANNELS  # noqa: E402
from swaptalk.models.vqgan import VQGAN, VQGANConfig  # noqa: E402
from swaptalk.training import geometry  # noqa: E402


def shown(openings: np.ndarray, channel: int) -> np.ndarray:
    """Embeddings (N, 16, 16, 16) that show openings (N,) in one of their channels."""
    latents = np.zeros((len(openings), 16, 16, 16), np.float16)
    latents[:, channel] = openings[:, None, None]
    return latents


def cached(dataset: Dataset) -> tuple[LatentCache, MotionTable]:
    """A cache whose embeddings show the opening in channel 0, and the measured openings."""
    motion = MotionTable(dataset)
    motion.build()
    cache = LatentCache(dataset, "x")
    cache.folder.mkdir(parents=True)
    for item in dataset.items:
        openings = np.nan_to_num(motion.raw(item)[:, :ABSOLUTE_CHANNELS].mean(axis=1)) * 20
        save_array(cache.folder / f"{item.unit}.npy", shown(openings, 0))
    return cache, motion


def test_reads_results_that_show_the_opening_elsewhere(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset({"a1": "ada", "b1": "bob"}, {})
    cache, motion = cached(dataset)
    items, rng = dataset.select("train"), np.random.default_rng(0)
    sampler = geometry.GeometrySampler(cache, motion, items)
    rows = sampler.mean + sampler.spread * rng.standard_normal((600, 1)).astype(np.float32)
    openings = rows[:, :ABSOLUTE_CHANNELS].mean(axis=1) * 20
    faces = geometry.MeasuredFaces(shown(openings, 5), rows.astype(np.float32))
    said: list[str] = []
    made = geometry.geometry_regressor(cache, motion, items, 120, 0, say=said.append, results=("r", lambda: faces))
    read = made(torch.from_numpy(faces.latents[:200].astype(np.float32)))[:, 3].numpy()
    assert np.corrcoef(read, openings[:200])[0, 1] > 0.8
    assert any("on 60 other results" in line for line in said)
    plain = geometry.geometry_regressor(cache, motion, items, 120, 0, say=said.append)
    blind = plain(torch.from_numpy(faces.latents[:200].astype(np.float32)))[:, 3].numpy()
    assert np.abs(blind - (rows[:200, 3] - sampler.mean[3]) / sampler.spread[3]).mean() > 2 * np.abs(
        read - (rows[:200, 3] - sampler.mean[3]) / sampler.spread[3]
    ).mean()


def test_results_without_faces_are_left_out(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset({"a1": "ada", "b1": "bob"}, {})
    cache, motion = cached(dataset)
    frames = FrameSampler(cache, 1.0, 0.0, 2.0)
    torch.manual_seed(0)
    vqgan = VQGAN(VQGANConfig(latent_channels=16, decoder_widths=(8, 8, 8), decoder_blocks=(1, 1, 1))).eval()
    none = geometry.measured_swaps(lambda target, source: target, vqgan, cache, frames, 4, 0)  # type: ignore[arg-type]
    assert len(none.latents) == len(none.geometry) == 0
    said: list[str] = []
    geometry.geometry_regressor(
        cache, motion, dataset.select("train"), 2, 0, say=said.append, results=("r", lambda: none)
    )
    assert said == ["only 0 results show a face, too few to learn from"]


def test_fits_inside_autocast_and_is_kept(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset({"a1": "ada", "b1": "bob"}, {})
    cache, motion = cached(dataset)
    items = dataset.select("train")
    with torch.autocast("cpu", torch.bfloat16):
        made = geometry.geometry_regressor(cache, motion, items, 60, 0)
    embedded, wanted = geometry.GeometrySampler(cache, motion, items).draw(np.random.default_rng(1), 64)
    read = made(embedded)[:, 3].numpy()
    assert np.corrcoef(read, wanted[:, 3].numpy())[0, 1] > 0.8
    (kept,) = cache.folder.parent.glob("*.safetensors")
    written = kept.stat().st_mtime_ns
    again = geometry.geometry_regressor(cache, motion, items, 60, 0)
    assert kept.stat().st_mtime_ns == written
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), again.parameters(), strict=True))
