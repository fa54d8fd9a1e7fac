"""What the learned watermark survives, beside the shipped one, and what it costs."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmarks.learned_watermark.model import BITS, SIDE, Decoder, Encoder
from benchmarks.watermark.attacks import ATTACKS, Frames, recode
from benchmarks.watermark.hosts import hosts, missing_hosts
from benchmarks.watermark.measure import WRITTEN
from benchmarks.watermark.report import wilson
from numpy.typing import NDArray

from swaptalk.metrics.psnr import psnr
from swaptalk.metrics.ssim import ssim
from swaptalk.provenance.watermark_embed import Watermarker

#: Bits that agree with a known identifier in no more than one of a million identifiers by chance
#: (binomial, 64 of 1/2).
RECOGNISED = 52


class LearnedMark:
    """The trained networks, for whole frames.

    Args:
        folder: that training wrote.
    """

    def __init__(self, folder: Path) -> None:
        state = torch.load(folder / "model.pt", weights_only=True)
        self._encoder, self._decoder = Encoder(), Decoder()
        self._encoder.load_state_dict(state["encoder"])
        self._decoder.load_state_dict(state["decoder"])

    @staticmethod
    def _small(frame: NDArray[np.uint8]) -> torch.Tensor:
        grey = cv2.resize(
            cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA
        )
        return torch.from_numpy(grey).float()[None, None]

    @torch.inference_mode()
    def mark(self, frame: NDArray[np.uint8], identifier: int, strength: float) -> NDArray[np.uint8]:
        """Marked frame, (H, W, 3) uint8 RGB, changed by ``strength`` grey levels root mean
        square.
        """
        change = self._encoder(self._small(frame), signs(identifier))[0, 0].numpy()
        large = cv2.resize(change, (frame.shape[1], frame.shape[0]), interpolation=cv2.INTER_CUBIC)
        large *= strength / float(np.sqrt(np.mean(large * large)))
        return np.asarray(np.clip(np.rint(frame + large[..., None]), 0, 255), np.uint8)

    @torch.inference_mode()
    def bits_right(self, frames: Frames, identifier: int) -> int:
        """Bits of ``identifier`` that the frames together say, 0..64."""
        logits = sum(self._decoder(self._small(frame)) for frame in frames)
        return int(((logits > 0) == (signs(identifier) > 0)).sum())


def signs(identifier: int) -> torch.Tensor:
    """Bits of an identifier as -1 and 1, (1, 64)."""
    return torch.tensor([[1.0 if identifier >> place & 1 else -1.0 for place in range(BITS)]])


def shipped_strength(frame: NDArray[np.uint8], watermarker: Watermarker) -> float:
    """Root mean square by which the shipped mark changes a frame, without what rounding adds."""
    change = watermarker(frame.copy()).astype(np.float32) - frame
    return math.sqrt(max(0.1, float(np.mean(change * change)) - 1 / 12))


def measure(out: Path, limit: int, names: Sequence[str]) -> None:
    """One line of JSON for each host and attack; hosts that are there already are skipped."""
    learned, path = LearnedMark(out), out / "robustness.jsonl"
    for kind, name, frames, watermarker in missing_hosts(path, limit, names):
        identifier = watermarker.identifier
        strength = float(np.mean([shipped_strength(frame, watermarker) for frame in frames[::10]]))
        marked = [learned.mark(frame, identifier, strength) for frame in frames]
        quality = {
            "psnr": float(
                np.mean([psnr(a, b) for a, b in zip(frames[::10], marked[::10], strict=True)])
            ),
            "ssim": float(
                np.mean([ssim(a, b) for a, b in zip(frames[::10], marked[::10], strict=True)])
            ),
        }
        written, lines = recode(marked, *WRITTEN), []
        for attack, apply in ATTACKS.items():
            right = learned.bits_right(apply(written), identifier)
            lines.append({"kind": kind, "host": name, "attack": attack, "right": right, **quality})
            print(name, attack, right, flush=True)
        with path.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _share(hits: int, count: int) -> str:
    low, high = wilson(hits, count)
    return f"{hits} of {count} ({low:.0%} to {high:.0%})"


def _bits(rights: Sequence[int]) -> str:
    """Mean share of bits right, with an interval by drawing hosts again."""
    values = np.array(rights) / BITS
    drawn = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    return (
        f"{values.mean():.1%} ({np.quantile(drawn, 0.025):.1%} to {np.quantile(drawn, 0.975):.1%})"
    )


def report(out: Path, shipped: Path) -> None:
    """Print the table of both marks on the hosts that both were measured on."""
    both: dict[str, dict[tuple[str, str], dict[str, Any]]] = defaultdict(dict)
    for mark, folder in (("learned", out), ("shipped", shipped)):
        for line in _lines(folder / "robustness.jsonl"):
            both[mark][line["host"], line["attack"]] = line
    shared = both["learned"].keys() & both["shipped"].keys()
    counted = sorted({(both["learned"][key]["kind"], key[0]) for key in shared})
    kinds = [kind for kind, _ in counted]
    print("training:", (out / "training.json").read_text())
    print(", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))))
    for mark, lines in both.items():
        for what in ("psnr", "ssim"):
            print(mark, what, f"{np.mean([lines[key][what] for key in shared]):.4f}")
    print("| attack | shipped: read | learned: read | learned: recognised | learned: bits right |")
    print("|---|---|---|---|---|")
    for attack in ATTACKS:
        keys = [key for key in shared if key[1] == attack]
        if keys:
            rights = [both["learned"][key]["right"] for key in keys]
            print(
                f"| {attack} | "
                f"{_share(sum(both['shipped'][key]['read'] for key in keys), len(keys))} | "
                f"{_share(sum(right == BITS for right in rights), len(keys))} | "
                f"{_share(sum(right >= RECOGNISED for right in rights), len(keys))} | "
                f"{_bits(rights)} |"
            )


def cost(out: Path) -> None:
    """Processor time of both marks for a 720p frame."""
    learned = LearnedMark(out)
    frame = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    watermarker = Watermarker(1, 1280, 720)
    times: dict[str, list[float]] = {"shipped": [], "learned": []}
    for _ in range(21):
        for name in times:
            begun = time.thread_time()
            if name == "shipped":
                watermarker(frame.copy())
            else:
                learned.mark(frame, 1, 1.8)
            times[name].append(time.thread_time() - begun)
    for name, values in times.items():
        print(
            f"{name}: {1e3 * float(np.median(values[1:])):.1f} ms of processor time for a frame of "
            "1280 x 720"
        )


def picture(out: Path) -> None:
    """Write the first host's middle frame, marked and the difference times 20, side by side, as
    example.png.
    """
    learned = LearnedMark(out)
    _, _, frames = next(hosts(("demo", "portraits")))
    frame = frames[len(frames) // 2]
    watermarker = Watermarker(1, frame.shape[1], frame.shape[0])
    marked = learned.mark(frame, 1, shipped_strength(frame, watermarker))
    difference = np.clip(128 + 20 * (marked.astype(np.float32) - frame), 0, 255).astype(np.uint8)
    joined = np.concatenate([frame, marked, difference], axis=1)
    cv2.imwrite(str(out / "example.png"), cv2.cvtColor(joined, cv2.COLOR_RGB2BGR))
