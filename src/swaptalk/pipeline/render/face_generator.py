"""The new face of a target frame at a moment of the recording: swapped, lip-synced, decoded."""

from __future__ import annotations

from collections import ChainMap, OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.beard import Beards
from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.editing.lip_composite import covering_mesh
from swaptalk.faces.editing.mask import mouth_mask
from swaptalk.faces.editing.mouth_restoration import restore_mouth
from swaptalk.pipeline.analysis.result import CODES, Analysis
from swaptalk.pipeline.analysis.source import AnySource
from swaptalk.pipeline.networks import Codes, Latents, Networks
from swaptalk.pipeline.options import Order
from swaptalk.pipeline.plan import Plan
from swaptalk.pipeline.render.detail_track import DetailTrack
from swaptalk.pipeline.render.encoding import Encoding
from swaptalk.pipeline.render.face_swapper import FaceSwapper
from swaptalk.pipeline.render.frame import Frame
from swaptalk.pipeline.render.ground_faces import GroundFaces
from swaptalk.pipeline.render.lip_composer import LipComposer
from swaptalk.pipeline.render.lip_motion import LipMotion
from swaptalk.pipeline.render.lip_references import LipReferences
from swaptalk.pipeline.render.motion_track import Motion
from swaptalk.pipeline.render.restoration import MouthGuides, Restoration
from swaptalk.pipeline.render.swap_setup import SwapSetup, TargetPictures
from swaptalk.pipeline.render.swapped import KnownSwaps, StoredSwaps
from swaptalk.storage.frames import CodeStore

T = TypeVar("T")

#: Frames that go through the networks together: enough to keep the cores busy, few enough for the
#: caches.
BATCH = 4
#: Faces ready for the lip-sync kept for frames that come again soon: a photo, a frozen frame, the
#: turn of a ping-pong.
CACHED_FACES = 4 * BATCH


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


class FaceGenerator:
    """Makes one person's new face in a target frame at a moment of the recording: says what is to
    be encoded, spoken and swapped, which `swaptalk.pipeline.render.people_faces` does for all
    people at once.

    Args:
        networks: the models.
        analysis: first pass of the target.
        swapper: gives faces the source's identity; None keeps the target's own face.
        motion: mouth motion over time; None keeps the target's own mouth.
        pictures: decodes target frames, for crops that the first pass did not keep.
        order: which of the two steps comes first where there are both.
        stored: the swapped faces of a template.
        repeats: whether frames come again (a target played back and forth), so that their swapped
            faces are worth keeping beside the analysis.
        detail: of the source's photos, for the composites of its faces; None adds none.
        warps_lips: whether mouths are moved in the picture before it is encoded, rather than in the
            embedding.
        restores: whether decoded faces get back what the decoder lost, see `Restoration`.
    """

    def __init__(
        self,
        networks: Networks,
        analysis: Analysis,
        swapper: FaceSwapper | None,
        motion: Motion | None,
        pictures: TargetPictures,
        order: Order = "swap-first",
        stored: StoredSwaps | None = None,
        repeats: bool = False,
        detail: DetailTrack | None = None,
        warps_lips: bool = False,
        restores: bool = True,
    ) -> None:
        self.networks, self.analysis, self.detail = networks, analysis, detail
        self._swapper, self._motion = swapper, motion
        self._over_template = stored is not None
        self._swap_last = order == "sync-first" and motion is not None
        self._warps_lips, self._restores = warps_lips, restores
        first = None if self._swap_last else swapper
        self._ground = GroundFaces(networks, analysis, first, pictures)
        self._lip_motion = LipMotion(networks.motion_scale)
        self._lip_references = LipReferences(
            networks,
            self._lip_motion,
            self._mouth_faces,
            self._mouth_latents,
            lambda: self._ground.shape(0),
        )
        self._codes = CodeStore(analysis.folder / CODES)
        keeps = repeats and swapper is not None and not warps_lips
        self._swaps = KnownSwaps(analysis, networks.latent_channels, stored, keeps)
        self._known: OrderedDict[int, Latents] = OrderedDict()
        self._kept: dict[int, Latents] = {}

    def close(self) -> None:
        """Release the files that are read from."""
        self.analysis.close()
        self._codes.close()
        self._swaps.close()
        if self._motion is not None:
            self._motion.close()

    @cached_property
    def _references(self) -> Latents:
        """Reference faces (R, C, 16, 16), ready for the lip-sync: made once, used in every
        frame.
        """
        frames = [int(frame) for frame in self.analysis.references]
        if self._swapper is None or self._swap_last:
            codes = [self._codes.get(frame) for frame in frames]
            return self.networks.embed(np.stack([one for one in codes if one is not None]))
        swapper = self._swapper
        return self._swapped(
            frames, lambda frame: swapper.compose(swapper.reference_crops[frame], frame)
        ).alone(self.networks)

    @property
    def beards(self) -> Beards:
        """What becomes of beards; of a template's swap nobody asks, it was told when that was
        made.
        """
        if self._swapper is None or self._over_template:
            return Beards.ALIKE
        return self._swapper.beards

    @property
    def _swaps_first(self) -> bool:
        return self._swapper is not None and not self._swap_last

    def _swapped(
        self, frames: Sequence[int], composite: Callable[[int], FaceComposite]
    ) -> Encoding[Latents]:
        """Swapped faces of target frames: stored ones, and those made now from their
        ``composite``.
        """
        assert self._swapper is not None
        faces = [self._swaps.get(frame) for frame in frames]
        missing = [place for place, face in enumerate(faces) if face is None]

        def filled(made: Latents) -> Latents:
            for place, face in zip(missing, made, strict=True):
                faces[place] = face
                self._swaps.put(frames[place], face)
            return np.stack([face for face in faces if face is not None])

        composites = [composite(frames[place]) for place in missing]
        return self._swapper.correction(composites).then(filled)

    def codes(self, pictures: dict[int, NDArray[np.uint8]]) -> list[Codes]:
        """Codes (heads, 16, 16) of usable target frames, encoded now from their pictures (H, W, 3)
        unless they are known.
        """
        return self._coded(pictures).alone(self.networks)

    def _coded(self, pictures: dict[int, NDArray[np.uint8]]) -> Encoding[list[Codes]]:
        """The same, still to be encoded. Where a mouth is made anew the upper half is enough: the
        lip-sync reads no more.
        """
        codes = {frame: self._codes.get(frame) for frame in pictures}
        missing = [frame for frame, known in codes.items() if known is None]

        def filled(latents: Latents) -> list[Codes]:
            if missing:
                for frame, new in zip(missing, self.networks.quantize(latents), strict=True):
                    # In memory as the store gives them: sums round alike.
                    codes[frame] = np.ascontiguousarray(new)
                    self._codes.put(frame, new)
            return [known for known in codes.values() if known is not None]

        crops = [self.analysis.crop(frame, pictures[frame]) for frame in missing]
        return Encoding(crops, filled, upper=self._motion is not None)

    def swapped(self, pictures: dict[int, NDArray[np.uint8]]) -> Latents:
        """Swapped faces (N, C, 16, 16) of usable target frames from their pictures (H, W, 3)."""
        return self._composed(pictures, {}).alone(self.networks)

    def _composed(
        self, pictures: dict[int, NDArray[np.uint8]], composites: Mapping[int, FaceComposite]
    ) -> Encoding[Latents]:
        """The same, still to be encoded; some may be composed already."""
        assert self._swapper is not None
        swapper = self._swapper

        def composite(frame: int) -> FaceComposite:
            found = composites.get(frame)
            return found or swapper.compose(self.analysis.crop(frame, pictures[frame]), frame)

        return self._swapped(list(pictures), composite)

    def composing(self) -> FaceSwapper | None:
        """The swapper, opened for another thread, which may compose faces ahead of this one; None
        where there is nothing to compose.
        """
        if self._swapper is None or self._swap_last or self._over_template:
            return None
        return self._swapper.reopened()

    def keep(self, frames: Iterable[Frame]) -> None:
        """Make faces ready for the lip-sync and keep them for good: 64 kB for a frame of a scene
        that is played again and again. Frames without a usable face are left out.
        """
        if self._motion is not None:
            # So that nothing is left to be made when somebody speaks.
            _ = self._references
            if self._restores:
                _ = self._lip_references.found
        usable = (frame for frame in frames if self.analysis.usable(frame.target))
        for batch in batched(usable, BATCH):
            if self.detail is not None and not self._kept:
                self.detail.at(self.analysis, batch[0].target)  # so that the photos are read now
            pictures = {frame.target: frame.picture for frame in batch}
            made = self._ready(pictures, {}).alone(self.networks)
            self._kept.update(zip(pictures, made, strict=True))

    def _ready(
        self, pictures: dict[int, NDArray[np.uint8]], composites: Mapping[int, FaceComposite]
    ) -> Encoding[Latents]:
        """What the lip-sync network, or without speech the decoder, gets to see of target
        frames.
        """
        if self._swaps_first:
            return self._composed(pictures, composites)
        return self._coded(pictures).then(lambda codes: self.networks.embed(np.stack(codes)))

    def _faces(self, frames: Sequence[Frame]) -> Encoding[Latents]:
        known = ChainMap(self._known, self._kept)
        new = {frame.target: frame.picture for frame in frames if frame.target not in known}

        def gathered(made: Latents) -> Latents:
            self._known.update(zip(new, made, strict=True))
            faces = np.stack([known[frame.target] for frame in frames])
            while len(self._known) > CACHED_FACES:
                self._known.popitem(last=False)
            return faces

        if not new:
            return Encoding((), gathered)
        composed = {f.target: f.composite for f in frames if f.composite is not None}
        return self._ready(new, composed).then(gathered)

    def ready(self, frames: Sequence[Frame], times: Sequence[float]) -> Encoding[Latents]:
        """Faces (N, C, 16, 16) of frames, ready for the lip-sync or the decoder once they are
        encoded; with the mouth of these ``times`` where it is moved in the picture.
        """
        return self._faces(frames) if self._lips is None else self._spoken(frames, times)

    def speech(
        self, frames: Sequence[Frame], times: Sequence[float]
    ) -> tuple[Latents, NDArray[np.float32]] | None:
        """Reference faces (N, C, 16, 16) and motion (N, W, D) for the lip-sync of frames; None
        where the mouth stays as it is.
        """
        if self._motion is None or self._lips is not None:
            return None
        if self._restores:
            _ = self._lip_references.found  # made by the thread of the networks
        motion = self._lip_motion.spoken(np.stack([self._motion.at(time) for time in times]))
        for frame, tokens in zip(frames, motion, strict=True):
            frame.tokens = tokens
        places = [self.analysis.reference(frame.target) for frame in frames]
        return self._references[places], motion

    def swapped_last(self, faces: Latents, frames: Sequence[Frame]) -> Latents:
        """Swap faces (N, C, 16, 16) that speak already, where the lip-sync comes first; else they
        are returned as they are. A job with several people has no such order.
        """
        if not self._swap_last or self._swapper is None or self._lips is not None:
            return faces
        spoken = self.networks.decode(faces)
        composites = []
        for face, frame in zip(spoken, frames, strict=True):
            if self._mouth_guides is not None and frame.tokens is not None:
                mesh, shape = self.analysis.mesh(frame.target), self._ground.shape(frame.target)
                face = restore_mouth(face, self._mouth_guides(face, mesh, shape, frame.tokens))
            frame.composite, frame.tokens = self._swapper.compose(face, frame.target), None
            composites.append(frame.composite)
        return self._swapper.correction(composites).alone(self.networks)

    @cached_property
    def _lips(self) -> LipComposer | None:
        """What moves mouths in the picture; None where the network moves them."""
        return LipComposer(self._lip_references, self._lip_motion) if self._warps_lips else None

    @cached_property
    def _mouth_guides(self) -> MouthGuides | None:
        """Pixels for mouths that are restored before faces are swapped."""
        return MouthGuides(self._lip_references, self._lip_motion) if self._restores else None

    def restoration(self) -> Restoration | None:
        """What restores decoded faces, opened for another thread; None where nothing does."""
        if not self._restores:
            return None
        spoken = self._motion is not None and self._lips is None
        mouths = MouthGuides(self._lip_references, self._lip_motion) if spoken else None
        composes = self._swaps_first and self._lips is None
        swapper = self._swapper.reopened() if self._swapper is not None and composes else None
        return Restoration(self.networks, self.analysis.reopened(), swapper, mouths)

    def _mouth_faces(self) -> Mapping[int, FaceComposite]:
        """Faces that show the mouth: before the decoder where it is moved in the picture, else as
        in the result.
        """
        if self._lips is not None:
            return self._ground.mouths()
        return self._ground.finished_mouths(
            lambda faces: self._swapped(list(faces), lambda frame: faces[frame]).alone(
                self.networks
            )
        )

    def _mouth_latents(self, frame: int, face: FaceComposite) -> Latents:
        """Latents (1, C, 16, 16) of one of `_mouth_faces`."""
        if self._lips is not None:
            wanted = self._ground.correction([face])
        elif self._swaps_first:
            crops = self._ground.mouth_crops
            wanted = self._swapped([frame], lambda frame: self._ground.compose(frame, crops[frame]))
        else:
            wanted = self._ground.embedding([face])
        return wanted.alone(self.networks)

    def _spoken(self, frames: Sequence[Frame], times: Sequence[float]) -> Encoding[Latents]:
        """Faces of frames whose mouths are moved in the picture, encoded once."""
        assert self._lips is not None and self._motion is not None
        composites = []
        for frame, time in zip(frames, times, strict=True):
            ground = frame.composite
            if ground is None:
                crop = self.analysis.crop(frame.target, frame.picture)
                ground = self._ground.compose(frame.target, crop)
            shape = self._ground.shape(frame.target)
            made = self._lips.compose(ground, shape, self._motion.at(time))
            frame.mesh = covering_mesh(self.analysis.mesh(frame.target), ground.mesh, made.mesh)
            if self._swap_last and self._swapper is not None:
                made = self._swapper.compose(made.picture, frame.target, made.mesh)
            composites.append(made)
            # Skin, lips and teeth that were moved are as real as a source's.
            shown = np.maximum(made.mask, mouth_mask(made.mesh))
            frame.composite = replace(made, mask=shown)
        if self._swapper is not None:
            return self._swapper.correction(composites)
        return self._ground.embedding(composites)


def face_generator(
    plan: Plan,
    networks: Networks,
    analysis: Analysis,
    source: AnySource | None,
    motion: Motion | None = None,
    stored: StoredSwaps | None = None,
) -> FaceGenerator:
    """The generator for a plan and its finished first pass; close it."""
    options = plan.options
    swapper = detail = None
    pictures = partial(target_pictures, plan)
    if source is not None:
        setup = SwapSetup(analysis, source, pictures)
        swapper = FaceSwapper(networks, analysis, source, options.strength, options.shape, setup)
        spoken = motion is not None
        # Of a mouth that speaks nothing is the photo's.
        if options.detail and not (spoken and options.replaced_region == "mouth"):
            detail = DetailTrack(source, swapper, options.strength, options.shape, spoken)
    repeats = plan.frames > plan.playback.length
    return FaceGenerator(
        networks,
        analysis,
        swapper,
        motion,
        pictures,
        options.order,
        stored,
        repeats,
        detail,
        options.warps_lips,
        options.restoration,
    )


def target_pictures(plan: Plan, frames: Sequence[int]) -> Generator[NDArray[np.uint8], None, None]:
    """Pictures (H, W, 3) of these target frames."""
    with plan.open_target() as target:
        yield from target.frames(frames)
