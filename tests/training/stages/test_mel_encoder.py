"""The mel encoder learns from a teacher that reads a speech recogniser's features."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from swaptalk.cli.main import main  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402
from swaptalk.inference.bundle import default_directory  # noqa: E402
from swaptalk.models.whisper import FEATURES  # noqa: E402
from swaptalk.training.pretrained import load_network  # noqa: E402


def test_the_teacher_learns_first_and_then_teaches(
    make_dataset: Callable[..., Dataset], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = make_dataset({"one": "ann", "two": "bob"}, {})
    recognised = dataset.folder / "whisper-base"
    recognised.mkdir()
    rng = np.random.default_rng(0)
    for item in dataset.items:
        features = rng.standard_normal((item.count, FEATURES)).astype(np.float16)
        np.save(recognised / f"{item.unit}.npy", features)
    config, out = tmp_path / "config.json", tmp_path / "run"
    small = {
        "steps": 4,
        "batch_size": 2,
        "tokens": 30,
        "teacher_steps": 2,
        "audio": {"width": 16},
        "head": {"width": 8},
        "log_every": 1,
        "evaluate_every": 0,
        "threads": 0,
        "tensorboard": False,
        "accelerator": "cpu",
    }
    config.write_text(json.dumps(small))
    places = ["--data", dataset.folder, "--lipsync", default_directory(), "--out", out]
    assert main(["train", "mel-encoder", "--config", str(config), *map(str, places)]) == 0
    with (out / "log.csv").open(newline="") as file:
        log = list(csv.DictReader(file))
    assert [bool(row["taught_token"]) for row in log] == [False, False, True, True]
    assert [float(row["teacher_gradient"] or 0) > 0 for row in log] == [True, True, False, False]
    assert all(float(row["features"]) > 0 for row in log)
    heard = load_network("audio", out)(torch.zeros(1, 40, 80))
    assert heard.shape[:2] == (1, 10) and bool(torch.isfinite(heard).all())
