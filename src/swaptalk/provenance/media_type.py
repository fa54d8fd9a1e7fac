"""Media type of a file by its first bytes, as the C2PA library needs it."""

from __future__ import annotations

from pathlib import Path

#: First bytes of files (offset, bytes) and what they are.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/avi"),
    (0, b"GIF8", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
)
UNKNOWN = "application/octet-stream"


def media_type(path: Path) -> str:
    """Return the IANA media type; ``application/octet-stream`` if unknown."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((kind for offset, magic, kind in _MAGIC if head.startswith(magic, offset)), UNKNOWN)
