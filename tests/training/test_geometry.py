"""The geometry regressor learns from a cache, also inside autocast, and is fitted once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from swaptalk.data.latents import LatentCache  # noqa: E402
from swaptalk.data.motion import MotionTable  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402
from swaptalk.data.unit_arrays import save_array  # noqa: E402
from swaptalk.faces.geometry.mouth_motion import ABSOLUTE_CHANNELS  # noqa: E402
from swaptalk.training import geometry  # noqa: E402


def test_fits_inside_autocast_and_is_kept(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset({"a1": "ada", "b1": "bob"}, {})
    motion = MotionTable(dataset)
    motion.build()
    cache = LatentCache(dataset, "x")
    items = dataset.select("train")
    cache.folder.mkdir(parents=True)
    for unit in {item.unit for item in items}:  # embeddings that show the opening in every place
        rows = np.zeros((len(dataset.unit(unit).usable), 16, 16, 16), np.float16)
        for item in (i for i in items if i.unit == unit):
            openings = np.nan_to_num(motion.raw(item)[:, :ABSOLUTE_CHANNELS].mean(axis=1)) * 20
            rows[item.first : item.first + item.count] += openings[:, None, None, None]
        save_array(cache.folder / f"{unit}.npy", rows)
    with torch.autocast("cpu", torch.bfloat16):
        made = geometry.geometry_regressor(cache, motion, items, 60, 0)
    embedded, wanted = geometry.GeometrySampler(cache, motion, items).draw(
        np.random.default_rng(1), 64
    )
    read = made(embedded)[:, 3].numpy()
    assert np.corrcoef(read, wanted[:, 3].numpy())[0, 1] > 0.8
    (kept,) = cache.folder.parent.glob("*.safetensors")
    written = kept.stat().st_mtime_ns
    again = geometry.geometry_regressor(cache, motion, items, 60, 0)
    assert kept.stat().st_mtime_ns == written
    assert all(
        torch.equal(a, b) for a, b in zip(made.parameters(), again.parameters(), strict=True)
    )
