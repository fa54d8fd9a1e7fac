import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS  # noqa: E402
from swaptalk.losses.answer import answer_loss, answer_picture_loss  # noqa: E402
from swaptalk.losses.code import code_loss, position_weights  # noqa: E402
from swaptalk.losses.motion import correlation_loss, spread_loss, token_loss, velocity_loss  # noqa: E402
from swaptalk.losses.mouth import mouth, mouth_loss  # noqa: E402


def test_weights_average_to_one() -> None:
    assert float(position_weights().mean()) == pytest.approx(1)


def test_the_face_counts_more_than_what_surrounds_it() -> None:
    area = torch.zeros(1, 1, 64, 64)
    area[..., 16:48, 16:48] = 1
    answer, weight = torch.zeros(1, 4, 16, 16), torch.ones(1)
    on_face, beside = answer.clone(), answer.clone()
    on_face[..., 8, 8] = beside[..., 0, 0] = 1
    near, far = (answer_loss(result, answer, area, weight) for result in (on_face, beside))
    assert answer_loss(answer, answer, area, weight) == 0
    assert float(near / far) == pytest.approx(5, rel=1e-3)
    picture = torch.zeros(1, 3, 64, 64)
    assert answer_picture_loss(picture + area, picture, area, weight) > 4 * answer_picture_loss(
        picture + (1 - area) / 3, picture, area, weight
    )


def test_answers_of_no_weight_do_not_count() -> None:
    area, answer = torch.ones(2, 1, 16, 16), torch.zeros(2, 4, 16, 16)
    result = answer.clone()
    result[1] = 100
    assert answer_loss(result, answer, area, torch.tensor([1.0, 0.0])) == 0
    assert answer_loss(result, answer, area, torch.tensor([1.0, 0.5])) > 10


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
