"""Summarise measurements: means with intervals, and comparisons of methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swaptalk.evaluation.report.columns import BY_KEY, COLUMNS, Better, Column
from swaptalk.evaluation.run import MethodResults, Results
from swaptalk.metrics.bootstrap import (
    Interval,
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_statistic,
)
from swaptalk.metrics.frechet import ClipFrechet

#: Resampled clip sets behind the interval of a Frechet distance, which is costlier than a mean.
FRECHET_RESAMPLES = 50
#: What the claims are made on: the paper's columns and what stands in for them.
CLAIM_COLUMNS = (
    "fid",
    "fd_mobilenet",
    "ssim",
    "lpips",
    "cpbd",
    "lmd",
    "lse_c",
    "own_sync_confidence",
    "envelope_sync",
    "id_top1",
    "source_cosine",
    "consistency",
    "jitter",
)
#: Fewest clips that a claim is made on: all of six pointing one way is chance in 3 % of cases, the
#: bootstrap of two means nothing.
FEWEST_CLIPS = 6
#: What depends on the language that is spoken; each language's clips are shown by these.
LANGUAGE_COLUMNS = (
    "lmd_percent",
    "lse_c",
    "lse_d",
    "own_sync_confidence",
    "own_sync_distance",
    "envelope_sync",
    "own_audio_first",
    "lip_leak",
)
#: Methods that are shown by language.
LANGUAGE_METHODS = ("Ground truth", "Lip-sync alone", "SwapTalk")
#: What a comparison can say.
_VERBS = ("beats", "loses to", "does not differ clearly from")

#: Compared with itself a picture is perfect, and a real clip has no source: such numbers say
#: nothing.
_AGAINST_TARGET = (
    "ssim",
    "psnr",
    "lpips",
    "lmd",
    "lmd_percent",
    "lmd_aligned",
    "pose_error",
    "expression_error",
    "jitter",
)
MEANINGLESS: dict[str, tuple[str, ...]] = {
    "Ground truth": (*_AGAINST_TARGET, "id_top1", "id_top5", "source_cosine", "source_variance"),
    "Copy target": _AGAINST_TARGET,
}


@dataclass(frozen=True)
class SummaryRow:
    """One line of the table: cells by column key; of the clips in one language, where there is
    one.
    """

    protocol: str
    method: str
    clips: int
    cells: dict[str, Interval]
    language: str = ""


@dataclass(frozen=True)
class Summary:
    """The table. ``columns`` are those that any row fills; ``notes`` are printed below it.

    ``languages`` are rows of the clips in each language, if the index of the clips names more than
    one.
    """

    columns: tuple[Column, ...]
    rows: tuple[SummaryRow, ...]
    claims: tuple[str, ...]
    notes: tuple[str, ...]
    languages: tuple[SummaryRow, ...] = ()


def column_of(key: str) -> Column:
    """The column of a key; keys of sync networks without a column of their own make one."""
    if key in BY_KEY:
        return BY_KEY[key]
    better: Better = "lower" if key.endswith("_distance") else "higher"
    return Column(
        key,
        key.replace("_", " ").capitalize(),
        "",
        better,
        2,
        "the project's own sync network, not LSE",
    )


def summarise(results: Results, frechet_key: str | None, seed: int = 0) -> Summary:
    """Build the table from all measurements; ``frechet_key`` names the column of the Frechet
    distance.
    """
    rows = [_summary_row(row, frechet_key, seed) for row in results.methods]
    present = {key for row in rows for key in row.cells}
    known = [column for column in COLUMNS if column.key in present]
    columns = (*known, *(column_of(key) for key in sorted(present - BY_KEY.keys())))
    claims, notes = _claims(results, frechet_key, seed), _notes(results, frechet_key)
    languages = _by_language(results, seed)
    return Summary(columns, tuple(rows), tuple(claims), tuple(notes), tuple(languages))


def _by_language(results: Results, seed: int) -> list[SummaryRow]:
    """Rows of `LANGUAGE_METHODS` for the words of each language; none where there are not two."""
    spoken: dict[tuple[str, str], str] = {
        (one.pair.protocol, one.pair.name): one.pair.audio.language for one in results.pairs
    }
    found = sorted({language for language in spoken.values() if language})
    rows = []
    for row in results.methods if len(found) > 1 else ():
        if row.method not in LANGUAGE_METHODS:
            continue
        for language in found:
            own = {
                pair: measured
                for pair, measured in row.results.items()
                if spoken.get((row.protocol, pair)) == language
            }
            if own:
                part = _summary_row(MethodResults(row.protocol, row.method, own), None, seed)
                cells = {k: part.cells[k] for k in LANGUAGE_COLUMNS if k in part.cells}
                rows.append(replace(part, cells=cells, language=language))
    return rows


def _summary_row(row: MethodResults, frechet_key: str | None, seed: int) -> SummaryRow:
    cells: dict[str, Interval] = {}
    keys = {key for result in row.results.values() for key in result.values}
    for key in keys:
        values = [result.values.get(key, float("nan")) for result in row.results.values()]
        if np.isfinite(values).any():
            cells[key] = bootstrap_mean(values, seed=seed)
    for key in MEANINGLESS.get(row.method, ()):
        cells.pop(key, None)
    if frechet_key is not None and row.method not in MEANINGLESS:
        frechet = _frechet(row, list(row.results))
        if frechet is not None:
            cells[frechet_key] = bootstrap_statistic(
                frechet, frechet.clips, seed=seed, resamples=FRECHET_RESAMPLES
            )
    return SummaryRow(row.protocol, row.method, len(row.results), cells)


def _frechet(row: MethodResults, pairs: list[str]) -> ClipFrechet | None:
    """Frechet distance of a row over pairs, or None where features are missing."""
    made = [row.results[pair].features for pair in pairs]
    real = [row.results[pair].target_features for pair in pairs]
    a, b = [x for x in made if x is not None], [x for x in real if x is not None]
    if len(a) != len(pairs) or len(b) != len(pairs) or sum(map(len, a)) < 2:
        return None
    return ClipFrechet(a, b)


def _notes(results: Results, frechet_key: str | None) -> list[str]:
    notes = [
        f"ID Retrieve: gallery of {results.gallery_size} people, one photo each, by MobileFaceNet, "
        "which no loss uses.",
        "Intervals: 95 %, bootstrap over clips.",
    ]
    if frechet_key is not None:
        counts = [
            [len(r.features) for r in row.results.values() if r.features is not None]
            for row in results.methods
        ]
        frames = max(map(sum, counts))
        title = BY_KEY[frechet_key].title
        notes.append(
            f"{title}: on {frames} frames; below 2048 its value depends strongly on their number."
        )
    if frechet_key == "fd_mobilenet":
        notes.append("FID is not printed: it needs the weights of Inception-v3 (--fid-weights).")
    if not any("lse_c" in r.values for row in results.methods for r in row.results.values()):
        notes.append(
            "LSE-C and LSE-D are not printed: they need the weights of SyncNet (--syncnet-weights)."
        )
    return notes


def _claims(
    results: Results,
    frechet_key: str | None,
    seed: int,
    ours: str = "SwapTalk",
    others: tuple[str, ...] = ("Sync-Swap", "Swap-Sync"),
) -> list[str]:
    """In words: where the latent pipeline beats the cascades, where it loses, where the clips do
    not decide.
    """
    claims = []
    for protocol in dict.fromkeys(row.protocol for row in results.methods):
        driven = protocol if protocol == "paused" else f"{protocol}-driven"
        own = results.of(protocol, ours)
        found = {name: results.of(protocol, name) for name in others}
        if own is None or all(row is None for row in found.values()):
            continue
        if len(own.results) < FEWEST_CLIPS:
            claims.append(
                f"{driven}: {len(own.results)} clips are too few to say what the latent pipeline "
                "beats; "
                f"it takes {FEWEST_CLIPS}."
            )
            continue
        verdicts = {
            name: _verdicts(own, row, frechet_key, seed)
            for name, row in found.items()
            if row is not None
        }
        if len(verdicts) == len(others) and any(
            verdicts.values()
        ):  # the paused protocol compares nothing of it
            claims.append(f"{driven}: {_against_all(list(verdicts.values()))}.")
        for name, columns in verdicts.items():
            said = []
            for verb in _VERBS:
                spans = [
                    f"{BY_KEY[key].title} ({span})"
                    for key, (found_verb, span) in columns.items()
                    if found_verb == verb
                ]
                if spans:
                    said.append(f"{verb} {name} on {', '.join(spans)}")
            if said:
                claims.append(f"{driven}: the latent pipeline {'; it '.join(said)}.")
    return claims


def _verdicts(
    own: MethodResults, other: MethodResults, frechet_key: str | None, seed: int
) -> dict[str, tuple[str, str]]:
    """One of `_VERBS`, and the difference with its interval, for each column that both rows
    have.
    """
    verdicts = {}
    for key in CLAIM_COLUMNS:
        frechet = key == frechet_key
        difference = (
            compare_frechet(own, other, seed) if frechet else compare(own, other, key, seed)
        )
        if difference is None:
            continue
        column = BY_KEY[key]
        sign = 1.0 if column.better == "higher" else -1.0
        clear = difference.low > 0 or difference.high < 0
        verb = _VERBS[2] if not clear else _VERBS[0] if sign * difference.value > 0 else _VERBS[1]
        shown = [
            f"{x:+.{column.digits}f}" for x in (difference.value, difference.low, difference.high)
        ]
        verdicts[key] = verb, f"{shown[0]}, {shown[1]} to {shown[2]}"
    return verdicts


def _against_all(verdicts: Sequence[dict[str, tuple[str, str]]]) -> str:
    """Where one verdict holds against every cascade."""
    said = []
    for verb in _VERBS[:2]:
        keys = [k for k in verdicts[0] if all(v.get(k, ("",))[0] == verb for v in verdicts)]
        titles = ", ".join(BY_KEY[k].title for k in keys)
        said.append(f"{verb} both cascades on {titles or 'nothing that these clips decide'}")
    return f"the latent pipeline {said[0]}; it {said[1]}"


def compare(a: MethodResults, b: MethodResults, key: str, seed: int = 0) -> Interval | None:
    """Mean of a - b over clips that both have, with its interval; None if there are none."""
    shared = [pair for pair in a.results if pair in b.results]
    pairs = [
        (a.results[p].values.get(key, np.nan), b.results[p].values.get(key, np.nan)) for p in shared
    ]
    pairs = [(x, y) for x, y in pairs if np.isfinite(x) and np.isfinite(y)]
    if pairs:
        return bootstrap_difference([x for x, _ in pairs], [y for _, y in pairs], seed=seed)
    return None


def compare_frechet(a: MethodResults, b: MethodResults, seed: int = 0) -> Interval | None:
    """Difference of two rows' Frechet distances over the same resampled clips; None where features
    are missing.
    """
    shared = [pair for pair in a.results if pair in b.results]
    first, second = _frechet(a, shared), _frechet(b, shared)
    if not shared or first is None or second is None:
        return None

    def difference(index: NDArray[np.intp]) -> float:
        return first(index) - second(index)

    return bootstrap_statistic(difference, len(shared), seed=seed, resamples=FRECHET_RESAMPLES)
