"""Let a person on a photo or in a video say the words of a recording; the face stays theirs.

    python examples/talk.py --target portrait.jpg --audio words.wav --output out.mp4

Afterwards the marks of the output are read back, as `swaptalk verify` does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from swaptalk import SwapTalk, SwapTalkError, verify


def main(arguments: Sequence[str] | None = None) -> None:
    """Render, then verify."""
    parser = argparse.ArgumentParser(description="Let somebody say the words of a recording.")
    parser.add_argument("--target", type=Path, required=True, help="photo or video of the speaker")
    parser.add_argument("--audio", type=Path, required=True, help="the words")
    parser.add_argument("--consent", help="why this may be made, recorded in the output")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        SwapTalk.from_pretrained().generate(
            target=options.target,
            audio=options.audio,
            consent=options.consent,
            output=options.output,
        )
        found = verify(options.output)
    except SwapTalkError as error:
        raise SystemExit(str(error)) from None
    print(f"{options.output}: {'marked as made with AI' if found.marked else 'not marked'}")
    print(*found.problems, sep="\n")


if __name__ == "__main__":
    main()
