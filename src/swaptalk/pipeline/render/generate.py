"""The second pass, by default in the paper's order: swap target and references, lip-sync, decode
once, composite.
"""

from __future__ import annotations

from collections import ChainMap, OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.composite import Compositor
from swaptalk.faces.editing.exposure import expose
from swaptalk.faces.editing.occlusion import OcclusionNetwork
from swaptalk.pipeline.analysis.result import CODES, Analysis
from swaptalk.pipeline.analysis.source import AnySource
from swaptalk.pipeline.networks import Codes, Latents, Networks
from swaptalk.pipeline.options import Order
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.render.motion_track import Motion
from swaptalk.pipeline.render.smoothing import SmoothingStates
from swaptalk.pipeline.render.swapped import StoredSwaps
from swaptalk.pipeline.report import Stopwatch
from swaptalk.storage.frames import CodeStore
from swaptalk.workers.background import background, short_turns

T = TypeVar("T")

#: Frames that go through the networks together: enough to keep the cores busy, few enough for the
#: caches.
BATCH = 4
#: Frames that may wait between two stages: while one batch is computed the next stage works off the
#: one before. More brings no speed and takes 11 MB a joint at 720p.
QUEUE = BATCH
#: Faces ready for the lip-sync kept for frames that come again soon: a photo, a frozen frame, the
#: turn of a ping-pong.
CACHED_FACES = 4 * BATCH
#: Scenes whose identity is kept, 5 MB each: the one that is shown, those of references, one that is
#: cut back to.
CACHED_IDENTITIES = 4


@dataclass
class Frame:
    """One output frame on its way through the stages."""

    index: int
    """Number in the output."""
    target: int
    """Number in the target."""
    picture: NDArray[np.uint8]
    """The target's picture (H, W, 3), later the result."""
    face: NDArray[np.uint8] | None = None
    """The new face (256, 256, 3); None lets the picture pass as it is."""


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


class FaceGenerator:
    """Makes the new face of a target frame at a moment of the recording.

    Args:
        networks: the models.
        analysis: first pass of the target.
        source: the person to show; None keeps the target's own face.
        motion: mouth motion over time; None keeps the target's own mouth.
        strength: how much of the identity is taken, 0..1.
        order: which of the two steps comes first where there are both.
        stored: what the swap network makes of the target's frames, as far as it is known.
    """

    def __init__(
        self,
        networks: Networks,
        analysis: Analysis,
        source: AnySource | None,
        motion: Motion | None,
        strength: float,
        order: Order = "swap-first",
        stored: StoredSwaps | None = None,
    ) -> None:
        self._networks, self.analysis = networks, analysis
        self._source, self._motion, self._strength = source, motion, strength
        self._identities: OrderedDict[int, Any] = OrderedDict()
        self._stored = stored
        self._turned_alike: dict[int, bool] = {}
        self._swap_last = order == "sync-first" and motion is not None
        self._codes = CodeStore(analysis.folder / CODES)
        self._known: OrderedDict[int, Latents] = OrderedDict()
        self._kept: dict[int, Latents] = {}
        self._references: Latents | None = None
        if motion is not None:  # made once, used in every frame
            frames = [int(frame) for frame in analysis.references]
            codes = [self._codes.get(frame) for frame in frames]
            self._references = self._before_lipsync(
                np.stack([one for one in codes if one is not None]), frames
            )

    def close(self) -> None:
        """Release the files that are read from."""
        self.analysis.close()
        self._codes.close()
        if self._stored is not None:
            self._stored.store.close()
        if self._motion is not None:
            self._motion.close()

    def _swap(self, latents: Latents, targets: Sequence[int]) -> Latents:
        """Faces of these target frames, in each scene by a source turned to that scene's pose."""
        if self._source is None:
            return latents
        scenes, swapped = (
            np.array([self.analysis.scene(target) for target in targets]),
            latents.copy(),
        )
        for scene in dict.fromkeys(scenes.tolist()):
            members = scenes == scene
            swapped[members] = self._networks.swap(
                latents[members], self._identity(scene), self._strength
            )
        return swapped

    def _identity(self, scene: int) -> Any:
        assert self._source is not None
        if scene not in self._identities:
            self._identities[scene] = self._source.identity(self.analysis.scene_pose(scene))
            while len(self._identities) > CACHED_IDENTITIES:
                self._identities.popitem(last=False)
        return self._identities[scene]

    def _before_lipsync(self, codes: Codes, targets: Sequence[int]) -> Latents:
        """What the lip-sync network, or without speech the decoder, gets to see of these target
        frames.
        """
        own = self._networks.embed(codes)
        if self._swap_last or self._source is None:
            return own
        faces = [
            self._stored_face(target, latents) for target, latents in zip(targets, own, strict=True)
        ]
        missing = [place for place, face in enumerate(faces) if face is None]
        if missing:
            made = self._swap(own[missing], [targets[place] for place in missing])
            for place, face in zip(missing, made, strict=True):
                faces[place] = face
        return np.stack([face for face in faces if face is not None])

    def _stored_face(self, target: int, own: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The swap of a frame that is stored, if its crop and the pose of its scene are what they
        were.
        """
        if self._stored is None or not self.analysis.compiled(target):
            return None
        scene = self.analysis.scene(target)
        if scene not in self._turned_alike:
            self._turned_alike[scene] = self.analysis.scene_pose(scene) == self._stored.poses[scene]
        return self._stored.store.latents(target, own) if self._turned_alike[scene] else None

    def codes(self, pictures: dict[int, NDArray[np.uint8]]) -> list[Codes]:
        """Codes of usable target frames, encoded now from their pictures unless they are known."""
        codes = {frame: self._codes.get(frame) for frame in pictures}
        missing = [frame for frame, known in codes.items() if known is None]
        if missing:
            crops = np.stack([self.analysis.crop(frame, pictures[frame]) for frame in missing])
            for frame, new in zip(
                missing, self._networks.quantize(self._networks.encode(crops)), strict=True
            ):
                codes[frame] = np.ascontiguousarray(
                    new
                )  # in memory as the store gives them: sums round alike
                self._codes.put(frame, new)
        return [known for known in codes.values() if known is not None]

    def swapped(self, codes: Sequence[Codes], targets: Sequence[int]) -> tuple[Latents, Latents]:
        """Latents of target frames with these codes before and after the swap, for who stores
        them.
        """
        own = self._networks.embed(np.stack(codes))
        return own, self._swap(own, targets)

    def keep(self, frames: Iterable[int]) -> None:
        """Make faces ready for the lip-sync and keep them for good: 64 kB for a frame of a scene
        that is played again and again. Frames without a usable face, or whose codes are not known
        yet, are left out.
        """
        codes = ((frame, self._codes.get(frame)) for frame in frames if self.analysis.usable(frame))
        for batch in batched(((frame, code) for frame, code in codes if code is not None), BATCH):
            numbers, known = zip(*batch, strict=True)
            self._kept.update(
                zip(numbers, self._before_lipsync(np.stack(known), numbers), strict=True)
            )

    def _faces(self, frames: Sequence[Frame]) -> Latents:
        known = ChainMap(self._known, self._kept)
        new = {frame.target: frame.picture for frame in frames if frame.target not in known}
        if new:
            self._known.update(
                zip(new, self._before_lipsync(np.stack(self.codes(new)), list(new)), strict=True)
            )
        faces = np.stack([known[frame.target] for frame in frames])
        while len(self._known) > CACHED_FACES:
            self._known.popitem(last=False)
        return faces

    def __call__(self, frames: Sequence[Frame], times: Sequence[float]) -> NDArray[np.uint8]:
        """New faces (N, 256, 256, 3) for frames with a usable face, shown at ``times`` seconds of
        the recording.
        """
        faces = self._faces(frames)
        if self._motion is not None and self._references is not None:
            motion = np.stack([self._motion.at(time) for time in times])
            reference = self._references[
                [self.analysis.reference(frame.target) for frame in frames]
            ]
            faces = self._networks.lipsync(faces, reference, motion)
        if self._swap_last:
            faces = self._swap(faces, [frame.target for frame in frames])
        gains = [self.analysis.exposure(frame.target) for frame in frames]
        made = self._networks.decode(faces)
        return np.stack([expose(face, 1 / gain) for face, gain in zip(made, gains, strict=True)])


def decode_frames(plan: Plan, indices: Sequence[int]) -> Generator[Frame, None, None]:
    """Stage 1: the target's pictures for these output frames."""
    targets = [plan.playback(index) for index in indices]
    with plan.open_target() as target:
        for index, number, picture in zip(indices, targets, target.frames(targets), strict=True):
            yield Frame(index, number, picture)


def generate_faces(
    plan: Plan,
    faces: FaceGenerator,
    frames: Iterable[Frame],
    stopwatch: Stopwatch,
) -> Generator[Frame, None, None]:
    """Stage 2: the networks, a few frames at a time; frames without a usable face pass through."""
    for batch in batched(frames, BATCH):
        usable = [frame for frame in batch if faces.analysis.usable(frame.target)]
        if usable:
            with stopwatch.stage("networks"):
                made = faces(usable, [float(frame.index / plan.fps) for frame in usable])
            for frame, face in zip(usable, made, strict=True):
                frame.face = face
        yield from batch


def composite_frames(
    plan: Plan,
    analysis: Analysis,
    frames: Iterable[Frame],
    stopwatch: Stopwatch,
    states: SmoothingStates | None = None,
    first: int = 0,
) -> Generator[NDArray[np.uint8], None, None]:
    """Stage 3: the new faces into the full pictures, from frame ``first`` on, as ``states`` left
    off there.
    """
    compositor = Compositor(plan.options.replaced_region, OcclusionNetwork())
    scene = -1
    if states is not None and first:
        states.restore(compositor, first)
        scene = analysis.scene(plan.playback(first - 1))
    with closing(analysis):
        for frame in frames:
            if frame.face is None or analysis.scene(frame.target) != scene:
                compositor.reset()
                scene = analysis.scene(frame.target)
            if frame.face is None:
                picture = frame.picture
            else:
                with stopwatch.stage("composite"):
                    picture = compositor(
                        frame.picture,
                        frame.face,
                        analysis.alignment(frame.target),
                        analysis.mesh(frame.target),
                    )
            if states is not None:
                states.keep(compositor, frame.index)
            yield picture


def generate_frames(
    plan: Plan,
    faces: FaceGenerator,
    indices: Sequence[int],
    stopwatch: Stopwatch,
    mark: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    states: SmoothingStates | None = None,
) -> Generator[NDArray[np.uint8], None, None]:
    """The composited output frames (H, W, 3) for ``indices``, every stage in its own thread.

    ``mark`` gets each of them last: no picture leaves unmarked by accident. With ``states`` they go
    on where an interrupted job was, to the bit, if they begin with a chunk. Close the generator to
    stop early; errors of any stage are raised here.
    """
    first = indices[0] if states is not None and len(indices) else 0

    def decoded() -> Iterator[Frame]:
        return stopwatch.iterate("decode video", decode_frames(plan, indices))

    # Each stage ends the one before it, whatever happens: an error keeps the frames of its
    # traceback alive, and a thread that was still inside a network when the program ended would
    # bring it down.
    def faced() -> Iterator[Frame]:
        with closing(background(decoded, QUEUE, "decode")) as pictures:
            yield from generate_faces(plan, faces, pictures, stopwatch)

    def composited() -> Iterator[NDArray[np.uint8]]:
        with closing(background(faced, QUEUE, "networks")) as made:
            for picture in composite_frames(
                plan, faces.analysis.reopened(), made, stopwatch, states, first
            ):
                with stopwatch.stage("mark"):
                    marked = mark(picture)
                yield marked

    with short_turns():
        yield from background(composited, QUEUE, "composite")
