"""The stage of the occlusion network: its samples, what it learns, and the file it becomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("onnxscript")

from swaptalk.cli.main import main  # noqa: E402
from swaptalk.faces.editing.occlusion import occlusion_view  # noqa: E402
from swaptalk.inference.exact import ExactNetwork  # noqa: E402
from swaptalk.losses.occlusion import cell_loss, overlap_loss  # noqa: E402
from swaptalk.models.occlusion import OcclusionConfig, OcclusionModel  # noqa: E402
from swaptalk.training.pretrained import load_network  # noqa: E402
from swaptalk.training.stages.occlusion import (  # noqa: E402
    OUTSIDE_WEIGHT,
    OcclusionOptions,
    OcclusionStage,
)

TINY = OcclusionConfig(widths=(8, 8, 16, 16), deep_blocks=1)


def _options(data: Path, **changed: object) -> OcclusionOptions:
    return OcclusionOptions(data=data, steps=4, batch_size=8, model=TINY, **changed)  # type: ignore[arg-type]


def test_samples_say_where_things_are(data: Path) -> None:
    stage = OcclusionStage(_options(data, free_share=0.5))
    batch = stage.batch(np.random.default_rng(3))
    assert batch["views"].shape == (8, 128, 128, 3) and batch["views"].dtype == torch.uint8
    assert batch["covered"].shape == batch["weight"].shape == (8, 64, 64)
    covered = batch["covered"].amax(dim=(1, 2))
    assert 1 <= int((covered == 0).sum()) <= 7 and float(covered.max()) > 0.95
    assert sorted(batch["weight"].unique().tolist()) == pytest.approx([OUTSIDE_WEIGHT, 1.0])
    again = stage.batch(np.random.default_rng(3))
    assert torch.equal(batch["views"], again["views"])


def test_everything_free_is_labelled_free(data: Path) -> None:
    batch = OcclusionStage(_options(data, free_share=1.0)).batch(np.random.default_rng(0))
    assert float(batch["covered"].max()) == 0


def test_losses_are_small_where_all_is_right_and_large_where_nothing_is() -> None:
    covered = torch.zeros(2, 64, 64)
    covered[0, 20:40, 20:40] = 1
    weight = torch.ones_like(covered)
    right, wrong = 40 * covered - 20, 20 - 40 * covered
    for loss in (cell_loss, overlap_loss):
        assert float(loss(right, covered, weight)) < 0.01
        assert float(loss(wrong, covered, weight)) > 0.5
    outside = weight.clone()
    outside[:, :, 32:] = 0
    changed = right.clone()
    changed[:, :, 32:] *= -1
    assert float(cell_loss(changed, covered, outside)) < 0.01


def test_an_untrained_network_is_undecided() -> None:
    logits = OcclusionModel(TINY)(torch.randint(0, 256, (2, 128, 128, 3), dtype=torch.uint8))
    assert logits.shape == (2, 64, 64) and float(logits.detach().abs().max()) == 0


def test_it_trains_and_becomes_a_file_that_computes_the_same(data: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "occlusion.onnx"
    arguments = ["--data", str(data), "--out", str(run), "--steps", "3", "--batch-size", "4"]
    arguments += ["--accelerator", "cpu", "--precision", "32-true", "--no-tensorboard"]
    arguments += ["--threads", "0", "--log-every", "1", "--evaluate-every", "0", "--warm-up", "1"]
    shape = ["--model.widths", "8", "8", "16", "16", "--model.deep-blocks", "1"]
    assert main(["train", "occlusion", *arguments, *shape]) == 0
    assert main(["export", str(run), "--out", str(file)]) == 0
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    view = occlusion_view(crop)
    expected = load_network("occlusion", run)(torch.from_numpy(view[None]))[0].numpy()
    logits = ExactNetwork(file)(view[None])
    assert np.abs(logits[0] - expected).max() < 0.02 * max(1.0, np.abs(expected).max())
