"""The files of a job: each is asked once what it is, probed, decoded and hashed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.media.audio import stream_audio
from swaptalk.media.image import StillImage, is_image, read_still
from swaptalk.media.mel import SAMPLE_RATE
from swaptalk.media.probe import MediaInfo, probe
from swaptalk.storage.hashing import file_fingerprint, sha256_of

#: What is decoded is kept for later up to these sizes: ten minutes of sound (38 MB), and 24
#: megapixels (72 MB). Larger inputs are decoded again, so that memory stays bounded.
KEPT_SAMPLES, KEPT_PIXELS = 600 * SAMPLE_RATE, 24_000_000


class InputFile:
    """One file of a job. Every answer is found at its first use; errors are not remembered.

    Args:
        path: the file.
        keep: hold what was decoded for the next use, up to `KEPT_SAMPLES` and `KEPT_PIXELS`.
    """

    def __init__(self, path: Path, keep: bool = False) -> None:
        self.path, self._keep = path, keep
        self._blocks: list[NDArray[np.float32]] | None = None
        self._still: StillImage | None = None

    @cached_property
    def is_photo(self) -> bool:
        """Whether it is a still image; raises as :func:`swaptalk.media.image.is_image`."""
        return is_image(self.path)

    @cached_property
    def media(self) -> MediaInfo:
        """Tracks of a video or recording; raises as :func:`swaptalk.media.probe.probe`."""
        return probe(self.path)

    @cached_property
    def samples(self) -> int:
        """Samples of a recording at 16 kHz, by decoding it: headers of compressed files are often
        wrong.

        Raises:
            InputError: no sound in it, or samples that are not numbers.
        """
        count, blocks = 0, []
        for block in stream_audio(self.path):
            count += len(block)
            if self._keep and count <= KEPT_SAMPLES:
                blocks.append(block)
        if self._keep and count <= KEPT_SAMPLES:
            self._blocks = blocks
        return count

    def sound(self) -> Iterator[NDArray[np.float32]]:
        """Yield the recording as :func:`swaptalk.media.audio.stream_audio` does."""
        yield from stream_audio(self.path) if self._blocks is None else self._blocks

    def still(self) -> StillImage:
        """The decoded photo, not to be written to; raises as
        :func:`swaptalk.media.image.read_still`.
        """
        if self._still is not None:
            return self._still
        still = read_still(self.path)
        if self._keep and still.picture.shape[0] * still.picture.shape[1] <= KEPT_PIXELS:
            self._still = still
        return still

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over size, beginning and end: identifies the job."""
        return file_fingerprint(self.path)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of all of it: what manifests and templates name."""
        return sha256_of(self.path)

    def has_changed(self) -> bool:
        """Whether the file is another one now than when `fingerprint` was taken, or gone."""
        try:
            return file_fingerprint(self.path) != self.fingerprint
        except OSError:
            return True


class InputFiles:
    """Input files by path, so that jobs with the same file share what is known of it.

    Args:
        keep: as of `InputFile`; for one job, not for a table of many.
        known: files that were met before.
    """

    def __init__(self, keep: bool = False, known: Iterable[InputFile] = ()) -> None:
        self._keep = keep
        self._files = {file.path: file for file in known}

    def __getitem__(self, path: Path) -> InputFile:
        if path not in self._files:
            self._files[path] = InputFile(path, self._keep)
        return self._files[path]

    def of(self, paths: Iterable[Path]) -> tuple[InputFile, ...]:
        """The files of several paths."""
        return tuple(self[path] for path in paths)
