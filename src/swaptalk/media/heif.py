"""HEIF files: HEIC and AVIF photos, and HEIF sequences. Runs in the decoding process.

Photos of the HEVC kind are opened by libheif (``pi_heif``), which puts tiles together and turns
them upright; sequences are video to FFmpeg.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from swaptalk.errors import InputError
from swaptalk.media.container import open_media, video_stream
from swaptalk.media.frame_source import ContainerFrames
from swaptalk.media.picture import PictureConverter, display_size, orientation
from swaptalk.media.tone_map import DynamicColour, dynamic_colour, frame_colour, sdr_picture

#: Brands (ISO/IEC 23008-12) of files whose first content is a photo, and of those that begin with
#: a sequence of pictures.
_PHOTO_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2")
_SEQUENCE_BRANDS = (b"hevc", b"hevx", b"msf1")


def is_heic(path: Path) -> bool:
    """Whether a file says that it is a HEIF photo; AVIF, which Pillow reads, has a brand of its
    own.
    """
    return _brand(path) in _PHOTO_BRANDS


def is_heif_sequence(path: Path) -> bool:
    """Whether a file says that it is a HEIF sequence."""
    return _brand(path) in _SEQUENCE_BRANDS


def _brand(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(12)
    return head[8:12] if head[4:8] == b"ftyp" else b""


def register() -> None:
    """Let Pillow open HEIC photos, as the format ``HEIF``."""
    import pi_heif  # only here: its libraries are not needed for other images

    if "HEIF" not in Image.OPEN:
        pi_heif.register_heif_opener(thumbnails=False)


def heic_colour(image: Image.Image) -> DynamicColour | None:
    """What a HEIC photo without a colour profile says if it is HDR or has a wide gamut."""
    codes = image.info.get("nclx_profile")
    if image.info.get("icc_profile") or not codes:
        return None
    return dynamic_colour(
        codes["transfer_characteristics"],
        codes["color_primaries"],
        codes["matrix_coefficients"],
    )


def hdr_heic(path: Path, colour: DynamicColour) -> NDArray[np.uint8]:
    """An HDR or wide-gamut HEIC photo as SDR, (H, W, 3) uint8 RGB."""
    import pi_heif

    image = pi_heif.open_heif(path, convert_hdr_to_8bit=False)
    picture = np.asarray(image)[..., :3]
    if picture.dtype == np.uint8:
        picture = picture.astype(np.uint16) * 257
    return sdr_picture(colour, np.ascontiguousarray(picture))


def hdr_avif(path: Path, size: tuple[int, int]) -> tuple[NDArray[np.uint8], DynamicColour] | None:
    """An HDR or wide-gamut AVIF photo as SDR, (H, W, 3) uint8 RGB, and its colour; None if it is an
    ordinary one.

    Args:
        path: the photo.
        size: width and height of the whole of it.

    Raises:
        InputError: it is stored in tiles, which FFmpeg gives one by one.
    """
    try:
        if not _says_wide(path):
            return None
        source = ContainerFrames(path, Fraction(1))
    except InputError:  # Pillow has opened it, and reads it as well as it can
        return None
    try:
        first = source.next()
    finally:
        source.close()
    colour = None if first is None else frame_colour(first.frame)
    if first is None or colour is None:
        return None
    frame, turn = first.frame, orientation(first.frame)
    width, height = display_size(frame.width, frame.height, None, turn)
    if sorted((width, height)) != sorted(size):
        raise InputError(
            "is an HDR photo in tiles, which is not read", path=path, remedy="export it as JPEG"
        )
    picture = np.empty((height, width, 3), np.uint8)
    PictureConverter(width, height, turn)(frame, picture)
    return picture, colour


def _says_wide(path: Path) -> bool:
    """Whether a file's header says that its pictures are HDR or have a wide gamut."""
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            return False
        codec = stream.codec_context
        colour = dynamic_colour(codec.color_trc, codec.color_primaries, codec.colorspace)
        return colour is not None
