"""Perceptual loss: LPIPS (Zhang et al. 2018, arXiv 1801.03924) on one random window of each
picture.

VGG-16 on a whole 256 px crop costs many times the autoencoder itself. A 64 px window costs a
sixteenth, and placing it on the mouth or an eye more often than elsewhere spends that where it is
looked at.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swaptalk.faces.geometry.align import CROP_SIZE
from swaptalk.losses.lpips import LPIPS

#: Side of a window, pixels: four positions of the embedding grid.
WINDOW = 64
#: Stages of VGG-16 that judge a window; the fifth costs a quarter more and sees hardly more than
#: its whole.
LPIPS_STAGES = 4
#: Share of windows on the mouth, and on one of the eyes; the others lie anywhere.
MOUTH_SHARE, EYE_SHARE = 0.4, 0.2
#: Middle of the windows' centres on mouth and eyes (x, y) and how far they stray.
_MOUTH, _MOUTH_STRAY = (128, 188), (28, 16)
_EYES, _EYE_STRAY = ((83, 97), (173, 97)), (16, 14)


#: Whole pictures that are compared together.
_WHOLE_AT_ONCE = 4
#: How far windows placed by a mesh stray, pixels (standard deviation).
WINDOW_STRAY = 12.0


def _integer(low: int, high: int) -> int:
    """A random integer, low..high, from PyTorch's generator."""
    return int(torch.randint(low, high + 1, ()))


def window_corner(size: int = CROP_SIZE, window: int = WINDOW) -> tuple[int, int]:
    """Left and top of a random window in a picture of ``size`` pixels, by PyTorch's random
    numbers.
    """
    scale = size / CROP_SIZE
    choice = float(torch.rand(()))
    if choice < MOUTH_SHARE + EYE_SHARE:
        on_mouth = choice < MOUTH_SHARE
        middle = _MOUTH if on_mouth else _EYES[_integer(0, 1)]
        stray = _MOUTH_STRAY if on_mouth else _EYE_STRAY
        x, y = (round(scale * (m + _integer(-s, s))) for m, s in zip(middle, stray, strict=True))
    else:
        x, y = _integer(0, size), _integer(0, size)
    limit = size - window
    return min(max(0, x - window // 2), limit), min(max(0, y - window // 2), limit)


def sample_windows(a: Tensor, b: Tensor, window: int = WINDOW) -> tuple[Tensor, Tensor]:
    """The same random window of each pair of pictures: (N, 3, S, S) twice -> (N, 3, window, window)
    twice.
    """
    window = min(window, a.shape[-1])
    cut: tuple[list[Tensor], list[Tensor]] = ([], [])
    for index in range(len(a)):
        left, top = window_corner(a.shape[-1], window)
        for pictures, windows in zip((a, b), cut, strict=True):
            windows.append(pictures[index, :, top : top + window, left : left + window])
    return torch.stack(cut[0]), torch.stack(cut[1])


def face_windows(a: Tensor, b: Tensor, mesh: Tensor, window: int = WINDOW) -> tuple[Tensor, Tensor]:
    """The same random window of each pair of pictures (N, 3, S, S), placed by the face's mesh (N,
    468, 2).

    `MOUTH_SHARE` of them lie on the mouth and `EYE_SHARE` on an eye, the others anywhere on the
    face.
    """
    cut: tuple[list[Tensor], list[Tensor]] = ([], [])
    limit = a.shape[-1] - window
    for index, points in enumerate(mesh):
        choice = float(torch.rand(()))
        if choice < MOUTH_SHARE:
            middle = points[[13, 14]].mean(dim=0)
        elif choice < MOUTH_SHARE + EYE_SHARE:
            middle = points[[33, 133] if _integer(0, 1) else [362, 263]].mean(dim=0)
        else:
            middle = points[_integer(0, len(points) - 1)]
        corner = middle.cpu() + WINDOW_STRAY * torch.randn(2) - window / 2
        left, top = (int(v) for v in corner.clamp(0, limit))
        for pictures, windows in zip((a, b), cut, strict=True):
            windows.append(pictures[index, :, top : top + window, left : left + window])
    return torch.stack(cut[0]), torch.stack(cut[1])


class PerceptualLoss(nn.Module):
    """Mean LPIPS of sampled windows of pictures (N, 3, S, S) in [-1, 1]. Frozen.

    Args:
        lpips: the distance; four stages of VGG-16 train well, the fifth sees hardly more than a
            window's whole.
    """

    def __init__(self, lpips: LPIPS) -> None:
        super().__init__()
        self.lpips = lpips

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, 0 for equal pictures."""
        distance: Tensor = self.lpips(*sample_windows(prediction, target))
        return distance.mean()

    def on_faces(self, result: Tensor, answer: Tensor, mesh: Tensor, weight: Tensor) -> Tensor:
        """Mean LPIPS of `face_windows` of pictures (N, 3, S, S), weighted by (N,); a scalar."""
        distance: Tensor = self.lpips(*face_windows(result, answer, mesh))
        return (distance.flatten() * weight).mean()

    def whole(self, a: Tensor, b: Tensor) -> Tensor:
        """LPIPS (N,) of whole pictures (N, 3, S, S), a few at a time."""
        pairs = zip(torch.split(a, _WHOLE_AT_ONCE), torch.split(b, _WHOLE_AT_ONCE), strict=True)
        return torch.cat([self.lpips(*pair).flatten() for pair in pairs])
