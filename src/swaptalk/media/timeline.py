"""Times of a media file: where its picture and sound begin and end, and whether it breaks off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream
from av.video.stream import VideoStream

from swaptalk.media.container import (
    audio_stream,
    counts_in_decoding_order,
    open_media,
    read_packets,
    video_stream,
)

#: Formats whose index finds the last packets at once; the others are read through to learn their
#: length.
_INDEXED_FORMATS = frozenset(
    "mov matroska avi asf flv mpegts ogg wav w64 aiff au caf flac mxf nut".split()
)
#: Sound may start this many seconds before the first picture (encoder priming, interleaving) and is
#: then cut, so that picture 0 stands at time 0. A longer lead is content: then time 0 is the first
#: sound.
MAX_AUDIO_LEAD = Fraction(1, 10)


#: A file that ends this many seconds before its header says is called truncated.
_TRUNCATION_SECONDS = Fraction(1, 2)


#: The end is looked for this many seconds before where the header puts it: not all formats seek to
#: key frames.
_TAIL_SECONDS = 3


@dataclass(frozen=True)
class Span:
    """Start and end of a stream on the file's clock, in seconds.

    ``truncated``: the stream ends before the header says.
    """

    start: Fraction
    end: Fraction
    truncated: bool = False


@dataclass(frozen=True)
class Timeline:
    """Spans of a file's streams, and ``origin``: time 0 of all readers on the file's clock.

    With pictures, time 0 is the first picture, unless sound leads it by more than
    ``MAX_AUDIO_LEAD``; then, and without pictures, it is the first sound.
    """

    video: Span | None
    audio: Span | None

    @property
    def origin(self) -> Fraction:
        """Time 0 in seconds on the file's own clock."""
        if self.video is None:
            return self.audio.start if self.audio else Fraction(0)
        if self.audio and self.video.start - self.audio.start > MAX_AUDIO_LEAD:
            return self.audio.start
        return self.video.start


def read_timeline(path: str | Path) -> Timeline:
    """Measure the exact start and end of the streams without decoding.

    Files with an index are read at their end only, others are read through once.

    Raises:
        InputError: as :func:`open_media`.
    """
    with open_media(path) as container:
        streams = _chosen_streams(container)
        # A stream must not be touched once its container is closed.
        kinds = [stream.type for stream in streams]
        promised = [_promised_end(stream) for stream in streams]
        whole = _seconds(container.start_time, container.duration)
        spans = _tail_spans(container, streams)
    if None in spans or _ends_early(
        spans, promised, whole
    ):  # the index led nowhere: see what really is there
        with open_media(path) as container:
            spans = _ranges(container, _chosen_streams(container))
    truncated = _ends_early(spans, promised, whole)
    spans = [span and replace(span, truncated=truncated) for span in spans]
    by_kind: dict[str, Span | None] = dict(zip(kinds, spans, strict=True))
    return Timeline(by_kind.get("video"), by_kind.get("audio"))


def _ends_early(
    spans: list[Span | None], promised: list[Fraction | None], whole: Fraction | None
) -> bool:
    """Whether a stream ends before its header says, or all end before the file's header says."""
    ends = [span.end if span else Fraction(0) for span in spans]
    if any(
        p is not None and end < p - _TRUNCATION_SECONDS
        for end, p in zip(ends, promised, strict=True)
    ):
        return True
    return whole is not None and bool(ends) and max(ends) < whole - _TRUNCATION_SECONDS


def _chosen_streams(container: InputContainer) -> list[VideoStream | AudioStream]:
    streams = [video_stream(container), audio_stream(container)]
    return [stream for stream in streams if stream is not None and stream.time_base is not None]


def _promised_end(stream: VideoStream | AudioStream) -> Fraction | None:
    """The end in seconds that the stream's header states, or None."""
    if stream.duration is None or stream.time_base is None:
        return None
    return ((stream.start_time or 0) + stream.duration) * stream.time_base


def _seconds(start: int | None, duration: int | None) -> Fraction | None:
    return None if duration is None else Fraction((start or 0) + duration, av.time_base)


def _tail_spans(
    container: InputContainer, streams: list[VideoStream | AudioStream]
) -> list[Span | None]:
    """Spans from the last packets of each stream; None where the format has no index or the seek
    found nothing.
    """
    spans: list[Span | None] = []
    for stream in streams:
        end = _promised_end(stream) or _seconds(container.start_time, container.duration)
        spans.append(None)
        if (
            end is None
            or stream.start_time is None
            or not _INDEXED_FORMATS & set(container.format.name.split(","))
        ):
            continue
        try:
            container.seek(max(0, int((end - _TAIL_SECONDS) / _base(stream))), stream=stream)
        except FFmpegError:
            continue
        spans[-1] = _ranges(container, [stream])[0]
    return spans


def _base(stream: VideoStream | AudioStream) -> Fraction:
    assert stream.time_base is not None  # streams without a clock are not chosen
    return stream.time_base


def _ranges(
    container: InputContainer, streams: list[VideoStream | AudioStream]
) -> list[Span | None]:
    """Spans of the streams over the packets from here on that are shown; None for a stream without
    packets.
    """
    first: dict[int, int] = {}
    end: dict[int, int] = {}
    by_decoding = counts_in_decoding_order(container)
    for packet in read_packets(container, *streams):
        key = packet.stream.index
        stamp = packet.dts if packet.pts is None or by_decoding else packet.pts
        if stamp is None:
            stamp = end.get(key, 0)
        if packet.size == 0 or packet.is_discard or packet.is_corrupt:
            continue
        first[key] = min(stamp, first.get(key, stamp))
        end[key] = max(
            stamp + (packet.duration or _frame_ticks(packet.stream)), end.get(key, stamp)
        )
    spans: list[Span | None] = []
    for stream in streams:
        if stream.index not in first:
            spans.append(None)
            continue
        start = stream.start_time if stream.start_time is not None else first[stream.index]
        spans.append(Span(start * _base(stream), max(start, end[stream.index]) * _base(stream)))
    return spans


def _frame_ticks(stream: Stream) -> int:
    """Ticks of one picture at the stream's nominal rate, for packets without a duration."""
    if isinstance(stream, VideoStream) and stream.average_rate and stream.time_base:
        return round(1 / (stream.average_rate * stream.time_base))
    return 0
