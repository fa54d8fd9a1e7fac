import dataclasses
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from swaptalk.cli.train import parse  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.training.options import from_dict, to_json  # noqa: E402
from swaptalk.training.registry import STAGES, options_of  # noqa: E402


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_options_survive_json(stage: str) -> None:
    kind = options_of(stage)
    options = kind(out=Path("somewhere"), steps=7, start_from=Path("before"))
    assert from_dict(kind, json.loads(to_json(options))) == options


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_every_option_has_help(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([stage, "--help"])
    shown = capsys.readouterr().out
    for field in dataclasses.fields(options_of(stage)):
        assert field.name.replace("_", "-") in shown, field.name


def test_the_command_line_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "options.json"
    values = {
        "steps": 5,
        "batch_size": 3,
        "weights": {"identity": 0.0},
        "model": {"decoder_widths": [8, 8, 8]},
    }
    file.write_text(json.dumps(values))
    stage, options = parse(
        ["vqgan", "--config", str(file), "--batch-size", "4", "--weights.coarse", "0"]
    )
    assert stage == "vqgan"
    assert (options.steps, options.batch_size) == (5, 4)
    assert (options.weights.identity, options.weights.coarse, options.weights.reconstruction) == (
        0.0,
        0.0,
        1.0,
    )
    assert options.model.decoder_widths == (8, 8, 8)
    assert options.out == Path("runs/vqgan")


def test_the_config_of_a_run_can_be_used_again(tmp_path: Path) -> None:
    _, options = parse(["swap", "--steps", "3", "--out", str(tmp_path)])
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"stage": "swap", "options": json.loads(to_json(options))}))
    assert parse(["swap", f"--config={file}"]) == ("swap", options)
    with pytest.raises(InputError, match="options of stage swap"):
        parse(["vqgan", f"--config={file}"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"stepps": 5}', "no such option: stepps"),
        ('{"weights": {"l1": 2}}', "no such option: l1"),
        ('{"steps": "many"}', "'many' is not int"),
        ('{"precision": "fp8"}', "'fp8' is none of"),
        ("[1]", "no JSON object"),
        ("{", "not a readable JSON file"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "options.json"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        parse(["vqgan", "--config", str(file)])


def test_unknown_stage() -> None:
    with pytest.raises(
        InputError, match="no such stage: gan; choose one of vqgan, expert, swap, lipsync"
    ):
        parse(["gan"])


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        parse(["--help"])
    assert leaving.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"  {stage} " in shown for stage in STAGES)
