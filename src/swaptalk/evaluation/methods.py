"""Methods of the evaluation: everything that turns a photo, a clip and a recording into a video."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.evaluation.code_digest import RENDERING, code_digest
from swaptalk.evaluation.inputs import LOSSLESS_ENOUGH, PreparedPair
from swaptalk.evaluation.observe import FPS, Observer
from swaptalk.evaluation.protocols import VIDEO_SUFFIXES
from swaptalk.faces.editing.beard import Beards, compare_beards, measure_beard
from swaptalk.faces.editing.composite import Compositor
from swaptalk.faces.editing.eyewear import Eyewear, eyewear
from swaptalk.faces.editing.face_composite import composite_face, shape_difference
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.shading import measure_texture
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.faces.geometry.identity_shape import normalised_shape
from swaptalk.faces.geometry.smooth import smooth_alignments
from swaptalk.media.image import read_image
from swaptalk.media.mux import AudioSource, mux
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter


class Method(Protocol):
    """One method of the table."""

    @property
    def name(self) -> str:
        """Return the name of the method."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return a string that changes when the method would render a pair differently."""
        ...

    def render(self, pair: PreparedPair, output: Path) -> Path:
        """Make the pair's video, at ``output`` or where it already lies, and return its path.

        Raises:
            SwapTalkError: this pair cannot be rendered; it is skipped and named in the report.
        """
        ...


@dataclass(frozen=True)
class GroundTruth:
    """The target clip itself; with the clip's own audio it bounds what a sync measure can say."""

    name: str = "Ground truth"
    fingerprint: str = "1"

    def render(self, pair: PreparedPair, output: Path) -> Path:
        """Return the target clip.

        Raises:
            SwapTalkError: the pair has other words, for which no real video exists.
        """
        if pair.pair.protocol != "self":
            raise SwapTalkError("no real video of these words exists", remedy="none is needed")
        return pair.target


@dataclass(frozen=True)
class CopyTarget:
    """The target's pictures with the wanted sound: lower bound of identity and sync."""

    name: str = "Copy target"

    @property
    def fingerprint(self) -> str:
        """Changes with the code."""
        return code_digest(RENDERING)

    def render(self, pair: PreparedPair, output: Path) -> Path:
        """Replace the sound."""
        mux([pair.target], AudioSource(pair.audio), output, FPS)
        return output


class CompositeSwap:
    """The classical composite alone, without any network of ours: neither encoded nor corrected,
    lips not driven.
    """

    name = "Composite alone"

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    @property
    def fingerprint(self) -> str:
        """Changes with the code."""
        return code_digest(RENDERING)

    def render(self, pair: PreparedPair, output: Path) -> Path:
        """Composite frame by frame; frames without a face pass through."""
        photo = read_image(pair.source)
        source_mesh = self._observer.mesh(photo, pair.source)
        alignment = estimate_alignment(source_mesh[:, :2])
        face = FacePhoto(crop_face(photo, alignment), alignment.to_crop(source_mesh))
        source = face.uncovered()
        seen = self._observer.clip(pair.target, embed_every=1_000_000)
        places = smooth_alignments(
            [
                estimate_alignment(mesh[:, :2]) if present else None
                for mesh, present in zip(seen.meshes, seen.present, strict=True)
            ],
            [],
        )
        shapes = [normalised_shape(mesh) for mesh in seen.meshes[seen.present]]
        difference = shape_difference([source], np.mean(shapes, axis=0)) if shapes else None
        compositor, index = Compositor("face"), iter(range(len(seen)))
        worn: Eyewear | None = None  # as the first face shows it
        beards, used = Beards.ALIKE, source

        def swap(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
            nonlocal worn, beards, used
            t = next(index)
            place = places[t]
            if place is None:
                return frame
            crop, points = crop_face(frame, place), place.to_crop(seen.meshes[t])
            if worn is None:
                worn = eyewear([crop], [points])
                shown = measure_beard([crop], [points])
                beards = compare_beards(source.beard, shown)
                used = source.shaven if beards is Beards.SHAVEN else source
                used = used.shaded_like([measure_texture(crop, points)])
            made = composite_face(
                [used], crop, points, difference, worn, beard=beards is Beards.KEPT
            )
            return compositor(frame, made.picture, place, points)

        edit_frames(pair.target, pair.audio, output, swap)
        return output


@dataclass(frozen=True)
class ExternalFolder:
    """Results of another program in a folder, named ``<pair>.mp4`` or as the target clip."""

    name: str
    folder: Path

    @property
    def fingerprint(self) -> str:
        """Changes when files of the folder do."""
        files = sorted(
            (p.name, p.stat().st_size, p.stat().st_mtime_ns)
            for p in self.folder.glob("*")
            if p.is_file()
        )
        return hashlib.sha256(repr(files).encode()).hexdigest()[:16]

    def render(self, pair: PreparedPair, output: Path) -> Path:
        """Find the pair's video.

        Raises:
            InputError: it is not in the folder.
        """
        for stem in (
            f"{pair.pair.protocol}_{pair.pair.name}",
            pair.pair.name,
            pair.pair.target.name,
        ):
            for suffix in VIDEO_SUFFIXES:
                path = self.folder / f"{stem}{suffix}"
                if path.is_file():
                    return path
        raise InputError(
            f"lacks {pair.pair.name}.mp4", path=self.folder, remedy="render this pair too"
        )


@dataclass(frozen=True)
class CommandMethod:
    """Another program, run for each pair without a shell.

    ``template`` is a command line in which ``{source}``, ``{target}``, ``{audio}`` and ``{output}``
    stand for files, such as ``python inference.py --face {target} --audio {audio} --outfile
    {output}``. ``timeout`` in seconds.
    """

    name: str
    template: str
    timeout: float = 3600.0

    @property
    def fingerprint(self) -> str:
        """Changes with the command."""
        return hashlib.sha256(self.template.encode()).hexdigest()[:16]

    def arguments(self, pair: PreparedPair, output: Path) -> list[str]:
        """The command for one pair, as a list.

        Raises:
            InputError: the template cannot be split, names unknown places, or names no output.
        """
        places = {
            "source": pair.source,
            "target": pair.target,
            "audio": pair.audio,
            "output": output,
        }
        try:
            words = [word.format(**places) for word in shlex.split(self.template)]
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(
                f"the command of {self.name} cannot be filled in ({error})",
                remedy="use {source}, {target}, {audio} and {output} only",
            ) from error
        if str(output) not in " ".join(words) or not words:
            raise InputError(
                f"the command of {self.name} names no {{output}}", remedy="name the output file"
            )
        return words

    def render(self, pair: PreparedPair, output: Path) -> Path:
        """Run the command.

        Raises:
            SwapTalkError: it cannot be started, fails, takes too long or writes nothing.
        """
        command = self.arguments(pair, output)
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout,
                check=False,
            )
        except FileNotFoundError as error:
            raise InputError(
                f"{command[0]} is not installed", remedy="correct the command"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise SwapTalkError(
                f"{self.name} took over {self.timeout:g} s", remedy="allow it more time"
            ) from error
        if done.returncode != 0 or not output.is_file():
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1][:200]
            state = (
                f"failed with exit code {done.returncode}" if done.returncode else "wrote no video"
            )
            raise SwapTalkError(
                f"{self.name} {state} and said: {said}", remedy="run the command by hand"
            )
        return output


def edit_frames(
    video: Path, audio: Path, output: Path, edit: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    """Pass every frame (H, W, 3) of a video (25 fps) through a function, and put the sound under
    the result.
    """
    silent = output.with_suffix(".silent.mp4")
    try:
        with VideoReader(video, fps=Fraction(FPS)) as reader:
            with VideoWriter(
                silent, reader.width, reader.height, FPS, quality=LOSSLESS_ENOUGH
            ) as writer:
                for frame in reader.frames():
                    writer.write(edit(frame))
        mux([silent], AudioSource(audio), output, FPS)
    finally:
        silent.unlink(missing_ok=True)


def check_names(methods: Sequence[Method]) -> None:
    """Refuse two methods of one name.

    Raises:
        InputError: naming them.
    """
    names = [method.name for method in methods]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(
            f"two methods are called {', '.join(doubled)}", remedy="give each method its own name"
        )


def adopt(rendered: Path, kept: Path) -> Path:
    """Copy a rendered video to where the report keeps it, unless it is there."""
    if rendered.resolve() != kept.resolve():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(rendered, kept)
    return kept
