"""The last stage: encode frames into chunks, join chunks and sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.animation import write_animation
from swaptalk.media.mux import mux
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.pipeline.job import JobFolder, version
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.render.view import View
from swaptalk.pipeline.report import Stopwatch

#: Seconds of video in one chunk: what an interruption can cost at most.
CHUNK_SECONDS = 10
#: Faster than the writer's own choice: on 720p with film grain x264 then takes 17 instead of 34 ms
#: of a core for a frame, at the same PSNR (41.3 against 40.9 dB) and up to twice the size; the
#: networks need the cores more.
PRESETS = {"h264": "superfast"}
#: Codec and quality of the chunks that an animated picture is made of: lossless.
INTERMEDIATE = ("h264", "0")


def metadata() -> dict[str, str]:
    """Return the container tags of the output."""
    return {
        "comment": f"AI-generated video: face or speech synthesised by SwapTalk {version()}",
        "software": f"SwapTalk {version()}",
    }


def chunk_frames(plan: Plan) -> int:
    """Return the number of frames of a chunk."""
    return max(1, round(CHUNK_SECONDS * plan.fps))


def finished_frames(plan: Plan, job: JobFolder) -> int:
    """Return the number of frames that an interrupted job has finished."""
    size, number = chunk_frames(plan), 0
    while number * size < plan.frames and job.chunk(number).exists():
        if (number + 1) * size < plan.frames and not job.smoothing(number).exists():
            break
        number += 1
    return min(number * size, plan.frames)


def photo_alpha(plan: Plan, view: View) -> NDArray[np.uint8] | None:
    """How opaque the pixels of a photo's output are, (H, W) uint8; None if it is opaque as a
    whole.
    """
    if not plan.keeps_alpha:
        return None
    with plan.open_target() as target:
        return None if target.alpha is None else view(target.alpha, 0)


def with_alpha(
    plan: Plan, view: View, frames: Iterator[NDArray[np.uint8]], first: int
) -> Iterator[NDArray[np.uint8]]:
    """Give the output's frames (H, W, 3) from ``first`` on the target's transparency: (H, W, 4),
    straight alpha.

    Frames come with transparent parts laid on white; that white is taken out again.
    """
    targets = [plan.playback(index) for index in range(first, plan.frames)]
    with plan.open_target() as target:
        for picture, plane, number in zip(frames, target.alphas(targets), targets, strict=True):
            alpha = view(plane, number)[..., None]
            share = np.maximum(alpha, 1).astype(np.float32) / 255
            straight = (picture - 255 * (1 - share)) / share
            colour = np.where(alpha == 255, picture, np.clip(np.rint(straight), 0, 255))
            yield np.concatenate([colour.astype(np.uint8), alpha], axis=2)


def write_chunks(
    plan: Plan,
    job: JobFolder,
    frames: Iterator[NDArray[np.uint8]],
    first: int,
    stopwatch: Stopwatch,
    progress: Callable[[int], object],
) -> None:
    """Encode the output's frames (H, W, 3 or 4) from ``first`` (a chunk's beginning) on, one
    durable file every ten seconds.

    Raises:
        InputError: the disk is full.
    """
    size = chunk_frames(plan)
    options = plan.options
    for begin in range(first, plan.frames, size):
        path = job.chunk(begin // size)
        with VideoWriter(
            path,
            *plan.view,
            plan.fps,
            plan.codec or INTERMEDIATE[0],
            INTERMEDIATE[1] if plan.codec is None else options.quality,
            metadata(),
            preset=PRESETS.get(plan.codec or INTERMEDIATE[0]),
            alpha=plan.keeps_alpha,
        ) as writer:
            for _ in range(begin, min(begin + size, plan.frames)):
                frame = next(frames)
                with stopwatch.stage("encode video"):
                    writer.write(frame)
                progress(1)


def join(plan: Plan, job: JobFolder, output: Path) -> None:
    """Join the chunks and add the sound, in one step.

    Raises:
        InputError: the disk is full.
    """
    chunks = [job.chunk(number) for number in range(-(-plan.frames // chunk_frames(plan)))]
    if plan.form.animated:
        write_animation(chunks, output, plan.fps, plan.options.quality)
    else:
        mux(
            chunks,
            plan.sound,
            output,
            plan.fps,
            metadata(),
            frames=plan.frames,
            form=plan.form,
            further=plan.further.sounds,
            subtitles=plan.further.texts,
        )


def finished_frame(plan: Plan, job: JobFolder, index: int) -> NDArray[np.uint8]:
    """Frame ``index`` of the output (H, W, 3), as it was encoded."""
    number, inside = divmod(index, chunk_frames(plan))
    with VideoReader(job.chunk(number)) as reader:
        return next(reader.frames([inside]))
