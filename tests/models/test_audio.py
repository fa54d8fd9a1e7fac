"""The mel encoder: one token each 40 ms, from what is heard around it."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS  # noqa: E402
from swaptalk.models.audio import AudioConfig, MelEncoder  # noqa: E402


@pytest.fixture
def encoder() -> MelEncoder:
    torch.manual_seed(0)
    made = MelEncoder(AudioConfig(width=16)).eval()
    for value in made.parameters():
        if not value.any():
            torch.nn.init.normal_(value, std=0.1)
    return made


def mel(seed: int, frames: int = 400) -> torch.Tensor:
    return torch.randn(1, frames, 80, generator=torch.Generator().manual_seed(seed))


def test_four_mel_frames_a_token(encoder: MelEncoder) -> None:
    assert encoder(mel(1, 40)).shape == (1, 10, MOTION_CHANNELS)


def test_silence_has_one_token_away_from_its_ends(encoder: MelEncoder) -> None:
    quiet = encoder(torch.full((1, 400, 80), -1.0))[0]
    torch.testing.assert_close(quiet[25:75], quiet[50].expand(50, -1))
    assert not torch.allclose(quiet[25:75], encoder(mel(1))[0, 25:75], atol=1e-3)


def test_a_token_hears_less_than_a_second_to_each_side(encoder: MelEncoder) -> None:
    sound = mel(1)
    changed = sound.clone()
    changed[:, 200:204] += 3  # 40 ms in the middle
    moved = (encoder(changed) - encoder(sound)).abs().amax(dim=2)[0] > 1e-6
    heard = moved.nonzero().flatten()
    assert 25 < heard.min() <= 49 and 51 <= heard.max() < 75
