import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swaptalk.evaluation.inputs import PreparedPair
from swaptalk.evaluation.measure import Measurement
from swaptalk.evaluation.protocols import Clip, Pair, Photo, Skipped
from swaptalk.evaluation.reconstruction import Reconstruction
from swaptalk.evaluation.report import plots
from swaptalk.evaluation.report.columns import BY_KEY, PAPER_ROWS
from swaptalk.evaluation.report.goals import reached
from swaptalk.evaluation.report.markdown import as_markdown
from swaptalk.evaluation.report.summary import LANGUAGE_COLUMNS, compare_frechet, summarise
from swaptalk.evaluation.report.write import (
    as_latex,
    environment,
    goals_table,
    terminal_table,
    write_report,
)
from swaptalk.evaluation.run import MethodResults, Results
from swaptalk.metrics.frechet import ClipFrechet, frechet_distance, gaussian_statistics

CLIPS = [f"clip{i}" for i in range(12)]


def row(method: str, ssim: float, cosine: float, spread: float = 0.01) -> MethodResults:
    rng = np.random.default_rng(len(method))
    result = MethodResults("self", method)
    for index, clip in enumerate(CLIPS):
        values = {
            "ssim": ssim + spread * rng.normal(),
            "source_cosine": cosine + 0.1 * index,
            "consistency": 92.0,
            "jitter": 0.15,
            "lip_leak": math.nan if index % 2 else 0.2,
        }
        features = rng.normal(1.0 - ssim, 1.0, (6, 4)).astype(np.float32)
        target = rng.normal(0.0, 1.0, (6, 4)).astype(np.float32)
        series = {"source_cosine": [cosine] * 5, "envelope_curve": list(np.linspace(0, 1, 31))}
        result.results[clip] = Measurement(values, series, features, target)
    return result


def results() -> Results:
    skipped = Skipped()
    skipped.add("clip99", "has <no> sound")
    rows = [row("Sync-Swap", 0.80, 0.3), row("Swap-Sync", 0.85, 0.3), row("SwapTalk", 0.90, 0.3)]
    clips = [Clip(name, name, Path(name), 4.0) for name in CLIPS]
    photo = Photo("p", "p", Path("p.png"))
    pairs = [
        PreparedPair(
            Pair("self", photo, clip, clip),
            Path("p.png"),
            Path("t.mp4"),
            Path("a.wav"),
            100,
            Path("x.steps"),
        )
        for clip in clips
    ]
    return Results(rows, pairs, skipped, 57)


def test_clip_frechet_equals_the_plain_distance_also_with_repeats() -> None:
    rng = np.random.default_rng(0)
    made = [rng.normal(0.5, 2, (n, 16)) for n in (3, 4, 2)]
    real = [rng.normal(0, 1, (n, 16)) for n in (3, 4, 2)]
    frechet = ClipFrechet(made, real)
    for chosen in ([0, 1, 2], [1, 1, 0], [2, 2, 2]):
        expected = frechet_distance(
            gaussian_statistics(np.concatenate([made[i] for i in chosen])),
            gaussian_statistics(np.concatenate([real[i] for i in chosen])),
        )
        assert frechet(np.array(chosen)) == pytest.approx(expected, rel=1e-6)
    # With more features than dimensions the other way of computing it is taken.
    much, more = rng.normal(0.5, 2, (40, 8)), rng.normal(0, 1, (50, 8))
    many = ClipFrechet([much], [more])
    direct = frechet_distance(gaussian_statistics(much), gaussian_statistics(more))
    assert many(np.array([0])) == pytest.approx(direct)
    assert many.full_rank and not frechet.full_rank


def test_the_claim_says_what_the_intervals_say() -> None:
    summary = summarise(results(), None)
    assert len(summary.claims) == 3
    assert summary.claims[0] == (
        "self-driven: the latent pipeline beats both cascades on SSIM; "
        "it loses to both cascades on nothing that these clips decide."
    )
    claim = summary.claims[1]
    assert claim.startswith("self-driven: the latent pipeline beats Sync-Swap on SSIM (+0.09")
    assert (
        "does not differ clearly from Sync-Swap on Cosine to source (+0.000, +0.000 to +0.000), "
        "Consistency" in claim
    )
    worse = results()
    worse.methods[2] = row("SwapTalk", 0.70, 0.3)
    assert "loses to both cascades on SSIM" in summarise(worse, None).claims[0]
    assert "loses to Sync-Swap on SSIM (-0.10" in summarise(worse, None).claims[1]
    few = results()
    for measured in few.methods:
        measured.results = dict(list(measured.results.items())[:5])
    assert summarise(few, None).claims == (
        "self-driven: 5 clips are too few to say what the latent pipeline beats; it takes 6.",
    )
    paused = results()
    for measured in paused.methods:
        measured.protocol = "paused"
        for result in measured.results.values():
            result.values = {"lip_leak": 0.3}
    assert summarise(paused, None).claims == ()  # nothing of what is claimed on was measured
    mixed = results()
    mixed.methods[2] = row("SwapTalk", 0.825, 0.3)
    assert "SSIM" not in summarise(mixed, None).claims[0]


def test_frechet_distances_are_compared_over_the_same_clips() -> None:
    rng = np.random.default_rng(8)
    near, far = row("Near", 0.9, 0.3), row("Far", 0.9, 0.3)
    for clip in CLIPS:
        target = rng.normal(0, 1, (6, 4)).astype(np.float32)
        near.results[clip].features = target + np.float32(0.5)
        far.results[clip].features = target + np.float32(2.0)
        near.results[clip].target_features = far.results[clip].target_features = target
    difference = compare_frechet(near, far)
    assert difference is not None
    # Shifted copies: the distances are the squared shifts, 4 x 0.25 and 4 x 4, whatever the clips.
    assert (difference.low, difference.value, difference.high) == pytest.approx(
        (-15, -15, -15), abs=1e-3
    )
    near.results[CLIPS[0]].features = None
    assert compare_frechet(near, far) is None


def test_undefined_clips_do_not_count() -> None:
    cell = summarise(results(), None).rows[0].cells["lip_leak"]
    assert (cell.value, cell.count) == (pytest.approx(0.2), 6)


def test_bounds_show_nothing_about_themselves() -> None:
    copy = row("Ground truth", 1.0, 0.2)
    mixed = Results([copy], results().pairs, Skipped(), 5)
    cells = summarise(mixed, "fd_mobilenet").rows[0].cells
    assert "ssim" not in cells and "source_cosine" not in cells and "fd_mobilenet" not in cells
    assert "consistency" in cells


def test_missing_weights_are_said_in_the_notes() -> None:
    notes = " ".join(summarise(results(), "fd_mobilenet").notes)
    assert (
        "FID is not printed" in notes
        and "LSE-C and LSE-D are not printed" in notes
        and "gallery of 57" in notes
    )


def test_the_terminal_table_fits_and_marks_the_papers_rows() -> None:
    text = terminal_table(summarise(results(), "fd_mobilenet"), width=70)
    table = text.split("Rows marked")[0]
    assert max(map(len, table.splitlines())) <= 70
    assert re.search(r"SwapTalk\* +- +0\.908", table)
    assert "Self-driven, 12 clips" in table and "not comparable" in text


def test_a_row_measured_on_fewer_clips_says_so() -> None:
    uneven = results()
    for clip in CLIPS[:4]:
        del uneven.methods[0].results[clip]
    text = terminal_table(summarise(uneven, None))
    assert "Sync-Swap (8 of 12 clips)" in text and "SwapTalk (" not in text


def test_every_form_holds_the_same_numbers(tmp_path: Path) -> None:
    summary = summarise(results(), "fd_mobilenet")
    about = environment({"mobilefacenet": "d8ba"}, ["swaptalk", "evaluate", "--clips", "x"])
    paths = write_report(tmp_path, summary, results(), about, videos=0)
    content = json.loads(paths["json"].read_text())
    ours = next(line for line in content["table"] if line["method"] == "SwapTalk")
    expected = summary.rows[2].cells["ssim"].value
    assert ours["metrics"]["ssim"]["value"] == expected
    assert content["clips_measured"] == 12 and content["seconds_measured"] == 48.0
    assert content["skipped"] == [{"what": "clip99", "why": "has <no> sound"}]
    assert content["environment"]["weights"] == {"mobilefacenet": "d8ba"}
    assert content["environment"]["command"] == "swaptalk evaluate --clips x"
    lines = list(csv.DictReader(io.StringIO(paths["csv"].read_text())))
    values = [
        float(x["value"]) for x in lines if (x["method"], x["metric"]) == ("SwapTalk", "ssim")
    ]
    assert np.mean(values) == pytest.approx(expected, abs=1e-5)
    assert rf"\textbf{{{expected:.3f}}}" in paths["latex"].read_text()
    page = paths["html"].read_text()
    assert f'data-value="{expected}" class="best"' in page
    assert "has &lt;no&gt; sound" in page
    # One file, nothing fetched.
    assert "http://" not in page and "https://" not in page and 'src="/' not in page


def reconstructed(lpips: float) -> Reconstruction:
    values = {"lpips": [lpips] * 3, "ssim": [0.95] * 3, "identity": [0.97, 0.985, 1.0]}
    return Reconstruction(values, values | {"identity": [0.995] * 3})


def test_goals_are_held_against_floors_and_goals_in_the_right_direction() -> None:
    summary = summarise(results(), None)
    lines = {
        (line.goal.where, line.goal.keys[0]): line for line in reached(summary, reconstructed(0.05))
    }
    assert lines["latents", "lpips"].state == "goal"
    assert lines["codes", "lpips"].state == "floor"  # identity .985 misses the goal of .99
    assert {
        (line.goal.where, line.goal.keys[0]): line for line in reached(summary, reconstructed(0.15))
    }["latents", "lpips"].state == "below"
    assert lines["self", "jitter"].state == "goal" and lines["self", "consistency"].state == "floor"
    assert lines["self", "consistency"].values[0].value == 92.0
    assert ("cross", "lip_leak") not in lines and (
        "self",
        "lmd_percent",
    ) not in lines  # not measured here
    identity = lines["codes", "lpips"].values[2]
    assert (
        identity.value == pytest.approx(0.985)
        and identity.low < 0.985 < identity.high
        and identity.count == 3
    )


def test_goals_are_in_every_form(tmp_path: Path) -> None:
    summary = summarise(results(), None)
    goals = reached(summary, reconstructed(0.05))
    paths = write_report(
        tmp_path, summary, results(), {"command": "swaptalk evaluate"}, videos=0, goals=goals
    )
    kept = next(
        g for g in json.loads(paths["json"].read_text())["goals"] if "Consistency" in g["what"]
    )
    assert kept["reached"]["consistency"]["value"] == 92.0 and kept["state"] == "floor"
    for text in (paths["markdown"].read_text(), paths["html"].read_text(), goals_table(goals)):
        assert "0.050 [0.050, 0.050] / 0.950" in text and "above the floor" in text


def test_the_markdown_tables_are_tables(tmp_path: Path) -> None:
    summary = summarise(results(), None)
    text = as_markdown(summary, results(), [], "swaptalk evaluate --clips x")
    assert text.startswith(
        "Made by `swaptalk evaluate --clips x`: 12 clips, 48 s, 1 left out, gallery of 57 people."
    )
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1 and table[1].strip("| -") == ""
    assert any(line.startswith("| SwapTalk | **0.") for line in table)
    assert "| *Sync-Swap* \\* | 0.904 |" in text
    assert "\n- self-driven: the latent pipeline beats" in text


def spoken_in(languages: list[str]) -> Results:
    """Results whose clips speak these languages in turn; the lips of each move .1 apart."""
    found = results()
    pairs, renamed = [], {}
    for index, prepared in enumerate(found.pairs):
        clip = prepared.pair.target
        clip = replace(clip, language=languages[index % len(languages)])
        pairs.append(replace(prepared, pair=replace(prepared.pair, target=clip, audio=clip)))
        renamed[CLIPS[index]] = pairs[-1].pair.name
    found.pairs = pairs
    for measured in found.methods:
        measured.results = {renamed[clip]: one for clip, one in measured.results.items()}
        for index, one in enumerate(measured.results.values()):
            one.values["lmd_percent"] = 4.0 + index % len(languages)
    return found


def test_the_words_of_each_language_have_their_own_row(tmp_path: Path) -> None:
    found = spoken_in(["Arabic", "English", ""])
    summary = summarise(found, None)
    assert [(row.method, row.language, row.clips) for row in summary.languages] == [
        ("SwapTalk", "Arabic", 4),
        ("SwapTalk", "English", 4),
    ]
    assert [row.cells["lmd_percent"].value for row in summary.languages] == [4.0, 5.0]
    assert all(set(row.cells) <= set(LANGUAGE_COLUMNS) for row in summary.languages)
    paths = write_report(tmp_path, summary, found, environment({}), videos=0)
    assert [one["language"] for one in json.loads(paths["json"].read_text())["languages"]] == [
        "Arabic",
        "English",
    ]
    line = next(t for t in paths["markdown"].read_text().splitlines() if "| English |" in t)
    assert line.startswith("| Self-driven | SwapTalk | English | 4 | 5.00 ")
    assert "<h2>By language</h2>" in paths["html"].read_text()


def test_clips_of_one_language_need_no_table_of_it(tmp_path: Path) -> None:
    found = spoken_in(["English"])
    summary = summarise(found, None)
    assert not summary.languages
    assert "By language" not in as_markdown(summary, found, (), "")


def test_latex_has_one_cell_a_column() -> None:
    summary = summarise(results(), None)
    table = [
        line
        for line in as_latex(summary).splitlines()
        if line.endswith(r"\\") and "multicolumn" not in line
    ]
    assert {line.count("&") for line in table} == {len(summary.columns)}
    assert r"\%" in as_latex(summary)


def test_the_papers_table_is_whole() -> None:
    assert len([p for p in PAPER_ROWS if p.protocol == "self"]) == 10
    assert len([p for p in PAPER_ROWS if p.protocol == "cross"]) == 8
    best = next(
        p for p in PAPER_ROWS if (p.protocol, p.method) == ("cross", "SwapTalk, extra data")
    )
    assert best.values == {
        "fid": 10.8,
        "ssim": 0.907,
        "cpbd": 0.526,
        "lse_c": 8.99,
        "id_top1": 93.5,
        "consistency": 82.57,
    }
    assert all(key in BY_KEY for p in PAPER_ROWS for key in p.values)


def test_plots_are_drawn_to_scale_and_survive_gaps() -> None:
    drawn = plots.lines({"a": [0.0, math.nan, 2.0, 1.0]}, [0, 1, 2, 3], "x", "y")
    path = re.search(r'stroke-width="1.8" d="([^"]+)"', drawn)
    assert path is not None and path[1].count("M") == 2
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path[1])]
    assert heights[0] > heights[2] > heights[1]  # 0 lies lowest, 2 highest
    assert plots.dots({"a": {"clip": math.nan}}, "y") == ""
    assert plots.dots({"a<b": {"c": 1.0}, "d": {"c": 2.0}}, "y").count("<circle") == 2
