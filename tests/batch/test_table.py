"""Tables of jobs: every row is checked before any is started, and every fault is named."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from swaptalk.batch import run
from swaptalk.batch.run import BatchSettings, plan_tasks, run_batch
from swaptalk.batch.scheduler import BatchProgress
from swaptalk.batch.table import TableError, check_table, columns
from swaptalk.batch.worker import run_task
from swaptalk.cli.batch import Teller
from swaptalk.cli.main import main
from swaptalk.errors import InputError


@pytest.fixture
def inputs(make_clip, make_wav, photo: Path, tmp_path: Path) -> Path:
    make_clip(frames=4)
    make_wav(0.2)
    (tmp_path / "a.png").write_bytes(photo.read_bytes())
    return tmp_path


def test_csv_and_json_lines_say_the_same(inputs: Path) -> None:
    (inputs / "jobs.csv").write_text(
        "target,source,audio,output,strength,allow_long,fps\n"
        'target.mp4,a.png;a.png,words.wav,"one, two.mp4",0.5,yes,25\n'
        ",,,,,,\n"
        "target.mp4,a.png,,two.mp4,,,\n"
    )
    (inputs / "jobs.jsonl").write_text(
        "\n".join(
            json.dumps(row)
            for row in (
                {
                    "target": "target.mp4",
                    "source": ["a.png", "a.png"],
                    "audio": "words.wav",
                    "output": "one, two.mp4",
                    "strength": 0.5,
                    "allow_long": True,
                    "fps": 25,
                },
                {
                    "target": "target.mp4",
                    "source": "a.png",
                    "audio": None,
                    "output": str(inputs / "two.mp4"),
                },
            )
        )
    )
    from_csv, from_json = (check_table(inputs / f"jobs.{kind}").rows for kind in ("csv", "jsonl"))
    assert [row.options for row in from_csv] == [row.options for row in from_json]
    first, second = (row.options for row in from_csv)
    assert (
        first.source == (inputs / "a.png",) * 2
        and first.strength == 0.5
        and first.allow_long
        and first.fps == "25"
    )
    assert second.audio is None and second.output == inputs / "two.mp4" and second.strength == 1.0
    assert [row.plan.frames for row in from_csv] == [5, 4]
    assert [row.number for row in from_csv] == [2, 4]


def test_every_fault_is_named_with_its_row(inputs: Path) -> None:
    table = inputs / "jobs.jsonl"
    good = {"target": "target.mp4", "source": "a.png", "output": "o.mp4"}
    rows = [
        good,
        {**good, "output": "o2.mp4", "speed": 3},
        {**good, "target": "no.mp4", "output": "o3.mp4"},
        "[]",
        {**good, "output": "o5.mp4", "strength": 7},
        {**good, "output": "./o.mp4"},
        {**good, "output": "o7.mp4", "strength": [1]},
        {**good, "output": "o8.mp4", "region": "nose"},
        {"target": "target.mp4"},
        {**good, "output": "o10.mp4", "allow_long": "perhaps"},
        {**good, "output": "\x00.mp4"},
    ]
    table.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    with pytest.raises(
        TableError, match="jobs.jsonl: 10 rows are at fault; .*nothing was"
    ) as error:
        run_batch(table, BatchSettings())
    said = dict(row.split(": ", 1) for row in error.value.rows)
    for row, part in {
        2: "'speed' is unknown",
        3: "no.mp4: no such file",
        4: "no JSON object",
        5: "--strength 7",
        6: "is an output of row 1 too",
        7: "strength [1] is not of its kind",
        8: "one of face, mouth",
        9: "output is missing",
        10: "allow_long 'perhaps'",
        11: "",
    }.items():
        assert part in said[f"row {row}"] and "\n" not in said[f"row {row}"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("jobs.csv", "", "the file is empty"),
        ("jobs.csv", "target,output\n", "has no rows"),
        ("jobs.csv", "target,color,output\na,b,c\n", "column 'color' is unknown; known are"),
        ("jobs.csv", "target,target,output\n", "columns twice"),
        ("jobs.csv", "target,output\na,b,c\n", "number of fields"),
        ("jobs.csv", 'target,output\n"a,b\n', "no CSV"),
        ("jobs.txt", "x", "ending in .csv or .jsonl"),
        ("jobs.csv", b"\xff\xfe\x00", "not text in UTF-8"),
        ("jobs.jsonl", "[" * 100_000, "1 rows are at fault"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=said):
        run_batch(path, BatchSettings())


def test_all_faults_of_a_row_are_named_at_once(inputs: Path) -> None:
    (inputs / "jobs.csv").write_text(
        "target,source,audio,output,strength,region,fps\n"
        "no.mp4,target.mp4,no.wav,a.avi,7,face,x\n"
        "target.mp4,a.png,words.wav,b.mp4,much,nose,\n"
    )
    table = check_table(inputs / "jobs.csv")
    assert (table.rows, table.faulty) == ([], 2)
    first, second = (
        [fault for fault in table.faults if fault.startswith(f"row {number}: ")]
        for number in (2, 3)
    )
    for fault in (
        "no.mp4: no such",
        "target.mp4: the source must",
        "no.wav",
        "'.avi'",
        "--strength 7",
        "--fps x",
    ):
        assert sum(fault in line for line in first) == 1
    assert len(first) == 6 and len(second) == 2
    assert "strength 'much'" in second[0] and "region 'nose'" in second[1]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_tables_of_spreadsheets(inputs: Path, mark: str) -> None:
    """Semicolons or tabs between fields, capitals and spaces in the header, Excel's first line."""
    rows = [
        ["Target", "SOURCE", " Audio", "Output", "Source Face"],
        ["target.mp4", '"a.png;a.png"', "words.wav", "new/one.mp4", "left"],
    ]
    text = "\r\n".join(mark.join(row) for row in rows) + "\r\n"
    (inputs / "jobs.csv").write_text(f"sep={mark}\r\n{text}", newline="")
    (row,) = check_table(inputs / "jobs.csv").rows
    assert (row.number, row.options.source_face) == (3, "left")
    assert row.options.source == (inputs / "a.png",) * 2
    assert row.options.output == inputs / "new" / "one.mp4"


def test_a_dry_run_says_what_would_be_made(
    inputs: Path, make_clip, capsys: pytest.CaptureFixture[str]
) -> None:
    """And creates nothing; a rate too low for speech is said."""
    make_clip("slow.mp4", frames=4, fps=5)
    (inputs / "jobs.csv").write_text(
        "target,source,audio,output\n"
        "target.mp4,a.png,,out/one.mp4\n"
        "slow.mp4,a.png,words.wav,out/two.mp4\n"
        "gone.mp4,a.png,,out/three.mp4\n"
    )
    before = sorted(inputs.rglob("*"))
    assert main(["batch", str(inputs / "jobs.csv"), "--dry-run"]) == 2
    said = capsys.readouterr()
    assert "one.mp4: 4 frames of 160x144, 0.2 s" in said.out
    assert "two.mp4: 5 frames of 160x144, 0.2 s" in said.out
    assert "2 rows could be started" in said.out and "1 at fault" in said.out
    assert "row 4: " in said.err and "a rate of 5 a second is too low for speech" in said.err
    assert main(["batch", str(inputs / "jobs.csv"), "--dry-run", "--json"]) == 2
    table = json.loads(capsys.readouterr().out)
    assert [row["frames"] for row in table["rows"]] == [4, 5] and table["faulty"] == 1
    assert len(table["rows"][1]["notes"]) == 2 and sorted(inputs.rglob("*")) == before


def test_columns_are_the_options_of_generate() -> None:
    assert {"target", "source", "audio", "output", "face", "strength", "length"} <= set(columns())
    assert not {"device", "threads", "models", "json", "quiet", "resume", "preview"} & set(
        columns()
    )


def test_people_and_words_over_a_scene_share_a_template_of_the_scene(
    inputs: Path, make_clip, make_wav
) -> None:
    make_clip("sounding.mp4", frames=4, sound=make_wav(name="hum.wav"))
    columns_of_rows = "target;audio;output;background;person\n"
    rows = [
        "sounding.mp4;words.wav;1.mp4;duck;",
        'sounding.mp4;;2.mp4;keep;"face=like:a.png,audio=words.wav,source=a.png"',
    ]
    (inputs / "jobs.csv").write_text(columns_of_rows + "\n".join(rows) + "\n")
    table = check_table(inputs / "jobs.csv")
    assert table.faults == []
    (entry,) = table.rows[1].options.person
    photo, words = inputs / "a.png", inputs / "words.wav"
    assert entry == f"face=like:{photo},source={photo},audio={words}"
    _, templates = plan_tasks(table.rows, inputs, BatchSettings())
    (template,) = {task.name: task for task in templates.values()}.values()
    assert (template.options.background, template.options.person) == ("none", ())


@pytest.fixture
def shared(inputs: Path, other_photo: Path) -> Path:
    """Six rows of one target: two of one source, four of another, one of which is shown at half
    strength."""
    (inputs / "b.png").write_bytes(other_photo.read_bytes())
    rows = [("a", ""), ("b", ""), ("b", "0.5"), ("a", ""), ("b", "")]
    (inputs / "jobs.csv").write_text(
        "target,source,audio,output,strength,lips\n"
        + "".join(
            f"target.mp4,{source}.png,words.wav,{number}.mp4,{strength},latent\n"
            for number, (source, strength) in enumerate([*rows, ("b", "")])
        )
    )
    return inputs / "jobs.csv"


def test_the_source_of_most_rows_is_built_into_their_template(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built_in(rows: list, number: int = 6) -> tuple[Path, ...]:
        tasks, templates = plan_tasks(rows, shared.parent, BatchSettings())
        (task,) = {id(one): one for one in templates.values()}.values()
        assert len(tasks) == len(templates) == number
        return task.options.source

    rows = check_table(shared).rows
    assert built_in(rows) == (shared.with_name("b.png"),)
    assert built_in(rows[:4], 4) == (shared.with_name("a.png"),)
    assert built_in(rows[:2], 2) == ()  # one row each
    # Where the words change the mouth before the swap, a stored swap is of no use.
    warped = [replace(row, options=replace(row.options, lips="composite")) for row in rows]
    assert built_in(warped) == ()
    monkeypatch.setattr(run, "MOST_SWAPPED", 3)
    assert built_in(rows) == ()


def test_a_bad_photo_leaves_the_other_rows_their_template(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Maker:
        def build_template(self, target: Path, output: Path, **settings: object) -> None:
            if settings.get("source"):
                raise InputError("no face was found in it", path="b.png", remedy="give another")
            output.write_bytes(b"")

    monkeypatch.setattr("swaptalk.batch.worker._loaded", lambda options, progress: Maker())
    _, templates = plan_tasks(check_table(shared).rows, shared.parent, BatchSettings())
    task = templates["row-000002"]
    assert task.options.source and run_task(task).state == "done" and task.options.output.exists()


def test_text_is_spoken_once_for_all_rows_that_say_it(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = inputs / "speaker"
    speaker.write_text(
        f"#!{sys.executable}\n"
        "import json, sys, wave\n"
        'if sys.argv[1] == "list":\n'
        '    voices = [{"id": i, "name": i, "language": i} for i in ("de", "pt")]\n'
        "    sys.exit(print(json.dumps(voices)))\n"
        'open("count", "a").write("x")\n'
        'with wave.open(sys.argv[3], "wb") as file:\n'
        '    file.setparams((1, 2, 16000, 0, "NONE", None))\n'
        "    file.writeframes(bytes(320 * len(sys.stdin.read())))\n"
    )
    speaker.chmod(0o700)
    monkeypatch.setenv("SWAPTALK_VOICES_COMMAND", str(speaker))
    monkeypatch.chdir(inputs)
    (inputs / "jobs.csv").write_text(
        "target,source,text,voice,output\n"
        "target.mp4,a.png,Guten Morgen,de,1.mp4\n"
        "target.mp4,,Guten Morgen,plugin:de,2.mp4\n"
        "target.mp4,,Bom dia,pt,3.mp4\n"
    )
    for _ in range(2):
        rows = check_table(inputs / "jobs.csv").rows
        assert (inputs / "count").read_text() == "xx"
    words = [row.options.audio for row in rows]
    assert words[0] == words[1] != words[2]
    assert [row.plan.audio.samples for row in rows] == [160 * 12, 160 * 12, 160 * 7]
    (inputs / "wrong.csv").write_text(
        "target,text,voice,audio,output\n"
        "target.mp4,Hello,de,words.wav,1.mp4\n"
        "target.mp4,,de,words.wav,2.mp4\n"
        "target.mp4,Hello,xx-nobody,,3.mp4\n"
    )
    faults = check_table(inputs / "wrong.csv").faults
    for number, said in enumerate(("both text and audio", "voice without text", "'xx-nobody'")):
        assert said in faults[number]


def test_a_long_row_is_no_silence_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moments = iter([0.0, 20.0, 31.0, 32.0, 62.0])
    tell = Teller(lambda: next(moments))
    for left in (None, 100.0, 90.0, 59.0):
        tell(BatchProgress(0, 0, 4, left))
    assert capsys.readouterr().err.splitlines() == [
        "0 of 4 rows done, about 100 s left",
        "0 of 4 rows done, about 59 s left",
    ]
