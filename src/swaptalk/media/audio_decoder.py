"""Decode the sound of any file as float samples, in blocks, on the clock of the pictures.

Runs in the decoding process; :mod:`swaptalk.media.audio` asks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.container import audio_stream, open_media, read_packets
from swaptalk.media.timeline import Span, Timeline, read_timeline

#: Time stamps may stray this far from the sample count before a gap is filled or an overlap cut:
#: more than a container's rounding (Matroska: 1 ms), less than one can hear as a shift.
_GAP_SECONDS = Fraction(1, 100)
#: A hole longer than this is taken for a broken clock, not for silence.
_MAX_GAP_SECONDS = 6 * 3600
#: Decoding starts this long before the wanted time, so that codecs with memory have settled (MP3,
#: AAC, Opus: < 0.1 s).
_PREROLL_SECONDS = 1
#: Samples in a block of silence or of resampler input, so that memory stays bounded.
_CHUNK = 1 << 16
#: Value of full scale in FFmpeg's packed sample formats (the planar ones end in "p").
_FULL_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0, "flt": 1.0, "dbl": 1.0}


def decode_channels(
    path: str | Path,
    sample_rate: int,
    channels: int,
    start: float = 0.0,
    end: float | None = None,
    *,
    block: int,
    track: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Yield (block, channels) float32 for :func:`swaptalk.media.audio.stream_channels`.

    Raises:
        InputError: as there.
    """
    path = Path(path)
    timeline = read_timeline(path)
    if timeline.audio is None and track is None:
        raise InputError("holds no sound", path=path, remedy="give a file with an audio track")
    with open_media(path) as container:
        stream = audio_stream(container) if track is None else container.streams[track]
        assert isinstance(stream, AudioStream)
        if track is not None and (timeline.video or timeline.audio):
            timeline = _of_track(timeline)
        source = _checked(
            _cut(_placed(container, stream, timeline, Fraction(start)), stream, start, end), path
        )
        mixed = (_mix(samples, channels) for samples in source)
        empty = True
        for samples in reblocked(
            _resample(mixed, stream.codec_context.sample_rate, sample_rate, channels), block
        ):
            empty = False
            yield samples
    if empty:
        raise InputError(
            "holds no sound in the range", path=path, remedy="choose another start or another file"
        )


def _of_track(timeline: Timeline) -> Timeline:
    """The timeline of a file for another track of it; time 0 stays where it is."""
    spans = [span for span in (timeline.video, timeline.audio) if span is not None]
    begin = timeline.audio.start if timeline.audio is not None else timeline.origin
    return Timeline(timeline.video, Span(begin, max(span.end for span in spans)))


def _placed(
    container: InputContainer, stream: AudioStream, timeline: Timeline, start: Fraction
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (sample number on the shared clock, (n, c) samples at the source's rate), up to the
    stream's true end.
    """
    rate = stream.codec_context.sample_rate
    assert timeline.audio is not None and stream.time_base is not None
    stop = round((timeline.audio.end - timeline.origin) * rate)
    begin = timeline.origin + start - _PREROLL_SECONDS
    if begin > timeline.audio.start:
        try:
            container.seek(int(begin / stream.time_base), stream=stream)
        except FFmpegError:
            pass  # no index: decode from where we are, the time stamps say where that is
    position: int | None = None
    for frame in _decoded(container, stream):
        samples = _float_samples(frame, rate)
        if frame.pts is not None and frame.time_base is not None:
            stamped = round((frame.pts * frame.time_base - timeline.origin) * rate)
            if (
                position is None
                or _GAP_SECONDS * rate < abs(stamped - position) < _MAX_GAP_SECONDS * rate
            ):
                position = stamped
        elif position is None:
            position = round((timeline.audio.start - timeline.origin) * rate)
        yield position, samples[: max(0, stop - position)]
        position += len(samples)


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Yield all frames that decode; skip damaged packets, whose gap becomes silence."""
    for packet in read_packets(container, stream):
        try:
            frames = packet.decode()
        except MemoryError:  # the limit of the process, not damage
            raise
        except FFmpegError:
            continue
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.samples > 0:
                yield frame


def _float_samples(frame: AudioFrame, rate: int) -> NDArray[np.float32]:
    """Return (n, channels) float32 at ``rate``; more than two channels are folded to stereo."""
    channels = frame.layout.nb_channels
    kind = frame.format.name.removesuffix("p")
    if channels > 2 or frame.sample_rate != rate or kind not in _FULL_SCALE:
        return _folded(frame, "mono" if channels == 1 else "stereo", rate)
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(-1, channels)
    samples = values.astype(np.float32)
    if kind == "u8":
        samples -= 128
    samples /= _FULL_SCALE[kind]
    return np.ascontiguousarray(samples)


def _folded(frame: AudioFrame, layout: str, rate: int) -> NDArray[np.float32]:
    """Change layout and rate by way of integers, for which swresample scales the sum of channels
    below overload.
    """
    if frame.format.name.startswith(("flt", "dbl")) and not np.isfinite(frame.to_ndarray()).all():
        return np.full((frame.samples, 1 if layout == "mono" else 2), np.nan, np.float32)
    frame.pts = None  # else the resampler fills or cuts by itself
    folder = AudioResampler(format="s32p", layout=layout, rate=rate)
    parts = [part.to_ndarray() for part in (*folder.resample(frame), *folder.resample(None))]
    samples = np.concatenate(parts, axis=1).T.astype(np.float32)
    samples /= _FULL_SCALE["s32"]
    return np.ascontiguousarray(samples)


def _cut(
    placed: Iterator[tuple[int, NDArray[np.float32]]],
    stream: AudioStream,
    start: float,
    end: float | None,
) -> Iterator[NDArray[np.float32]]:
    """Make the placed pieces one unbroken run from ``start`` to ``end``: silence in gaps, overlaps
    dropped.
    """
    rate = stream.codec_context.sample_rate
    position = round(start * rate)
    stop = None if end is None else round(end * rate)
    for at, samples in placed:
        while at > position and (stop is None or position < stop) and len(samples):
            count = min(at - position, _CHUNK, *([] if stop is None else [stop - position]))
            yield np.zeros((count, samples.shape[1]), np.float32)
            position += count
        samples = samples[max(0, position - at) :]
        if stop is not None:
            samples = samples[: max(0, stop - position)]
        position += len(samples)
        if len(samples):
            yield samples
        if stop is not None and position >= stop:
            return


def _checked(source: Iterator[NDArray[np.float32]], path: Path) -> Iterator[NDArray[np.float32]]:
    for samples in source:
        if not np.isfinite(samples).all():
            raise InputError(
                "the sound holds NaN or infinite samples",
                path=path,
                remedy="export the sound again",
            )
        yield samples


def _mix(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Fold (n, 1 or 2) to the channels wanted: stereo is averaged, mono doubled."""
    if samples.shape[1] == channels:
        return samples
    return samples.mean(axis=1, keepdims=True) if channels == 1 else np.repeat(samples, 2, axis=1)


def _resample(
    source: Iterator[NDArray[np.float32]], source_rate: int, rate: int, channels: int
) -> Iterator[NDArray[np.float32]]:
    """Change the rate without delay; n samples become round(n * rate / source_rate)."""
    if rate == source_rate:
        yield from source
        return
    layout = "mono" if channels == 1 else "stereo"
    resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
    taken = given = 0
    for samples in source:
        taken += len(samples)
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T), format="fltp", layout=layout
        )
        frame.sample_rate = source_rate
        for part in resampler.resample(frame):
            given += part.samples
            yield np.ascontiguousarray(part.to_ndarray().T, np.float32)
    wanted = (2 * taken * rate + source_rate) // (2 * source_rate)
    tail = [
        np.ascontiguousarray(part.to_ndarray().T, np.float32) for part in resampler.resample(None)
    ]
    tail.append(np.zeros((max(0, wanted - given - sum(map(len, tail))), channels), np.float32))
    yield np.concatenate(tail)[: max(0, wanted - given)]


def reblocked(source: Iterator[NDArray[np.float32]], block: int) -> Iterator[NDArray[np.float32]]:
    """Cut a run of pieces into pieces of equal length."""
    waiting: list[NDArray[np.float32]] = []
    count = 0
    for samples in source:
        waiting.append(samples)
        count += len(samples)
        if count < block:
            continue
        joined = np.concatenate(waiting)
        whole = len(joined) // block * block
        yield from np.split(joined[:whole], whole // block)
        waiting, count = [joined[whole:]], len(joined) - whole
    if count:
        yield np.concatenate(waiting)
