"""Decodes still images with Pillow: a few known formats, bounded size, upright, without alpha.

Runs in the decoding process; :mod:`swaptalk.media.image` asks it.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from swaptalk.errors import InputError
from swaptalk.media import heif
from swaptalk.media.limits import MAX_IMAGE_PIXELS
from swaptalk.media.picture import BACKGROUND
from swaptalk.media.tone_map import DynamicColour

#: Formats tried, by their magic bytes and not by the name's ending. Those that run other programs
#: or are containers of anything (EPS, PDF, FITS, ...) are left out. Phones' multi-picture JPEGs
#: (MPO) are opened as JPEG.
_DECODERS = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    AvifImagePlugin.AvifImageFile,
    TiffImagePlugin.TiffImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    PpmImagePlugin.PpmImageFile,
)
ALLOWED_FORMATS = tuple(str(one.format) for one in _DECODERS)
#: Those of them that are video when they hold several pictures; the others' further pictures are
#: pages or previews.
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")

_REMEDY = "give a JPEG, PNG, WebP or HEIC picture"


def _open(path: Path) -> Image.Image:
    """Open without decoding."""
    names: tuple[str, ...] = ALLOWED_FORMATS
    if heif.is_heic(path):
        heif.register()
        names = ("HEIF",)
    try:
        with warnings.catch_warnings():
            # The limit is checked below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=[name for name in names if name in Image.OPEN])
    except Image.DecompressionBombError as error:
        raise InputError("the image is too large", path=path, remedy="scale it down") from error
    except MemoryError:  # the limit of the process, not damage
        raise
    except Exception as error:  # a decoder may raise anything on hostile bytes
        raise InputError("is not an image that can be read", path=path, remedy=_REMEDY) from error
    width, height = image.size
    if width * height > MAX_IMAGE_PIXELS:
        image.close()
        raise InputError(
            f"an image of {width}x{height} is too large",
            path=path,
            remedy="scale it below 89 megapixels",
        )
    return image


def is_still_image(path: Path) -> bool:
    """Whether a file is a still image (an animated GIF, PNG, WebP or AVIF is video).

    Raises:
        InputError: an image larger than ``MAX_IMAGE_PIXELS``, or a HEIC photo that cannot be read.
    """
    try:
        with _open(path) as image:
            return not (image.format in _ANIMATED and getattr(image, "is_animated", False))
    except InputError as error:
        if "too large" in error.problem:
            raise
        if heif.is_heic(path):
            raise InputError(
                "is a HEIC photo that cannot be read", path=path, remedy="export it as JPEG"
            ) from error
        return False


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as shown, from the headers alone.

    Raises:
        InputError: not an image, or larger than ``MAX_IMAGE_PIXELS``.
    """
    with _open(path) as image:
        try:
            # Of a TIFF, Pillow says the size as shown.
            turned = image.format != "TIFF" and image.getexif().get(
                ExifTags.Base.Orientation, 1
            ) in (5, 6, 7, 8)
        except MemoryError:  # the limit of the process, not damage
            raise
        except Exception:  # a damaged tag; as above, anything may be raised
            turned = False
        return (image.height, image.width) if turned else image.size


def decode_image(
    path: Path,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, DynamicColour | None]:
    """Read a still image as :func:`swaptalk.media.image.read_still` does.

    Returns:
        The picture (H, W, 3), its alpha (H, W) or None, and what its colour was if it was
        tone-mapped.

    Raises:
        InputError: not an image, damaged, or larger than ``MAX_IMAGE_PIXELS``.
    """
    with _open(path) as image:
        try:
            mapped = _hdr(image, path)
            if mapped is not None:
                return mapped[0], None, mapped[1]
            image.load()
            upright = ImageOps.exif_transpose(image)
            return np.array(_to_rgb(upright), order="C"), _alpha(upright), None
        except (MemoryError, InputError):
            raise
        except Exception as error:  # as above
            raise InputError(
                "the image is damaged", path=path, remedy="export or download it again"
            ) from error


def _hdr(image: Image.Image, path: Path) -> tuple[NDArray[np.uint8], DynamicColour] | None:
    """An HDR or wide-gamut HEIC or AVIF as SDR, and its colour; None for all others."""
    if image.format == "HEIF":
        colour = heif.heic_colour(image)
        return None if colour is None else (heif.hdr_heic(path, colour), colour)
    if image.format == "AVIF" and not image.info.get("icc_profile"):
        return heif.hdr_avif(path, image.size)
    return None


def _has_alpha(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _alpha(image: Image.Image) -> NDArray[np.uint8] | None:
    """How opaque the pixels are, (H, W) uint8; None if all are wholly so."""
    if not _has_alpha(image):
        return None
    alpha = np.array(image.convert("RGBA").getchannel("A"), order="C")
    return None if alpha.min() == 255 else alpha


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_eight_bit(image)
    profile = image.info.get("icc_profile")
    if _has_alpha(image):
        image = image.convert("RGBA")
        backdrop = Image.new("RGBA", image.size, BACKGROUND)
        image = Image.alpha_composite(backdrop, image).convert("RGB")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            return ImageCms.profileToProfile(  # type: ignore[return-value]
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile: take the numbers as sRGB, as browsers do
    return image.convert("RGB")


def _to_eight_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits or more: Pillow's own conversion clips instead of scaling."""
    values = np.asarray(image).astype(np.float64)
    brightest = values.max(initial=0)
    if image.mode == "F":
        white = 1.0 if brightest <= 1 else 255.0 if brightest <= 255 else 65535.0
    else:
        white = 65535.0 if brightest <= 65535 else float(2**31 - 1)
    return Image.fromarray((np.clip(values / white, 0, 1) * 255 + 0.5).astype(np.uint8))
