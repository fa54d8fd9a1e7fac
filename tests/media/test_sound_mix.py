"""Words over a scene's sound: levels, times and the ducking measured on tones of two pitches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.loudness import integrated_loudness
from swaptalk.media.mel import FRAME_RATE
from swaptalk.media.mux import AUDIO_RATE, AudioSource
from swaptalk.media.sound_mix import DUCK_FADE, SoundMix, Words, duck_envelope, words_at

Make = Callable[..., Path]
HIGH = 3000


def scene_tone(seconds: float, amplitude: float = 0.1) -> np.ndarray:
    return amplitude * np.sin(
        2 * np.pi * HIGH * np.arange(round(seconds * AUDIO_RATE)) / AUDIO_RATE
    )


def spoken(voice: Callable[[float], np.ndarray], begin: float, end: float, total: float):
    samples = np.zeros(round(total * AUDIO_RATE), np.float32)
    words = voice(end - begin)
    words = np.interp(
        np.arange(round((end - begin) * AUDIO_RATE)) / 3, np.arange(len(words)), words
    )
    samples[round(begin * AUDIO_RATE) :][: len(words)] = words
    return samples


def mixed(mix: SoundMix, seconds: float) -> np.ndarray:
    return np.concatenate(list(mix.blocks(1, round(seconds * AUDIO_RATE))))[:, 0]


def high_level(samples: np.ndarray, begin: float, end: float) -> float:
    """Amplitude of the scene's tone in a part of a mix."""
    part = samples[round(begin * AUDIO_RATE) : round(end * AUDIO_RATE)]
    wave = np.exp(-2j * np.pi * HIGH * np.arange(len(part)) / AUDIO_RATE)
    return 2 * abs(np.mean(part * wave * np.hanning(len(part)) * 2))


def test_words_lie_where_they_are_and_the_scene_is_lowered_under_them(
    make_sound: Make, voice: Callable[[float], np.ndarray]
) -> None:
    words = spoken(voice, 2.0, 4.0, 7.0)
    mix = SoundMix(
        (Words(AudioSource(make_sound("words.wav", words))),),
        AudioSource(make_sound("scene.wav", scene_tone(7.0))),
        scene_gain=-6.0,
        duck_gain=-15.0,
    )
    made = mixed(mix, 7.0)
    assert len(made) == 7 * AUDIO_RATE
    apart = 0.1 * 10 ** (-6 / 20)
    for begin, end in [(0.2, 1.4), (5.2, 6.8)]:
        assert high_level(made, begin, end) == pytest.approx(apart, rel=0.03)
    assert high_level(made, 2.2, 3.8) == pytest.approx(apart * 10 ** (-15 / 20), rel=0.15)
    # The words come through at their own level and time, to the sample.
    low = np.convolve(made, np.ones(16) / 16, mode="same")  # a zero at the scene's 3 kHz
    alone = np.convolve(words, np.ones(16) / 16, mode="same")
    assert np.abs(low - alone)[100000:180000].max() < 0.02


def test_a_short_scene_is_repeated_without_clicks(make_sound: Make) -> None:
    scene = AudioSource(make_sound("scene.wav", scene_tone(1.0)))
    silent = AudioSource(make_sound("words.wav", np.zeros(AUDIO_RATE)))
    made = mixed(SoundMix((Words(silent),), scene), 3.5)
    assert len(made) == round(3.5 * AUDIO_RATE)
    for begin in (0.2, 1.2, 2.2, 3.1):
        assert high_level(made, begin, begin + 0.35) == pytest.approx(0.1, rel=0.03)
    # A tone of 0.1 at 3 kHz moves by 0.039 a sample; a cut would jump by up to 0.2.
    assert np.abs(np.diff(made)).max() < 0.045


@pytest.mark.parametrize("loudness", [-16.0, -27.0])
def test_each_recording_gets_the_loudness(
    make_sound: Make, voice: Callable[[float], np.ndarray], loudness: float
) -> None:
    quiet, loud = spoken(voice, 0.0, 3.0, 3.0) * 0.1, spoken(voice, 0.0, 3.0, 3.0) * 2.5
    sources = [
        AudioSource(make_sound("quiet.wav", quiet)),
        AudioSource(make_sound("loud.wav", loud)),
    ]
    for words in words_at(sources, loudness):
        made = SoundMix((words,)).blocks(1, 3 * AUDIO_RATE)
        assert integrated_loudness(made, AUDIO_RATE, 1) == pytest.approx(loudness, abs=0.3)


def test_silence_has_no_loudness_to_set(make_sound: Make) -> None:
    silent = AudioSource(make_sound("silent.wav", np.zeros(2 * AUDIO_RATE)))
    with pytest.raises(InputError, match="too quiet"):
        words_at([silent], -16.0)
    assert words_at([silent], None) == (Words(silent, 0.0),)


def test_short_pauses_do_not_raise_the_scene() -> None:
    spoken = np.zeros(10 * FRAME_RATE, np.bool_)
    spoken[200:300] = spoken[350:400] = spoken[800:850] = True
    lowered = duck_envelope(spoken)
    assert lowered.shape == spoken.shape
    assert lowered[200:400] == pytest.approx(1) and lowered[800:850] == pytest.approx(1)
    assert lowered[:150] == pytest.approx(0) and lowered[500:700] == pytest.approx(0)
    assert np.abs(np.diff(lowered)).max() <= 1.1 / (DUCK_FADE * FRAME_RATE)
    assert duck_envelope(np.zeros(50, np.bool_)) == pytest.approx(0)
