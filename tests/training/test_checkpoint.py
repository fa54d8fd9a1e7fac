"""Weights that runs begin with."""

from __future__ import annotations

import torch

from swaptalk.inference.bundle import default_directory
from swaptalk.models.restoration import RestorationNetwork
from swaptalk.training.checkpoint import load_full_state, starting_weights


def test_a_bundle_gives_the_networks_that_it_has() -> None:
    weights = starting_weights(default_directory(), ["restoration", "discriminator"])
    assert list(weights) == ["restoration"]
    network = RestorationNetwork()
    load_full_state(network, weights["restoration"])
    assert all(p.dtype == torch.float32 for p in network.parameters())
    assert weights["restoration"]["head.0.weight"].any()  # trained: no longer zero
