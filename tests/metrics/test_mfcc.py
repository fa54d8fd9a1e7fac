import numpy as np
import pytest

from swaptalk.metrics.mfcc import mfcc


def test_values_of_python_speech_features() -> None:
    # python_speech_features 0.6, mfcc(x, 16000), frame 10.
    time = np.arange(16_000)
    tones = (8000 * np.sin(time * 0.1) + 3000 * np.sin(time * 0.43)).astype(np.int16)
    expected = [
        19.25, 20.1714, -6.5733, -9.0036, 15.1922, 31.3557, 10.2585,
        -34.4509, -57.4261, -40.2088, -8.2312, 2.3657, -9.0454,
    ]  # fmt: skip
    cepstra = mfcc(tones)
    assert cepstra.shape == (99, 13)
    assert cepstra[10] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (400, 1), (401, 2), (560, 2), (561, 3)])
def test_the_last_window_is_padded(samples: int, frames: int) -> None:
    assert len(mfcc(np.ones(samples, np.int16))) == frames


def test_digital_silence_is_finite() -> None:
    assert np.isfinite(mfcc(np.zeros(3200, np.int16))).all()


def test_energy_follows_the_level() -> None:
    noise = (np.random.default_rng(0).normal(size=8000) * 1000).astype(np.int16)
    assert mfcc((noise * 2).astype(np.int16))[:, 0] - mfcc(noise)[:, 0] == pytest.approx(np.log(4))
