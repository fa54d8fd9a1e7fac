r"""Compile a scene and a person once, then render one video for each recording.

    python examples/template_for_many.py --target scene.mp4 --source anna.jpg \
        --output out words/*.wav

The template is kept in the output folder; run it again with more recordings, and it is used again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from swaptalk import SwapTalk, SwapTalkError


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the template if it is not there, then render what is not there."""
    parser = argparse.ArgumentParser(description="One scene, one person, many recordings.")
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--target", type=Path, required=True, help="video or photo of the scene")
    parser.add_argument("--source", type=Path, required=True, help="photo of the person")
    parser.add_argument("--output", type=Path, required=True, help="folder of the videos")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    template = options.output / "scene.swaptalk"
    maker = SwapTalk.from_pretrained()
    try:
        if not template.exists():
            maker.build_template(options.target, template, source=options.source)
        for recording in options.recordings:
            video = options.output / f"{recording.stem}.mp4"
            if video.exists():
                continue
            report = maker.generate(
                target=template, source=options.source, audio=recording, output=video
            )
            assert report is not None  # None is for previews only
            print(f"{video}: {report.frames / report.seconds:.1f} frames a second")
    except SwapTalkError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
