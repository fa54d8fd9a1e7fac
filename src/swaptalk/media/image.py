"""Read still images in the decoding process, and write them with Pillow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.limits import MAX_IMAGE_PIXELS
from swaptalk.media.picture import BACKGROUND
from swaptalk.media.probe import COLOURS
from swaptalk.media.sandbox.pool import decoder
from swaptalk.media.sandbox.wire import Message
from swaptalk.storage.files import AtomicFile

#: JPEG and WebP quality of written images: visually lossless.
WRITE_QUALITY = 95


def is_image(path: str | Path) -> bool:
    """Whether the file is a still image (an animated GIF, PNG, WebP or AVIF is video).

    Raises:
        InputError: missing, empty or unreadable, or an image beyond the size limit.
    """
    with decoder(Path(path)) as process:
        return bool(process.ask({"do": "is_image"}).get("still"))


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a still image in pixels, as it is shown, from its headers alone.

    Raises:
        InputError: missing, empty, not an image, or too large (89 megapixels).
    """
    with decoder(Path(path)) as process:
        return _size(process.ask({"do": "image_size"}), Path(path))


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a still image: turned as its EXIF says, converted to sRGB, transparency on white.

    It is decoded by another process, which can neither write nor reach a network (see
    :mod:`swaptalk.media.sandbox.confine`).

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous. Of an animation, the first picture.

    Raises:
        InputError: missing, empty, not an image, damaged, or too large (89 megapixels); decoding it
            takes more memory or time than allowed, or crashes the decoder.
    """
    return read_still(path).picture


@dataclass(frozen=True)
class StillImage:
    """A decoded still image."""

    picture: NDArray[np.uint8]
    """(H, W, 3) RGB, transparency on white."""
    alpha: NDArray[np.uint8] | None
    """How opaque the pixels are, (H, W), 255 where they are wholly; None if all are."""
    colour: str | None
    """One of :data:`swaptalk.media.probe.COLOURS` where it was tone-mapped to SDR."""


def read_still(path: str | Path) -> StillImage:
    """Read a still image like :func:`read_image`, with what that leaves out.

    Raises:
        InputError: as :func:`read_image`.
    """
    path = Path(path)
    with decoder(path) as process:
        answer = process.ask({"do": "decode_image"})
        width, height = _size(answer, path)
        process.share(width * height * 3)
        planes = list(process.stream({"do": "image"}))
        process.empty_memory()
    pixels, colour = width * height, answer.get("colour")
    if [plane.size for plane in planes] not in ([3 * pixels], [3 * pixels, pixels]):
        raise _nonsense(path)
    if colour not in (None, *COLOURS):
        raise _nonsense(path)
    alpha = planes[1].reshape(height, width) if len(planes) == 2 else None
    return StillImage(planes[0].reshape(height, width, 3), alpha, colour)


def _size(answer: Message, path: Path) -> tuple[int, int]:
    width, height = answer.get("width"), answer.get("height")
    if (
        not isinstance(width, int)
        or not isinstance(height, int)
        or not 0 < width * height <= MAX_IMAGE_PIXELS
    ):
        raise _nonsense(path)
    return width, height


def _nonsense(path: Path) -> InputError:
    return InputError("made the decoder answer nonsense", path=path, remedy="export it again")


def write_image(
    path: str | Path, array: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None
) -> None:
    """Write (H, W, 3) uint8 RGB to ``path`` as its ending says (.png, .jpg, .jpeg, .webp or .bmp),
    atomically.

    Args:
        path: the file to write.
        array: the picture; with ``alpha`` as it looks on white.
        alpha: how opaque its pixels are, (H, W) uint8; for .png only.

    Raises:
        InputError: unknown ending, or the folder cannot be written.
        ValueError: the array is not an RGB picture, or the kind of image has no alpha.
    """
    from PIL import Image  # only here: Pillow is not needed for video

    path = Path(path)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(f"expected (H, W, 3) uint8, got {array.shape} {array.dtype}")
    kinds = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP"}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            "unknown kind of image", path=path, remedy="end the name in .png, .jpg, .webp or .bmp"
        )
    if alpha is not None:
        if kind != "PNG" or alpha.shape != array.shape[:2]:
            raise ValueError(f"alpha of {alpha.shape} for a {kind} of {array.shape}")
        array = _cut_out(array, alpha)
    options = (
        {"quality": WRITE_QUALITY, "subsampling": 0}
        if kind == "JPEG"
        else {"quality": WRITE_QUALITY}
    )
    with AtomicFile(path) as target:
        Image.fromarray(np.ascontiguousarray(array)).save(target.part, format=kind, **options)


def _cut_out(picture: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA (H, W, 4) that looks like ``picture`` (H, W, 3) when it is laid over white."""
    white = np.array(BACKGROUND, np.float32)
    share = np.maximum(alpha, 1)[..., None].astype(np.float32) / 255
    colour = np.clip(np.rint((picture - white * (1 - share)) / share), 0, 255)
    return np.concatenate([colour.astype(np.uint8), alpha[..., None]], axis=2)
