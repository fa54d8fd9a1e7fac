"""Identity losses."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from swaptalk.losses.identity import identities_loss, identity_loss  # noqa: E402


class MeanColour(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Tells faces apart by their mean colour."""

    def forward(self, faces: Any) -> Any:
        return torch.nn.functional.normalize(faces.mean(dim=(2, 3)), dim=1)


def faces() -> Any:
    torch.manual_seed(0)
    return torch.rand(3, 3, 8, 8).mul(2).sub(1).requires_grad_()


def test_one_picture_is_the_loss_of_one() -> None:
    given, wanted = faces(), torch.eye(3)
    several = identities_loss(MeanColour(), given, wanted[:, None])
    torch.testing.assert_close(several, identity_loss(MeanColour(), given, wanted))


def test_of_two_pictures_both_count() -> None:
    given = faces()
    own = MeanColour()(given.detach())
    same = identities_loss(MeanColour(), given, torch.stack([own, own], dim=1))
    opposite = identities_loss(MeanColour(), given, torch.stack([own, -own], dim=1))
    torch.testing.assert_close(torch.stack([same, opposite]), torch.tensor([0.0, 1.0]))


def test_who_is_not_known_does_not_count() -> None:
    given, wanted = faces(), torch.eye(3)[:, None].repeat(1, 2, 1)
    wanted[1, 1] = torch.nan
    identities_loss(MeanColour(), given, wanted).backward()
    assert [bool(one.any()) for one in given.grad] == [True, False, True]
    nobody = faces()
    loss = identities_loss(MeanColour(), nobody, torch.full((3, 2, 3), torch.nan))
    loss.backward()
    assert loss.item() == 0 and not bool(nobody.grad.any())
