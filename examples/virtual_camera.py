r"""Speak with another face in video calls: frames go to a virtual camera.

    python examples/virtual_camera.py --target scene.swaptalk --source me.jpg
    python examples/virtual_camera.py --target photo.jpg --audio words.wav --device /dev/video2
    python examples/virtual_camera.py --target scene.swaptalk --audio words.wav --raw - | ffplay \
        -f rawvideo -pixel_format rgb24 -video_size 960x720 -framerate 30 -

The camera needs `pip install pyvirtualcam` (GPL-2.0; it is no part of SwapTalk), and a driver:
v4l2loopback on Linux (`sudo modprobe v4l2loopback`), OBS on Windows and macOS. Without them --raw
writes the frames to a file or a pipe. Frames carry the watermark. Tell those in the call.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from live import LiveFace, add_inputs, show_all, summary
from numpy.typing import NDArray

from swaptalk import SwapTalkError

Show = Callable[[NDArray[np.uint8]], object]


def camera_library() -> Any:
    """Import pyvirtualcam."""
    try:
        import pyvirtualcam
    except ImportError as error:
        raise SystemExit(
            f"no virtual camera ({error}): pip install pyvirtualcam, or write the frames "
            "elsewhere with --raw"
        ) from None
    return pyvirtualcam


@contextmanager
def camera(library: Any, face: LiveFace, device: str | None) -> Iterator[Show]:
    """Open a virtual camera; the result sends a frame to it."""
    try:
        opened = library.Camera(*face.size, float(face.fps), device=device)
    except RuntimeError as error:
        raise SystemExit(
            f"no virtual camera ({error}): load v4l2loopback (Linux) or install OBS (Windows, "
            "macOS), or write the frames elsewhere with --raw"
        ) from None
    with opened:
        print(f"sending {face.size[0]}x{face.size[1]} to {opened.device}", file=sys.stderr)
        yield opened.send


@contextmanager
def raw(path: Path) -> Iterator[Show]:
    """Open a file or pipe (``-``: the standard output) for RGB frames, one after the other."""
    if str(path) == "-":
        yield lambda frame: sys.stdout.buffer.write(frame.tobytes())
    else:
        with path.open("wb") as file:
            yield lambda frame: file.write(frame.tobytes())


def main(arguments: Sequence[str] | None = None) -> None:
    """Send frames until the sound ends or Ctrl-C, then say how late they were."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_inputs(parser)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--device", help="virtual camera, such as /dev/video2; else the first")
    place.add_argument("--raw", type=Path, help="write RGB frames to this file or pipe instead")
    options = parser.parse_args(arguments)
    library = None if options.raw else camera_library()  # missing: say so before the work
    try:
        face = LiveFace(options)
        with raw(options.raw) if options.raw else camera(library, face, options.device) as show:
            milliseconds = show_all(face, show)
    except BrokenPipeError:
        raise SystemExit("the reader of the frames has gone") from None
    except (SwapTalkError, OSError) as error:
        raise SystemExit(str(error)) from None
    print(summary(milliseconds), file=sys.stderr)


if __name__ == "__main__":
    main()
