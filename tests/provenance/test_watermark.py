from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from swaptalk.provenance import watermark_detect
from swaptalk.provenance.watermark_code import WORD_BITS, decode, encode
from swaptalk.provenance.watermark_detect import WatermarkDetector, WatermarkReading, read_watermark
from swaptalk.provenance.watermark_embed import Watermarker
from swaptalk.provenance.watermark_tile import bins, tile

IDENTIFIER = 0xC0FFEE0123456789


@pytest.fixture(scope="module")
def marked(head) -> list[np.ndarray]:
    watermarker = Watermarker(IDENTIFIER, 848, 480)
    return [watermarker(frame.copy()) for frame in head]


def test_the_code_corrects_what_noise_has_turned_round() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        identifier = int(random.integers(0, 1 << 63)) * 2 + 1
        soft = encode(identifier) + random.normal(0, 0.75, WORD_BITS)  # one bit in eleven is wrong
        assert ((soft > 0) != (encode(identifier) > 0)).sum() > 5
        assert decode(soft).identifier == identifier and decode(soft).valid


def test_the_checksum_refuses_noise() -> None:
    random = np.random.default_rng(2)
    assert not any(decode(random.normal(size=WORD_BITS)).valid for _ in range(50))


@pytest.mark.parametrize("identifier", [-1, 1 << 64])
def test_identifiers_have_64_bits(identifier: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        encode(identifier)


def test_the_pattern_is_the_same_on_every_machine() -> None:
    """Older marks must stay readable: these values may only change together with the scheme's
    name."""
    where = bins()
    assert len(where.rows) == 1452 and where.pilot.sum() == 218
    assert where.rows[:3].tolist() == [104, 14, 25] and where.columns[:3].tolist() == [5, 6, 11]
    assert np.allclose(tile(IDENTIFIER)[0, :3], [-0.69484, -0.63552, -0.07429], atol=1e-3)


def test_nobody_sees_it(head, marked) -> None:
    for before, after in zip(head, marked, strict=True):
        error = np.mean((before.astype(float) - after) ** 2)
        assert 10 * np.log10(255**2 / error) >= 42
        assert np.abs(before.astype(int) - after).max() <= 12


def test_marking_depends_on_the_picture_alone(head, marked) -> None:
    again = Watermarker(IDENTIFIER, 848, 480)
    assert (again(head[7].copy()) == marked[7]).all() and (again(head[2].copy()) == marked[2]).all()


def _cropped(frames: list[np.ndarray]) -> list[np.ndarray]:
    return [frame[40:424, 77:755] for frame in frames]  # 80 % of each side


def _brighter(frames: list[np.ndarray]) -> list[np.ndarray]:
    return [cv2.convertScaleAbs(frame, alpha=1.5) for frame in frames]


def _recorded(frames: list[np.ndarray], recode: Callable) -> list[np.ndarray]:
    """A screen at 30 Hz shows the video enlarged with a border around it; the recording is encoded
    again."""
    shown = [cv2.resize(frame, (1060, 600)) for frame in frames]
    bordered = [
        cv2.copyMakeBorder(frame, 40, 50, 60, 40, cv2.BORDER_CONSTANT, value=(30, 30, 30))
        for frame in shown
    ]
    return recode([bordered[int(index * 25 / 30)] for index in range(len(frames) * 30 // 25)], 23)


@pytest.mark.parametrize(
    "attack", ["crf28", "crf32", "half", "larger", "cropped", "brighter", "recorded"]
)
def test_it_survives(marked, recode, attack: str) -> None:
    written = recode(marked, 18, name="written.mp4")
    frames = {
        "crf28": lambda: recode(written, 28),
        "crf32": lambda: recode(written, 32),
        "half": lambda: recode(written, 20, (424, 240)),
        "larger": lambda: recode(written, 23, (1272, 720)),
        "cropped": lambda: recode(_cropped(written), 23),
        "brighter": lambda: recode(_brighter(written), 23),
        "recorded": lambda: _recorded(written, recode),
    }[attack]()
    reading = read_watermark(frames)
    assert reading.identifier == IDENTIFIER, reading
    assert reading.scale == pytest.approx(
        {"cropped": 1.25, "recorded": 600 / 690}.get(attack, 1.0) * 1.5, rel=0.01
    )


@pytest.mark.parametrize("size", [(848, 480), (636, 360), (424, 240)])
def test_without_a_pilot_it_is_read_where_it_lies_in_videos_that_were_not_cropped(
    marked, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(
        watermark_detect, "_likeliest", lambda places: [min(places, key=lambda one: one.score)]
    )
    frames = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in marked[:6]]
    reading = read_watermark(frames)
    assert reading.identifier == IDENTIFIER and reading.scale == pytest.approx(1.5)
    # cropped: elsewhere.
    assert read_watermark([frame[40:, 77:] for frame in frames]).identifier is None


def test_frames_in_many_groups_are_all_counted(marked, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = WatermarkDetector()
    monkeypatch.setattr(watermark_detect, "_GROUP_FRAMES", 1)
    monkeypatch.setattr(watermark_detect, "_MOST_GROUPS", 4)
    merged = WatermarkDetector()
    for detector in (whole, merged):
        for frame in marked[:7]:
            detector.add(frame)
    # Of two frames and one.
    assert [len(level.groups) for level in merged._levels.values()] == [
        4,
        4,
        4,
    ]
    for number, level in merged._levels.items():
        assert np.allclose(sum(level.groups), sum(whole._levels[number].groups), atol=1e-4)
    assert merged.result().identifier == whole.result().identifier == IDENTIFIER


def test_unmarked_pictures_are_not_accused(head, recode) -> None:
    reading = read_watermark(recode(head, 23))
    assert reading == WatermarkReading(None, False, reading.score, reading.scale, len(head))
    assert read_watermark([np.full((90, 160, 3), 77, np.uint8)]).identifier is None


def test_another_identifier_is_read_as_another(head) -> None:
    watermarker = Watermarker(7, 848, 480)
    assert (
        read_watermark([watermarker(frame.copy()) for frame in head[:6]]).text == "0000000000000007"
    )
