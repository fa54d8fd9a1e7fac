"""The report as one HTML page: sortable table, plots, side-by-side videos, worst and best cases,
environment.
"""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from swaptalk.errors import SwapTalkError
from swaptalk.evaluation.inputs import PreparedPair
from swaptalk.evaluation.observe import FPS
from swaptalk.evaluation.report import plots
from swaptalk.evaluation.report.cells import (
    PAPER_NOTE,
    PROTOCOL_TITLES,
    best_methods,
    cell_text,
    heading,
    language_table,
    row_label,
)
from swaptalk.evaluation.report.columns import BY_KEY, PAPER_ROWS, Column
from swaptalk.evaluation.report.goals import Reached, goal_cells
from swaptalk.evaluation.report.side_by_side import side_by_side
from swaptalk.evaluation.report.summary import MEANINGLESS, Summary
from swaptalk.evaluation.run import MethodResults, Results

#: Metrics that are plotted clip by clip.
_PLOTTED = (
    "ssim",
    "lpips",
    "cpbd",
    "lmd_aligned",
    "lse_c",
    "own_sync_confidence",
    "source_cosine",
    "consistency",
)
#: What worst and best cases are ranked by, in this order of preference.
_RANKED_BY = ("source_cosine", "ssim")
_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--best:#0a7d33}
@media(prefers-color-scheme:dark){:root{--best:#5fd38a}}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1280px;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.85rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
.goals th,.goals td{white-space:normal;text-align:left;vertical-align:top}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:Canvas}
th button{font:inherit;font-weight:600;background:none;border:0;padding:0;cursor:pointer;color:inherit}
th[aria-sort=ascending] button::after{content:" \\25B2"}th[aria-sort=descending] button::after{content:" \\25BC"}
td small{opacity:.65}.best{font-weight:700;color:var(--best)}.paper td{opacity:.6;font-style:italic}
figure{margin:0}figcaption{font-size:.85rem;opacity:.8}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(380px,1fr));gap:1rem}
svg{width:100%;height:auto;font-size:13px;fill:currentColor}svg .axis{fill:none;stroke:currentColor}
svg .grid{stroke:var(--line)}.legend span{margin-right:1rem;white-space:nowrap}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.35em}
video{max-width:100%;display:block;margin:.3rem 0 1rem}pre{overflow-x:auto;background:var(--soft);padding:.8rem}
"""
_SCRIPT = """
document.querySelectorAll('th button').forEach(button=>button.addEventListener('click',()=>{
 const head=button.parentElement,table=head.closest('table'),column=[...head.parentElement.children].indexOf(head);
 const up=head.getAttribute('aria-sort')!=='ascending';
 table.querySelectorAll('th').forEach(other=>other.removeAttribute('aria-sort'));
 head.setAttribute('aria-sort',up?'ascending':'descending');
 const key=row=>{const cell=row.children[column];return cell.dataset.value===undefined?cell.textContent:
  cell.dataset.value===''?null:Number(cell.dataset.value)};
 const body=table.tBodies[0];
 [...body.rows].sort((a,b)=>{const x=key(a),y=key(b);
  if(x===null||y===null)return x===y?0:x===null?1:-1;
  return (x<y?-1:x>y?1:0)*(up?1:-1)}).forEach(row=>body.append(row));
}));
"""


def as_html(
    summary: Summary,
    results: Results,
    about: Mapping[str, Any],
    folder: Path,
    videos: int,
    goals: Sequence[Reached] = (),
) -> str:
    """The page; it refers to no other file. ``folder`` is where the side-by-side videos are kept as
    files as well.
    """
    sections = [
        "<h1>SwapTalk evaluation</h1>",
        f"<p>{len(results.pairs)} clips, {results.seconds:.0f} s, {len(results.skipped.items)} "
        "left out, "
        f"gallery of {results.gallery_size} people.</p>",
        _goals(goals),
        _against_cascades(summary.claims),
    ]
    for protocol in dict.fromkeys(row.protocol for row in summary.rows):
        methods = [one for one in results.methods if one.protocol == protocol]
        sections += [
            f"<h2>{PROTOCOL_TITLES.get(protocol, protocol)}</h2>",
            _table(summary, protocol),
            _plots(summary, methods),
            _cases(results, methods, protocol, folder, videos),
        ]
    sections += [
        _languages(summary),
        "<h2>Notes</h2><ul>",
        *(f"<li>{html.escape(note)}</li>" for note in (PAPER_NOTE, *summary.notes)),
        *(
            f"<li><b>{html.escape(heading(c))}</b>: {html.escape(c.explanation)}.</li>"
            for c in summary.columns
        ),
        "</ul>",
        _skipped(results),
        "<h2>Environment</h2>",
        f"<pre>{html.escape(json.dumps(dict(about), indent=1))}</pre>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>SwapTalk '
        "evaluation</title>"
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        + "\n".join(sections)
        + f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _languages(summary: Summary) -> str:
    """The table by language, if the clips are in several."""
    if not summary.languages:
        return ""
    head, rows = language_table(summary)
    titles = "".join(f"<th><button>{html.escape(title)}</button></th>" for title in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>" for cells in rows
    )
    return (
        f"<h2>By language</h2><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    )


def _table(summary: Summary, protocol: str) -> str:
    rows = [row for row in summary.rows if row.protocol == protocol]
    columns = [column for column in summary.columns if any(column.key in row.cells for row in rows)]
    best = {column.key: best_methods(rows, column) for column in columns}
    head = "".join(
        f'<th title="{html.escape(c.explanation)}"><button>{html.escape(heading(c))}</button></th>'
        for c in columns
    )
    body = []
    for row in rows:
        cells = []
        for column in columns:
            interval = row.cells.get(column.key)
            if interval is None:
                cells.append('<td data-value="">-</td>')
                continue
            digits = column.digits
            span = f"<small>[{interval.low:.{digits}f}, {interval.high:.{digits}f}]</small>"
            style = ' class="best"' if row.method in best[column.key] else ""
            cells.append(
                f'<td data-value="{interval.value}"{style}>{cell_text(interval, column)} '
                f"{span}</td>"
            )
        body.append(f"<tr><td>{html.escape(row_label(row, rows))}</td>{''.join(cells)}</tr>")
    for paper in (p for p in PAPER_ROWS if p.protocol == protocol):
        values = [paper.values.get(column.key) for column in columns]
        cells = [
            '<td data-value="">-</td>'
            if v is None
            else f'<td data-value="{v}">{v:.{c.digits}f}</td>'
            for v, c in zip(values, columns, strict=True)
        ]
        if any(v is not None for v in values):
            body.append(
                f'<tr class="paper"><td>{html.escape(paper.method)} '
                f"(paper*)</td>{''.join(cells)}</tr>"
            )
    return (
        '<div class="wide"><table><thead><tr><th><button>Method</button></th>'
        f"{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _goals(goals: Sequence[Reached]) -> str:
    if not goals:
        return ""
    head = "".join(
        f"<th>{name}</th>" for name in ("What", "Floor", "Goal", "Reached, with 95 % interval", "")
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in goal_cells(line)) + "</tr>"
        for line in goals
    )
    table = f'<table class="goals"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<h2>Goals</h2><div class="wide">{table}</div>'


def _against_cascades(claims: Sequence[str]) -> str:
    if not claims:
        return ""
    items = "".join(f"<li>{html.escape(claim)}</li>" for claim in claims)
    return f"<h2>Latent space against cascades</h2><ul>{items}</ul>"


def _plots(summary: Summary, methods: list[MethodResults]) -> str:
    names = [one.method for one in methods]
    figures = []
    for column in (c for c in summary.columns if c.key in _PLOTTED):
        values = {
            one.method: {
                pair: m.values.get(column.key, math.nan) for pair, m in one.results.items()
            }
            if column.key not in MEANINGLESS.get(one.method, ())
            else {}
            for one in methods
        }
        figures.append(
            _figure(plots.dots(values, column.title), f"{heading(column)}, clip by clip")
        )
    for key in sorted(
        {k for one in methods for m in one.results.values() for k in m.series if "curve" in k}
    ):
        curves = {
            one.method: _mean([m.series[key] for m in one.results.values() if key in m.series])
            for one in methods
        }
        shifts = max(map(len, curves.values())) // 2
        # SyncNet's protocol lists its shifts from the largest offset down.
        xs = (
            list(range(-shifts, shifts + 1))
            if key.startswith("envelope")
            else list(range(shifts, -shifts - 1, -1))
        )
        title = "correlation" if key.startswith("envelope") else "distance"
        figures.append(
            _figure(plots.lines(curves, xs, "offset, frames", title), f"Sync-offset curve ({key})")
        )
    over_time = {
        one.method: _mean(
            [m.series["source_cosine"] for m in one.results.values() if "source_cosine" in m.series]
        )
        if "source_cosine" not in MEANINGLESS.get(one.method, ())
        else []
        for one in methods
    }
    longest = max(map(len, over_time.values()), default=0)
    if longest:
        drawn = plots.lines(over_time, list(range(longest)), "measured frame", "cosine to source")
        figures.append(_figure(drawn, "Identity over time, mean of the clips"))
    return plots.legend(names) + f'<div class="plots">{"".join(figures)}</div>'


def _figure(drawn: str, caption: str) -> str:
    return (
        f"<figure>{drawn}<figcaption>{html.escape(caption)}</figcaption></figure>" if drawn else ""
    )


def _mean(curves: list[list[float]]) -> list[float]:
    """Mean of curves over the length that at least half of them reach."""
    if not curves:
        return []
    length = int(np.median([len(curve) for curve in curves]))
    return [float(np.mean([curve[i] for curve in curves if i < len(curve)])) for i in range(length)]


def _ranking(methods: list[MethodResults]) -> tuple[Column | None, list[str]]:
    """Pairs from worst to best by the last method that is no bound, and the column they are ranked
    by.
    """
    judged = [
        one for one in methods if one.method not in ("Ground truth", "Copy target")
    ] or methods
    ours = next((one for one in judged if one.method == "SwapTalk"), judged[-1])
    for key in _RANKED_BY:
        values = {pair: m.values.get(key, math.nan) for pair, m in ours.results.items()}
        ranked = sorted(
            (pair for pair in values if math.isfinite(values[pair])), key=lambda pair: values[pair]
        )
        if ranked:
            return BY_KEY[key], ranked
    return None, list(ours.results)


def _cases(
    results: Results, methods: list[MethodResults], protocol: str, folder: Path, videos: int
) -> str:
    """Side-by-side videos of the worst and the best pairs."""
    column, ranked = _ranking(methods)
    if videos < 1 or not ranked:
        return ""
    worst, best = ranked[: (videos + 1) // 2], ranked[::-1][: videos // 2]
    prepared = {pair.pair.name: pair for pair in results.pairs if pair.pair.protocol == protocol}
    parts = [
        f"<h3>Worst and best by {html.escape(column.title.lower()) if column else 'order'}</h3>"
    ]
    for kind, names in (("worst", worst), ("best", [name for name in best if name not in worst])):
        parts += [
            _video(prepared[name], methods, kind, folder) for name in names if name in prepared
        ]
    return "\n".join(parts)


def _video(pair: PreparedPair, methods: list[MethodResults], kind: str, folder: Path) -> str:
    name = f"{pair.pair.protocol}_{pair.pair.name}"
    caption = f"<p>{kind}: {html.escape(pair.pair.name)}, {pair.frames / FPS:.1f} s</p>"
    output = folder / "side_by_side" / f"{name}.mp4"
    output.parent.mkdir(parents=True, exist_ok=True)
    # The target is shown anyway: the methods that only copy it would show it again.
    made = {
        one.method: one.videos[pair.pair.name]
        for one in methods
        if pair.pair.name in one.videos and one.method not in ("Ground truth", "Copy target")
    }
    try:
        side_by_side(pair.source, {"target": pair.target, **made}, pair.audio, output)
    except SwapTalkError as error:
        return f"{caption}<p>{html.escape(str(error))}</p>"
    data = base64.b64encode(output.read_bytes()).decode()
    return f'{caption}<video controls loop preload="metadata" src="data:video/mp4;base64,{data}"></video>'


def _skipped(results: Results) -> str:
    if not results.skipped.items:
        return ""
    items = "".join(
        f"<li>{html.escape(what)}: {html.escape(why)}</li>" for what, why in results.skipped.items
    )
    return f"<h2>Left out ({len(results.skipped.items)})</h2><ul>{items}</ul>"
