"""Prepare the inputs of all methods: target and audio of one length at 25 fps, and the photo."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.evaluation.observe import FPS
from swaptalk.evaluation.protocols import Clip, Pair, pair_seconds
from swaptalk.media.audio import read_audio
from swaptalk.media.mux import AudioSource, mux
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.storage.files import AtomicFile

#: Rate of the cut audio: SyncNet's, and enough for any speech feature.
AUDIO_RATE = 16_000
#: Constant rate factor of cut and intermediate videos: no loss that a metric sees.
LOSSLESS_ENOUGH = 8
#: Seconds over which the words of the paused protocol fade into silence.
PAUSE_FADE = 0.02


@dataclass(frozen=True)
class PreparedPair:
    """A pair as files that any program reads.

    ``target``: MP4 with ``frames`` frames at 25 fps and the target's own sound. ``audio``: 16 kHz
    mono 16-bit WAV of the same length, the words to be spoken. ``source``: the photo. ``shared``: a
    folder for steps that several methods have in common, thrown away when the pair is done.
    """

    pair: Pair
    source: Path
    target: Path
    audio: Path
    frames: int
    shared: Path

    @property
    def seconds(self) -> float:
        """Return the length of the video in seconds."""
        return self.frames / FPS

    def samples(self) -> NDArray[np.int16]:
        """Return the words to be spoken, (n,) 16-bit, 16 kHz mono."""
        return read_wav(self.audio)


def prepare(pair: Pair, folder: Path) -> PreparedPair:
    """Write a pair's inputs into ``folder``; existing files are kept.

    Raises:
        InputError: the clip or the audio cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = int(pair_seconds(pair) * FPS + 1e-6)
    target = folder / f"{pair.target.name}-{frames}.mp4"
    # Named after the target too: nothing is written that another process working on another target
    # writes.
    words = f"{pair.audio.name}-paused" if pair.protocol == "paused" else pair.audio.name
    audio = folder / f"{pair.target.name}-{frames}-{words}.wav"
    if not target.is_file():
        _cut_video(pair.target, frames, target)
    if not audio.is_file():
        length = frames * AUDIO_RATE // FPS
        samples = read_audio(pair.audio.path, AUDIO_RATE, 0.0, frames / FPS)
        write_wav(
            audio, _paused(samples[: length // 2]) if pair.protocol == "paused" else samples, length
        )
    return PreparedPair(
        pair, pair.source.path, target, audio, frames, folder / f"{pair.protocol}_{pair.name}.steps"
    )


def _paused(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fade words (n,) out at their end, to avoid a click before the silence."""
    count = min(len(samples), int(PAUSE_FADE * AUDIO_RATE))
    faded = samples.copy()
    faded[len(samples) - count :] *= np.linspace(1, 0, count, dtype=np.float32)
    return faded


def _cut_video(clip: Clip, frames: int, output: Path) -> None:
    silent = output.with_suffix(".silent.mp4")
    with VideoReader(clip.path, fps=Fraction(FPS)) as reader:
        # A container may promise a little more than it holds; the last frame stands in, as players
        # show it.
        available = min(frames, len(reader))
        with VideoWriter(
            silent, reader.width, reader.height, FPS, quality=LOSSLESS_ENOUGH
        ) as writer:
            for frame in reader.frames(
                list(range(available)) + [available - 1] * (frames - available)
            ):
                writer.write(frame)
    mux([silent], AudioSource(clip.path), output, FPS)
    silent.unlink()


def write_wav(path: Path, samples: NDArray[np.float32], length: int) -> None:
    """Write mono sound (n,) in -1..1 as 16-bit WAV, cut or padded with silence to ``length``
    samples; atomic.
    """
    fitted = np.pad(samples[:length], (0, max(0, length - len(samples))))
    with AtomicFile(path) as file, wave.open(str(file.part), "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(AUDIO_RATE)
        output.writeframes((np.clip(fitted, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes())


def read_wav(path: Path) -> NDArray[np.int16]:
    """Read the samples (n,) that `write_wav` wrote."""
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
