"""Networks of other projects' published shapes, with random weights: fair for time only.

    python -m benchmarks.speed.peers

Run in a process of its own, in PyTorch's float32 as those projects run on a CPU, and in the engine
that SwapTalk uses.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import openvino
import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Convolution, batch norm, ReLU; with a shortcut where input and output agree."""

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int,
        stride: int | tuple[int, int],
        padding: int,
        residual: bool = False,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        if transposed:
            extra = int(stride != 1)
            convolution: nn.Module = nn.ConvTranspose2d(
                before, after, kernel, stride, padding, extra
            )
        else:
            convolution = nn.Conv2d(before, after, kernel, stride, padding)
        self.layers = nn.Sequential(convolution, nn.BatchNorm2d(after))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return torch.relu(y + x) if self.residual else torch.relu(y)


def _stage(
    before: int,
    after: int,
    stride: int | tuple[int, int],
    repeats: int,
    kernel: int = 3,
    padding: int = 1,
    transposed: bool = False,
) -> nn.Sequential:
    return nn.Sequential(
        Block(before, after, kernel, stride, padding, transposed=transposed),
        *(Block(after, after, 3, 1, 1, residual=True) for _ in range(repeats)),
    )


class Wav2LipGenerator(nn.Module):
    """Generator of Wav2Lip (Prajwal et al. 2020): 96 px, 36 M parameters, a U-Net that meets a mel
    encoder at 1 px.
    """

    def __init__(self) -> None:
        super().__init__()
        self.face = nn.ModuleList(
            [
                _stage(6, 16, 1, 0, 7, 3),
                _stage(16, 32, 2, 2),
                _stage(32, 64, 2, 3),
                _stage(64, 128, 2, 2),
                _stage(128, 256, 2, 2),
                _stage(256, 512, 2, 1),
                nn.Sequential(Block(512, 512, 3, 1, 0), Block(512, 512, 1, 1, 0)),
            ]
        )
        self.audio = nn.Sequential(
            _stage(1, 32, 1, 2),
            _stage(32, 64, (3, 1), 2),
            _stage(64, 128, 3, 2),
            _stage(128, 256, (3, 2), 1),
            Block(256, 512, 3, 1, 0),
            Block(512, 512, 1, 1, 0),
        )
        self.up = nn.ModuleList(
            [
                Block(512, 512, 1, 1, 0),
                _stage(1024, 512, 1, 1, 3, 0, transposed=True),
                _stage(1024, 512, 2, 2, transposed=True),
                _stage(768, 384, 2, 2, transposed=True),
                _stage(512, 256, 2, 2, transposed=True),
                _stage(320, 128, 2, 2, transposed=True),
                _stage(160, 64, 2, 2, transposed=True),
            ]
        )
        self.out = nn.Sequential(Block(80, 32, 3, 1, 1), nn.Conv2d(32, 3, 1), nn.Sigmoid())

    def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
        """Mel (N, 1, 80, 16), faces (N, 6, 96, 96) -> (N, 3, 96, 96)."""
        features = []
        x = faces
        for stage in self.face:
            x = stage(x)
            features.append(x)
        x = self.audio(mel)
        for stage in self.up:
            x = torch.cat([stage(x), features.pop()], dim=1)
        return self.out(x)


class S3FDBackbone(nn.Module):
    """Layers of S3FD (Zhang et al. 2017), Wav2Lip's detector: VGG-16 and four more, on the whole
    frame; no heads.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                layers += [nn.Conv2d(before, width, 3, 1, 1), nn.ReLU()]
                before = width
            layers.append(nn.MaxPool2d(2, 2))
        layers += [nn.Conv2d(512, 1024, 3, 1, 3), nn.ReLU(), nn.Conv2d(1024, 1024, 1), nn.ReLU()]
        layers += [nn.Conv2d(1024, 256, 1), nn.ReLU(), nn.Conv2d(256, 512, 3, 2, 1), nn.ReLU()]
        layers += [nn.Conv2d(512, 128, 1), nn.ReLU(), nn.Conv2d(128, 256, 3, 2, 1), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, picture: Tensor) -> Tensor:
        """Picture (1, 3, H, W)."""
        return self.layers(picture)


class Swapper128(nn.Module):
    """A 128 px swapper of inswapper's cost: SimSwap's form with six style blocks of 1024 channels
    at 32 px.

    Its 137 M parameters are the 0.55 GB of the file that is in use.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(3, 128, 7, 1, 3),
            nn.ReLU(),
            nn.Conv2d(128, 256, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(256, 512, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(512, 1024, 3, 2, 1),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList([nn.Conv2d(1024, 1024, 3, 1, 1) for _ in range(12)])
        self.styles = nn.ModuleList([nn.Linear(512, 2048) for _ in range(12)])
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(1024, 512, 3, 1, 1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(512, 256, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(256, 128, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(128, 3, 7, 1, 3),
            nn.Tanh(),
        )

    def forward(self, face: Tensor, identity: Tensor) -> Tensor:
        """Face (N, 3, 128, 128), identity (N, 512) -> (N, 3, 128, 128)."""
        x = self.down(face)
        for first in range(0, 12, 2):
            y = x
            for number in (first, first + 1):
                y = nn.functional.instance_norm(self.blocks[number](y))
                scale, shift = self.styles[number](identity)[..., None, None].chunk(2, dim=1)
                y = y * scale + shift
                y = torch.relu(y) if number == first else y
            x = x + y
        return self.up(x)


def parameters(module: nn.Module) -> float:
    """Millions of parameters."""
    return sum(one.numel() for one in module.parameters()) / 1e6


def _in_openvino(module: nn.Module, *examples: Tensor) -> Callable[[], object]:
    model = openvino.convert_model(module, example_input=examples)
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16"}
    request = openvino.Core().compile_model(model, "CPU", config).create_infer_request()
    arrays = [example.numpy() for example in examples]
    return lambda: request.infer(arrays)


def milliseconds(width: int, height: int, rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds for a frame of each network, interleaved over so many rounds."""
    torch.manual_seed(0)
    with torch.inference_mode():
        generator, detector, swapper = (
            one.eval() for one in (Wav2LipGenerator(), S3FDBackbone(), Swapper128())
        )
        # Wav2Lip's batch is 128; four frames are as fast each on a CPU and fit any memory.
        batch = 4
        mel, faces = torch.rand(batch, 1, 80, 16), torch.rand(batch, 6, 96, 96)
        frame, face, identity = (
            torch.rand(1, 3, height, width),
            torch.rand(1, 3, 128, 128),
            torch.rand(1, 512),
        )
        calls = {
            "Wav2Lip generator, 96 px": (lambda: generator(mel, faces), batch),
            "S3FD, full frame": (lambda: detector(frame), 1),
            "128 px swapper": (lambda: swapper(face, identity), 1),
        }
        # And as SwapTalk computes its own: in the same engine and precision.
        calls |= {
            f"{name}, in OpenVINO bf16": (call, frames)
            for name, call, frames in (
                ("Wav2Lip generator, 96 px", _in_openvino(generator, mel, faces), batch),
                ("S3FD, full frame", _in_openvino(detector, frame), 1),
                ("128 px swapper", _in_openvino(swapper, face, identity), 1),
            )
        }
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(rounds + 1):
            for name, (call, frames) in calls.items():
                begun = time.process_time()
                call()
                if number:  # the first one warms up
                    taken[name].append((time.process_time() - begun) / frames * 1000)
    return taken


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", nargs=2, type=int, default=(1280, 720))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    width, height = options.size
    print(json.dumps(milliseconds(width, height, options.rounds)))
