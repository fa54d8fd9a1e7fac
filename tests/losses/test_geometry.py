"""The geometry loss reads both faces alike and teaches only the result."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from swaptalk.losses.geometry import geometry_loss  # noqa: E402
from swaptalk.models.geometry import GEOMETRY_CHANNELS, GeometryConfig, GeometryRegressor  # noqa: E402


def test_the_same_face_costs_nothing_and_only_the_result_learns() -> None:
    torch.manual_seed(0)
    regressor = (
        GeometryRegressor(GeometryConfig(latent_channels=8, width=8)).eval().requires_grad_(False)
    )
    target, swapped = (torch.randn(3, 8, 16, 16, requires_grad=True) for _ in range(2))
    assert regressor(target).shape == (3, GEOMETRY_CHANNELS)
    assert geometry_loss(regressor, target, target).item() == 0
    loss = geometry_loss(regressor, swapped, target)
    loss.backward()
    assert loss.item() > 0 and swapped.grad is not None and target.grad is None
