"""What is known of a recording as soon as it has been sent."""

from __future__ import annotations

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.serving.http.probing import describe


def test_a_silent_recording_is_told_from_a_quiet_one(make_wav) -> None:
    noise = np.random.default_rng(3).normal(0, 0.0004, 16000).astype(np.float32)
    quiet = noise.copy()
    quiet[8000:9000] += 0.02 * np.sin(np.arange(1000) / 5).astype(np.float32)
    assert describe(make_wav(samples=noise))["sound"]["silent"] is True
    assert describe(make_wav(samples=quiet))["sound"]["silent"] is False


def test_a_recording_of_which_nothing_decodes_is_refused(make_wav, tmp_path) -> None:
    nothing = make_wav(samples=np.zeros(0, np.float32))
    with pytest.raises(InputError):
        describe(nothing)
