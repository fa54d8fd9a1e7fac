from pathlib import Path

import numpy as np
import pytest

from swaptalk.media.audio import read_audio
from swaptalk.media.mel import log_mel
from swaptalk.pipeline.inputs import InputFile
from swaptalk.pipeline.render.motion_track import (
    BLOCK_SECONDS,
    CONTEXT_SECONDS,
    MotionTrack,
    turn_weight,
    write_motion,
)
from swaptalk.storage.rows import Rows


@pytest.mark.parametrize(
    "seconds", [0.07, 1.0, BLOCK_SECONDS, 2 * BLOCK_SECONDS + CONTEXT_SECONDS + 0.013]
)
def test_long_recordings_in_blocks_give_what_one_piece_gives(
    networks, make_wav, voice, tmp_path: Path, seconds: float
) -> None:
    path = make_wav(seconds)
    wave = read_audio(path)
    longest = []
    inner = networks.motion
    networks.motion = lambda mel: longest.append(len(mel)) or inner(mel)
    write_motion(networks, InputFile(path), tmp_path)
    with Rows(tmp_path / "motion.npy") as rows:
        whole = inner(log_mel(wave))
        assert len(rows) == len(whole)
        assert rows.read(0, len(rows)).astype(np.float32) == pytest.approx(whole, abs=2e-3)
    assert max(longest) <= 100 * (BLOCK_SECONDS + 2 * CONTEXT_SECONDS)
    assert len(np.load(tmp_path / "speech.npy")) == len(whole)


def test_silence_is_silent_motion(networks, make_wav, voice, tmp_path: Path) -> None:
    networks.silent_motion = np.full(1, -3.0, np.float32)
    path = make_wav(samples=np.concatenate([voice(1), np.zeros(16000, np.float32)]))
    write_motion(networks, InputFile(path), tmp_path)
    track = MotionTrack(tmp_path, networks)
    assert track.at(1.6) == pytest.approx(np.full((5, 1), -3.0))
    assert track.at(0.5).min() > 0
    assert track.at(99.0).shape == (5, 1)  # beyond the end: held
    track.close()


def test_a_listener_rests_exactly_and_a_recording_that_ended_is_silence(
    networks, make_wav, voice, tmp_path: Path
) -> None:
    networks.silent_motion = np.full(1, -3.0, np.float32)
    write_motion(networks, InputFile(make_wav(samples=voice(2.0))), tmp_path)
    track = MotionTrack(tmp_path, networks, [(1.0, 1.6)], rests=True)
    for listening in (0.2, 0.7, 1.84):
        assert track.at(listening) == pytest.approx(np.full((5, 1), -3.0))
    assert track.at(1.3).min() > 0
    track.close()
    whole = MotionTrack(tmp_path, networks, rests=True)
    assert whole.at(3.0) == pytest.approx(np.full((5, 1), -3.0)) and whole.at(1.0).min() > 0
    assert turn_weight([(0.4, 0.8)], 30)[[0, 5, 15, 25]].tolist() == [0, 0, 1, 0]
    whole.close()
