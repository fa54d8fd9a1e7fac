"""A compiled target: open it, check it against a job, unpack it."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from swaptalk.errors import InputError
from swaptalk.pipeline.analysis.face_log import LOG_RECORD, face_log_record
from swaptalk.pipeline.inputs import InputFile
from swaptalk.pipeline.job import version
from swaptalk.pipeline.option_values import output_size, parse_fps
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.render.swapped import SWAPPED, StoredSwaps, SwapStore
from swaptalk.pipeline.template.check import MEMBERS, check_content
from swaptalk.pipeline.template.file import (
    TEMPLATE_SUFFIX,
    describe_file,
    extract,
    member_start,
    read_header,
)
from swaptalk.pipeline.template.header import VIDEO_MEMBER, Member, TemplateHeader, damaged
from swaptalk.storage.cache import cache_folder, delete_unused
from swaptalk.storage.files import replacing, write_atomically


def is_template(path: Path) -> bool:
    """Return whether a target is a template, by its name."""
    return path.suffix.lower() == TEMPLATE_SUFFIX


class Template:
    """A compiled target. Use :meth:`open`; :meth:`swaptalk.SwapTalk.build_template` makes one.

    Attributes:
        path: the file.
        header: what it says of itself, checked.
    """

    def __init__(self, path: Path, header: TemplateHeader) -> None:
        self.path, self.header = path, header

    @classmethod
    def open(cls, path: str | Path) -> Template:
        """Open a template; its content is verified when it is used, or by :meth:`verify`.

        Raises:
            InputError: no such file, not a template, damaged, or of another version.
        """
        path = Path(path)
        header = read_header(path)
        swap = header.swap
        if set(header.members) - {VIDEO_MEMBER} != MEMBERS | (
            {SWAPPED} if swap is not None else set()
        ):
            raise damaged(path, "it has other members than a template")
        if swap is not None and len(swap.shapes) != len(header.cuts) + 1:
            raise damaged(path, "its stored swap has other scenes")
        return cls(path, header)

    def verify(self) -> None:
        """Compare the checksums of all members.

        Raises:
            InputError: one is wrong.
        """
        for name, member in self.header.members.items():
            extract(self.path, name, member, None)

    def check_weights(self, fingerprint: str) -> None:
        """Refuse networks that do not understand the codes.

        Raises:
            InputError: the template was made by other weights.
        """
        if self.header.weights != fingerprint:
            raise InputError(
                "was made with other weights",
                path=self.path,
                remedy="make it anew with 'swaptalk template build', or give those weights with "
                "--models",
            )

    def holds_swap(
        self, options: GenerateOptions, photos: Sequence[InputFile], numerics: str
    ) -> bool:
        """Whether the stored swap is, bit by bit, what this job would compute for the same frames.

        Args:
            options: the job.
            photos: its photos; compared by content and order.
            numerics: of the networks that would compute it; that their weights fit has been
                checked.
        """
        header, swap = self.header, self.header.swap
        if swap is None or len(photos) != len(swap.photos):
            return False
        held = version(), swap.arithmetic, swap.strength, swap.shape, swap.source_face
        if header.software != held[0] or held[1:] != (
            numerics,
            options.strength,
            options.shape,
            options.source_face,
        ):
            return False
        return all(photo.sha256 == known for photo, known in zip(photos, swap.photos, strict=True))

    def stored_swaps(self) -> StoredSwaps:
        """Open the stored swap. Its records carry checksums of their own: only what is used is
        read.

        Raises:
            InputError: there is none, it is damaged, or the template was replaced since it was
                opened: it could be somebody else's swap.
        """
        try:
            store = SwapStore(self.path, member_start(self.path, SWAPPED))
        except ValueError as error:
            raise damaged(self.path, " ".join(str(error).split())[:80]) from error
        if read_header(self.path) != self.header:
            store.close()
            raise InputError(
                "was replaced while the job began", path=self.path, remedy="start the job again"
            )
        swap = self.header.swap
        if swap is None:
            return StoredSwaps(store, [], "")
        return StoredSwaps(store, swap.shapes, swap.samples)

    def applied(self, options: GenerateOptions) -> GenerateOptions:
        """The options with the template's own target, part, rate and size, and its choice of face
        unless one is made.

        They are what would be asked for without the template, so that it is the same job,
        resumed, marked and signed alike.
        Codes are there for the template's own face only; those of another are made on the way.

        Raises:
            InputError: an option asks for something else than the template holds, or the target is
                not there or has changed.
        """
        header = self.header
        asked_fps = parse_fps(options.fps)
        wanted: tuple[tuple[str, object, object, bool], ...] = (
            ("--start", options.start, header.start, options.start in (0.0, header.start)),
            ("--end", options.end, header.end, options.end in (None, header.end)),
            ("--fps", options.fps, header.fps, asked_fps in (None, header.rate)),
        )
        for option, asked, held, agrees in wanted:
            if not agrees:
                self._refuse(option, asked, "the target's end" if held is None else held)
        return dataclasses.replace(
            options,
            target=self.target(),
            face=options.face or header.face,
            start=header.start,
            end=header.end,
            fps=header.asked_fps,
            resolution=header.asked_resolution,
        )

    def check_frames(
        self, asked: str | None, own: tuple[int, int], frames: int, fps: Fraction
    ) -> None:
        """Refuse another size than the analysis was made for, and a target that is not as the
        template says.

        Args:
            asked: ``--resolution``, None to leave the template's.
            own: (width, height) of the target.
            frames: how many the target has.
            fps: its rate.

        Raises:
            InputError: naming the option.
        """
        header = self.header
        size = header.width, header.height
        if asked is not None and output_size(asked, *own) != size:
            self._refuse("--resolution", asked, f"{header.width}x{header.height}")
        if frames != header.frames:
            raise damaged(self.path, f"it has {header.frames} frames, its target {frames}")
        if fps != header.rate or output_size(header.asked_resolution, *own) != size:
            raise damaged(self.path, "its target has another rate or size")

    def _refuse(self, option: str, asked: object, held: object) -> None:
        raise InputError(
            f"{option} {asked} differs from the template's ({held})",
            path=self.path,
            remedy=f"leave out {option}, or build another template",
        )

    def target(self) -> Path:
        """The video or photo, found and verified; an embedded one is unpacked into the cache.

        Raises:
            InputError: it is not there, or it is not the same any more.
        """
        target = self.header.target
        if target.relative is None or target.absolute is None:
            return self._unpacked_target()
        places = (
            self.path.parent / target.relative,
            Path(target.absolute),
            self.path.parent / target.name,
        )
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise InputError(
                f"its target {target.name} is not to be found",
                path=self.path,
                remedy="put it beside the template, or build the template with --embed",
            )
        if found.stat().st_size != target.size or describe_file(found) != Member(
            target.size, target.sha256
        ):
            raise InputError(
                "has changed since the template was made of it",
                path=found,
                remedy=f"restore it, or make {self.path.name} anew with 'swaptalk template build'",
            )
        return found

    def _unpacked_target(self) -> Path:
        """The embedded target's copy in the cache, under its checksum; a damaged copy is
        replaced.
        """
        member = self.header.members[VIDEO_MEMBER]
        folder = cache_folder("templates")
        folder.mkdir(parents=True, exist_ok=True)
        suffix = Path(self.header.target.name).suffix.lower()
        suffix = suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""
        copy = folder / f"{member.sha256}{suffix}"
        if not copy.is_file() or describe_file(copy) != member:
            delete_unused(folder)
            with replacing(copy, durable=False, shared=True) as part:
                extract(self.path, VIDEO_MEMBER, member, part)
        os.utime(copy)
        return copy

    @contextmanager
    def unpacked(self, folder: Path) -> Iterator[None]:
        """Put the log and the codes into an empty folder, to be used in the ``with`` block.

        Raises:
            InputError: the template is damaged, as its checksums or whoever works with it find out.
        """
        header = self.header
        try:
            for name in MEMBERS:
                extract(self.path, name, header.members[name], folder / name)
            check_content(folder, header)
            write_atomically(
                folder / LOG_RECORD,
                face_log_record(header.reasons, header.cuts, header.width, header.corrections),
            )
            yield
        except ValueError as error:
            raise damaged(self.path, " ".join(str(error).split())[:80]) from error


def template_of(options: GenerateOptions) -> Template | None:
    """Open the target as a template, if it is one.

    Raises:
        InputError: as :meth:`Template.open`.
    """
    return Template.open(options.target) if is_template(options.target) else None
