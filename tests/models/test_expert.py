import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.losses.sync import sync_loss  # noqa: E402
from swaptalk.models.expert import ExpertConfig, VQLipExpert  # noqa: E402

CONFIG = ExpertConfig(latent_channels=4, width=8, audio_width=16, embedding=16, dropout=0.0)


def pairs(count: int, seed: int) -> "tuple[torch.Tensor, torch.Tensor]":
    """Lips and sound that share one number: how open, how loud."""
    draw = torch.Generator().manual_seed(seed)
    motion = torch.randn(count, 5, generator=draw)
    lips = motion[:, :, None, None, None] * torch.linspace(-1, 1, 16).expand(count, 5, 4, 8, 16)
    sound = motion.repeat_interleave(4, dim=1)
    sound = torch.nn.functional.pad(sound, (8, 8))[:, :, None].expand(-1, -1, 80)
    return lips + 0.1 * torch.randn(lips.shape, generator=draw), sound.contiguous()


def test_shapes_and_range() -> None:
    expert = VQLipExpert(CONFIG).eval()
    lips, sound = pairs(3, 0)
    assert CONFIG.mel_frames == 36 and sound.shape == (3, 36, 80)
    cosine = expert(lips, sound)
    assert cosine.shape == (3,) and bool((cosine.abs() <= 1 + 1e-6).all())


def test_learns_which_belong_together_and_then_guides_lips() -> None:
    torch.manual_seed(0)
    expert = VQLipExpert(CONFIG)
    optimizer = torch.optim.Adam(expert.parameters(), 2e-3)
    for step in range(150):
        lips, sound = pairs(32, step)
        logits = expert.logit(expert.embed_lips(lips) @ expert.embed_sound(sound).T)
        loss = torch.nn.functional.softplus(-logits * (2 * torch.eye(32) - 1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    expert.eval().requires_grad_(False)
    lips, sound = pairs(64, 10_000)
    own, foreign = expert(lips, sound), expert(lips, sound.roll(1, 0))
    assert (own > foreign).float().mean() > 0.9
    wrong = lips.roll(1, 0).requires_grad_()
    before = sync_loss(expert, wrong, sound)
    before.backward()
    assert wrong.grad is not None
    after = sync_loss(expert, wrong.detach() - 20 * wrong.grad, sound)
    assert after < before
    assert all(p.grad is None for p in expert.parameters())
