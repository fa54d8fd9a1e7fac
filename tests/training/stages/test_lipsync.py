"""Samples of the lip-sync stage."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swaptalk.training.stages.lipsync import swap_samples


class _Sum(nn.Module):
    """A swap whose result tells what went in."""

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        return target + 100 * source


def test_picked_samples_wear_the_face_of_the_next_one() -> None:
    target = torch.arange(6.0).reshape(3, 2, 1, 1, 1).expand(3, 2, 4, 16, 16)
    reference = torch.tensor([6.0, 7.0, 8.0]).reshape(3, 1, 1, 1).expand(3, 4, 16, 16)
    faces, other = swap_samples(_Sum(), target, reference, torch.tensor([True, False, True]))
    assert faces.shape == target.shape and other.shape == reference.shape
    assert faces[:, :, 0, 0, 0].tolist() == [[700, 701], [2, 3], [604, 605]]
    assert other[:, 0, 0, 0].tolist() == [706, 7, 608]
    assert target[0, 0, 0, 0, 0] == 0, "what was given is not changed"
