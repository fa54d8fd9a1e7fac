"""From decoded frames to upright RGB pictures: colour matrix and range, HDR, depth, alpha, pixel
shape, display matrix.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from swaptalk.media.tone_map import DynamicColour, ToneMapper, eight_bits, frame_colour

#: What shows through transparent parts, in video as in images: white.
BACKGROUND = (255, 255, 255)
#: AVColorSpace (ITU-T H.273 matrix coefficients) -> swscale's matrices (SWS_CS_*; not every PyAV
#: names BT.2020).
_BT709, _FCC, _BT601, _SMPTE240M, _BT2020 = 1, 4, 5, 7, 9
_MATRICES = {1: _BT709, 4: _FCC, 5: _BT601, 6: _BT601, 7: _SMPTE240M, 9: _BT2020, 10: _BT2020}
#: Untagged video of at least this size is taken for BT.709, smaller for BT.601, as players do.
_HD_WIDTH, _HD_HEIGHT = 1280, 720
#: Pixel shapes outside this range are damage, not anamorphic video.
_PIXEL_ASPECTS = (Fraction(1, 4), Fraction(4))


@dataclass(frozen=True)
class Orientation:
    """How stored pictures are turned for display: first transposed, then mirrored left-right and
    top-bottom.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def rotation(self) -> int:
        """Clockwise turn in degrees (0, 90, 180, 270) that the display applies; mirroring left
        aside.
        """
        if self.transpose:
            return 270 if self.flip_y and not self.flip_x else 90
        return 180 if self.flip_x and self.flip_y else 0

    def apply(self, picture: NDArray[np.uint8], result: NDArray[np.uint8]) -> None:
        """Turn an (H, W, 3) picture into ``result``, (H, W, 3) or (W, H, 3)."""
        if not self.transpose:
            turned = picture[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
            np.copyto(result, turned)
            return
        import cv2  # only here: it is as large as all else that a decoding process loads

        cv2.transpose(picture, result)
        if self.flip_x or self.flip_y:
            cv2.flip(result, -1 if self.flip_x and self.flip_y else 1 if self.flip_x else 0, result)


def orientation(frame: VideoFrame) -> Orientation:
    """The display matrix of a frame as one of the eight right-angled turns (the nearest, for odd
    angles).

    The matrix (ISO/IEC 14496-12, 6.2.2) maps stored (x, y) to (a x + c y, b x + d y), y downwards.
    """
    side_data = cast(Mapping[str, bytes], frame.side_data)
    if "DISPLAYMATRIX" not in side_data:
        return Orientation()
    data = side_data["DISPLAYMATRIX"]
    a, b, _, c, d = struct.unpack("5i", bytes(data)[:20])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
    return Orientation(flip_x=a < 0, flip_y=d < 0)


def display_size(
    width: int, height: int, pixel_aspect: Fraction | None, turn: Orientation
) -> tuple[int, int]:
    """Width and height in square pixels as shown, from stored size, pixel shape (width : height)
    and turn.
    """
    if pixel_aspect and _PIXEL_ASPECTS[0] <= pixel_aspect <= _PIXEL_ASPECTS[1]:
        width = max(1, round(width * pixel_aspect))
    return (height, width) if turn.transpose else (width, height)


def colour_matrix(frame: VideoFrame) -> int:
    """The YUV matrix of a frame: its tag, else BT.709 from 720p up and BT.601 below."""
    guess = _BT709 if frame.width >= _HD_WIDTH or frame.height >= _HD_HEIGHT else _BT601
    return _MATRICES.get(int(frame.colorspace), guess)


def colour_range(frame: VideoFrame) -> ColorRange:
    """Full or limited: the tag, else full for RGB and JPEG's formats and limited for other YUV."""
    if frame.format.is_rgb or frame.format.name.startswith("yuvj"):
        return ColorRange.JPEG
    return ColorRange.JPEG if int(frame.color_range) == ColorRange.JPEG else ColorRange.MPEG


class PictureConverter:
    """Turns the frames of one video into RGB pictures of one size, whatever the frames' own size
    and format.

    Args:
        width: of the result, in pixels, after turning.
        height: likewise.
        turn: how stored pictures are turned for display.
    """

    def __init__(self, width: int, height: int, turn: Orientation) -> None:
        self._turn = turn
        self._size = (height, width) if turn.transpose else (width, height)
        self._reformatter = VideoReformatter()
        self._to_eight_bits = VideoReformatter()
        self._mappers: dict[DynamicColour, ToneMapper] = {}

    def __call__(self, frame: VideoFrame, result: NDArray[np.uint8]) -> None:
        """Write the picture into ``result``, (H, W, 3) uint8 RGB: BT.709 SDR, full range, alpha
        shown on white.
        """
        colour = frame_colour(frame)
        alpha = has_alpha(frame)
        picture = _pixels(self._rgb(frame, "rgba" if alpha else "rgb24"), 4 if alpha else 3)
        if colour is not None:
            mapped = _pixels(self._mapped(frame, colour), 3)
            picture = np.concatenate([mapped, picture[..., 3:]], axis=2)
        self._turn.apply(_flatten(picture) if alpha else picture, result)

    def alpha(self, frame: VideoFrame, result: NDArray[np.uint8]) -> None:
        """Write how opaque the pixels are into ``result``, (H, W) uint8."""
        if not has_alpha(frame):
            result[:] = 255
            return
        opacity = _pixels(self._rgb(frame, "rgba"), 4)[..., 3:]
        self._turn.apply(opacity, result[..., None])

    def _rgb(self, frame: VideoFrame, pixel_format: str) -> VideoFrame:
        resized = self._size != (frame.width, frame.height)
        return self._reformatter.reformat(
            frame,
            width=self._size[0],
            height=self._size[1],
            format=pixel_format,
            src_colorspace=colour_matrix(frame),
            src_color_range=colour_range(frame),
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.BICUBIC if resized else Interpolation.BILINEAR,
            threads=1,
        )

    def _mapped(self, frame: VideoFrame, colour: DynamicColour) -> VideoFrame:
        """An HDR or wide-gamut frame as SDR, ``rgb24``, without alpha."""
        if colour not in self._mappers:
            self._mappers[colour] = ToneMapper(colour, *self._size)
        return eight_bits(self._mappers[colour](self._rgb(frame, "rgb48le")), self._to_eight_bits)


def has_alpha(frame: VideoFrame) -> bool:
    """Whether the frame's format can say how transparent a pixel is."""
    return frame.format.name.startswith(
        ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya", "pal8")
    )


def is_transparent(frame: VideoFrame) -> bool:
    """Whether the background shows through some of its pixels."""
    if not has_alpha(frame):
        return False
    return bool(_pixels(frame.reformat(format="rgba"), 4)[..., 3].min() < 255)


def _pixels(frame: VideoFrame, channels: int) -> NDArray[np.uint8]:
    """View (H, W, channels) of a packed frame of 8 bits."""
    plane = frame.planes[0]
    size = frame.height * plane.line_size
    lines = np.frombuffer(memoryview(plane), np.uint8, size).reshape(frame.height, plane.line_size)
    return lines[:, : frame.width * channels].reshape(frame.height, frame.width, channels)


def _flatten(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay (H, W, 4) over the background."""
    weight = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * weight + np.array(BACKGROUND, np.uint16) * (255 - weight)
    return ((mixed + 127) // 255).astype(np.uint8)
