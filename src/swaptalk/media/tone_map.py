"""HDR and wide-gamut pictures as BT.709 SDR: PQ, HLG, BT.2020 and Display P3.

The conversion is computed once for a lattice of colours and applied to every picture by FFmpeg's
``haldclut`` filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from numpy.typing import NDArray

#: H.273 codes of transfer functions and primaries.
_PQ, _HLG, _UNSPECIFIED = 16, 18, 2
_BT709, _BT2020, _P3 = 1, 9, 12
#: H.273 matrices that belong to BT.2020 video.
_BT2020_MATRICES = (9, 10)
#: Chromaticities (x, y) of red, green and blue (H.273, table 2); white is D65.
_PRIMARIES = {
    _BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    _BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    _P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
#: Diffuse white of HDR video and the peak of its displays in nits (ITU-R BT.2408): white becomes
#: SDR's white but for room for highlights, what is brighter than the peak becomes the same as it.
_WHITE, _PEAK = 203.0, 1000.0
#: Share of SDR's white below which light is kept as it is.
_KNEE = 0.75
#: Gamma of SDR displays (ITU-R BT.1886).
_GAMMA = 2.4
#: Edge of the lattice, a square number as a Hald picture needs it: 0.4 grey levels from exact.
_EDGE = 64


@dataclass(frozen=True)
class DynamicColour:
    """Transfer function and primaries (H.273 codes) of pictures that are not BT.709 SDR."""

    transfer: int
    primaries: int

    @property
    def name(self) -> str:
        """What they are called, one of :data:`swaptalk.media.probe.COLOURS`."""
        return {_PQ: "HDR (PQ)", _HLG: "HDR (HLG)"}.get(self.transfer, "wide gamut")


def dynamic_colour(transfer: int, primaries: int, matrix: int) -> DynamicColour | None:
    """What H.273 codes say of pictures that are HDR or have a wide gamut; None for ordinary
    ones.
    """
    if primaries == _UNSPECIFIED and matrix in _BT2020_MATRICES:
        primaries = _BT2020
    if transfer not in (_PQ, _HLG) and primaries not in (_BT2020, _P3):
        return None
    return DynamicColour(int(transfer), int(primaries))


def frame_colour(frame: VideoFrame) -> DynamicColour | None:
    """The same of a decoded frame, by its tags."""
    return dynamic_colour(frame.color_trc, frame.color_primaries, frame.colorspace)


def sdr_picture(colour: DynamicColour, picture: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """BT.709 SDR of an RGB picture (H, W, 3) of 16 bits."""
    frame = VideoFrame.from_ndarray(picture, format="rgb48le")
    mapped = ToneMapper(colour, frame.width, frame.height)(frame)
    return np.asarray(eight_bits(mapped, VideoReformatter()).to_ndarray(), np.uint8)


def eight_bits(frame: VideoFrame, reformatter: VideoReformatter) -> VideoFrame:
    """A full-range RGB frame as ``rgb24``."""
    return reformatter.reformat(
        frame,
        format="rgb24",
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )


class ToneMapper:
    """Converts RGB frames of 16 bits from HDR or a wide gamut to BT.709 SDR.

    Args:
        colour: of the frames.
        width, height: of the frames, in pixels.
    """

    def __init__(self, colour: DynamicColour, width: int, height: int) -> None:
        table = np.round(sdr_colours(colour, _lattice()) * 65535).astype(np.uint16)
        side = round(_EDGE**1.5)
        hald = VideoFrame.from_ndarray(table.reshape(side, side, 3), format="rgb48le")
        hald.pts = 0
        tick = Fraction(1, 25)
        self._graph = Graph()
        self._input = self._graph.add_buffer(
            width=width, height=height, format=VideoFormat("rgb48le"), time_base=tick
        )
        clut = self._graph.add_buffer(
            width=side, height=side, format=VideoFormat("rgb48le"), time_base=tick
        )
        mapper = self._graph.add("haldclut", "clut=first:interp=tetrahedral")
        self._output = self._graph.add("buffersink")
        self._input.link_to(mapper, 0, 0)
        clut.link_to(mapper, 0, 1)
        mapper.link_to(self._output)
        self._graph.configure()
        clut.push(hald)
        clut.push(None)
        self._count = 0

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The frame, ``rgb48le`` full range, as BT.709 SDR in the same format."""
        frame.pts, frame.time_base = self._count, Fraction(1, 25)
        self._count += 1
        self._input.push(frame)
        mapped = self._output.pull()
        assert isinstance(mapped, VideoFrame)
        return mapped


def sdr_colours(colour: DynamicColour, encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.709 SDR of colours (N, 3) in 0..1, encoded with the transfer function and primaries.

    Colours outside BT.709's gamut are mixed with grey of their luminance until they fit.
    """
    white = _rgb_to_xyz(_BT709)
    to_bt709 = np.linalg.inv(white) @ _rgb_to_xyz(colour.primaries)
    light = _light(encoded, colour) @ to_bt709.T
    luminance, lowest = light @ white[1], light.min(axis=1)
    excess = np.maximum(luminance - lowest, 1e-12)
    share = np.where(lowest < 0, np.maximum(luminance, 0) / excess, 1.0)[:, None]
    light = np.maximum(luminance[:, None] + (light - luminance[:, None]) * share, 0)
    brightest = np.maximum(light.max(axis=1, keepdims=True), 1e-12)
    if colour.transfer in (_PQ, _HLG):
        light = light * (_shoulder(brightest) / brightest)
    else:
        light = light / np.maximum(brightest, 1)
    return np.asarray(np.clip(light, 0, 1) ** (1 / _GAMMA))


def _lattice() -> NDArray[np.float64]:
    """Colours (N, 3) in the order of a Hald picture: red runs fastest."""
    steps = np.linspace(0, 1, _EDGE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    return np.stack([red, green, blue], axis=-1).reshape(-1, 3)


def _rgb_to_xyz(primaries: int) -> NDArray[np.float64]:
    """Matrix (3, 3) from linear RGB to XYZ; unknown primaries count as BT.709's."""

    def xyz(chromaticity: tuple[float, float]) -> NDArray[np.float64]:
        x, y = chromaticity
        return np.array([x / y, 1.0, (1 - x - y) / y])

    columns = np.stack([xyz(one) for one in _PRIMARIES.get(primaries, _PRIMARIES[_BT709])], axis=1)
    return np.asarray(columns * np.linalg.solve(columns, xyz(_D65)))


def _light(encoded: NDArray[np.float64], colour: DynamicColour) -> NDArray[np.float64]:
    """Light on the display in units of SDR's white, (N, 3)."""
    if colour.transfer == _PQ:
        return _pq_light(encoded) / _WHITE
    if colour.transfer == _HLG:
        scene = _hlg_scene(encoded)
        luminance = scene @ _rgb_to_xyz(colour.primaries)[1]
        return np.asarray(_PEAK / _WHITE * np.maximum(luminance, 1e-12)[:, None] ** 0.2 * scene)
    return np.asarray(encoded**_GAMMA)


def _pq_light(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nits of PQ-coded values (SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = encoded ** (1 / m2)
    return np.asarray(10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _hlg_scene(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scene light, 0..1, of HLG-coded values (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(encoded <= 0.5, encoded**2 / 3, (np.exp((encoded - c) / a) + b) / 12)


def _shoulder(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light up to the peak compressed to 0..1: unchanged below the knee, smooth above it."""
    above = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    peak = (_PEAK / _WHITE - _KNEE) / (1 - _KNEE)
    return np.minimum(
        np.minimum(light, _KNEE) + (1 - _KNEE) * above * (1 + above / peak**2) / (1 + above), 1
    )
