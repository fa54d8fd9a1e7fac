"""Input files are probed, decoded and hashed no more often than needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swaptalk.batch.table import check_table
from swaptalk.errors import InputError
from swaptalk.media.audio import read_audio
from swaptalk.media.image import read_image
from swaptalk.media.probe import count_frames
from swaptalk.media.sandbox.decoder import DecoderProcess
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline import inputs
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.inputs import InputFile, InputFiles
from swaptalk.storage.hashing import file_fingerprint, sha256_of

Asked = Counter[tuple[str, str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What is asked of the decoding processes, and hashed: counts by (name of the file, what)."""
    counts: Asked = Counter()

    def spied(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: DecoderProcess, request: dict[str, Any], *more: Any) -> Any:
            counts[self.path.name, request["do"]] += 1
            return method(self, request, *more)

        return call

    def counted(function: Callable[[Path], str], what: str) -> Callable[[Path], str]:
        def call(path: Path) -> str:
            counts[path.name, what] += 1
            return function(path)

        return call

    for name in ("ask", "stream"):
        monkeypatch.setattr(DecoderProcess, name, spied(getattr(DecoderProcess, name)))
    monkeypatch.setattr(inputs, "file_fingerprint", counted(file_fingerprint, "fingerprint"))
    monkeypatch.setattr(inputs, "sha256_of", counted(sha256_of, "sha256"))
    return counts


def about(asked: Asked, path: Path) -> dict[str, int]:
    """The counts of one file, without opening, closing, and looking for its manifest."""
    return {
        what: count
        for (name, what), count in sorted(asked.items())
        if name == path.name and what not in ("share", "close", "read")
    }


def test_a_job_asks_each_file_once(
    maker: SwapTalk, make_clip, make_wav, other_photo: Path, tmp_path: Path, asked: Asked
) -> None:
    target, audio = make_clip(frames=4), make_wav(0.16)
    asked.clear()
    maker.generate(source=other_photo, target=target, audio=audio, output=tmp_path / "out.mp4")
    # Each of both passes opens the target. The fingerprint is compared once more in the end. The
    # sound is decoded at 16 kHz for the mouth, and at 48 kHz for the output.
    hashed = {"fingerprint": 2, "sha256": 1}
    passes = asked[target.name, "video"]
    assert about(asked, target) == {
        **hashed,
        "is_image": 1,
        "probe": 1,
        "video": passes,
        "frames": passes,
    }
    assert passes <= 3  # the first pass, frames that show the mouth, the second pass
    assert about(asked, audio) == {**hashed, "audio": 2, "probe": 1}
    assert about(asked, other_photo) == {
        **hashed,
        "decode_image": 1,
        "image": 1,
        "is_image": 1,
    }


def test_a_photo_as_target_is_decoded_once(
    maker: SwapTalk, photo: Path, other_photo: Path, tmp_path: Path, asked: Asked
) -> None:
    maker.generate(source=other_photo, target=photo, output=tmp_path / "out.png")
    assert about(asked, photo) == {
        "decode_image": 1,
        "fingerprint": 2,
        "image": 1,
        "is_image": 1,
        "sha256": 1,
    }


def test_rows_of_a_table_share_their_files(
    make_clip, make_wav, tmp_path: Path, asked: Asked
) -> None:
    target, audio = make_clip(frames=4), make_wav(0.16)
    rows = "".join(f"{target.name},{audio.name},{number}.mp4\n" for number in range(5))
    (tmp_path / "jobs.csv").write_text(f"target,audio,output\n{rows}")
    asked.clear()
    assert len(check_table(tmp_path / "jobs.csv").rows) == 5
    assert about(asked, target) == {"is_image": 1, "probe": 1}
    assert about(asked, audio) == {"audio": 1, "probe": 1}


def test_what_is_kept_is_what_is_in_the_file(make_wav, photo: Path) -> None:
    path = make_wav(1.3)
    for keep in (False, True):
        sound = InputFile(path, keep)
        assert sound.samples == len(read_audio(path))
        assert np.array_equal(np.concatenate(list(sound.sound())), read_audio(path))
        assert np.array_equal(InputFile(photo, keep).still().picture, read_image(photo))


def test_large_inputs_are_not_kept(
    make_wav, photo: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "KEPT_SAMPLES", 16000)
    monkeypatch.setattr(inputs, "KEPT_PIXELS", 1000)
    path = make_wav(1.3)
    sound, still = InputFile(path, keep=True), InputFile(photo, keep=True)
    assert sound.samples == sum(map(len, sound.sound()))
    assert still.still() is not still.still()
    assert asked[path.name, "audio"] == asked[photo.name, "decode_image"] == 2


def test_changes_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    file = InputFiles()[path]
    assert file.fingerprint and not file.has_changed()
    path.write_bytes(b"two")
    assert file.has_changed()
    path.unlink()
    assert file.has_changed()


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(10)])
@pytest.mark.parametrize(("start", "end"), [(0.0, None), (0.1, None), (0.04, 0.2), (0.0, 9.0)])
def test_the_plan_counts_frames_as_the_decoder_does(
    make_clip, fps: Fraction, start: float, end: float | None
) -> None:
    path = make_clip(frames=9, fps=Fraction(24000, 1001))
    with VideoReader(path, fps, start, end) as video:
        until = None if end is None else Fraction(end)
        media = InputFile(path).media
        assert count_frames(media, fps, Fraction(start), until) == len(video)


def test_a_part_behind_the_end_is_refused(make_clip) -> None:
    media = InputFile(make_clip(frames=4)).media
    with pytest.raises(InputError, match="it ends at 0.160 s"):
        count_frames(media, Fraction(25), Fraction(1))
