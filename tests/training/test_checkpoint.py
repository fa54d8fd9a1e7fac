"""Weights that runs begin with."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from swaptalk.inference.bundle import default_directory
from swaptalk.models.restoration import RestorationNetwork
from swaptalk.models.swap import SwapTransformer
from swaptalk.training.checkpoint import load_full_state, starting_weights


@pytest.mark.parametrize(
    ("name", "made", "last"),
    [
        ("restoration", RestorationNetwork, "head.0.weight"),
        ("swap", SwapTransformer, "output.weight"),
    ],
)
def test_a_bundle_gives_the_networks_that_it_has(
    name: str, made: type[nn.Module], last: str
) -> None:
    """Also those with buffers that no file holds."""
    network = made()
    weights = starting_weights(
        default_directory(), {name: network, "discriminator": nn.Linear(1, 1)}
    )
    assert list(weights) == [name]
    load_full_state(network, weights[name])
    assert all(p.dtype == torch.float32 for p in network.parameters())
    assert weights[name][last].any()  # trained: no longer zero
