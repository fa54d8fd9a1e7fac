"""Live speech: frames follow the sound at a fixed distance."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.mel import (
    FRAME_RATE,
    HOP_LENGTH,
    MELS_PER_PICTURE,
    MOTION_RATE,
    SAMPLE_RATE,
    log_mel,
)
from swaptalk.media.voice_activity import level, speech_weight
from swaptalk.pipeline.networks import Networks
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.render.face_generator import BATCH, batched
from swaptalk.pipeline.render.frame import Frame
from swaptalk.pipeline.render.generate import QUEUE, composite_frames, generate_faces
from swaptalk.pipeline.render.people_faces import PeopleFaces
from swaptalk.pipeline.report import Stopwatch
from swaptalk.pipeline.timeline import frame_count, interpolate, motion_positions
from swaptalk.workers.background import background, background_batches, short_turns

#: How much of the speech after a frame is heard before the frame is made (seconds): half of the
#: lip-sync network's window (80 ms), and as much again and a half for the audio encoder, which
#: otherwise guesses at closing lips.
LOOK_AHEAD = 0.2
#: How much before it the audio encoder hears (seconds): beyond its reach of 18 tokens.
_CONTEXT = 0.8
#: Frames at the beginning of the scene whose faces are swapped before anybody speaks, if it is a
#: template: 20 s of it, 32 MB, and a third less for the networks to do for each frame that is
#: shown.
PREPARED_FRAMES = 500
#: Faces that may be ready before their frames are composited: one on each side of the joint.
LEAD = 1
#: Loudness of so much of the past tells speech from silence (seconds).
_MEMORY = 30.0
_TOKEN_SAMPLES = SAMPLE_RATE // MOTION_RATE


class LiveSpeech:
    """Converts chunks of a recording to mouth motion as they come; memory does not grow.

    Gives what :class:`swaptalk.pipeline.render.motion_track.MotionTrack` gives, but for what has
    not been heard yet. The future beyond ``LOOK_AHEAD`` counts as silence, and loud and silent are
    told apart by the last half minute.

    Args:
        encoder: the audio encoder, and the silent motion.
    """

    def __init__(self, encoder: Networks) -> None:
        self._encoder = encoder
        self._samples = np.zeros(0, np.float32)
        self._first = 0  # number of the first sample kept, a multiple of a token's
        self._heard = 0
        self._loudness = np.zeros(0, np.float32)
        self._measured = 0  # mel frames whose loudness is known

    @property
    def seconds(self) -> Fraction:
        """Return the seconds heard so far."""
        return Fraction(self._heard, SAMPLE_RATE)

    def push(self, chunk: NDArray[np.floating] | NDArray[np.int16]) -> None:
        """Take the next samples (n,) at 16 kHz, floats in [-1, 1] or 16-bit integers.

        Raises:
            ValueError: not one channel, or values that are no numbers.
        """
        samples = np.asarray(chunk)
        scale = 32768 if samples.dtype.kind == "i" else 1
        samples = samples.astype(np.float32) / np.float32(scale)
        if samples.ndim != 1 or not np.isfinite(samples).all():
            raise ValueError(
                f"a chunk must be samples (n,) of one channel, not {np.shape(chunk)}, and numbers"
            )
        self._samples = np.concatenate([self._samples, samples])
        self._heard += len(samples)

    def at(self, time: float) -> NDArray[np.float32]:
        """Motion tokens around ``time`` seconds, (W, D), the middle one at ``time``."""
        window = self._encoder.motion_window
        token = int(time * MOTION_RATE)
        first = max(0, token - window // 2 - round(_CONTEXT * MOTION_RATE))
        self._forget(first * _TOKEN_SAMPLES)
        begin = first * _TOKEN_SAMPLES - self._first
        end = round((time + LOOK_AHEAD) * SAMPLE_RATE) - self._first
        mel = log_mel(self._samples[begin:end])
        motion = self._encoder.motion(mel)
        weight = self._weight(mel, first, len(motion))
        motion = weight * motion + (1 - weight) * np.asarray(
            self._encoder.silent_motion, np.float32
        )
        return interpolate(
            motion,
            np.clip(motion_positions(time, window, token + window) - first, 0, len(motion) - 1),
        )

    def _weight(self, mel: NDArray[np.float32], first: int, tokens: int) -> NDArray[np.float32]:
        """How much each token counts (tokens, 1), after noting how loud the new mel frames are."""
        new = level(mel)[max(0, self._measured - first * MELS_PER_PICTURE) :]
        self._measured += len(new)
        self._loudness = np.concatenate([self._loudness, new])[-round(_MEMORY * FRAME_RATE) :]
        known = -(-len(self._loudness) // MELS_PER_PICTURE)
        weight = speech_weight(self._loudness, known)[-tokens:]
        return np.pad(weight, (tokens - len(weight), 0), mode="edge")[:, None]

    def _forget(self, before: int) -> None:
        if before - self._first > SAMPLE_RATE:
            self._samples = self._samples[before - self._first :]
            self._first = before

    def close(self) -> None:
        """Nothing is held."""


def live_frames(
    plan: Plan,
    faces: PeopleFaces,
    speech: LiveSpeech,
    audio: Iterable[NDArray[np.floating]],
    stopwatch: Stopwatch,
) -> Generator[NDArray[np.uint8], None, None]:
    """The composited frames (H, W, 3), each as soon as the speech up to ``LOOK_AHEAD`` after it has
    been heard.

    Sound is taken, faces are made and frames are decoded in threads of their own; the caller's
    composites. Of sound that comes faster than it is spoken ``QUEUE`` chunks wait at most, and as
    many are taken together. Closing waits for the chunk that is being waited for.
    """

    def spoken() -> Iterator[list[Frame]]:
        with closing(background(lambda: _endless(plan), QUEUE, "decode")) as decoded:
            yield from _spoken(plan, faces, speech, audio, decoded, stopwatch)

    with short_turns(), closing(background(spoken, LEAD, "networks")) as made:
        yield from composite_frames(plan, faces, made, stopwatch)


def _endless(plan: Plan) -> Iterator[list[Frame]]:
    """Yield the target back and forth, without end."""
    with plan.open_target() as target:
        for index, picture in enumerate(target.frames(plan.playback(index) for index in count())):
            yield [Frame(index, plan.playback(index), picture)]


def _spoken(
    plan: Plan,
    faces: PeopleFaces,
    speech: LiveSpeech,
    audio: Iterable[NDArray[np.floating]],
    decoded: Iterator[list[Frame]],
    stopwatch: Stopwatch,
) -> Iterator[list[Frame]]:
    ahead, made = Fraction(LOOK_AHEAD).limit_denominator(1000), 0

    def until(wanted: int) -> Iterator[list[Frame]]:
        """The frames up to number ``wanted``; together where several are due, which costs less for
        each.
        """
        nonlocal made
        for batch in batched(islice(decoded, max(0, wanted - made)), BATCH):
            made += len(batch)
            yield from generate_faces(plan, faces, batch, stopwatch)

    with closing(background_batches(lambda: audio, QUEUE, "sound", QUEUE)) as sound:
        for chunks in sound:
            for chunk in chunks:
                speech.push(chunk)
            yield from until(math.floor((speech.seconds - ahead) * plan.fps) + 1)
    if speech.seconds:
        total = frame_count(speech.seconds, plan.fps)
        speech.push(np.zeros(round((LOOK_AHEAD + 0.1) * SAMPLE_RATE) + HOP_LENGTH, np.float32))
        yield from until(total)
