import pytest

torch = pytest.importorskip("torch")

from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS  # noqa: E402
from swaptalk.losses.code import code_loss, position_weights  # noqa: E402
from swaptalk.losses.motion import correlation_loss, spread_loss, token_loss, velocity_loss  # noqa: E402
from swaptalk.losses.mouth import mouth, mouth_loss  # noqa: E402
from swaptalk.losses.proxy import face_weights, proxy_loss, proxy_picture_loss  # noqa: E402


def test_weights_average_to_one() -> None:
    assert float(position_weights().mean()) == pytest.approx(1)
    assert float(face_weights().mean()) == pytest.approx(1)


def test_proxies_of_no_quality_do_not_count() -> None:
    swapped, proxy = torch.zeros(3, 4, 16, 16), torch.zeros(3, 4, 16, 16)
    proxy[1] = 100
    assert proxy_loss(swapped, proxy, torch.tensor([1.0, 0.0, 0.5])) == 0
    assert proxy_loss(swapped, proxy, torch.tensor([1.0, 1.0, 0.5])) > 10
    assert proxy_loss(swapped, proxy, torch.zeros(3)) == 0
    assert (
        proxy_picture_loss(
            torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 8, 8), torch.tensor([1.0, 0.0])
        )
        == 1
    )


def test_the_mouth_counts_most_in_the_code() -> None:
    real = torch.zeros(1, 4, 8, 16)
    mouth_off, corner_off = real.clone(), real.clone()
    mouth_off[..., 3:5, 7:9] = 1
    corner_off[..., 6:8, 0:2] = 1
    assert code_loss(mouth_off, real) > 3 * code_loss(corner_off, real)


def test_the_mouth_crop_is_the_mouth() -> None:
    face = torch.zeros(1, 3, 256, 256)
    assert mouth(face).shape == (1, 3, 96, 128)
    off = face.clone()
    off[..., :128, :] = 1
    assert mouth_loss(off, face) == 0


def tokens(amplitude: float, phase: float = 0.0) -> "torch.Tensor":
    wave = amplitude * torch.sin(torch.arange(50.0) / 3 + phase)
    return wave[None, :, None].expand(2, -1, MOTION_CHANNELS).clone()


def test_motion_losses_tell_what_they_say() -> None:
    real, known = tokens(1.0), torch.ones(2, 50)
    assert token_loss(real, real, known) == velocity_loss(real, real, known) == 0
    assert correlation_loss(tokens(0.3), real, known) < 1e-3  # too small, but in step
    assert correlation_loss(-real, real, known) == pytest.approx(2, abs=1e-3)
    assert float(spread_loss(tokens(0.3), real, known)) == pytest.approx(0.7 * 0.707, abs=0.03)
    assert spread_loss(tokens(2.0), real, known) == 0  # wider is not punished
    assert velocity_loss(real + 5, real, known) < 1e-5


def test_unknown_tokens_do_not_count() -> None:
    real, known = tokens(1.0), torch.ones(2, 50)
    wrong = real.clone()
    wrong[:, 20:30] = 100
    known[:, 20:30] = 0
    for loss in (token_loss, velocity_loss, spread_loss):
        assert float(loss(wrong, real, known)) == pytest.approx(0, abs=1e-5)
    assert float(correlation_loss(wrong, real, known)) == pytest.approx(0, abs=1e-4)
