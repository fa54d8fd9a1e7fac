"""The sound of the output: words over the scene's own sound, loudness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.audio import read_audio
from swaptalk.pipeline.api import SwapTalk


def test_words_over_the_scenes_sound(maker: SwapTalk, make_clip, make_wav, tmp_path: Path) -> None:
    t = np.arange(16000) / 16000
    hum = make_wav(name="hum.wav", samples=(0.2 * np.sin(2 * np.pi * 3000 * t)).astype(np.float32))
    target, audio = make_clip(frames=25, sound=hum), make_wav(0.4)

    def tone(begin: int = 12000, **settings) -> float:
        report = maker.generate(
            target=target, audio=audio, length="video", output=tmp_path / "out.mp4", **settings
        )
        assert report is not None
        noted = [note for note in report.notes if "stays audible" in note]
        assert len(noted) == (settings["background"] != "none")
        sound = read_audio(tmp_path / "out.mp4", 16000)
        assert len(sound) == 16000
        part = sound[begin : begin + 3000]
        return 2 * abs(np.mean(part * np.exp(-2j * np.pi * 3000 * np.arange(3000) / 16000)))

    assert tone(background="none") < 0.005
    assert tone(background="keep") == pytest.approx(0.2, rel=0.1)
    assert tone(background="keep", background_gain=-12.0) == pytest.approx(0.05, rel=0.1)
    ducked = tone(2000, background="duck", duck_gain=-20.0, loudness=-20.0)
    assert ducked == pytest.approx(0.02, rel=0.2)


def test_sound_that_is_not_there_is_refused(maker: SwapTalk, make_clip, make_wav, tmp_path) -> None:
    target, output = make_clip(frames=3), tmp_path / "out.mp4"
    silence = make_wav(name="silence.wav", samples=np.zeros(8000, np.float32))
    with pytest.raises(InputError, match="no sound for --background keep"):
        maker.generate(target=target, audio=make_wav(), background="keep", output=output)
    with pytest.raises(InputError, match="too quiet for its loudness"):
        maker.generate(target=target, audio=silence, loudness=-16, output=output)
    with pytest.raises(InputError, match="--loudness without new words"):
        maker.generate(target=target, source=target, loudness=-16, output=output)
    with pytest.raises(InputError, match="--loudness 3 is out of range"):
        maker.generate(target=target, audio=make_wav(), loudness=3, output=output)
    assert not output.exists()
