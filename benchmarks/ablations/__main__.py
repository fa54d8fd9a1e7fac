r"""Measure the paper's choices at small scale: pairs of trainings that differ in one option.

    python -m benchmarks.ablations --data DATASET --vqgan RUN --swap RUN \
        [--out DIR] [--seeds 2] [--scale 1] [PART...]

Every training is a real ``swaptalk train`` with as many steps as its partner, on the same part of
the dataset, and is judged on the same test people. Finished trainings are not repeated; interrupted
ones continue. ``results.json`` and ``table.md`` in the folder of ``--out`` hold the results so far.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.ablations.data import choose_subset
from benchmarks.ablations.judge import Judge

from swaptalk.storage.files import AtomicFile

#: Options of every training: one thread's worth of work, nothing written that nobody reads.
COMMON = (
    "--accelerator",
    "cpu",
    "--no-tensorboard",
    "--threads",
    "1",
    "--evaluate-every",
    "0",
    "--warm-up",
    "20",
    "--log-every",
    "10",
    "--ema-decay",
    "0.98",
    "--save-every",
    "2",
)
#: The small autoencoder: 1.0 GFLOP a frame, encoder and decoder, on a 16 x 16 grid.
SMALL_VQGAN = (
    "--batch-size",
    "8",
    "--perceptual-network",
    "alex",
    "--weights.identity",
    "0",
    "--weights.adversarial",
    "0",
    "--quantize-from",
    "150",
    "--model.codebook-size",
    "64",
)
SIXTEENTH = (
    "--model.encoder-widths",
    "24",
    "48",
    "96",
    "--model.encoder-blocks",
    "1",
    "1",
    "1",
    "--model.decoder-widths",
    "32",
    "64",
    "96",
    "--model.decoder-blocks",
    "1",
    "1",
    "2",
)
#: The same arithmetic on a 32 x 32 grid: four times the positions, half the channels.
EIGHTH = (
    "--model.patch",
    "2",
    "--model.encoder-widths",
    "12",
    "24",
    "52",
    "--model.encoder-blocks",
    "1",
    "1",
    "1",
    "--model.decoder-widths",
    "16",
    "32",
    "52",
    "--model.decoder-blocks",
    "1",
    "1",
    "2",
)
#: On from a finished swap: one that begins afresh gives nobody an identity in so few steps.
MORE_SWAP = (
    "--batch-size",
    "16",
    "--triplets",
    "1024",
    "--decode-share",
    "0.2",
    "--weights.perceptual",
    "0",
    "--weights.adversarial",
    "0",
)
#: From nothing: the first minutes of a training.
FRESH_SWAP = (
    "--batch-size",
    "24",
    "--triplets",
    "4096",
)
#: The classical composite of two people as the only answer, as proxies were.
PROXIES = ("--role-share", "1", "--anchor-weight", "1")
#: As good as no training: the composite, coded.
UNTRAINED = ("--learning-rate", "1e-9", "--other-rate", "1e-9")
NO_ADVERSARY = ("--weights.adversarial", "0")
SMALL_EXPERT = (
    "--batch-size",
    "32",
    "--model.width",
    "64",
    "--model.audio-width",
    "96",
    "--model.embedding",
    "128",
)
SMALL_LIPSYNC = (
    "--batch-size",
    "4",
    "--speech-batch",
    "8",
    "--decode-share",
    "0.1",
    "--decode-from",
    "0",
    "--driven-from",
    "60",
    "--driven-share",
    "0.6",
    "--sync-from",
    "0",
    "--weights.mouth-perceptual",
    "0",
    "--weights.geometry",
    "0",
    "--model.widths",
    "96",
    "128",
    "--model.warp-width",
    "64",
)


@dataclass(frozen=True)
class Variant:
    """One side of a comparison: a stage, its options and its steps at scale 1; whether it is
    trained on the finished autoencoder, on what other run, and whether a swap starts from nothing.
    """

    part: str
    name: str
    stage: str
    steps: int
    options: tuple[str, ...]
    finished_vqgan: bool = False
    needs: str = ""
    fresh: bool = False


#: The autoencoder that both of its comparisons start from.
BASE = "two codebooks, 16x"
VARIANTS = (
    Variant("codebooks", BASE, "vqgan", 500, (*SMALL_VQGAN, *SIXTEENTH)),
    Variant(
        "codebooks",
        "one codebook, 16x",
        "vqgan",
        500,
        (*SMALL_VQGAN, *SIXTEENTH, "--model.shared-codebook"),
    ),
    Variant("grid", "two codebooks, 8x", "vqgan", 500, (*SMALL_VQGAN, *EIGHTH)),
    Variant(
        "identity",
        "with identity loss",
        "swap",
        150,
        (*MORE_SWAP, "--weights.identity", "0.3"),
        True,
    ),
    Variant(
        "identity",
        "without identity loss",
        "swap",
        150,
        (*MORE_SWAP, "--weights.identity", "0"),
        True,
    ),
    Variant("answers", "composite, coded", "swap", 1, (*FRESH_SWAP, *UNTRAINED), True, fresh=True),
    Variant(
        "answers",
        "composites as answers",
        "swap",
        300,
        (*FRESH_SWAP, *PROXIES, *NO_ADVERSARY),
        True,
        fresh=True,
    ),
    Variant("answers", "real answers", "swap", 300, (*FRESH_SWAP, *NO_ADVERSARY), True, fresh=True),
    Variant(
        "answers",
        "real answers, discriminator",
        "swap",
        300,
        (*FRESH_SWAP, "--adversarial-from", "100", "--adversarial-rise", "50"),
        True,
        fresh=True,
    ),
    Variant("expert", "the expert itself", "expert", 600, SMALL_EXPERT, True),
    Variant(
        "expert",
        "with the expert",
        "lipsync",
        300,
        (*SMALL_LIPSYNC, "--weights.sync", "0.1"),
        True,
        "the expert itself",
    ),
    # As good as 0. With 0 samples would be single frames, and the two would differ in more than the
    # loss.
    Variant(
        "expert",
        "without the expert",
        "lipsync",
        300,
        (*SMALL_LIPSYNC, "--weights.sync", "1e-9"),
        True,
        "the expert itself",
    ),
)
PARTS = tuple(dict.fromkeys(v.part for v in VARIANTS))


@dataclass
class Result:
    """One training: what it was, what it cost, what came of it (values by face, pair or clip)."""

    part: str
    name: str
    seed: int
    steps: int
    cpu_minutes: float
    numbers: dict[str, list[float]] = field(default_factory=dict)


class Ablations:
    """Runs what is missing and keeps the table.

    Args:
        data: the part of the dataset to train and test on.
        vqgan: finished autoencoder, under the swap's and lip-sync's comparisons.
        swap: finished swap, which the swap's comparison goes on from.
        out: where runs and results go.
        scale: factor on all steps.
    """

    def __init__(self, data: Path, vqgan: Path, swap: Path, out: Path, scale: float) -> None:
        self._data, self._vqgan, self._swap, self._out, self._scale = data, vqgan, swap, out, scale
        self._file = out / "results.json"
        stored = json.loads(self._file.read_text()) if self._file.exists() else []
        self._results = [Result(**row) for row in stored]

    def run(self, variant: Variant, seed: int, judge: Callable[[], Judge]) -> None:
        """Train and judge one variant, unless that is done."""
        if any(
            (r.part, r.name, r.seed) == (variant.part, variant.name, seed) for r in self._results
        ):
            return
        folder = self._folder(variant.name, seed)
        steps = max(1, round(self._scale * variant.steps))
        options = [*COMMON, *variant.options, "--seed", str(seed), "--steps", str(steps)]
        if variant.finished_vqgan:
            options += ["--vqgan", str(self._vqgan)]
        if variant.stage == "swap" and not variant.fresh:
            options += ["--start-from", str(self._swap)]
        if variant.needs:
            options += ["--expert", str(self._folder(variant.needs, seed))]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "swaptalk", "train", variant.stage, *options]
        subprocess.run([*command, "--data", str(self._data), "--out", str(folder)], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        minutes = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60
        numbers = judge()(variant.stage, folder, self._vqgan)
        self._results.append(
            Result(variant.part, variant.name, seed, steps, round(minutes, 2), numbers)
        )
        with AtomicFile(self._file) as target:
            target.part.write_text(json.dumps([asdict(r) for r in self._results], indent=1) + "\n")
        (self._out / "table.md").write_text(self.table())

    def _folder(self, name: str, seed: int) -> Path:
        return self._out / f"{name.replace(' ', '-').replace(',', '')}-{seed}"

    def table(self) -> str:
        """Means over faces, pairs or clips, one row a training."""
        lines = []
        for part in PARTS:
            rows = [r for r in self._results if r.part == part or (part, r.name) == ("grid", BASE)]
            for names in dict.fromkeys(tuple(r.numbers) for r in rows):
                lines += [
                    f"| {part} | seed | steps | CPU minutes | " + " | ".join(names) + " |",
                    "|---" * (4 + len(names)) + "|",
                ]
                for row in (r for r in rows if tuple(r.numbers) == names):
                    cells = [_cell(values) for values in row.numbers.values()]
                    about = f"| {row.name} | {row.seed} | {row.steps} | {row.cpu_minutes:.1f} | "
                    lines.append(about + " | ".join(cells) + " |")
                lines.append("")
        return "\n".join(lines)


def _cell(values: list[float]) -> str:
    """Mean, with its standard error where there are several values."""
    if len(values) < 2:
        return f"{values[0]:.2f}" if values[0] < 1000 else f"{values[0]:.0f}"
    return f"{np.nanmean(values):.3f} ± {np.nanstd(values) / len(values) ** 0.5:.3f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"of {', '.join(PARTS)}; all"
    )
    parser.add_argument("--data", type=Path, required=True, help="dataset of 'swaptalk prepare'")
    parser.add_argument(
        "--vqgan", type=Path, required=True, help="finished autoencoder: a run or a bundle"
    )
    parser.add_argument("--swap", type=Path, required=True, help="finished swap on it: a run")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"))
    parser.add_argument(
        "--photos",
        type=int,
        default=2000,
        help="photos to train on; all of them are embedded first",
    )
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each variant")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of steps")
    arguments: Any = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    data = choose_subset(arguments.data, arguments.out / "data", arguments.photos)
    ablations = Ablations(data, arguments.vqgan, arguments.swap, arguments.out, arguments.scale)
    judges: list[Judge] = []

    def judge() -> Judge:
        if not judges:
            judges.append(Judge(data))
        return judges[0]

    for seed in range(arguments.seeds):
        for variant in VARIANTS:
            if not arguments.parts or variant.part in arguments.parts:
                ablations.run(variant, seed, judge)
    print(ablations.table())


if __name__ == "__main__":
    main()
