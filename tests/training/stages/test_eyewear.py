"""The stage of the eyewear network: its samples, what it learns, and the file it becomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("onnxscript")

from swaptalk.cli.main import main  # noqa: E402
from swaptalk.faces.editing.eyewear_network import GRID, EyewearNetwork, eyewear_view  # noqa: E402
from swaptalk.models.occlusion import OcclusionConfig  # noqa: E402
from swaptalk.training.pretrained import load_network  # noqa: E402
from swaptalk.training.stages.eyewear import EyewearOptions, EyewearStage  # noqa: E402

TINY = OcclusionConfig(widths=(8, 8, 16, 16), deep_blocks=1)


def _stage(data: Path, **changed: object) -> EyewearStage:
    return EyewearStage(EyewearOptions(data=data, steps=4, batch_size=8, model=TINY, **changed))  # type: ignore[arg-type]


def test_samples_say_where_rims_are(data: Path) -> None:
    stage = _stage(data, free_share=0.5)
    batch = stage.batch(np.random.default_rng(1))
    assert batch["views"].shape == (8, 128, 256, 3) and batch["views"].dtype == torch.uint8
    assert batch["covered"].shape == batch["weight"].shape == (8, *GRID)
    cells = batch["covered"].sum(dim=(1, 2))
    assert 1 <= int((cells == 0).sum()) <= 7 and float(cells[cells > 0].min()) > 50
    again = stage.batch(np.random.default_rng(1))
    assert torch.equal(batch["views"], again["views"])


def test_faces_without_glasses_have_no_rims(data: Path) -> None:
    batch = _stage(data, free_share=1.0).batch(np.random.default_rng(0))
    assert float(batch["covered"].max()) == 0


def test_listed_faces_take_part_as_the_list_says(data: Path, tmp_path: Path) -> None:
    """None gets glasses drawn: on these even faces the network of before sees no rims."""
    names = [row.split(",")[0] for row in (data / "index.csv").read_text().splitlines()[1:]]
    for worn in (0, 1):
        labels = tmp_path / f"{worn}.csv"
        rows = [f"{name},{k},{worn}" for name in names for k in range(40)]
        labels.write_text("\n".join(["name,picture,worn", *rows]) + "\n")
        stage = _stage(data, labels=labels, free_share=0.0, real_share=1.0, hard_share=1.0)
        batch = stage.batch(np.random.default_rng(0))
        assert batch["views"].shape == (8, 128, 256, 3)
        assert float(batch["covered"].max()) == 0
        plain = batch["views"].numpy()
        assert (plain[..., 0] == plain[..., 1]).all() and (plain[..., 0] == plain[..., 2]).all()
        with torch.no_grad():
            metrics = stage.evaluate(stage.networks, 0).metrics
        assert ("real_found" if worn else "hard_alarms") in metrics


def test_it_trains_and_becomes_a_file_that_computes_the_same(data: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "eyewear.onnx"
    arguments = ["--data", str(data), "--out", str(run), "--steps", "3", "--batch-size", "4"]
    assert main(["train", "eyewear", *arguments, "--model.widths", "8", "8", "16", "16"]) == 0
    assert main(["export", str(run), "--out", str(file)]) == 0
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    network = load_network("eyewear", run)
    logits = network(torch.from_numpy(eyewear_view(crop)[None].copy())).numpy()[0]
    sure = EyewearNetwork(file)(crop)
    assert sure.shape == (256, 256)
    wanted = 1 / (1 + np.exp(-logits))
    inside = sure[40:168].reshape(64, 2, 128, 2).mean(axis=(1, 3))
    assert np.abs(inside - wanted)[4:-4, 4:-4].mean() < 0.01
    assert not sure[:40].any() and not sure[168:].any()
