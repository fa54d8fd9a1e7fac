import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from swaptalk.training.muon import Muon, orthogonalize  # noqa: E402
from swaptalk.training.optimizers import build_optimizers  # noqa: E402


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 8)
        self.inner = nn.Conv2d(8, 8, 3)
        self.norm = nn.LayerNorm(8)


def test_muon_takes_the_inside_and_every_weight_has_one_optimiser() -> None:
    net = Net()
    muon, adam = build_optimizers(net, "muon", 0.1, 0.01, ("^head",))
    assert isinstance(muon, Muon) and muon.param_groups[0]["params"] == [net.inner.weight]
    assert len(adam.param_groups[0]["params"]) == len(list(net.parameters())) - 1
    assert (muon.param_groups[0]["base_lr"], adam.param_groups[0]["base_lr"]) == (0.1, 0.01)


def test_adamw_takes_all_at_the_first_rate() -> None:
    (adam,) = build_optimizers(Net(), "adamw", 0.1, 0.01)
    assert len(adam.param_groups[0]["params"]) == 6 and adam.param_groups[0]["base_lr"] == 0.1


def test_frozen_weights_are_left_out() -> None:
    net = Net()
    net.inner.requires_grad_(False)
    (adam,) = build_optimizers(net, "muon", 0.1, 0.01, ("head",))
    assert len(adam.param_groups[0]["params"]) == 4


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (32, 32)])
def test_orthogonalised_updates_have_singular_values_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalize(torch.randn(shape)))
    assert values.max() < 1.3 and values.min() > 0.5


def test_muon_solves_least_squares() -> None:
    torch.manual_seed(0)
    wanted, weight = torch.randn(8, 8), nn.Parameter(torch.zeros(8, 8))
    optimizer = Muon([weight], lr=0.2)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.2 * (1 - step / 300)
        optimizer.zero_grad()
        ((weight - wanted) ** 2).mean().backward()
        optimizer.step()
    assert ((weight - wanted) ** 2).mean() < 1e-3
