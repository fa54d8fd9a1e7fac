"""Small plots as inline SVG, without a plotting library."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

#: Colours that colour-blind readers tell apart (Okabe & Ito 2008).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8a7000")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 560, 240, 56, 34, 12


class _Frame:
    """Axes with a linear scale."""

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], label_x: str, label_y: str
    ) -> None:
        pad = (y[1] - y[0]) * 0.06 or max(abs(y[0]), 1.0) * 0.1
        self._x, self._y = (x[0], x[1] if x[1] > x[0] else x[0] + 1), (y[0] - pad, y[1] + pad)
        self.parts = [
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            f'aria-label="{html.escape(label_y)}">',
            f'<path class="axis" d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - 8}"/>',
            f'<text x="{_WIDTH - 8}" y="{_HEIGHT - 4}" '
            f'text-anchor="end">{html.escape(label_x)}</text>',
            f'<text x="{_LEFT + 4}" y="{_TOP + 4}">{html.escape(label_y)}</text>',
        ]
        for tick in _ticks(*self._y):
            y_place = self.y(tick)
            self.parts.append(f'<path class="grid" d="M{_LEFT} {y_place:.1f}H{_WIDTH - 8}"/>')
            self.parts.append(
                f'<text x="{_LEFT - 5}" y="{y_place + 4:.1f}" text-anchor="end">{tick:g}</text>'
            )

    def x(self, value: float) -> float:
        return _LEFT + (value - self._x[0]) / (self._x[1] - self._x[0]) * (_WIDTH - 8 - _LEFT)

    def y(self, value: float) -> float:
        return (
            _HEIGHT
            - _BOTTOM
            - (value - self._y[0]) / (self._y[1] - self._y[0]) * (_HEIGHT - _BOTTOM - _TOP)
        )

    def ticks_x(self, values: Sequence[float]) -> None:
        for value in values:
            place = f'x="{self.x(value):.1f}" y="{_HEIGHT - _BOTTOM + 15}"'
            self.parts.append(f'<text {place} text-anchor="middle">{value:g}</text>')

    def close(self) -> str:
        return "".join([*self.parts, "</svg>"])


def _ticks(low: float, high: float) -> list[float]:
    step = 10 ** math.floor(math.log10(max(high - low, 1e-12)))
    step *= next((f for f in (0.2, 0.5, 1.0, 2.0) if (high - low) / (step * f) <= 5), 5.0)
    first = math.ceil(low / step)
    return [round(n * step, 10) for n in range(first, math.floor(high / step) + 1)]


def legend(names: Sequence[str]) -> str:
    """Colours of the names, in order."""
    items = (
        f'<span><i style="background:{PALETTE[i % len(PALETTE)]}"></i>{html.escape(name)}</span>'
        for i, name in enumerate(names)
    )
    return f'<p class="legend">{"".join(items)}</p>'


def lines(
    series: Mapping[str, Sequence[float]], xs: Sequence[float], label_x: str, label_y: str
) -> str:
    """One curve a name over common ``xs``; shorter curves end early, values that are not finite
    leave gaps.
    """
    values = [v for curve in series.values() for v in curve if math.isfinite(v)]
    if not values or not xs:
        return ""
    frame = _Frame((min(xs), max(xs)), (min(values), max(values)), label_x, label_y)
    span = max(xs) - min(xs)
    frame.ticks_x([t for t in _ticks(min(xs), max(xs))] if span else list(xs[:1]))
    for number, curve in enumerate(series.values()):
        path, pen = [], "M"
        for x, y in zip(xs, curve, strict=False):
            if math.isfinite(y):
                path.append(f"{pen}{frame.x(x):.1f} {frame.y(y):.1f}")
                pen = "L"
            else:
                pen = "M"
        colour = PALETTE[number % len(PALETTE)]
        frame.parts.append(
            f'<path fill="none" stroke="{colour}" stroke-width="1.8" d="{"".join(path)}"/>'
        )
    return frame.close()


def dots(series: Mapping[str, Mapping[str, float]], label_y: str) -> str:
    """Value of every clip: one place on the x axis a clip, one colour a name; hovering names the
    clip.
    """
    clips = list(dict.fromkeys(clip for values in series.values() for clip in values))
    finite = [v for values in series.values() for v in values.values() if math.isfinite(v)]
    if not finite:
        return ""
    frame = _Frame((-0.5, len(clips) - 0.5), (min(finite), max(finite)), "clips", label_y)
    places = {clip: index for index, clip in enumerate(clips)}
    for number, (name, values) in enumerate(series.items()):
        colour = PALETTE[number % len(PALETTE)]
        for clip, value in values.items():
            if math.isfinite(value):
                title = html.escape(f"{name}, {clip}: {value:.4g}")
                frame.parts.append(
                    f'<circle cx="{frame.x(places[clip]):.1f}" cy="{frame.y(value):.1f}" r="3.4" '
                    f'fill="{colour}">'
                    f"<title>{title}</title></circle>"
                )
    return frame.close()
