"""The lip-sync module: untrained it gives the reference's mouth; the upper half never changes."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS  # noqa: E402
from swaptalk.models.lipsync import FaceWarp, LipSync, LipSyncConfig  # noqa: E402

SMALL = LipSyncConfig(latent_channels=8, warp_width=16, widths=(16, 24), token_width=16, heads=2)


@pytest.fixture
def lipsync() -> LipSync:
    torch.manual_seed(0)
    return LipSync(SMALL).eval()


@pytest.fixture
def trained(lipsync: LipSync) -> LipSync:
    """Every weight that starts at zero has left it."""
    for value in lipsync.parameters():
        if not value.any():
            torch.nn.init.normal_(value, std=0.1)
    return lipsync


def latents(seed: int) -> torch.Tensor:
    return torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(seed))


def motion(seed: int) -> torch.Tensor:
    size = 2, SMALL.motion_window, MOTION_CHANNELS
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def test_untrained_weights_give_the_references_mouth(lipsync: LipSync) -> None:
    target, reference = latents(1), latents(2)
    made = lipsync(target, reference, motion(3))
    torch.testing.assert_close(made[:, :, :8], target[:, :, :8], rtol=0, atol=0)
    torch.testing.assert_close(made[:, :, 8:], reference[:, :, 8:])


def test_the_upper_half_comes_back_untouched_and_the_targets_mouth_is_not_read(
    trained: LipSync,
) -> None:
    target, reference = latents(1), latents(2)
    made = trained(target, reference, motion(3))
    torch.testing.assert_close(made[:, :, :8], target[:, :, :8], rtol=0, atol=0)
    assert not torch.allclose(made[:, :, 8:], reference[:, :, 8:], atol=0.1)
    speaking = torch.cat([target[:, :, :8], latents(4)[:, :, 8:]], dim=2)
    torch.testing.assert_close(trained(speaking, reference, motion(3)), made, rtol=0, atol=0)


def test_motion_moves_the_mouth_and_its_order_matters(trained: LipSync) -> None:
    target, reference, tokens = latents(1), latents(2), motion(3)
    made = trained(target, reference, tokens)
    assert not torch.allclose(made, trained(target, reference, motion(5)), atol=1e-3)
    assert not torch.allclose(made, trained(target, reference, tokens.flip(1)), atol=1e-3)


def test_silence_gives_the_same_mouth_in_every_frame_of_one_pose(trained: LipSync) -> None:
    silence = torch.full((1, 1, MOTION_CHANNELS), 0.3).expand(2, SMALL.motion_window, -1)
    target, reference = latents(1)[:1].expand(2, -1, -1, -1), latents(2)[:1].expand(2, -1, -1, -1)
    made = trained(target, reference, silence)
    torch.testing.assert_close(made[0], made[1])
    assert not torch.allclose(
        made[:1], trained(target[:1], reference[:1], motion(3)[:1]), atol=1e-3
    )


def test_a_pose_moves_the_references_mouth() -> None:
    """An offset of one column reads the lower half one column to the right."""
    torch.manual_seed(0)
    warp = FaceWarp(SMALL)
    assert warp.offset.bias is not None
    with torch.no_grad():
        warp.offset.bias[0] = 1.0
    lower = latents(2)[:, :, 8:]
    moved, _ = warp(latents(1)[:, :, :8], latents(2)[:, :, :8], lower)
    torch.testing.assert_close(moved[..., :-1], lower[..., 1:], rtol=1e-4, atol=1e-4)


def test_gradients_reach_every_weight(trained: LipSync) -> None:
    trained(latents(1), latents(2), motion(3))[:, :, 8:].square().mean().backward()
    silent = [name for name, p in trained.named_parameters() if p.grad is None or not p.grad.any()]
    # The keys' offsets cancel in the softmax.
    assert [name for name in silent if not name.endswith("key.bias")] == []
