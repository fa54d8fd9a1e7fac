import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.media.mel import SAMPLE_RATE, log_mel
from swaptalk.media.voice_activity import level, speech_frames, speech_weight


def _speech_like(seconds: float, amplitude: float = 0.3) -> NDArray[np.float32]:
    """Harmonics of 120 Hz with a 4 Hz syllable envelope: what an energy gate sees of a voice."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    voice = np.sum([np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20)], axis=0)
    return (amplitude * voice / 3 * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * t))).astype(np.float32)


def _weight(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    mel = log_mel(wave)
    return speech_weight(level(mel), -(-len(mel) // 4))


@pytest.mark.parametrize(
    ("amplitude", "noise"), [(0.02, 0.0), (0.02, 0.0005), (0.3, 0.0), (0.3, 0.0005), (0.3, 0.005)]
)
def test_a_pause_between_two_sentences_is_silent_and_speech_is_not(
    noise: float, amplitude: float
) -> None:
    pause = np.zeros(SAMPLE_RATE, np.float32)
    wave = np.concatenate([_speech_like(2, amplitude), pause, _speech_like(2, amplitude)])
    wave += noise * np.random.default_rng(0).normal(size=len(wave)).astype(np.float32)
    weight = _weight(wave)
    assert len(weight) == 125
    assert weight[5:45].min() > 0.99  # inside of the first sentence, syllable gaps included
    assert weight[56:70].max() < 0.01  # inside of the pause
    assert weight[80:120].min() > 0.99
    assert np.abs(np.diff(weight)).max() < 0.5  # the mouth closes over several frames


@pytest.mark.parametrize("hiss", [0.0, 1e-4])
def test_a_silent_recording_is_silent_throughout(hiss: float) -> None:
    wave = hiss * np.random.default_rng(0).normal(size=2 * SAMPLE_RATE).astype(np.float32)
    assert _weight(wave).max() == 0.0


def test_a_short_closure_is_not_a_pause() -> None:
    wave = np.concatenate(
        [_speech_like(1), np.zeros(SAMPLE_RATE // 10, np.float32), _speech_like(1)]
    )
    assert speech_frames(level(log_mel(wave)))[10:200].all()


def test_lips_move_before_the_sound() -> None:
    wave = np.concatenate([np.zeros(SAMPLE_RATE, np.float32), _speech_like(1)])
    weight = _weight(wave)
    assert weight[24] > 0.5  # 40 ms before the first sound
    assert weight[:19].max() < 0.01


def test_nothing_to_hear() -> None:
    assert speech_weight(np.zeros(0, np.float32), 3).tolist() == [0, 0, 0]
