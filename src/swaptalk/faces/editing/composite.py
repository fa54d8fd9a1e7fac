"""Paste a new face into the full-resolution picture: colour match, sharpness, soft mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.editing.colour import (
    FilmTone,
    apply_gain,
    apply_tone,
    colour_gain,
    film_tone,
)
from swaptalk.faces.editing.deflicker import Deflicker
from swaptalk.faces.editing.detail import FaceGain, FrameDetail
from swaptalk.faces.editing.exposure import Exposure
from swaptalk.faces.editing.mask import face_mask, mouth_mask
from swaptalk.faces.editing.occlusion import OcclusionNetwork
from swaptalk.faces.geometry.align import CROP_SIZE, Alignment, crop_face

Region = Literal["face", "mouth"]

#: Share of a new frame in the running colour correction and sharpness: half of a step is made in
#: about 5 frames.
TIME_CONSTANT = 0.13
#: Share of a small change of the mask that is followed in a frame, and the change (of 1) that is
#: followed at once. On two clips the landmarks' noise moved its edge by .02 a frame on average.
STEADINESS, LARGE_CHANGE = 0.3, 1.0
#: Nothing above the eyes is compared: fringes and hairlines belong to different people. Crop rows.
_COLOUR_TOP = 88
#: Largest share of the high-pass that is added to match the target's sharpness; more makes codes
#: visible as grain.
MAXIMUM_SHARPENING = 0.6
#: Standard deviation of the low-pass that parts detail from form, crop pixels.
_DETAIL_SIGMA = 1.2
#: Above this many crop pixels per image pixel the crop is shrunk before it is pasted, so that it
#: does not alias.
_SHRINK_ABOVE = 1.3
#: Mask values below this change no 8-bit pixel and are left out of the pasted box.
_NEGLIGIBLE = 1 / 512


class Compositor:
    """Pastes the new faces of one track, frame after frame.

    Args:
        region: ``face`` replaces the whole face, ``mouth`` its lower part only.
        occlusion: finds hands, microphones and what else is in front of the face: it stays
            visible. None leaves the mask to the mesh alone.
    """

    def __init__(self, region: Region = "face", occlusion: OcclusionNetwork | None = None) -> None:
        self._region, self._find_occlusion = region, occlusion
        self._gain: NDArray[np.float32] | None = None
        self._tone: NDArray[np.float32] | None = None
        self._sharpening: float | None = None
        self._mask: NDArray[np.float32] | None = None
        self._detail: NDArray[np.float64] | None = None
        self._occlusion: NDArray[np.float32] | None = None
        self._looked = False
        self._deflicker = Deflicker()

    def reset(self) -> None:
        """Forget what was smoothed over time: call it at scene cuts and where frames are left
        out.
        """
        self._gain = self._tone = self._mask = self._sharpening = None
        self._detail = self._occlusion = None
        self._looked = False
        self._deflicker.reset()

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """What is smoothed over time, as arrays by name; setting it goes on where another
        compositor was.
        """
        parts: dict[str, NDArray[Any] | None] = {
            "gain": self._gain,
            "tone": self._tone,
            "mask": self._mask,
            "occlusion": self._occlusion,
            "looked": np.array(self._looked),
            "detail": self._detail,
            **self._deflicker.state,
        }
        state = {name: value for name, value in parts.items() if value is not None}
        # In double precision, as it is computed.
        return (
            state
            if self._sharpening is None
            else {**state, "sharpening": np.array(self._sharpening)}
        )

    @state.setter
    def state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._gain, self._tone = state.get("gain"), state.get("tone")
        self._mask, self._occlusion = state.get("mask"), state.get("occlusion")
        self._looked = bool(state.get("looked", False))
        self._sharpening = float(state["sharpening"]) if "sharpening" in state else None
        self._detail = state.get("detail")
        self._deflicker.state = state

    def __call__(
        self,
        picture: NDArray[np.uint8],
        face: NDArray[np.uint8],
        alignment: Alignment,
        mesh: NDArray[np.floating],
        detail: FrameDetail | None = None,
        exposure: Exposure = Exposure(),  # noqa: B008 - immutable
    ) -> NDArray[np.uint8]:
        """Return a copy of a picture with the new face in it.

        Args:
            picture: RGB (H, W, 3) uint8; pixels outside the mask come back bit by bit.
            face: RGB (256, 256, 3) uint8, the new content of the aligned crop, in the usual light.
            alignment: how the crop lies in the picture.
            mesh: landmarks (468, 2 or 3) of the *target* in crop pixels.
            detail: of the source's photo for this frame; None leaves the face as it is.
            exposure: what brings the picture to the usual light. Colours are compared in that:
                their correction is slow in time, and a fade or flash is not.
        """
        crop = exposure.apply(crop_face(picture, alignment))
        mask = self._steady(face_mask(mesh) if self._region == "face" else mouth_mask(mesh))
        weight = self._comparable(mesh, mask)
        if self._find_occlusion is not None:
            self._occlusion = self._covered(self._find_occlusion, crop, mesh)
            mask = mask * (1 - self._occlusion)
            weight = weight * (1 - self._occlusion)
        matched = self._match_colour(face, crop, weight)
        sharpened = self._match_sharpness(matched, crop, mask)
        sharpened = self._deflicker(sharpened, crop, alignment)
        gain = None if detail is None else self._detail_gain(detail, sharpened, picture, alignment)
        if gain is not None and exposure.veil:
            gain = gain._replace(values=1 + (gain.values - 1) * np.float32(1 - exposure.veil))
        return paste(picture, exposure.undo(sharpened), mask, alignment, gain)

    def _detail_gain(
        self,
        detail: FrameDetail,
        face: NDArray[np.uint8],
        picture: NDArray[np.uint8],
        alignment: Alignment,
    ) -> FaceGain | None:
        """Gain that gives the face the photo's detail, as much of it as the target shows."""
        compared = detail.compare(face)
        wanted, before = compared.wanted(picture, alignment), self._detail
        if wanted is not None:
            self._detail = wanted if before is None else before + TIME_CONSTANT * (wanted - before)
        return None if self._detail is None else compared.gain(self._detail)

    def _comparable(
        self, mesh: NDArray[np.floating], mask: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Where new and old picture show the same skin: the mask's fade, and what lip-sync leaves
        alone.
        """
        weight = 4 * mask * (1 - mask)
        if self._region == "mouth":
            weight = np.maximum(weight, face_mask(mesh) * (1 - mask))
        weight[:_COLOUR_TOP] = 0
        return weight

    def _steady(self, now: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mask without the trembling of its landmarks: it follows small changes slowly and
        large ones at once.
        """
        if self._mask is not None:
            change = now - self._mask
            share = np.abs(change) * np.float32((1 - STEADINESS) / LARGE_CHANGE)
            np.minimum(share + np.float32(STEADINESS), 1, out=share)
            now = self._mask + share * change
        self._mask = now
        return now

    def _covered(
        self, find: OcclusionNetwork, crop: NDArray[np.uint8], mesh: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """What is in front of the face. Hands come into the mask at once and leave it softly; while
        nothing is there, every other frame is looked at.
        """
        before = self._occlusion
        if before is not None and self._looked and not before.any():
            self._looked = False
            return before
        self._looked = True
        found = find(crop, mesh, before)
        if before is None:
            return found
        faded = np.asarray(np.maximum(found, 0.5 * before), np.float32)
        faded[faded < _NEGLIGIBLE] = 0
        return faded

    def _match_colour(
        self, face: NDArray[np.uint8], crop: NDArray[np.uint8], weight: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Brightness, balance and tone of the target, all of them slow in time."""
        gain = colour_gain(face, crop, weight)
        if gain is not None:
            self._gain = gain if self._gain is None else _nearer(self._gain, gain)
        share, curve = film_tone(crop)
        tone = np.array([share, *curve.ravel()], np.float32)
        self._tone = tone if self._tone is None else _nearer(self._tone, tone)
        matched = face if self._gain is None else apply_gain(face, self._gain)
        return apply_tone(matched, FilmTone(_snapped(self._tone[0]), self._tone[1:].reshape(3, 2)))

    def _match_sharpness(
        self, face: NDArray[np.uint8], crop: NDArray[np.uint8], mask: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Add detail until the new face has the target's, within limits; never soften."""
        low = np.asarray(cv2.GaussianBlur(face, (0, 0), _DETAIL_SIGMA), np.uint8)
        inner = slice(CROP_SIZE // 4, -CROP_SIZE // 8), slice(CROP_SIZE // 4, -CROP_SIZE // 4)
        inside = np.ascontiguousarray(mask[inner] > 0.5).view(np.uint8)
        if np.count_nonzero(inside) > 500:
            target, made, made_low = (
                np.ascontiguousarray(x[inner][..., 1]) for x in (crop, face, low)
            )
            target_low = cv2.GaussianBlur(target, (0, 0), _DETAIL_SIGMA)
            detail = [
                cv2.mean(cv2.absdiff(*pair), inside)[0]
                for pair in ((target, target_low), (made, made_low))
            ]
            wanted = float(np.clip(detail[0] / max(detail[1], 0.1) - 1, 0, MAXIMUM_SHARPENING))
            before = self._sharpening
            self._sharpening = (
                wanted if before is None else before + TIME_CONSTANT * (wanted - before)
            )
        amount = self._sharpening or 0.0
        if amount < 0.02:
            return face
        return np.asarray(cv2.addWeighted(face, 1 + amount, low, -amount, 0), np.uint8)


def _nearer(before: NDArray[np.float32], now: NDArray[np.float32]) -> NDArray[np.float32]:
    """Exponential running mean after one more frame."""
    return np.asarray(before + np.float32(TIME_CONSTANT) * (now - before), np.float32)


def _snapped(share: np.float32) -> float:
    """Round a share in 0..1 to 0 or 1 where it is nearly that."""
    return float(np.clip((share - 0.02) / 0.96, 0, 1))


def paste(
    picture: NDArray[np.uint8],
    face: NDArray[np.uint8],
    mask: NDArray[np.float32],
    alignment: Alignment,
    gain: FaceGain | None = None,
) -> NDArray[np.uint8]:
    """Blend a crop into a copy of the picture.

    Args:
        picture: RGB (H, W, 3) uint8.
        face: RGB (256, 256, 3) uint8.
        mask: (256, 256) float32 in 0..1; where it is 0 the picture does not change.
        alignment: how the crop lies in the picture.
        gain: of the face's brightness, where it is enlarged.
    """
    result = picture.copy()
    rows, columns = (np.flatnonzero((mask > _NEGLIGIBLE).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return result
    corners = np.array([[x, y] for x in columns[[0, -1]] for y in rows[[0, -1]]], np.float32)
    where = alignment.to_image(corners)
    limit = np.array(picture.shape[1::-1])
    left, top = np.clip(np.floor(where.min(axis=0)).astype(int) - 1, 0, limit)
    right, bottom = np.clip(np.ceil(where.max(axis=0)).astype(int) + 2, 0, limit)
    if right <= left or bottom <= top:
        return result
    # Only the part under the mask is enlarged; colour and mask travel as four channels, which
    # OpenCV warps fastest.
    first, last = np.maximum([rows[0], columns[0]], 3) - 3, np.array([rows[-1], columns[-1]]) + 4
    part = slice(first[0], last[0]), slice(first[1], last[1])
    face, mask = face[part], mask[part]
    shrinks = alignment.scale > _SHRINK_ABOVE
    factor = 1 / alignment.scale if shrinks else _enlargement(alignment.scale)
    side = np.maximum(1, np.round(np.array(mask.shape[::-1]) * factor)).astype(int)
    kind, mask_kind = (cv2.INTER_AREA,) * 2 if shrinks else (cv2.INTER_CUBIC, cv2.INTER_LINEAR)
    share = cv2.resize(cv2.convertScaleAbs(mask, alpha=255), side.tolist(), interpolation=mask_kind)
    enlarged = cv2.resize(face, side.tolist(), interpolation=kind)
    planes = [np.asarray(plane, np.uint8) for plane in cv2.split(enlarged)]
    if gain is not None and not shrinks:
        _brighten(planes, gain, first, int(factor))
    layers = cv2.merge([*planes, share])
    ratio = (side / mask.shape[::-1])[:, None]
    matrix = alignment.matrix.copy()
    matrix[:, 2] -= first[::-1]
    matrix *= ratio
    matrix[:, 2] += 0.5 * ratio[:, 0] - 0.5  # resize keeps pixel edges
    matrix[:, 2] += matrix[:, :2] @ np.array([left, top], np.float64)
    size = (int(right - left), int(bottom - top))
    warped = cv2.warpAffine(layers, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    alpha = cv2.cvtColor(cv2.extractChannel(warped, 3), cv2.COLOR_GRAY2RGB)
    box = result[top:bottom, left:right]
    new = cv2.multiply(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), alpha, scale=1 / 255)
    # Where the mask is 0 the old pixel is multiplied by 255 / 255 and stays as it is.
    box[...] = cv2.add(
        new, cv2.multiply(np.ascontiguousarray(box), cv2.bitwise_not(alpha), scale=1 / 255)
    )
    return result


def _brighten(
    planes: Sequence[NDArray[np.uint8]], gain: FaceGain, first: NDArray[np.intp], factor: int
) -> None:
    """Multiply the planes (h, w) of a part of the enlarged crop by a gain, in place.

    Args:
        planes: red, green and blue.
        gain: at two pixels per crop pixel.
        first: first row and column of the part in the crop.
        factor: 2 or 4 pixels of the planes per crop pixel.
    """
    values = gain.values
    if factor > 2:
        side = (values.shape[1] * factor // 2, values.shape[0] * factor // 2)
        values = np.asarray(cv2.resize(values, side, interpolation=cv2.INTER_CUBIC), np.float32)
    start = np.array([gain.top, gain.left]) * factor // 2 - factor * first
    low, high = np.maximum(start, 0), np.minimum(start + values.shape, planes[0].shape)
    if (high <= low).any():
        return
    place = slice(low[0], high[0]), slice(low[1], high[1])
    low, high = low - start, high - start
    values = values[low[0] : high[0], low[1] : high[1]]
    for plane in planes:
        plane[place] = cv2.multiply(plane[place], values, dtype=cv2.CV_8U)


def _enlargement(scale: float) -> int:
    """Cubic enlargement of the crop before the linear warp: together nearly as sharp as a cubic
    warp, and faster.
    """
    return 2 if scale > 0.45 else 4
