import pytest

torch = pytest.importorskip("torch")

from swaptalk.losses.reconstruction import ReconstructionLoss, coarse_loss, region_weights  # noqa: E402


def test_weights_average_to_one_and_stress_mouth_and_eyes() -> None:
    weight = region_weights()[0, 0]
    assert float(weight.mean()) == pytest.approx(1, abs=1e-5)
    assert weight[190, 128] > 2 * weight[20, 20]
    assert weight[97, 83] > 1.5 * weight[140, 20] and weight[97, 173] > 1.5 * weight[140, 20]
    assert torch.allclose(region_weights(128)[0, 0], weight[::2, ::2], atol=0.05)


def test_a_fault_on_the_mouth_costs_more_than_elsewhere() -> None:
    loss = ReconstructionLoss()
    face = torch.zeros(1, 3, 256, 256)
    mouth, corner = face.clone(), face.clone()
    mouth[..., 180:200, 110:146] = 1
    corner[..., :20, :36] = 1
    assert loss(mouth, face) > 2 * loss(corner, face)
    assert loss(face, face) == 0
    assert float(loss(face + 0.5, face)) == pytest.approx(0.5, rel=1e-4)


def test_coarse_loss_sees_colour_and_not_texture() -> None:
    face = torch.zeros(1, 3, 256, 256)
    texture = face.clone()
    texture[..., ::2], texture[..., 1::2] = 0.3, -0.3
    assert float(coarse_loss(texture, face)) == pytest.approx(0, abs=1e-6)
    assert float(coarse_loss(face + 0.3, face)) == pytest.approx(0.3, rel=1e-5)
