"""The decoding process: open and decode untrusted files, with as few rights as possible.

It reads requests from standard input and answers on standard output
(:mod:`swaptalk.media.sandbox.wire`); pictures and sound go through shared memory in :data:`SLOTS`
slots, so that it runs ahead of its reader by no more than that.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.media.audio_decoder import decode_channels
from swaptalk.media.limits import Limits
from swaptalk.media.probe import info_to_message
from swaptalk.media.prober import inspect
from swaptalk.media.sandbox import confine
from swaptalk.media.sandbox.memory import SLOTS, map_memory
from swaptalk.media.sandbox.usage import peak_resident_bytes
from swaptalk.media.sandbox.wire import (
    BrokenWireError,
    Message,
    fraction_to_text,
    receive,
    send,
    text_to_fraction,
)
from swaptalk.media.video_decoder import VideoDecoder

#: What other parts of SwapTalk have read here: functions of a path and arguments of JSON, loaded
#: when first asked for.
READERS = {
    "manifest": ("swaptalk.provenance.manifest_store", "read_store"),
    "tracks": ("swaptalk.media.track_reader", "read_tracks"),
    "cues": ("swaptalk.media.track_reader", "read_cues"),
}

#: How the dynamic loader (glibc's, then the system call's words) says that a library does not fit
#: into memory.
_NO_MEMORY_TO_LOAD = ("failed to map segment", "Cannot allocate memory", "cannot allocate memory")


def _lacks_memory(error: Exception) -> bool:
    """Return whether an error means that the memory limit was reached."""
    unloaded = isinstance(error, ImportError) and any(
        sign in str(error) for sign in _NO_MEMORY_TO_LOAD
    )
    return unloaded or isinstance(error, MemoryError)


class _StoppedError(Exception):
    """The reader has stopped the running stream."""


class Child:
    """Answers requests until the program closes the pipe.

    Args:
        requests, answers: the pipes.
        memory: file descriptor of the shared memory, None on Windows.
        limits: how much processor time a step may take.
    """

    def __init__(
        self, requests: IO[bytes], answers: IO[bytes], memory: int | None, limits: Limits
    ) -> None:
        self._requests, self._answers, self._file = requests, answers, memory
        self._seconds = limits.decoder_seconds * (os.cpu_count() or 1)
        self._video: VideoDecoder | None = None
        self._image: list[NDArray[np.uint8]] = []
        self._view = memoryview(b"")
        self._slot_bytes = 0
        self._free, self._next = SLOTS, 0
        self._indices: deque[int] = deque()
        self._last = True

    def run(self) -> None:
        """Answer requests until the pipe closes."""
        while True:
            request = receive(self._requests)
            if "do" not in request:
                continue  # left over from a stream that ended before it was told to
            confine.limit_cpu(self._seconds + request.get("seconds", 0))
            try:
                answer = getattr(self, f"_do_{request['do']}")(request)
            except _StoppedError:
                answer = {"end": True}
            except InputError as error:
                answer = {"error": "input", "problem": error.problem, "remedy": error.remedy}
            except BrokenWireError:
                raise
            except Exception as error:  # decoders raise what they like on hostile bytes
                if _lacks_memory(error):
                    answer = {"error": "memory"}
                else:
                    traceback.print_exc()
                    answer = {"error": "other", "problem": f"{type(error).__name__}: {error}"[:200]}
            send(self._answers, {**answer, "peak": peak_resident_bytes()})

    def _do_probe(self, request: Message) -> Message:
        return info_to_message(inspect(request["path"])[0])

    def _do_video(self, request: Message) -> Message:
        fps = None if request["fps"] is None else text_to_fraction(request["fps"])
        end = None if request["end"] is None else text_to_fraction(request["end"])
        self._video = VideoDecoder(
            request["path"],
            fps,
            text_to_fraction(request["start"]),
            end,
            request["threads"],
            request["buffer"],
        )
        video = self._video
        return {
            "media": info_to_message(video.media),
            "fps": fraction_to_text(video.fps),
            "frames": len(video),
        }

    def _do_share(self, request: Message) -> Message:
        self._slot_bytes = request["slot"]
        self._view = map_memory(self._file, request["bytes"], request["name"])
        return {}

    def _do_frames(self, request: Message) -> Message:
        assert self._video is not None
        video = self._video
        shape = (video.height, video.width, *(() if request.get("alpha") else (3,)))
        size = math.prod(shape)
        convert = video.convert.alpha if request.get("alpha") else video.convert
        self._begin_stream()
        for frame in video.frames(self._wanted()):
            slot = self._slot()
            convert(frame, self._array(slot, size).reshape(shape))
            self._hand_over(slot, size)
        return {"end": True}

    def _do_audio(self, request: Message) -> Message:
        self._begin_stream()
        blocks: Iterable[NDArray[np.float32]] = decode_channels(
            request["path"],
            request["rate"],
            request["channels"],
            request["start"],
            request["end"],
            block=request["block"],
            track=request.get("track"),
        )
        for samples in blocks:
            slot = self._slot()
            self._array(slot, samples.nbytes).view(np.float32)[:] = samples.ravel()
            self._hand_over(slot, samples.nbytes)
        return {"end": True}

    def _do_is_image(self, request: Message) -> Message:
        # Only here: Pillow is not needed for other media.
        from swaptalk.media.image_decoder import is_still_image

        return {"still": is_still_image(Path(request["path"]))}

    def _do_image_size(self, request: Message) -> Message:
        from swaptalk.media.image_decoder import image_size

        width, height = image_size(Path(request["path"]))
        return {"width": width, "height": height}

    def _do_decode_image(self, request: Message) -> Message:
        from swaptalk.media.image_decoder import decode_image

        picture, alpha, colour = decode_image(Path(request["path"]))
        self._image = [picture] if alpha is None else [picture, alpha]
        return {
            "width": picture.shape[1],
            "height": picture.shape[0],
            "colour": None if colour is None else colour.name,
        }

    def _do_image(self, request: Message) -> Message:
        """Hand over the picture, and its alpha if it has some."""
        self._begin_stream()
        for plane in self._image:
            slot = self._slot()
            self._array(slot, plane.size)[:] = plane.ravel()
            self._hand_over(slot, plane.size)
        self._image = []
        return {"end": True}

    def _do_read(self, request: Message) -> Message:
        module, function = READERS[request["reader"]]
        return {
            "content": getattr(import_module(module), function)(
                Path(request["path"]), *request["arguments"]
            )
        }

    def _do_close(self, request: Message) -> Message:
        self._image = []
        if self._video is not None:
            self._video.close()
            self._video = None
        return {}

    def _begin_stream(self) -> None:
        self._free, self._next = SLOTS, 0
        self._indices.clear()
        self._last = False

    def _wanted(self) -> Iterator[int]:
        """Yield frame numbers; request more when they run out."""
        while True:
            if not self._indices:
                if self._last:
                    return
                send(self._answers, {"want": True})
                while not self._indices and not self._last:
                    self._read()
                continue
            yield self._indices.popleft()

    def _read(self) -> None:
        """Read the next message while a stream runs."""
        message = receive(self._requests)
        if "stop" in message:
            raise _StoppedError
        if "indices" in message:
            self._indices.extend(message["indices"])
            self._last = bool(message["last"])
        self._free += message.get("free", 0)

    def _slot(self) -> int:
        """Wait for the next free slot; return its number."""
        while not self._free:
            self._read()
        self._free -= 1
        confine.limit_cpu(self._seconds)
        slot, self._next = self._next, (self._next + 1) % SLOTS
        return slot

    def _array(self, slot: int, count: int) -> NDArray[np.uint8]:
        return np.frombuffer(self._view, np.uint8, count, slot * self._slot_bytes)

    def _hand_over(self, slot: int, count: int) -> None:
        send(self._answers, {"slot": slot, "bytes": count})


def main() -> None:
    """Run the decoding process; the arguments are the shared memory's file descriptor (or nothing,
    on Windows).
    """
    # Ctrl-C is for the program, which then closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    memory = int(sys.argv[1]) if len(sys.argv) > 1 else None
    # Whatever a library prints must not get between the messages.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: Any = sys.stdin.buffer
    limits = Limits.from_environment()
    confine.limit_resources(int(limits.decoder_memory_mb * 2**20))
    filtered = confine.filter_system_calls()
    try:
        send(answers, {"ready": True, "filtered": filtered})
        Child(requests, answers, memory, limits).run()
    except BrokenWireError:
        pass  # the program has gone away
    os._exit(0)  # nothing to tidy up, and decoders' threads may still run
