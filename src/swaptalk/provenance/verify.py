"""Verify the marks of a file: manifest and watermark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from swaptalk.media.image import is_image, read_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.provenance.manifest import JOB_LABEL
from swaptalk.provenance.manifest_read import ManifestReading, read_manifest
from swaptalk.provenance.watermark_detect import WatermarkDetector, WatermarkReading

#: Frames of a video are looked at in runs of this many, ...
RUN_FRAMES = 25
#: ... so many runs spread over the video, the search being repeated after these numbers of runs
#: until it succeeds.
SEARCH_AFTER = (2, 6, 12)


@dataclass(frozen=True)
class Verification:
    """Result of verifying one file."""

    path: Path
    manifest: ManifestReading | None
    watermark: WatermarkReading | None
    """None if the watermark was not looked for."""

    @property
    def job(self) -> Mapping[str, Any]:
        """Return what SwapTalk recorded about the job; empty if it did not sign the file."""
        job = {} if self.manifest is None else self.manifest.assertions.get(JOB_LABEL, {})
        return job if isinstance(job, Mapping) else {}

    @property
    def recorded_identifier(self) -> str | None:
        """Return the watermark identifier recorded in the manifest."""
        watermark = self.job.get("watermark", {})
        return watermark.get("identifier") if isinstance(watermark, Mapping) else None

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what is wrong with the marks."""
        found = list(self.manifest.problems) if self.manifest is not None else []
        read = None if self.watermark is None else self.watermark.text
        recorded = self.recorded_identifier
        if read is not None and recorded is not None and read != recorded:
            found.append(f"the manifest names the watermark {recorded}, the pixels hold {read}")
        return tuple(found)

    @property
    def marked(self) -> bool:
        """Return whether a mark says that AI made or changed this file."""
        by_manifest = (
            self.manifest is not None and self.manifest.valid and self.manifest.declares_ai
        )
        return by_manifest or (self.watermark is not None and self.watermark.identifier is not None)

    @property
    def ok(self) -> bool:
        """Return whether the file is marked and no mark is broken."""
        return self.marked and not self.problems

    @property
    def record(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        manifest = (
            None
            if self.manifest is None
            else {
                **asdict(self.manifest),
                "assertions": dict(self.manifest.assertions),
                "declares_ai": self.manifest.declares_ai,
            }
        )
        watermark = None
        if self.watermark is not None:
            watermark = {**asdict(self.watermark), "identifier": self.watermark.text}
        return {
            "file": str(self.path),
            "ok": self.ok,
            "marked": self.marked,
            "problems": list(self.problems),
            "manifest": manifest,
            "watermark": watermark,
        }


def verify(path: Path, anchors: Sequence[str] = (), pixels: bool = True) -> Verification:
    """Verify all marks of a video or picture.

    Args:
        path: the file.
        anchors: certificates (PEM) of authorities whose signatures are trusted.
        pixels: also look for the watermark, which takes seconds.

    Raises:
        InputError: the file cannot be read, or holds no pictures.
    """
    image = is_image(path)
    manifest = read_manifest(path, anchors)
    return Verification(path, manifest, _watermark(path, image) if pixels else None)


def _watermark(path: Path, image: bool) -> WatermarkReading:
    detector = WatermarkDetector()
    if image:
        detector.add(read_image(path))
        return detector.result()
    with VideoReader(path) as video:
        for number, run in enumerate(_spread(runs(len(video)))):
            for picture in video.frames(run):
                detector.add(picture)
            if number + 1 in SEARCH_AFTER:
                reading = detector.result()
                if reading.identifier is not None:
                    return reading
    return detector.result()


def runs(length: int) -> list[range]:
    """Return runs of frames spread evenly over a video."""
    count = min(SEARCH_AFTER[-1], -(-length // RUN_FRAMES))
    starts = np.linspace(0, max(0, length - RUN_FRAMES), count).round().astype(int).tolist()
    return [range(start, min(start + RUN_FRAMES, length)) for start in starts]


def _spread(items: Sequence[range]) -> Iterator[range]:
    """Yield the items in an order whose first few are far apart."""
    half = (len(items) + 1) // 2
    for first in range(half):
        yield items[first]
        if first + half < len(items):
            yield items[first + half]
