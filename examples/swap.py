"""Put one person's face into a video and keep what the video says.

python examples/swap.py --source anna1.jpg anna2.jpg --target scene.mp4 --output out.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from swaptalk import SwapTalk, SwapTalkError


def main(arguments: Sequence[str] | None = None) -> None:
    """Swap the face and say how long it took."""
    parser = argparse.ArgumentParser(description="Swap the face in a video.")
    parser.add_argument(
        "--source", type=Path, nargs="+", required=True, help="photos of one person"
    )
    parser.add_argument("--target", type=Path, required=True, help="video or photo")
    parser.add_argument("--face", default="largest", help="largest, left, right, or a number")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        report = SwapTalk.from_pretrained().generate(
            source=tuple(options.source),
            target=options.target,
            face=options.face,
            output=options.output,
        )
    except SwapTalkError as error:
        raise SystemExit(str(error)) from None
    assert report is not None  # None is for previews only
    print(f"{options.output}: {report.frames} frames in {report.seconds:.1f} s")


if __name__ == "__main__":
    main()
