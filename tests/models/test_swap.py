"""The swap transformer: untrained it gives the composite; sources add up in any order; masks
matter."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.models.swap import SwapConfig, SwapTransformer  # noqa: E402

SMALL = SwapConfig(latent_channels=8, width=32, layers=2, heads=4)


@pytest.fixture
def swap() -> SwapTransformer:
    torch.manual_seed(0)
    return SwapTransformer(SMALL).eval()


@pytest.fixture
def trained(swap: SwapTransformer) -> SwapTransformer:
    torch.nn.init.normal_(swap.output.weight, std=0.1)
    return swap


def latents(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 8, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_untrained_weights_give_the_classical_composite(swap: SwapTransformer) -> None:
    composite, mask = latents(2, 1), torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(swap(composite, mask, latents(2, 2)), composite, rtol=0, atol=0)


def test_photos_in_any_order(trained: SwapTransformer) -> None:
    composite, mask, photos = latents(1, 1), torch.rand(1, 1, 64, 64), latents(3, 2)
    one, other = (
        trained.swap(composite, mask, *trained.identity(photos[order]))
        for order in ([0, 1, 2], [2, 0, 1])
    )
    torch.testing.assert_close(one, other)
    assert not torch.allclose(one, trained.swap(composite, mask, *trained.identity(photos[:2])))


def test_a_kept_identity_gives_what_training_sees(trained: SwapTransformer) -> None:
    composite, mask, photo = latents(2, 1), torch.rand(2, 1, 64, 64), latents(1, 2)
    kept = trained.swap(composite, mask, *trained.identity(photo))
    torch.testing.assert_close(kept, trained(composite, mask, photo.expand(2, -1, -1, -1)))


def test_the_mask_is_seen_unless_left_out(trained: SwapTransformer) -> None:
    composite, photo = latents(1, 1), latents(1, 2)
    ones, zeros = torch.ones(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    assert not torch.allclose(trained(composite, ones, photo), trained(composite, zeros, photo))
    blind = SwapTransformer(SwapConfig(latent_channels=8, width=32, layers=2, heads=4, mask=False))
    torch.nn.init.normal_(blind.output.weight, std=0.1)
    torch.testing.assert_close(blind(composite, ones, photo), blind(composite, zeros, photo))


def test_gradients_reach_every_weight(trained: SwapTransformer) -> None:
    trained(latents(1, 1), torch.rand(1, 1, 64, 64), latents(1, 2)).square().mean().backward()
    silent = [name for name, p in trained.named_parameters() if p.grad is None or not p.grad.any()]
    # The keys' offsets cancel in the softmax.
    assert [name for name in silent if not name.endswith("key.bias")] == []


def test_without_a_source_only_neighbours_are_mixed() -> None:
    alone = SwapTransformer(
        SwapConfig(latent_channels=8, width=32, layers=1, heads=4, source=False)
    )
    torch.nn.init.normal_(alone.output.weight, std=0.1)
    composite, mask = latents(1, 1), torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(
        alone(composite, mask, latents(1, 2)), alone(composite, mask, latents(1, 3))
    )
