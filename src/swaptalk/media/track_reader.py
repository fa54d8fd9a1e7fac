"""Further tracks of a media file: list them, read the texts of subtitles.

Runs in the decoding process; :mod:`swaptalk.media.subtitles` asks it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from av.container import InputContainer
from av.stream import Stream

from swaptalk.media.container import audio_stream, open_media
from swaptalk.media.timeline import read_timeline

#: Codecs of subtitles that are text.
_TEXT = ("subrip", "srt", "mov_text", "webvtt", "ass", "ssa", "text")
#: Fields before the text in a line of SubStation, as Matroska stores it.
_ASS_FIELDS = 8


def read_tracks(path: Path) -> list[dict[str, Any]]:
    """List the tracks of sound and subtitles besides the one that is heard."""
    with open_media(path) as container:
        heard = audio_stream(container)
        return [
            {
                "index": stream.index,
                "kind": stream.type,
                "codec": stream.codec_context.name if stream.codec_context else "unknown",
                "language": stream.metadata.get("language"),
                "title": stream.metadata.get("title"),
            }
            for stream in container.streams
            if stream.type in ("audio", "subtitle") and stream is not heard and _known(stream)
        ]


def _known(stream: Stream) -> bool:
    return getattr(stream, "codec_context", None) is not None


def read_cues(path: Path, index: int) -> list[tuple[float, float, str]] | None:
    """Start and end in seconds and text of a track's subtitles; None if they are no text."""
    origin = read_timeline(path).origin
    with open_media(path) as container:
        stream = container.streams[index]
        if stream.codec_context.name not in _TEXT:
            return None
        return [
            (float(start - origin), float(end - origin), text)
            for start, end, text in _cues(container, stream)
            if text
        ]


def _cues(container: InputContainer, stream: Any) -> Any:
    for packet in container.demux(stream):
        if packet.pts is None or not packet.duration or stream.time_base is None:
            continue
        start = packet.pts * stream.time_base
        text = _text(bytes(packet), stream.codec_context.name)
        yield start, start + packet.duration * stream.time_base, text


def _text(payload: bytes, codec: str) -> str:
    if codec == "mov_text":
        payload = payload[2 : 2 + int.from_bytes(payload[:2], "big")]
    text = payload.decode("utf-8", "replace")
    if codec in ("ass", "ssa"):
        text = text.split(",", _ASS_FIELDS)[-1].replace("\\N", "\n").replace("\\n", "\n")
    return text.strip()
