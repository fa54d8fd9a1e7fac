"""Columns of the report: title, unit, direction, and the protocols in which each has a meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Column:
    """One metric of the table; ``key`` names it in the JSON and CSV reports."""

    key: str
    title: str
    unit: str
    better: Better
    digits: int
    explanation: str


COLUMNS: tuple[Column, ...] = (
    Column(
        "fid",
        "FID",
        "",
        "lower",
        1,
        "Frechet distance on Inception-v3 to the target frames, face view",
    ),
    Column(
        "fd_mobilenet",
        "FD-MobileNetV2",
        "",
        "lower",
        1,
        "Frechet distance on MobileNetV2 to the target frames, face view; not FID",
    ),
    Column("ssim", "SSIM", "", "higher", 3, "structural similarity to the target frame, face view"),
    Column(
        "psnr",
        "PSNR",
        "dB",
        "higher",
        1,
        "peak signal-to-noise ratio to the target frame, face view",
    ),
    Column(
        "lpips",
        "LPIPS",
        "",
        "lower",
        3,
        "perceptual distance (AlexNet) to the target frame, face view",
    ),
    Column("cpbd", "CPBD", "", "higher", 3, "sharpness without reference, face view"),
    Column(
        "lmd", "LMD", "px", "lower", 2, "mouth landmarks against the real lips, pixels of the frame"
    ),
    Column("lmd_percent", "LMD", "% eyes", "lower", 2, "the same in % of the eye distance"),
    Column(
        "lmd_aligned",
        "LMD aligned",
        "% eyes",
        "lower",
        2,
        "the same after rigid alignment by eyes and nose",
    ),
    Column(
        "lse_c",
        "LSE-C",
        "",
        "higher",
        2,
        "SyncNet confidence; above the real clip's it is over-articulation",
    ),
    Column("lse_d", "LSE-D", "", "lower", 2, "SyncNet distance"),
    Column("sync_offset", "AV offset", "frames", "neither", 1, "SyncNet offset, 0 in sync"),
    Column(
        "own_sync_confidence",
        "Own sync confidence",
        "",
        "higher",
        3,
        "the project's own sync network by SyncNet's protocol, not LSE-C",
    ),
    Column(
        "own_sync_distance",
        "Own sync distance",
        "",
        "lower",
        3,
        "the same network's distance, 0..2; not LSE-D",
    ),
    Column(
        "envelope_sync",
        "Envelope sync",
        "",
        "higher",
        3,
        "correlation of mouth opening and loudness; no network, much weaker than LSE",
    ),
    Column(
        "own_audio_first",
        "Own audio first",
        "%",
        "higher",
        0,
        "clips whose own audio fits better than 14 foreign ones, by the sync measure at hand",
    ),
    Column(
        "id_top1",
        "ID Retrieve",
        "%",
        "higher",
        1,
        "frames whose nearest gallery face is the source",
    ),
    Column(
        "id_top5", "ID top-5", "%", "higher", 1, "frames with the source among the five nearest"
    ),
    Column(
        "source_cosine",
        "Cosine to source",
        "",
        "higher",
        3,
        "similarity of frames to the source photo",
    ),
    Column(
        "consistency",
        "Consistency",
        "%",
        "higher",
        2,
        "mean cosine over all pairs of frames, times 100",
    ),
    Column(
        "source_variance",
        "Variance",
        "",
        "lower",
        4,
        "variance over time of the cosine to the source",
    ),
    Column(
        "consecutive_cosine",
        "Consecutive",
        "",
        "higher",
        3,
        "mean cosine of consecutive measured frames",
    ),
    Column("pose_error", "Pose error", "deg", "lower", 2, "head angles against the target's"),
    Column(
        "expression_error",
        "Expression error",
        "% eyes",
        "lower",
        2,
        "movement of brows, eyes and mouth against the target's (eyes and brows only when "
        "cross-driven)",
    ),
    Column("lip_leak", "LipLeak", "", "lower", 2, "mouth motion in silence relative to speech"),
    Column(
        "lip_moving",
        "Moving in silence",
        "",
        "lower",
        2,
        "share of silent frames in which the mouth moves",
    ),
    Column(
        "jitter", "Jitter", "grey levels", "lower", 2, "flicker added where the target stands still"
    ),
    Column("face_share", "Face found", "%", "higher", 1, "frames in which the face was found"),
)
BY_KEY = {column.key: column for column in COLUMNS}


@dataclass(frozen=True)
class PaperRow:
    """A row of the paper's own table: not comparable, because clips, crops, detectors and weights
    differ.
    """

    protocol: str
    method: str
    values: dict[str, float]


_PAPER_KEYS = ("fid", "ssim", "cpbd", "lmd", "lse_c", "id_top1", "consistency")
_PAPER_SELF = """
Ground truth|-|-|.536|-|8.37|-|-
Wav2Lip|28.5|.813|.425|1.959|9.50|-|-
Wav2Lip-Restore|15.1|.904|.535|1.624|9.04|-|-
Sync-Swap|12.4|.904|.484|1.481|7.49|82.9|76.00
Sync-Swap-Restore|12.7|.885|.539|1.483|7.25|81.4|75.57
Swap-Sync|11.7|.906|.482|1.384|8.89|80.3|74.89
Swap-Restore-Sync|12.5|.890|.533|1.386|8.84|79.3|74.38
WAVSYNCSWAP|49.9|.738|.470|3.161|9.09|85.7|64.17
SwapTalk|11.6|.908|.521|1.221|9.08|87.8|78.00
SwapTalk, extra data|11.1|.910|.530|1.139|9.25|92.3|81.88
"""
_PAPER_CROSS = """
Wav2Lip|27.4|.811|.417|-|7.87|-|-
Wav2Lip-Restore|14.6|.877|.533|-|7.63|-|-
Sync-Swap|12.7|.899|.483|-|7.52|84.2|77.83
Sync-Swap-Restore|13.0|.885|.528|-|7.24|83.8|77.44
Swap-Sync|11.6|.900|.484|-|8.62|82.6|76.63
Swap-Restore-Sync|11.8|.888|.521|-|8.57|80.4|75.99
SwapTalk|11.0|.905|.524|-|8.94|87.6|80.19
SwapTalk, extra data|10.8|.907|.526|-|8.99|93.5|82.57
"""


def _paper_rows(protocol: str, table: str) -> list[PaperRow]:
    rows = []
    for line in table.strip().splitlines():
        method, *cells = line.split("|")
        values = {k: float(v) for k, v in zip(_PAPER_KEYS, cells, strict=True) if v != "-"}
        rows.append(PaperRow(protocol, method, values))
    return rows


#: Tables of arXiv 2405.05636.
PAPER_ROWS: tuple[PaperRow, ...] = (
    *_paper_rows("self", _PAPER_SELF),
    *_paper_rows("cross", _PAPER_CROSS),
)
