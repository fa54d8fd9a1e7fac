"""Training of the learned watermark, on crops of a prepared dataset."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.learned_watermark.model import BITS, SIDE, Decoder, Encoder
from benchmarks.learned_watermark.noise import attacked
from torch import Tensor

from swaptalk.data.frames import FrameSampler
from swaptalk.data.store import Dataset

#: Faces that are loaded once; more would not be seen in the time.
FACES = 1000
BATCH = 16
#: The mark's root mean square, grey levels, goes down from the first to the second in the first
#: part of the training: 42 dB, the shipped mark's in small videos.
STRENGTH, EASY = (16.0, 2.0), 0.25
#: After the easy part noise and crops grow to their full measure over this part of the training.
GROWTH = 0.3
#: Of so many pictures one is cropped in the end.
CROPS = 0.25
LEARNING_RATE = 2e-3
#: Pictures that the measured robustness uses: no training on them.
HELD_OUT = "us_congress_portraits"


def load_faces(folder: Path, seed: int) -> Tensor:
    """Training people's faces, uint8 (FACES, 1, SIDE, SIDE), grey."""
    dataset = Dataset(folder)
    dataset.items = [item for item in dataset.items if not item.name.startswith(HELD_OUT)]
    faces = FrameSampler(dataset, video_share=0.3, sharpness=1.0, maximum_scale=2.0)
    rng = np.random.default_rng(seed)
    drawn = (dataset.picture(*faces.draw(rng)) for _ in range(FACES))
    small = (cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for face in drawn)
    return torch.from_numpy(np.stack([cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in small]))[
        :, None
    ]


def schedule(progress: float) -> tuple[float, float, float, float]:
    """Strength of the mark, of the noise, share of crops and learning rate at a share of the
    training done.
    """
    easy = min(1.0, progress / EASY)
    strength = STRENGTH[0] * (STRENGTH[1] / STRENGTH[0]) ** easy
    noise = min(1.0, max(0.0, (progress - EASY / 2) / GROWTH))
    rate = LEARNING_RATE * min(1.0, 0.02 + 4 * (1 - progress))
    return strength, noise, CROPS * noise, rate


def train(data: Path, out: Path, cpu_minutes: float, seed: int = 0) -> None:
    """Train for so many minutes of processor time; writes model.pt and training.json."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    faces = load_faces(data, seed)
    encoder, decoder = Encoder(), Decoder()
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=LEARNING_RATE)
    begun, step, shares = time.process_time(), 0, []
    while (progress := (time.process_time() - begun) / (60 * cpu_minutes)) < 1:
        strength, noise, crops, rate = schedule(progress)
        optimizer.param_groups[0]["lr"] = rate
        grey = faces[torch.randint(len(faces), (BATCH,))].float()
        grey = torch.where((torch.rand(BATCH) < 0.5)[:, None, None, None], grey.flip(-1), grey)
        bits = torch.randint(0, 2, (BATCH, BITS)).float()
        marked = grey + strength * encoder(grey, 2 * bits - 1)
        logits = decoder(attacked(marked, noise, crops))
        loss = F.binary_cross_entropy_with_logits(logits, bits)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        shares.append(float(((logits > 0) == (bits > 0.5)).float().mean()))
        if step % 50 == 0:
            print(
                f"step {step}, {progress:.0%}: strength {strength:.1f}, noise {noise:.2f}, loss "
                f"{loss.item():.3f}, "
                f"bits {np.mean(shares[-50:]):.1%}",
                flush=True,
            )
    torch.save({"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}, out / "model.pt")
    record = {
        "cpu_minutes": cpu_minutes,
        "steps": step,
        "batch": BATCH,
        "bits_right_last_100": np.mean(shares[-100:]),
    }
    (out / "training.json").write_text(json.dumps(record))
