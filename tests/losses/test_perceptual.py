import pytest

torch = pytest.importorskip("torch")

from swaptalk.assets import catalogue  # noqa: E402
from swaptalk.losses.lpips import LPIPS  # noqa: E402
from swaptalk.losses.perceptual import PerceptualLoss, sample_windows, window_corner  # noqa: E402


def test_windows_stay_inside_and_prefer_the_mouth() -> None:
    torch.manual_seed(0)
    corners = torch.tensor([window_corner() for _ in range(2000)])
    assert corners.min() >= 0 and corners.max() <= 192
    on_mouth = ((corners[:, 0] - 96).abs() <= 28) & ((corners[:, 1] - 156).abs() <= 16)
    assert 0.38 < on_mouth.float().mean() < 0.55


def test_both_pictures_give_the_same_window() -> None:
    torch.manual_seed(0)
    a = torch.arange(2 * 3 * 256 * 256.0).reshape(2, 3, 256, 256)
    cut, same = sample_windows(a, a + 1)
    assert cut.shape == (2, 3, 64, 64)
    assert torch.equal(cut + 1, same)
    assert not torch.equal(cut[0] - cut[0, 0, 0, 0], cut[1])


def test_gradient_reaches_only_the_windows() -> None:
    if catalogue.status(catalogue.get("lpips-alexnet")) != "ready":
        pytest.skip("lpips-alexnet is not there")
    torch.manual_seed(0)
    loss = PerceptualLoss(LPIPS("alex", catalogue.resolve("lpips-alexnet"), 3))
    picture = torch.rand(2, 3, 256, 256, requires_grad=True)
    loss(picture, torch.rand(2, 3, 256, 256)).backward()
    touched = (picture.grad.abs().sum(dim=1) > 0).float().mean(dim=(1, 2))
    assert bool((touched > 0.03).all()) and bool((touched < 0.08).all())
