"""Join encoded video segments and a recording into one file without encoding the pictures again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.media.audio import stream_channels
from swaptalk.media.audio_decoder import reblocked
from swaptalk.media.container import open_media, read_packets, video_stream
from swaptalk.media.output_format import MP4, OutputFormat
from swaptalk.media.probe import MediaInfo, probe
from swaptalk.media.subtitles import SubtitleTrack, without_overlaps
from swaptalk.media.video_writer import close_output, open_output
from swaptalk.storage.files import AtomicFile, output_error

#: Sample rate of the written sound: what every player and phone supports.
AUDIO_RATE = 48000
#: Bits a second of AAC and Opus by number of channels: transparent for speech.
AUDIO_BITRATE = {1: 96_000, 2: 160_000}
#: Clock of subtitles.
_MILLISECOND = Fraction(1, 1000)
#: Samples in a block of sound.
_BLOCK = 1024


@dataclass(frozen=True)
class AudioSource:
    """The part of a recording that accompanies the pictures: from ``start`` to ``end`` seconds
    (None: its end).

    Time 0 is as in :func:`swaptalk.media.audio.stream_audio`.
    """

    path: Path
    start: float = 0.0
    end: float | None = None
    media: MediaInfo | None = None
    """What is in the file, where it has been probed already."""
    track: int | None = None
    """Number of the stream in the file; None: the sound that players choose."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.path,)

    def channels(self) -> int:
        """Channels of the recording, at most two.

        Raises:
            InputError: it holds no sound.
        """
        if self.track is not None:
            return 2
        info = (self.media or probe(self.path)).audio
        if info is None:
            raise InputError(
                "holds no sound", path=self.path, remedy="give a file with an audio track"
            )
        return min(2, info.channels)

    def blocks(
        self, channels: int, total: int | None = None, block: int = _BLOCK
    ) -> Iterator[NDArray[np.float32]]:
        """Yield (block, channels) float32 at `AUDIO_RATE`, up to ``total`` samples or the end."""
        given = 0
        for samples in stream_channels(
            self.path, AUDIO_RATE, channels, self.start, self.end, block=block, track=self.track
        ):
            if total is not None and given >= total:
                return
            yield samples if total is None else samples[: total - given]
            given += len(samples)


class Sound(Protocol):
    """What accompanies the pictures: one recording, or several mixed."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are read."""
        ...

    def channels(self) -> int:
        """One or two."""
        ...

    def blocks(self, channels: int, total: int) -> Iterator[NDArray[np.float32]]:
        """Yield (n, channels) float32 at `AUDIO_RATE`, at most ``total`` samples."""
        ...


@dataclass(frozen=True)
class FurtherSound:
    """A sound track besides the first, and what it is called."""

    source: AudioSource
    language: str | None = None
    title: str | None = None


def mux(
    segments: Sequence[str | Path],
    audio: Sound | None,
    output: str | Path,
    fps: Fraction | int,
    metadata: Mapping[str, str] | None = None,
    *,
    frames: int | None = None,
    form: OutputFormat = MP4,
    further: Sequence[FurtherSound] = (),
    subtitles: Sequence[SubtitleTrack] = (),
) -> int:
    """Write ``output``: the segments one after the other, with sound cut or padded with silence to
    their length.

    The segments come from :class:`swaptalk.media.video_writer.VideoWriter` with the same size, rate
    and options. Frame i lies at exactly i / fps (WebM: rounded to a millisecond); the sound has
    round(N / fps * 48000) samples, the encoder's own delay being taken out by the file's edit list.
    Memory does not depend on the length. The file appears whole or not at all.

    Args:
        segments: video files in order, at least one.
        audio: the sound, or None for a silent video without a sound track.
        output: the file to write.
        fps: frames a second of the segments.
        metadata: as in VideoWriter.
        frames: how many frames there must be in all; None: as many as there are.
        form: the container, whatever the ending of ``output``.
        further: sound tracks that players may choose instead.
        subtitles: tracks of text.

    Returns:
        The number of frames written, N.

    Raises:
        InputError: the sound or the place to write is at fault.
        SwapTalkError: the segments do not fit together, or there are not ``frames`` frames.
    """
    if not segments:
        raise SwapTalkError(
            "no video segments to join", path=output, remedy="generate some frames first"
        )
    paths, fps, output = [Path(segment) for segment in segments], Fraction(fps), Path(output)
    if output.resolve() in [path.resolve() for path in [*paths, *(audio.paths if audio else ())]]:
        raise InputError(
            "is one of the inputs", path=output, remedy="choose another name for the output"
        )
    lengths = [_frames_and_delay(path, fps) for path in paths]
    total, delay = sum(count for count, _ in lengths), max(delay for _, delay in lengths)
    if frames is not None and frames != total:
        raise SwapTalkError(
            f"{total} frames instead of {frames}", path=output, remedy="generate the video again"
        )
    with AtomicFile(output) as file:
        try:
            with open_output(file.part, metadata or {}, form.muxer) as container:
                video = _add_video(container, paths[0], fps, form)
                samples = round(total / fps * AUDIO_RATE)
                tracks = _tracks(container, form, audio, further, subtitles, samples)
                for packet in _video_packets(paths, fps, delay, video):
                    if packet.dts is not None:
                        reached = round(packet.dts / fps * AUDIO_RATE)
                        for track in tracks:
                            track.write_until(reached)
                    container.mux(packet)
                for track in tracks:
                    track.finish()
                close_output(container, output)
        except OSError as error:
            raise output_error(error, output) from error
        except FFmpegError as error:
            raise SwapTalkError(
                f"joining failed ({error})", path=output, remedy="generate the video again"
            ) from error
    return total


def _tracks(
    container: OutputContainer,
    form: OutputFormat,
    audio: Sound | None,
    further: Sequence[FurtherSound],
    subtitles: Sequence[SubtitleTrack],
    samples: int,
) -> list[_SoundTrack | _TextTrack]:
    """The tracks besides the pictures, which last ``samples`` of sound."""
    tracks: list[_SoundTrack | _TextTrack] = []
    if audio is not None:
        tracks.append(_SoundTrack(container, form, audio, audio.channels(), samples))
    for one in further:
        made = _SoundTrack(container, form, one.source, one.source.channels(), samples)
        made.name(one.language, one.title)
        tracks.append(made)
    return [*tracks, *(_TextTrack(container, form, text) for text in subtitles)]


def _frames_and_delay(path: Path, fps: Fraction) -> tuple[int, int]:
    """Count the frames of a segment, and by how many decoding runs ahead of display (B-frames)."""
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None or stream.time_base is None:
            raise SwapTalkError("holds no video", path=path, remedy="generate the segment again")
        scale = stream.time_base * fps
        shown = [
            round(p.pts * scale)
            for p in read_packets(container, stream)
            if p.size and p.pts is not None
        ]
    if not shown or sorted(shown) != list(range(len(shown))):
        problem = f"its frames do not follow each other at {float(fps):g} a second"
        raise SwapTalkError(problem, path=path, remedy="generate the segment again")
    return len(shown), max(order - frame for order, frame in enumerate(shown))


def _add_video(
    container: OutputContainer, template: Path, fps: Fraction, form: OutputFormat
) -> VideoStream:
    with open_media(template) as first:
        source = video_stream(first)
        assert source is not None  # counted
        stream = container.add_stream_from_template(source, opaque=True)
        stream.time_base = 1 / fps
        if form.muxer in ("mp4", "mov"):
            stream.codec_context.codec_tag = source.codec_context.codec_tag
    return stream


def _video_packets(
    paths: list[Path], fps: Fraction, delay: int, target: VideoStream
) -> Iterator[Packet[Stream]]:
    """All packets in decoding order, stamped in frames from the beginning of the first segment."""
    extradata: bytes | None = None
    offset = 0
    for number, path in enumerate(paths):
        with open_media(path) as container:
            stream = video_stream(container)
            assert stream is not None and stream.time_base is not None  # counted
            header = bytes(stream.codec_context.extradata or b"")
            if number and header != extradata:
                raise SwapTalkError(
                    "was encoded otherwise than the first", path=path, remedy="generate it again"
                )
            extradata = header
            scale = stream.time_base * fps
            count = 0
            for packet in read_packets(container, stream):
                if not packet.size or packet.pts is None:
                    continue
                shown = offset + round(packet.pts * scale)
                packet.stream, packet.time_base = target, 1 / fps
                # Counted anew: segments of one or two frames run ahead less than long ones.
                packet.pts, packet.dts = shown, offset + count - delay
                packet.duration = 1
                count += 1
                yield packet
        offset += count


class _SoundTrack:
    """Sound track of exactly ``total`` samples; silence after the recording's end."""

    def __init__(
        self,
        container: OutputContainer,
        form: OutputFormat,
        source: Sound,
        channels: int,
        total: int,
    ) -> None:
        assert form.sound is not None  # checked
        self._container = container
        self._layout = "mono" if channels == 1 else "stereo"
        stream = container.add_stream(form.sound, rate=AUDIO_RATE, layout=self._layout)
        assert isinstance(stream, AudioStream)
        if not form.sound.startswith("pcm"):
            stream.bit_rate = AUDIO_BITRATE[channels]
        stream.codec_context.open()
        self._stream, self._format = stream, stream.codec_context.format.name
        self._frame = stream.codec_context.frame_size or _BLOCK
        self._channels, self._total, self._written = channels, total, 0
        self._blocks = reblocked(source.blocks(channels, total), self._frame)
        # The first block is read now, so that a bad recording shows before anything is written.
        self._next: NDArray[np.float32] | None = next(self._blocks, None)

    def name(self, language: str | None, title: str | None) -> None:
        """Say what the track is called."""
        _name(self._stream, language, title)

    def write_until(self, position: int) -> None:
        """Encode up to a sample number, in whole frames of the codec."""
        while self._written < min(position, self._total):
            count = min(self._frame, self._total - self._written)
            samples = np.zeros((count, self._channels), np.float32)
            if self._next is not None:
                piece = self._next[:count]
                samples[: len(piece)] = np.clip(piece, -1, 1)
                self._next = next(self._blocks, None)
            frame = self._audio_frame(samples)
            frame.sample_rate, frame.time_base, frame.pts = (
                AUDIO_RATE,
                Fraction(1, AUDIO_RATE),
                self._written,
            )
            self._container.mux(self._stream.encode(frame))
            self._written += count

    def _audio_frame(self, samples: NDArray[np.float32]) -> AudioFrame:
        """(n, channels) float32 in the sample format of the encoder."""
        if self._format.startswith("s16"):
            values: NDArray[np.generic] = np.rint(samples * 32767).astype(np.int16)
        else:
            values = samples
        planar = self._format.endswith("p")
        shaped = values.T if planar else values.reshape(1, -1)
        return AudioFrame.from_ndarray(
            np.ascontiguousarray(shaped), format=self._format, layout=self._layout
        )

    def finish(self) -> None:
        """Encode the rest and flush the encoder."""
        self.write_until(self._total)
        self._container.mux(self._stream.encode(None))


class _TextTrack:
    """Track of subtitles."""

    def __init__(
        self, container: OutputContainer, form: OutputFormat, track: SubtitleTrack
    ) -> None:
        assert form.subtitles is not None  # checked
        self._container, self._codec = container, form.subtitles
        self._stream = container.add_mux_stream(form.subtitles)
        self._stream.time_base = _MILLISECOND
        _name(self._stream, track.language, track.title)
        self._waiting = deque(without_overlaps(track.cues))

    def write_until(self, position: int) -> None:
        """Write the cues that begin before a sample of the sound."""
        while self._waiting and self._waiting[0].start * AUDIO_RATE <= position:
            cue = self._waiting.popleft()
            text = cue.text.encode()
            if self._codec == "mov_text":
                text = len(text).to_bytes(2, "big") + text
            packet: Packet[Stream] = Packet(text)
            packet.stream, packet.time_base = self._stream, _MILLISECOND
            packet.pts = packet.dts = round(cue.start * 1000)
            packet.duration = round(cue.end * 1000) - round(cue.start * 1000)
            self._container.mux(packet)

    def finish(self) -> None:
        """Write the rest."""
        if self._waiting:
            self.write_until(round(self._waiting[-1].start * AUDIO_RATE) + 1)


def _name(stream: Stream, language: str | None, title: str | None) -> None:
    if language:
        stream.metadata["language"] = language
    if title:
        stream.metadata["title"] = title
