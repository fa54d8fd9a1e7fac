"""The restoration network."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from swaptalk.models.restoration import RestorationConfig, RestorationNetwork  # noqa: E402

SMALL = RestorationConfig(widths=(4, 8), blocks=(1, 1))


def inputs(size: int = 32) -> list[Any]:
    torch.manual_seed(0)
    return [*torch.rand(3, 2, 3, size, size).mul(2).sub(1), torch.rand(2, 1, size, size)]


def test_it_starts_with_the_restored_face() -> None:
    face, restored, guide, mask = inputs()
    made = RestorationNetwork(SMALL)(face, restored, guide, mask)
    torch.testing.assert_close(made, restored)


def test_every_input_and_weight_counts_once_it_has_learned() -> None:
    network = RestorationNetwork(SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    given = [one.requires_grad_() for one in inputs()]
    network(*given).square().sum().backward()
    assert all(one.grad is not None and bool(one.grad.any()) for one in given)
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


def test_what_is_far_away_does_not_count() -> None:
    """A picture is restored from its surroundings, so that a face's two halves are independent."""
    network = RestorationNetwork(SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    given = inputs(128)
    made = network(*given)
    changed = [one.clone() for one in given]
    changed[0][..., -16:, -16:] = 0
    again = network(*changed)
    torch.testing.assert_close(again[..., :32, :32], made[..., :32, :32])
    assert not torch.allclose(again[..., -16:, -16:], made[..., -16:, -16:])
