import pytest

torch = pytest.importorskip("torch")

from swaptalk.losses.adversarial import discriminator_loss, generator_loss  # noqa: E402
from swaptalk.models.discriminator import DiscriminatorConfig, PatchDiscriminator, frozen_logits  # noqa: E402


@pytest.fixture
def discriminator() -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator(DiscriminatorConfig(widths=(8, 8, 16)))


def test_judges_patches(discriminator: PatchDiscriminator) -> None:
    discriminator.eval()
    picture = torch.zeros(1, 3, 128, 128)
    changed = picture.clone()
    changed[:, :, :8, :8] = 1
    a, b = discriminator(picture), discriminator(changed)
    assert a.shape == (1, 1, 16, 16)
    assert a[..., 0, 0] != b[..., 0, 0]
    assert torch.equal(a[..., 8:, 8:], b[..., 8:, 8:])  # far patches do not see it


def test_frozen_logits_reach_pictures_only(discriminator: PatchDiscriminator) -> None:
    discriminator.eval()
    pictures = torch.randn(2, 3, 64, 64, requires_grad=True)
    logits = frozen_logits(discriminator, pictures)
    assert torch.allclose(logits, discriminator(pictures))
    generator_loss(logits).backward()
    assert pictures.grad.abs().sum() > 0
    assert all(p.grad is None for p in discriminator.parameters())


def test_learns_to_tell_sharp_from_soft(discriminator: PatchDiscriminator) -> None:
    optimizer = torch.optim.Adam(discriminator.parameters(), 2e-3)
    for _ in range(60):
        real = torch.randn(8, 3, 32, 32)
        soft = torch.nn.functional.avg_pool2d(real, 3, 1, 1) * 3
        loss = discriminator_loss(discriminator(real), discriminator(soft))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.7


def test_hinge_values() -> None:
    assert discriminator_loss(torch.tensor([2.0]), torch.tensor([-2.0])) == 0
    assert discriminator_loss(torch.tensor([0.0]), torch.tensor([0.0])) == 1
    assert discriminator_loss(torch.tensor([-1.0]), torch.tensor([1.0])) == 2
    assert generator_loss(torch.tensor([1.0, 3.0])) == -2
