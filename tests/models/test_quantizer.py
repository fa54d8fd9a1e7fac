import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.models.quantizer import (  # noqa: E402
    DEAD_SHARE,
    REVIVAL_INTERVAL,
    ProductQuantizer,
    TwoCodebookQuantizer,
)


def features(n: int = 8, channels: int = 8, seed: int = 0) -> "torch.Tensor":
    return torch.randn(n, channels, 8, 16, generator=torch.Generator().manual_seed(seed))


def trained(heads: int = 4, size: int = 16, steps: int = 60) -> ProductQuantizer:
    torch.manual_seed(0)
    quantizer = ProductQuantizer(8, heads, size).train()
    for step in range(steps):
        quantizer(features(seed=step))
    return quantizer


def test_gradients_pass_straight_through() -> None:
    quantizer = trained()
    x = features(seed=99).requires_grad_()
    quantized, _ = quantizer(x)
    weight = torch.randn_like(quantized)
    (quantized * weight).sum().backward()
    assert torch.equal(x.grad, weight)


def test_commitment_pulls_the_encoder_and_not_the_codes() -> None:
    quantizer = trained().eval()
    assert not list(quantizer.parameters())  # codes follow averages, no optimiser reaches them
    x = features(seed=99).requires_grad_()
    quantized, commitment = quantizer(x)
    commitment.backward()
    expected = 2 * (x.detach() - quantized.detach()) / x.numel()
    assert torch.allclose(x.grad, expected, atol=1e-7)
    assert commitment.item() == pytest.approx(((x - quantized) ** 2).mean().item(), rel=1e-5)


def test_codes_and_embeddings_are_inverse() -> None:
    quantizer = trained().eval()
    codes = torch.randint(0, 16, (3, 4, 8, 16))
    assert torch.equal(quantizer.encode(quantizer.decode(codes)), codes)


def test_the_nearest_code_is_chosen() -> None:
    quantizer = trained().eval()
    x = features(2, seed=5)
    chosen = quantizer.encode(x)
    heads = x.reshape(2, 4, 2, 8, 16).permute(0, 1, 3, 4, 2)
    distance = ((heads[..., None, :] - quantizer.codebook[None, :, None, None]) ** 2).sum(-1)
    assert torch.equal(chosen, distance.argmin(-1))


def test_codes_follow_the_features_in_training_and_stay_in_evaluation() -> None:
    quantizer = trained(steps=1)
    moved = features(seed=77) * 0.5 + 2
    before = quantizer.eval()(moved)[1]
    quantizer.train()
    for step in range(300):
        quantizer(features(seed=step) * 0.5 + 2)
    after = quantizer.eval()(moved)[1]
    assert after < 0.2 * before
    kept = quantizer.codebook.clone()
    quantizer(features(seed=3) * 10)
    assert torch.equal(quantizer.codebook, kept)


def test_dead_codes_revive() -> None:
    torch.manual_seed(0)
    quantizer = ProductQuantizer(8, 1, 16).train()
    quantizer(features())
    quantizer.codebook[0, :8] = 1000.0  # far from everything
    quantizer.restart_averages()
    quantizer.usage[0, :8] = DEAD_SHARE / 2
    quantizer.sums[0, :8] = 1000.0 * DEAD_SHARE / 2
    assert len(quantizer.encode(features(seed=1)).unique()) <= 8
    for step in range(2 * REVIVAL_INTERVAL):
        quantizer(features(seed=step))
    assert len(quantizer.encode(features(seed=1)).unique()) == 16


def test_features_with_a_common_mean_use_all_codes() -> None:
    # What made hand-made codebooks collapse: all features near one large vector.
    torch.manual_seed(0)
    quantizer = ProductQuantizer(8, 4, 32).train()
    for step in range(100):
        quantizer(features(seed=step) * 0.1 + 5)
    codes = quantizer.encode(features(32, seed=1) * 0.1 + 5)
    assert all(len(codes[:, head].unique()) >= 30 for head in range(4))


def test_two_codebooks_separate() -> None:
    torch.manual_seed(0)
    both = TwoCodebookQuantizer(8, 4, 16).train()
    for step in range(80):
        both(features(seed=step) + 3, features(seed=1000 + step) - 3)
    assert both.upper.codebook.mean() > 2 and both.lower.codebook.mean() < -2
    latents = torch.cat([features(seed=1) + 3, features(seed=2) - 3], dim=2)
    codes = both.encode(latents)
    assert codes.shape == (8, 4, 16, 16)
    assert ((both.decode(codes) - latents) ** 2).mean() < 0.5
    swapped = torch.cat(latents.chunk(2, dim=2)[::-1], dim=2)
    assert (
        (both.decode(both.encode(swapped)) - swapped) ** 2
    ).mean() > 10  # each half has its own words only


def test_one_codebook_for_the_ablation() -> None:
    one = TwoCodebookQuantizer(8, 4, 16, shared=True)
    assert one.upper is one.lower


def test_channels_must_divide() -> None:
    with pytest.raises(ValueError, match="10 channels cannot be split into 4 heads"):
        ProductQuantizer(10, 4, 16)
