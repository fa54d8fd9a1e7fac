"""The stage of the hair network: its samples, what it learns, and the file it becomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("onnxscript")

from swaptalk.cli.main import main  # noqa: E402
from swaptalk.faces.editing.hair_network import GRID, HairNetwork  # noqa: E402
from swaptalk.faces.geometry.topology import canonical_crop_mesh  # noqa: E402
from swaptalk.models.occlusion import OcclusionConfig  # noqa: E402
from swaptalk.training.pretrained import load_network  # noqa: E402
from swaptalk.training.stage import Batch  # noqa: E402
from swaptalk.training.stages.hair import HairOptions, HairStage, known_places  # noqa: E402

TINY = OcclusionConfig(widths=(8, 8, 16, 16), deep_blocks=1)


def _batch(data: Path, free_share: float) -> Batch:
    options = HairOptions(data=data, steps=4, batch_size=8, model=TINY, free_share=free_share)
    return HairStage(options).batch(np.random.default_rng(1))


def test_samples_say_where_something_was_drawn(data: Path) -> None:
    batch = _batch(data, free_share=0.0)
    assert batch["views"].shape == (8, 256, 256, 3) and batch["views"].dtype == torch.uint8
    assert batch["covered"].shape == batch["weight"].shape == (8, *GRID)
    surely = (batch["covered"] * (batch["weight"] > 0.9)).sum(dim=(1, 2))
    assert int((surely > 10).sum()) >= 5
    again = _batch(data, free_share=0.0)
    assert torch.equal(batch["views"], again["views"])


def test_without_anything_drawn_the_face_itself_is_free(data: Path) -> None:
    batch = _batch(data, free_share=1.0)
    middle = slice(64, 96)
    assert float(batch["covered"][:, middle, 48:80].max()) == 0
    assert float(batch["weight"][:, middle, 48:80].mean()) > 0.95
    outline = batch["weight"][:, 64]
    assert float((outline == 0).float().mean()) > 0.03, "nobody knows at the outline"


def test_strands_in_the_colour_of_the_skin_are_no_skin() -> None:
    """Fair hair over the forehead: nobody knows; skin that is as smooth as the cheeks is skin."""
    mesh = np.asarray(canonical_crop_mesh(), np.float32)
    skin = np.full((256, 256, 3), (210.0, 160.0, 130.0))
    skin += np.random.default_rng(0).normal(0, 2, (256, 256, 1))
    x, y = np.round(mesh[151, :2]).astype(int)  # the middle of the forehead
    forehead = slice(y - 8, y + 5), slice(x - 18, x + 19)
    strands = skin.copy()
    strands[forehead] *= 1 + 0.15 * np.sin(2.1 * np.arange(37))[None, :, None]
    known = [
        known_places(one.clip(0, 255).astype(np.uint8), mesh)[1][forehead][4:-4, 6:-6].mean()
        for one in (skin, strands)
    ]
    assert known[0] > 0.9 and known[1] < 0.2


def test_it_trains_and_becomes_a_file_that_computes_the_same(data: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "hair.onnx"
    arguments = ["--data", str(data), "--out", str(run), "--steps", "3", "--batch-size", "4"]
    assert main(["train", "hair", *arguments, "--model.widths", "8", "8", "16", "16"]) == 0
    assert main(["export", str(run), "--out", str(file)]) == 0
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    logits = load_network("hair", run)(torch.from_numpy(crop[None])).numpy()[0]
    wanted = 1 / (1 + np.exp(-logits))
    sure = HairNetwork(file)(crop)
    assert sure.shape == (256, 256)
    inside = sure.reshape(128, 2, 128, 2).mean(axis=(1, 3))
    assert np.abs(inside - wanted)[4:-4, 4:-4].mean() < 0.01
