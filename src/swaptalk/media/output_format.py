"""Formats of videos that are written: what each container holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OutputFormat:
    """One kind of video file.

    Args:
        name: for messages.
        muxer: FFmpeg's name of the container.
        codecs: video codecs that it may hold, the default first; none for animated pictures.
        sound: FFmpeg's encoder of its sound, None where it has none.
        subtitles: FFmpeg's codec of its subtitle tracks, None where it has none.
        manifest: whether a signed C2PA manifest can be embedded.
        longest: seconds, None without a limit.
        fastest: frames a second, None without a limit.
    """

    name: str
    muxer: str
    codecs: tuple[str, ...] = ()
    sound: str | None = None
    subtitles: str | None = None
    manifest: bool = True
    longest: float | None = None
    fastest: float | None = None

    @property
    def animated(self) -> bool:
        """Whether it is an animated picture: no codec to choose, no sound, no tracks."""
        return not self.codecs


#: Longest animated picture in seconds: every second takes some megabytes.
LONGEST_ANIMATION = 30.0

MP4 = OutputFormat("MP4", "mp4", ("h264", "hevc", "vp9", "av1"), "aac", "mov_text")
WEBM = OutputFormat("WebM", "webm", ("vp9", "av1"), "libopus", "webvtt", manifest=False)
MOV = OutputFormat("MOV", "mov", ("prores", "h264", "hevc"), "pcm_s16le", "mov_text")
# Delays of GIF are hundredths of a second, and browsers slow down those below two.
GIF = OutputFormat("GIF", "gif", longest=LONGEST_ANIMATION, fastest=50.0)
WEBP = OutputFormat("WebP", "webp", longest=LONGEST_ANIMATION)

#: Formats by the ending of the file's name.
FORMATS = {".mp4": MP4, ".m4v": MP4, ".webm": WEBM, ".mov": MOV, ".gif": GIF, ".webp": WEBP}


def output_format(path: Path | None) -> OutputFormat:
    """The format by a file's ending; MP4 without a file, or for an ending that is none of them."""
    return MP4 if path is None else FORMATS.get(path.suffix.lower(), MP4)
