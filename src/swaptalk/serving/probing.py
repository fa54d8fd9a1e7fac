"""What is in an uploaded file, found out in a process of its own: a decoder that hangs, crashes or eats memory on a
hostile file takes nothing else with it. ``python -m swaptalk.serving.probing FILE`` prints it as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from swaptalk.errors import InputError
from swaptalk.media.image import is_image, read_image
from swaptalk.media.probe import probe

#: Headers and one picture take a fraction of a second; files without an index are read through.
TIMEOUT_SECONDS = 60
#: Address space of the process: an 8K picture and its decoder fit many times.
MEMORY_BYTES = 4 << 30
EXIT_REFUSED = 3


class ProbeError(Exception):
    """The file is of no use; ``problem`` and ``remedy`` say why and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


def describe(path: Path) -> dict[str, Any]:
    """Kind (photo, video, audio), size in pixels, seconds, rate, codecs.

    Raises:
        InputError: nothing that could be used.
    """
    if is_image(path):
        height, width = read_image(path).shape[:2]
        return {"kind": "photo", "width": width, "height": height}
    info = probe(path)
    sound = None if info.audio is None else {"codec": info.audio.codec, "sample_rate": info.audio.sample_rate}
    if info.video is None:
        return {"kind": "audio", "seconds": round(info.duration, 3), "sound": sound}
    video = info.video
    return {"kind": "video", "width": video.width, "height": video.height, "seconds": round(video.duration, 3),
            "fps": round(float(video.average_fps), 3), "frames": video.frame_count_estimate, "codec": video.codec,
            "truncated": video.truncated, "sound": sound}


def describe_apart(path: Path) -> dict[str, Any]:
    """As :func:`describe`, in another process with bounded time and memory.

    Raises:
        ProbeError: nothing that could be used, or it could not be read within the bounds.
    """
    try:
        run = subprocess.run([sys.executable, "-m", __name__, str(path)], capture_output=True, timeout=TIMEOUT_SECONDS,
                             stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        raise ProbeError("takes too long to read", "export it again, for example as MP4") from None
    try:
        said: dict[str, Any] = json.loads(run.stdout)
    except ValueError:
        raise ProbeError("cannot be read", "export it again, for example as MP4, JPEG or WAV") from None
    if run.returncode == EXIT_REFUSED:
        raise ProbeError(said["problem"], said["remedy"])
    return said


def main() -> int:
    """Print what is in the file that the first argument names."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT_SECONDS, TIMEOUT_SECONDS))
    try:
        print(json.dumps(describe(Path(sys.argv[1]))))
    except InputError as error:
        print(json.dumps({"problem": error.problem, "remedy": error.remedy}))
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
