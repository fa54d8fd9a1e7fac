"""Measure what a trained expert can tell on people it has not seen.

    python benchmarks/judge_expert.py DATASET VQGAN EXPERT

DATASET is a folder of ``swaptalk prepare``, VQGAN and EXPERT are runs (or bundles). For every
trusted real clip of the validation and test splits: how often a window's own sound beats the same
clip's sound 3 to 7 frames off (chance: 50 %), and whether the clip's mean cosine is highest within
one frame of the right offset among 15 (chance: 20 %).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from swaptalk.data.latents import LatentCache
from swaptalk.data.split import VALIDATION_SHARE
from swaptalk.data.store import Dataset
from swaptalk.data.windows import WindowSampler
from swaptalk.training.pretrained import fingerprint, load_network
from swaptalk.training.stages.expert import judge_expert, trusted_clips


def main() -> None:
    """Print a line for each split."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("vqgan", type=Path)
    parser.add_argument("expert", type=Path)
    given = parser.parse_args()
    dataset, vqgan = Dataset(given.dataset, VALIDATION_SHARE), load_network("vqgan", given.vqgan)
    expert, latents = (
        load_network("expert", given.expert),
        LatentCache(dataset, fingerprint(vqgan.encoder)),
    )
    for split in ("validation", "test"):
        clips = trusted_clips(dataset, split)
        latents.build(clips, vqgan)
        windows = WindowSampler(latents.usable, clips, expert.config.frames, 0.0)
        people = len({item.identity for item in windows.items})
        judged = judge_expert(expert, dataset, latents, windows, "cpu")
        numbers = ", ".join(f"{name} {value:.3f}" for name, value in judged.items())
        print(f"{split}: {len(windows.items)} clips of {people} people: {numbers}")


if __name__ == "__main__":
    main()
