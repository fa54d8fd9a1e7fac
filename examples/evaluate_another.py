r"""Measure another model beside SwapTalk: a program that `swaptalk evaluate` calls for each pair.

    swaptalk evaluate --clips CLIPS --photos PHOTOS --output report --rows swaptalk \
        --command 'Mine=python examples/evaluate_another.py {source} {target} {audio} {output}'

Replace `render` by your model. As it stands it returns the target's frames: the lower bound of
identity and synchrony.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk import VideoReader, VideoWriter, read_audio, read_image

Picture = NDArray[np.uint8]


def render(
    photo: Picture, frames: Iterable[Picture], sound: NDArray[np.float32]
) -> Iterator[Picture]:
    """Yield as many frames as came in.

    Args:
        photo: (H, W, 3) RGB, the person to be shown.
        frames: (H, W, 3) RGB each, the target at 25 frames a second.
        sound: mono samples at 16 kHz, as long as the target.
    """
    yield from frames


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the three inputs, render, write a video; its sound is not looked at."""
    parser = argparse.ArgumentParser(description="Another model, for `swaptalk evaluate`.")
    for name in ("source", "target", "audio", "output"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args(arguments)
    photo, sound = read_image(options.source), read_audio(options.audio)
    with VideoReader(options.target) as video:
        with VideoWriter(options.output, video.width, video.height, video.fps) as writer:
            for frame in render(photo, video.frames(), sound):
                writer.write(frame)


if __name__ == "__main__":
    main()
