r"""Show a face that speaks along with a microphone or a file.

    python examples/live.py --target scene.swaptalk --source me.jpg
    python examples/live.py --target photo.jpg --audio words.wav --show camera
    python examples/live.py --target scene.swaptalk --audio words.wav --show nothing \
        --histogram latency.png

The microphone needs `pip install sounddevice`, the camera `pip install pyvirtualcam` (and a driver
such as v4l2loopback), the window Tk. A file is played in real time: each chunk comes when a
microphone would deliver it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk import SwapTalk
from swaptalk.media.audio import stream_audio
from swaptalk.media.image import write_image

RATE = 16000
#: Seconds of one chunk.
CHUNK = 0.04


class Clock:
    """Time at which the sound began."""

    def __init__(self) -> None:
        self.begun: float | None = None

    def start(self) -> float:
        """Return the beginning; it is now if nothing has begun."""
        self.begun = time.monotonic() if self.begun is None else self.begun
        return self.begun


def from_file(path: Path, clock: Clock) -> Iterator[NDArray[np.float32]]:
    """Yield chunks of a recording, each when a microphone would have delivered it."""
    samples = np.concatenate(list(stream_audio(path)))
    size = round(CHUNK * RATE)
    for begin in range(0, len(samples), size):
        chunk = samples[begin : begin + size]
        wait = clock.start() + (begin + len(chunk)) / RATE - time.monotonic()
        time.sleep(max(0.0, wait))
        yield chunk


def from_microphone(clock: Clock) -> Iterator[NDArray[np.float32]]:
    """Yield chunks of the default microphone until Ctrl-C."""
    import sounddevice

    with sounddevice.InputStream(
        RATE, channels=1, dtype="float32", blocksize=round(CHUNK * RATE)
    ) as microphone:
        while True:
            chunk = microphone.read(round(CHUNK * RATE))[0][:, 0]
            clock.start()
            yield chunk


def window() -> Callable[[NDArray[np.uint8]], object]:
    """Open a window; the result shows a frame in it."""
    import tkinter

    from PIL import Image, ImageTk

    root = tkinter.Tk()
    root.title("SwapTalk")
    label = tkinter.Label(root)
    label.pack()

    def show(frame: NDArray[np.uint8]) -> None:
        picture = ImageTk.PhotoImage(Image.fromarray(frame))
        label.configure(image=picture)
        label.image = picture  # type: ignore[attr-defined]  # Tk does not keep it alive
        root.update()

    return show


def camera() -> Callable[[NDArray[np.uint8]], object]:
    """Open a virtual camera; the result sends a frame to it."""
    import pyvirtualcam

    opened: list[Any] = []

    def show(frame: NDArray[np.uint8]) -> None:
        if not opened:
            opened.append(pyvirtualcam.Camera(frame.shape[1], frame.shape[0], 25))
        opened[0].send(frame)

    return show


def nothing() -> Callable[[NDArray[np.uint8]], object]:
    """Show frames nowhere: for measurements."""
    return lambda frame: None


def histogram(milliseconds: NDArray[np.float64], path: Path) -> None:
    """Write a histogram of the delays behind the sound, in milliseconds."""
    top = max(500.0, float(np.ceil(milliseconds.max() / 100) * 100))
    counts, edges = np.histogram(milliseconds, bins=50, range=(0, top))
    sheet = np.full((300, 640, 3), 255, np.uint8)
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        x, height = (
            [20 + round(600 * edge / top) for edge in (left, right)],
            round(200 * count / max(counts.max(), 1)),
        )
        cv2.rectangle(sheet, (x[0], 250 - height), (x[1] - 2, 250), (60, 110, 190), -1)
    for tick in range(0, round(top) + 1, 100 if top <= 1000 else round(top / 5)):
        cv2.putText(
            sheet,
            str(tick),
            (8 + round(600 * tick / top), 268),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4,
            (0, 0, 0),
        )
    words = (
        f"ms behind the sound: median {np.median(milliseconds):.0f}, 95 % "
        f"{np.quantile(milliseconds, 0.95):.0f}, "
        f"most {milliseconds.max():.0f}; {len(milliseconds)} frames"
    )
    cv2.putText(sheet, words, (20, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    write_image(path, sheet)


def main(arguments: Sequence[str] | None = None) -> None:
    """Show the frames, then print how far behind the sound they were."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--target", type=Path, required=True, help="template or photo (a video is analysed first)"
    )
    parser.add_argument(
        "--source", type=Path, nargs="*", default=(), help="photos of the person to show"
    )
    parser.add_argument("--audio", type=Path, help="recording instead of the microphone")
    parser.add_argument("--resolution", help="size of the frames, such as 480")
    parser.add_argument("--show", choices=("window", "camera", "nothing"), default="window")
    parser.add_argument("--histogram", type=Path, help="write a picture of the delays here")
    options = parser.parse_args(arguments)
    show = {"window": window, "camera": camera, "nothing": nothing}[options.show]()
    clock = Clock()
    maker = SwapTalk.from_pretrained()
    settings = {
        "target": options.target,
        "source": tuple(options.source),
        "resolution": options.resolution,
    }
    # The networks are compiled with their first frames: let that happen before anybody speaks.
    for _ in maker.stream([np.zeros(RATE // 2, np.float32)], **settings):
        pass
    sound = from_microphone(clock) if options.audio is None else from_file(options.audio, clock)
    late = []
    try:
        for index, frame in enumerate(maker.stream(sound, **settings)):
            show(frame)
            late.append(time.monotonic() - clock.start() - index / 25)
    except KeyboardInterrupt:
        pass
    milliseconds = 1000 * np.array(late)
    print(
        f"{len(late)} frames; behind the sound: median {np.median(milliseconds):.0f} ms, "
        f"95 % {np.quantile(milliseconds, 0.95):.0f} ms, most {milliseconds.max():.0f} ms"
    )
    if options.histogram is not None:
        histogram(milliseconds, options.histogram)


if __name__ == "__main__":
    main()
