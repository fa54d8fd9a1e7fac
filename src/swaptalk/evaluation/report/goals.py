"""Floors and goals of the project beside the measured values, for the model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swaptalk.evaluation.reconstruction import Reconstruction
from swaptalk.evaluation.report.summary import Summary
from swaptalk.metrics.bootstrap import Interval, bootstrap_mean

#: The row that most goals are about.
OURS = "SwapTalk"


@dataclass(frozen=True)
class Goal:
    """One line. ``where``: "codes", "latents" (of the reconstruction), or the protocol of ``row``
    that holds ``keys``.

    Default weights must reach the ``floors``; the ``goals`` are what the work aims at. ``lower``
    says which of the keys are better when lower.
    """

    what: str
    where: str
    keys: tuple[str, ...]
    floors: tuple[float, ...]
    goals: tuple[float, ...]
    digits: tuple[int, ...]
    lower: tuple[str, ...] = ()
    row: str = OURS


_RECONSTRUCTION = (
    ("lpips", "ssim", "identity"),
    (0.12, 0.82, 0.98),
    (0.06, 0.90, 0.99),
    (3, 3, 3),
    ("lpips",),
)
_LIKENESS = (("id_top1", "source_cosine"), (97, 0.62), (99.5, 0.72), (1, 3))
_POSE = (
    ("pose_error", "expression_error"),
    (3.0, 1.6),
    (1.5, 1.0),
    (2, 2),
    ("pose_error", "expression_error"),
)
_JITTER = (("jitter",), (0.4,), (0.2,), (2,), ("jitter",))
_CONSISTENCY = (("consistency",), (91,), (95,), (1,))
GOALS = (
    Goal(
        "reconstruction from latents: LPIPS-Alex / SSIM / identity cosine",
        "latents",
        *_RECONSTRUCTION,
    ),
    Goal("reconstruction from codes, as the pipeline decodes: the same", "codes", *_RECONSTRUCTION),
    Goal("swap, self-driven: ID Retrieve top-1, % / cosine to source", "self", *_LIKENESS),
    Goal("swap, cross-driven: ID Retrieve top-1, % / cosine to source", "cross", *_LIKENESS),
    Goal(
        "swap, self-driven: FD-MobileNetV2 / LPIPS to the target",
        "self",
        ("fd_mobilenet", "lpips"),
        (24, 0.085),
        (12, 0.05),
        (1, 3),
        ("fd_mobilenet", "lpips"),
    ),
    Goal(
        "swap, self-driven: pose error, degrees / expression error, % of eye distance",
        "self",
        *_POSE,
    ),
    Goal(
        "swap, cross-driven: pose error, degrees / expression error, % of eye distance",
        "cross",
        *_POSE,
    ),
    Goal("jitter, self-driven, grey levels", "self", *_JITTER),
    Goal("jitter, cross-driven, grey levels", "cross", *_JITTER),
    Goal("Consistency over a clip, self-driven, %", "self", *_CONSISTENCY),
    Goal("Consistency over a clip, cross-driven, %", "cross", *_CONSISTENCY),
    Goal(
        "lip-sync alone, self-driven: LMD, % of eye distance",
        "self",
        ("lmd_percent",),
        (3.6,),
        (2.5,),
        (2,),
        ("lmd_percent",),
        "Lip-sync alone",
    ),
    Goal(
        "lip-sync after the swap, self-driven: LMD against the lips of somebody else, % of eye "
        "distance",
        "self",
        ("lmd_percent",),
        (5,),
        (2.5,),
        (2,),
        ("lmd_percent",),
    ),
    Goal(
        "lip-sync, cross-driven: own audio above 14 foreign ones by the own sync network, % of "
        "clips",
        "cross",
        ("own_audio_first",),
        (92,),
        (98,),
        (0,),
    ),
    Goal(
        "mouth motion in silence relative to speech, over a target who speaks on (LipLeak)",
        "paused",
        ("lip_leak",),
        (0.15,),
        (0.05,),
        (2,),
        ("lip_leak",),
    ),
    Goal(
        "the same in the short pauses of the clips themselves, cross-driven",
        "cross",
        ("lip_leak",),
        (0.35,),
        (0.05,),
        (2,),
        ("lip_leak",),
    ),
)


@dataclass(frozen=True)
class Reached:
    """A goal with what was reached, by key; ``state`` is "goal", "floor" or "below" of the worst of
    them.
    """

    goal: Goal
    values: tuple[Interval, ...]
    state: str


def reached(
    summary: Summary, reconstruction: Reconstruction | None, seed: int = 0
) -> list[Reached]:
    """Every goal for which all values were measured."""
    lines = []
    for goal in GOALS:
        values = _values(goal, summary, reconstruction, seed)
        if values is not None:
            lines.append(Reached(goal, values, _state(goal, values)))
    return lines


def _values(
    goal: Goal, summary: Summary, reconstruction: Reconstruction | None, seed: int
) -> tuple[Interval, ...] | None:
    if goal.where in ("codes", "latents"):
        if reconstruction is None or not reconstruction.codes:
            return None
        photos = reconstruction.codes if goal.where == "codes" else reconstruction.latents
        return tuple(bootstrap_mean(photos[key], seed=seed) for key in goal.keys)
    row = next((r for r in summary.rows if (r.protocol, r.method) == (goal.where, goal.row)), None)
    if row is None or any(key not in row.cells for key in goal.keys):
        return None
    return tuple(row.cells[key] for key in goal.keys)


def _state(goal: Goal, values: Sequence[Interval]) -> str:
    def met(bounds: Sequence[float]) -> bool:
        return all(
            interval.value <= bound if key in goal.lower else interval.value >= bound
            for key, interval, bound in zip(goal.keys, values, bounds, strict=True)
        )

    return "goal" if met(goal.goals) else "floor" if met(goal.floors) else "below"


def goal_cells(line: Reached) -> tuple[str, str, str, str, str]:
    """What, floor, goal, reached with 95 % interval and number of clips or photos, and in words how
    that compares.
    """
    goal = line.goal
    words = {"goal": "goal reached", "floor": "above the floor", "below": "below the floor"}

    def bounds(numbers: Sequence[float]) -> str:
        return " / ".join(f"{number:g}" for number in numbers)

    parts = [
        f"{i.value:.{d}f} [{i.low:.{d}f}, {i.high:.{d}f}]"
        for i, d in zip(line.values, goal.digits, strict=True)
    ]
    unit = "photos" if goal.where in ("codes", "latents") else "clips"
    count = min(interval.count for interval in line.values)
    return (
        goal.what,
        bounds(goal.floors),
        bounds(goal.goals),
        f"{' / '.join(parts)} ({count} {unit})",
        words[line.state],
    )
