import pytest

torch = pytest.importorskip("torch")

from swaptalk.faces.geometry.mouth_motion import INNER_LIP_PAIRS  # noqa: E402
from swaptalk.faces.geometry.topology import INNER_LIPS, LIPS  # noqa: E402
from swaptalk.losses.landmarks import landmark_loss, lip_openings, opening_loss  # noqa: E402


def test_the_distance_is_the_mean_over_points_and_faces() -> None:
    real = torch.randn(3, 40, 2)
    made = real.clone()
    made[0, 5] += torch.tensor([3.0, 4.0])
    assert float(landmark_loss(made, real)) == pytest.approx(5 / 120, rel=1e-4)


def test_openings_are_between_the_pairs_of_the_motion_tokens() -> None:
    lips = torch.stack([torch.arange(468.0), 2 * torch.arange(468.0)], dim=1)[
        torch.from_numpy(LIPS)
    ][None]
    apart = [lower - upper for upper, lower in INNER_LIP_PAIRS]
    assert lip_openings(lips)[0, :, 0].tolist() == apart
    assert lip_openings(lips)[0, :, 1].tolist() == [2.0 * one for one in apart]


def test_a_mouth_in_the_wrong_place_is_open_as_far_and_one_that_opens_is_not() -> None:
    real = torch.randn(2, 40, 2)
    assert float(opening_loss(real + 1, real)) == pytest.approx(0, abs=1e-5)
    below = [lower for _, lower in INNER_LIP_PAIRS]
    lower = [
        i for i, point in enumerate(LIPS) if point in below and i >= len(LIPS) - len(INNER_LIPS)
    ]
    opened = real.clone()
    opened[:, lower, 1] += 0.25
    assert float(opening_loss(opened, real)) == pytest.approx(0.25, rel=1e-4)
