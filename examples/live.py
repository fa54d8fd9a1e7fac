r"""Show a face that speaks along with a microphone or a file.

    python examples/live.py --target scene.swaptalk --source me.jpg
    python examples/live.py --target scene.swaptalk --audio words.wav --show nothing \
        --histogram latency.png

The microphone needs `pip install sounddevice`, the window Tk. A file is played in real time: each
chunk comes when a microphone would deliver it. `virtual_camera.py` shows the same in video calls.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk import SwapTalk, SwapTalkError, Template, stream_audio, write_image

RATE = 16000
#: Frames a second, unless a template has others.
FPS = 25
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
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise SystemExit(
            f"no microphone ({error}): pip install sounddevice, or give --audio"
        ) from None
    size = round(CHUNK * RATE)
    try:
        microphone = sounddevice.InputStream(RATE, size, channels=1, dtype="float32")
    except sounddevice.PortAudioError as error:
        raise SystemExit(f"no microphone ({error}): connect one, or give --audio") from None

    def chunks() -> Iterator[NDArray[np.float32]]:
        with microphone:
            while True:
                chunk = microphone.read(size)[0][:, 0]
                clock.start()
                yield chunk

    return chunks()


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
    cv2.putText(
        sheet,
        summary(milliseconds),
        (20, 24),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.45,
        (0, 0, 0),
        1,
        cv2.LINE_AA,
    )
    write_image(path, sheet)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the options of scene, person and sound."""
    parser.add_argument(
        "--target", type=Path, required=True, help="template or photo (a video is analysed first)"
    )
    parser.add_argument("--face", help="of several people: largest, left, 2 or like:photo.jpg")
    parser.add_argument(
        "--source", type=Path, nargs="*", default=(), help="photos of the person to show"
    )
    parser.add_argument("--audio", type=Path, help="recording instead of the microphone")
    parser.add_argument("--resolution", help="size of the frames, such as 480")


class LiveFace:
    """Frames of the person and scene that the options name.

    Attributes:
        fps: frames a second.
        size: width and height of the frames.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._audio, self._clock = options.audio, Clock()
        self._sound = None if self._audio else from_microphone(self._clock)
        self._maker = SwapTalk.from_pretrained()
        is_template = options.target.suffix == ".swaptalk"
        self.fps = Template.open(options.target).header.rate if is_template else Fraction(FPS)
        self._settings: dict[str, Any] = {
            "target": options.target,
            "face": options.face,
            "source": tuple(options.source),
            "resolution": options.resolution,
            "fps": None if is_template else FPS,
        }
        # The networks are compiled with their first frames: let that happen before anybody speaks.
        for frame in self._maker.stream([np.zeros(RATE // 2, np.float32)], **self._settings):
            self.size = frame.shape[1], frame.shape[0]

    def frames(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """Yield frames, and how far behind the sound each is shown (seconds)."""
        sound = self._sound or from_file(self._audio, self._clock)
        for index, frame in enumerate(self._maker.stream(sound, **self._settings)):
            late = time.monotonic() - self._clock.start() - float(index / self.fps)
            yield frame, late


def show_all(face: LiveFace, show: Callable[[NDArray[np.uint8]], object]) -> NDArray[np.float64]:
    """Show frames until the sound ends or Ctrl-C; the delays of all in milliseconds."""
    late = []
    try:
        for frame, seconds in face.frames():
            show(frame)
            late.append(seconds)
    except KeyboardInterrupt:
        pass
    return 1000 * np.array(late)


def summary(milliseconds: NDArray[np.float64]) -> str:
    """Number of frames and their delays, in words."""
    if not len(milliseconds):
        return "no frames"
    return (
        f"{len(milliseconds)} frames; behind the sound: median {np.median(milliseconds):.0f} ms, "
        f"95 % {np.quantile(milliseconds, 0.95):.0f} ms, most {milliseconds.max():.0f} ms"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Show the frames, then print how far behind the sound they were."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_inputs(parser)
    parser.add_argument("--show", choices=("window", "nothing"), default="window")
    parser.add_argument("--histogram", type=Path, help="write a picture of the delays here")
    options = parser.parse_args(arguments)
    show = {"window": window, "nothing": nothing}[options.show]()
    try:
        milliseconds = show_all(LiveFace(options), show)
    except SwapTalkError as error:
        raise SystemExit(str(error)) from None
    print(summary(milliseconds))
    if options.histogram is not None and len(milliseconds):
        histogram(milliseconds, options.histogram)


if __name__ == "__main__":
    main()
