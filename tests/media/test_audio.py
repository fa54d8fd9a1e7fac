"""Sound: formats, rates, exact places on the clock, silence before and in gaps, hostile samples."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.audio import read_audio, stream_audio, stream_channels

RATE = 48000
Make = Callable[..., Path]


def clicks(seconds: float, every: float = 0.5, rate: int = RATE) -> np.ndarray:
    """Short bursts of 3 kHz that begin at every, 2 * every, ... seconds."""
    wave = np.zeros(round(seconds * rate), np.float32)
    burst = 0.8 * np.sin(2 * np.pi * 3000 * np.arange(round(0.005 * rate)) / rate)
    for k in range(1, int(seconds / every)):
        at = round(k * every * rate)
        wave[at : at + len(burst)] = burst
    return wave


def onsets(wave: np.ndarray, rate: int) -> list[float]:
    """Seconds at which bursts begin."""
    loud = np.flatnonzero(np.abs(wave) > 0.2)
    return [
        float(loud[i]) / rate
        for i in range(len(loud))
        if i == 0 or loud[i] - loud[i - 1] > rate // 10
    ]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("a.wav", "pcm_f32le"),
        ("a.wav", "pcm_u8"),
        ("a.flac", "flac"),
        ("a.m4a", "aac"),
        ("a.mp3", "libmp3lame"),
        ("a.ogg", "libopus"),
        ("a.mka", "libopus"),
    ],
)
def test_formats_keep_time_and_length(make_sound: Make, name: str, codec: str) -> None:
    path = make_sound(name, clicks(3.2), codec=codec)
    wave = read_audio(path)
    assert wave.dtype == np.float32 and wave.ndim == 1
    assert abs(len(wave) - 3.2 * 16000) <= (
        0 if name.endswith(("wav", "flac", "m4a")) else 0.03 * 16000
    )
    found = onsets(wave, 16000)
    assert len(found) == 5
    # Some FFmpegs leave Opus's 6.5 ms of priming in.
    np.testing.assert_allclose(
        found, [0.5, 1.0, 1.5, 2.0, 2.5], atol=0.008 if codec == "libopus" else 0.003
    )


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_length_after_resampling_is_exact(make_sound: Make, rate: int) -> None:
    samples = 30011
    path = make_sound("a.wav", np.random.default_rng(0).normal(0, 0.1, samples), rate=44100)
    assert len(read_audio(path, rate)) == round(samples * rate / 44100)


def test_resampling_keeps_the_signal(make_sound: Make) -> None:
    t = np.arange(RATE) / RATE
    path = make_sound("a.wav", 0.5 * np.sin(2 * np.pi * 1000 * t))
    wave = read_audio(path)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(wave[200:-200], expected[200:-200], atol=2e-3)


def test_blocks_join_to_the_whole(make_sound: Make) -> None:
    path = make_sound("a.m4a", np.random.default_rng(0).normal(0, 0.1, 100_000), codec="aac")
    whole = read_audio(path)
    blocks = list(stream_audio(path, block=777))
    assert all(len(b) == 777 for b in blocks[:-1]) and 0 < len(blocks[-1]) <= 777
    assert np.array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.m4a", "aac"), ("a.mp3", "libmp3lame")]
)
def test_start_and_end_cut_the_same_samples(make_sound: Make, name: str, codec: str) -> None:
    t = np.arange(8 * RATE) / RATE  # a chirp: AAC may code noise as "any noise"
    path = make_sound(name, 0.3 * np.sin(2 * np.pi * (300 * t + 100 * t * t)), codec=codec)
    whole = read_audio(path)
    part = read_audio(path, start=5.0, end=6.25)
    assert len(part) == 20000
    assert np.abs(part[100:-100] - whole[80100:99900]).max() < 0.01
    assert len(read_audio(path, end=99.0)) == len(whole)


def test_stereo_is_averaged_and_kept(make_sound: Make) -> None:
    left, right = np.full(4800, 0.5), np.full(4800, -0.1)
    path = make_sound("a.wav", np.stack([left, right], axis=1))
    np.testing.assert_allclose(read_audio(path, RATE), 0.2, atol=1e-6)
    both = np.concatenate(list(stream_channels(path, RATE, 2)))
    np.testing.assert_allclose(both, np.stack([left, right], axis=1), atol=1e-6)


def test_surround_is_folded_without_overload(make_sound: Make) -> None:
    path = make_sound("a.wav", np.full((4800, 6), 0.9))
    wave = read_audio(path, RATE)
    assert 0.5 < np.abs(wave).max() <= 1.0
    speech = np.zeros((4800, 6))
    speech[:, 2] = 0.9  # in the centre only
    assert 0.2 < np.abs(read_audio(make_sound("centre.wav", speech), RATE)).max() <= 0.9
    speech[100] = np.nan
    with pytest.raises(InputError, match="NaN"):
        read_audio(make_sound("nan.wav", speech))


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
@pytest.mark.parametrize("lead", [Fraction(1, 4), Fraction(0)])
def test_sound_that_begins_late_is_preceded_by_silence(
    make_video: Make, name: str, lead: Fraction
) -> None:
    path = make_video(name, frames=75, sound=clicks(2.5), sound_start=lead)
    wave = read_audio(path)
    np.testing.assert_allclose(
        onsets(wave, 16000), [float(lead) + t for t in (0.5, 1, 1.5, 2)], atol=0.026
    )


def test_sound_leading_the_pictures_by_much_is_kept(make_video: Make) -> None:
    stamps = [Fraction(1, 2) + Fraction(i, 25) for i in range(50)]
    path = make_video(stamps=stamps, sound=clicks(2.5))
    np.testing.assert_allclose(onsets(read_audio(path), 16000), [0.5, 1, 1.5, 2.0], atol=0.003)
    small = make_video(
        "small.mp4", stamps=[s - Fraction(46, 100) for s in stamps], sound=clicks(2.0)
    )
    np.testing.assert_allclose(onsets(read_audio(small), 16000), [0.46, 0.96, 1.46], atol=0.003)


def test_gap_in_the_stamps_becomes_silence(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for start in (0, 24000):  # half a second each, half a second apart
            frame = av.AudioFrame.from_ndarray(np.full((1, 8000), 8000, np.int16), "s16", "mono")
            frame.sample_rate, frame.time_base, frame.pts = 16000, Fraction(1, 16000), start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    wave = read_audio(path)
    assert abs(len(wave) - 32000) <= 16
    assert wave[7000] > 0.2 and wave[25000] > 0.2
    assert (wave[8100:23900] == 0).all()


def test_hostile_sound(make_sound: Make, make_video: Make) -> None:
    bad = np.zeros(4800)
    bad[2000] = np.nan
    with pytest.raises(InputError, match="NaN"):
        read_audio(make_sound("nan.wav", bad))
    bad[2000] = np.inf
    with pytest.raises(InputError, match="NaN or infinite"):
        read_audio(make_sound("inf.wav", bad))
    with pytest.raises(InputError, match="sound"):
        read_audio(make_sound("none.wav", np.zeros(0)))
    with pytest.raises(InputError, match="no sound"):
        read_audio(make_video(frames=3))
    good = make_sound("good.wav", np.zeros(4800))
    with pytest.raises(InputError, match="range"):
        read_audio(good, start=5.0)
    with pytest.raises(InputError, match="end"):
        read_audio(good, start=0.05, end=0.05)
    for error_line in (str(pytest.raises(InputError, read_audio, good, start=5.0).value),):
        assert "\n" not in error_line and str(good) in error_line
