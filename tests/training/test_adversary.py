import pytest

pytest.importorskip("torch")

import torch  # noqa: E402
from torch import nn  # noqa: E402

from swaptalk.models.discriminator import DiscriminatorConfig, PatchDiscriminator  # noqa: E402
from swaptalk.training.adversary import adversarial_rise, fooling_loss, judging_terms  # noqa: E402


class Wrapped(nn.Module):
    """As the loop wraps networks: the network itself is ``module``, and running the wrapper is an
    exchange to avoid."""

    def __init__(self, module: nn.Module, allowed: bool) -> None:
        super().__init__()
        self.module, self.allowed = module, allowed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert self.allowed, "the wrapper ran"
        return self.module(x)


@pytest.fixture
def judge() -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator(DiscriminatorConfig(widths=(8, 8))).eval()


def test_rise() -> None:
    assert [adversarial_rise(step, 10, 4) for step in (0, 10, 11, 12, 14, 99)] == [
        0,
        0,
        0.25,
        0.5,
        1,
        1,
    ]
    assert adversarial_rise(11, 10, 0) == 1


def test_fooling_teaches_the_pictures_and_not_the_wrapped_judge(judge: PatchDiscriminator) -> None:
    made = torch.randn(2, 3, 32, 32, requires_grad=True)
    loss = fooling_loss(Wrapped(judge, allowed=False), made)
    assert torch.equal(loss, fooling_loss(judge, made))
    loss.backward()
    assert made.grad.abs().sum() > 0 and all(p.grad is None for p in judge.parameters())


def test_judging_teaches_the_judge_through_its_wrapper_and_not_the_pictures(
    judge: PatchDiscriminator,
) -> None:
    real, made = torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32, requires_grad=True)
    terms = judging_terms(Wrapped(judge, allowed=True), real, made)
    terms.total.backward()
    assert made.grad is None and all(p.grad is not None for p in judge.parameters())
    assert set(terms.values) == {"discriminator"}
