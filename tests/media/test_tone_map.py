from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, VideoReformatter

from swaptalk.media.probe import probe
from swaptalk.media.tone_map import DynamicColour, sdr_colours
from swaptalk.media.video_reader import VideoReader

#: Linear BT.709 to BT.2020 (ITU-R BT.2087, table 2) and to Display P3.
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])


def pq(nits: np.ndarray) -> np.ndarray:
    power = (nits / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(nits: np.ndarray) -> np.ndarray:
    light = nits / 1000
    luminance = light @ np.array([0.2627, 0.6780, 0.0593])
    scene = light * np.maximum(luminance, 1e-9)[..., None] ** (1 / 1.2 - 1)
    curve = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), curve)


def gradient() -> np.ndarray:
    """(48, 64, 3) uint8: all hues from dark to SDR level 225, what is left as it is."""
    x, y = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0.1, 1, 48))
    colour = np.stack([np.cos(6.28 * (x + k / 3)) * 0.4 + 0.6 for k in range(3)], axis=-1)
    return np.round(colour * y[..., None] * 225).astype(np.uint8)


def write(path: Path, coded: np.ndarray, transfer: int, primaries: int, matrix: int) -> None:
    """One frame (H, W, 3), 0..1, without loss in 10 bits, tagged."""
    frame = av.VideoFrame.from_ndarray(np.round(coded * 65535).astype(np.uint16), "rgb48le")
    frame = VideoReformatter().reformat(
        frame,
        format="yuv444p10le",
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        dst_colorspace=matrix,
    )
    frame.pts, frame.color_trc, frame.color_primaries = 0, transfer, primaries
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv444p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries = transfer, primaries
        context.colorspace, context.color_range = matrix, int(ColorRange.MPEG)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "transfer", "primaries", "to_wide", "encode"),
    [
        ("HDR (PQ)", 16, 9, TO_BT2020, lambda light: pq(203 * light)),
        ("HDR (HLG)", 18, 9, TO_BT2020, lambda light: hlg(203 * light)),
        ("wide gamut", 14, 9, TO_BT2020, lambda light: light ** (1 / 2.4)),
        ("wide gamut", 1, 12, TO_P3, lambda light: light ** (1 / 2.4)),
    ],
)
def test_hdr_and_wide_gamut_look_like_the_sdr_they_were_made_of(
    tmp_path: Path, name: str, transfer: int, primaries: int, to_wide: np.ndarray, encode
) -> None:
    """SDR white at 203 nits (ITU-R BT.2408) comes back as SDR, to 1.5 levels a channel."""
    sdr = gradient()
    light = (sdr / 255.0) ** 2.4 @ to_wide.T
    matrix = 9 if primaries == 9 else 1
    write(tmp_path / "wide.mkv", np.clip(encode(light), 0, 1), transfer, primaries, matrix)
    with VideoReader(tmp_path / "wide.mkv") as reader:
        seen = next(reader.frames())
    error = seen.astype(float) - sdr
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 43
    info = probe(tmp_path / "wide.mkv").video
    assert info is not None and info.colour == name


def test_ordinary_video_says_nothing_of_its_colour(tmp_path: Path) -> None:
    sdr = gradient()
    write(tmp_path / "sdr.mkv", sdr / 255.0, 1, 1, 1)
    info = probe(tmp_path / "sdr.mkv").video
    assert info is not None and info.colour is None


def test_highlights_keep_their_order_and_their_hue() -> None:
    """From SDR white at 203 nits to the peak at 1000, levels rise to 255; orange stays orange."""
    nits = np.array([203.0, 300, 500, 800, 1000, 4000])
    grey = sdr_colours(DynamicColour(16, 9), np.repeat(pq(nits)[:, None], 3, axis=1)) * 255
    assert grey[0, 0] > 238 and np.all(np.diff(grey[:5, 0]) > 0.5)
    np.testing.assert_allclose(grey[4:], 255, atol=0.5)
    np.testing.assert_allclose(grey, grey[:, :1].repeat(3, axis=1), atol=0.01)
    orange = np.array([[1.0, 0.5, 0.2]]) @ TO_BT2020.T
    bright = sdr_colours(DynamicColour(16, 9), pq(900 * orange)) ** 2.4
    np.testing.assert_allclose(bright[0] / bright[0, 0], [1.0, 0.5, 0.2], atol=0.01)


def test_colours_outside_of_bt709_lose_saturation_and_not_their_brightness() -> None:
    """The green of BT.2020 at 100 nits: BT.709's green with as much luminance."""
    green = sdr_colours(DynamicColour(16, 9), pq(np.array([[0.0, 100.0, 0.0]])))[0]
    light = green**2.4
    assert green[0] == pytest.approx(0, abs=0.02) and green[1] > 0.5
    assert light @ np.array([0.2126, 0.7152, 0.0722]) == pytest.approx(0.678 * 100 / 203, abs=0.01)
