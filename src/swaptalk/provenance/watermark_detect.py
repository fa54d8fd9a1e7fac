"""Detect and read the invisible watermark in encoded, scaled, cropped or re-recorded video.

Frames are added up after their content has been flattened: the mark is the same in all of them,
what moves averages out. Then the tile's scale and shift are searched for with the pilot, and the
code word is read at the best places, and where it lies in a video that was at most scaled.

Strong compression draws moving content from frame to frame and the mark with it: it then lies where
it should only in and soon after key frames. So frames are added up in short groups, and where the
pilot says that a group holds more of the mark, it counts more (maximum ratio combining, Brennan
1959).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.provenance.watermark_code import WORD_BITS, decode, encode
from swaptalk.provenance.watermark_tile import CELLS, TILE, bins, cell_pixels, half_spectrum

#: Lengths of the shorter side at which frames are added up. A picture that was never scaled or
#: cropped has 360 cells there, or fewer if it is small; the coarser levels find the larger cells of
#: these.
LEVELS = (CELLS, CELLS // 2, CELLS // 4)
#: Pixels of a level to a cell: from a picture shown with a border around it to one cropped to 70 %.
_SCALES = (0.7, 1.45)
#: Cells finer than this many pixels have not survived: such pictures are not enlarged to look for
#: them.
_FINEST_CELL = 0.8
#: Ratio of neighbouring scales: over half a picture of 640 cells they drift apart by little more
#: than a cell.
_SCALE_STEP = 1.004
#: The best scale is refined in both directions by up to this much: sizes are rounded to even
#: numbers when scaling.
_REFINEMENT = (-0.004, -0.002, 0.0, 0.002, 0.004)
#: How many of the likeliest scales are tried to be read.
_CANDIDATES = 3
#: A video that was scaled to these parts of its size, or not, has its tile's corner in its own: no
#: search is needed ...
_KNOWN_SCALES = (0.5, 2 / 3, 0.75, 1.0, 1.25, 1.5, 2.0)
#: ... and it is looked at where a cell has this many pixels of a level.
_KNOWN_PIXELS = (0.7, 2.0)
#: Frames of a group, and how many groups there may be; then neighbours become one.
_GROUP_FRAMES, _MOST_GROUPS = 5, 32
#: A group counts by its pilot's strength less what noise has, but not less than the second number.
_GROUP_NOISE, _LEAST_WEIGHT = 0.03, 0.01
#: Standard deviations by which a pilot stands out that is no accident, even if the identifier
#: cannot be read: see the false alarms in docs/reports/watermark.md.
PRESENCE_SCORE = 8.0
#: Detail (pixels of a level) that is compared with its surroundings, and surroundings that decide
#: how much it counts.
_DETAIL, _SURROUNDINGS, _REGION = 11, 9, 31
#: Camera noise (grey levels squared): flatter areas than this are not amplified further.
_NOISE_VARIANCE = 9.0
#: Detail counts by its contrast to this power less: the mark grows with texture, but more slowly
#: than texture does.
_FLATTENING = 1.5
#: No single place counts more than this many standard deviations.
_CLIP = 3.0
#: At most this many frames of a video are looked at.
FRAMES_READ = 300


@dataclass(frozen=True)
class WatermarkReading:
    """Result of a detection."""

    identifier: int | None
    """The 64 bits; None if they could not be read or the checksum does not fit."""
    present: bool
    """A mark is there, readable or not."""
    score: float
    """Standard deviations by which the pilot stands out."""
    scale: float
    """Size of the cells relative to a whole large picture: 1.25 for a crop to 80 %."""
    frames: int
    """Number of frames used."""

    @property
    def text(self) -> str | None:
        """Return the identifier as 16 hexadecimal digits."""
        return None if self.identifier is None else f"{self.identifier:016x}"


@dataclass(frozen=True)
class _Place:
    """A scale, and the shift at which the pilot is strongest there."""

    score: float
    level: int
    scale_x: float
    scale_y: float
    row: int
    column: int


@dataclass
class _Level:
    """Sum of frames at one size, in groups."""

    groups: list[NDArray[np.float32]] = field(default_factory=list)

    def evened(self) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Return the sum of all frames and those of the groups."""
        return _even(np.sum(self.groups, axis=0)), [_even(group) for group in self.groups]


class WatermarkDetector:
    """Sums frames of one size; call :meth:`result` at any time. Memory does not grow."""

    def __init__(self) -> None:
        self._levels: dict[int, _Level] = {}
        self._size = (0, 0)
        self._frames = self._in_group = 0
        self._group_frames = _GROUP_FRAMES
        #: Soft values of the code word as last received, (288,); for measurements.
        self.received = np.zeros(WORD_BITS)

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Add a frame, (H, W, 3) uint8 RGB."""
        if self._frames == 0:
            self._size = (picture.shape[1], picture.shape[0])
            first = 1 if min(self._size) < _FINEST_CELL * CELLS else 0
            self._levels = {level: _Level() for level in range(first, len(LEVELS))}
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        begins = self._frames == 0 or self._in_group == self._group_frames
        if begins and len(self._levels[len(LEVELS) - 1].groups) == _MOST_GROUPS:
            for level in self._levels.values():
                level.groups = [
                    a + b for a, b in zip(level.groups[::2], level.groups[1::2], strict=True)
                ]
            self._group_frames *= 2
        for number, level in self._levels.items():
            flat = _flattened(_at_level(grey, LEVELS[number]))
            if begins:
                level.groups.append(flat)
            else:
                level.groups[-1] += flat
        self._in_group = 1 if begins else self._in_group + 1
        self._frames += 1

    def result(self) -> WatermarkReading:
        """Search all scales.

        Raises:
            ValueError: no frame was added.
        """
        if self._frames == 0:
            raise ValueError("no frame to look at")
        evened = {number: level.evened() for number, level in self._levels.items()}
        levels = {number: whole for number, (whole, _) in evened.items()}
        count = round(np.log(_SCALES[1] / _SCALES[0]) / np.log(_SCALE_STEP)) + 1
        places = [
            _look(picture, level, scale, scale)
            for level, picture in levels.items()
            for scale in np.geomspace(*_SCALES, count).tolist()
        ]
        best = [_refined(levels, place) for place in _likeliest(places)]
        for place in [*best, *_known_places(levels, *self._size)]:
            for word in _soft_words(place, *evened[place.level]):
                decoded = decode(word)
                if decoded.valid:
                    self.received = word
                    return self._reading(place, decoded.identifier)
        self.received = soft_word(levels[best[0].level], best[0])
        return self._reading(best[0], None)

    def _reading(self, place: _Place, identifier: int | None) -> WatermarkReading:
        scale = float(place.scale_x) * CELLS / LEVELS[place.level]
        present = identifier is not None or place.score >= PRESENCE_SCORE
        return WatermarkReading(
            identifier, present, round(place.score, 2), round(scale, 3), self._frames
        )


def read_watermark(pictures: Iterable[NDArray[np.uint8]]) -> WatermarkReading:
    """Detect the mark in frames of one video, or in one picture: (H, W, 3) uint8 RGB each."""
    detector = WatermarkDetector()
    for picture in pictures:
        detector.add(picture)
    return detector.result()


def _at_level(grey: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    height, width = grey.shape
    scale = side / min(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(grey, size, interpolation=kind).astype(np.float32)


def _flattened(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return fine detail, equalised between textured and flat areas."""
    detail = grey - cv2.blur(grey, (_DETAIL, _DETAIL))
    variance = cv2.blur(detail * detail, (_SURROUNDINGS, _SURROUNDINGS))
    even = detail / (variance + _NOISE_VARIANCE) ** (_FLATTENING / 2)
    return np.asarray(np.clip(even, -_CLIP, _CLIP), np.float32)


def _even(total: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reduce the weight of areas with remaining content."""
    variance = cv2.blur(total * total, (_REGION, _REGION))
    even = total / np.sqrt(variance + 1e-6 * float(variance.mean()) + 1e-12)
    return np.asarray(np.clip(even, -_CLIP, _CLIP), np.float32)


def _waves(picture: NDArray[np.float32], scale_x: float, scale_y: float) -> NDArray[np.complex128]:
    """The bins that the mark uses (K,), of the picture brought to one pixel a cell and folded into
    one tile.

    All frequencies are made equally strong: what the content leaves behind is strongest in the low
    ones.
    """
    height, width = picture.shape
    size = (max(1, round(width / scale_x)), max(1, round(height / scale_y)))
    # Centres of pixels lie at half numbers.
    shrink = np.array(
        [[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2]], np.float64
    )
    cells = cv2.warpAffine(
        picture,
        shrink,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    tiles_down, tiles_across = -(-size[1] // TILE), -(-size[0] // TILE)
    padded = np.zeros((tiles_down * TILE, tiles_across * TILE), np.float32)
    padded[: size[1], : size[0]] = cells
    folded = padded.reshape(tiles_down, TILE, tiles_across, TILE).sum(axis=(0, 2))
    where = bins()
    used = np.fft.rfft2(folded)[where.rows, where.columns]
    power = np.bincount(where.rings, np.abs(used) ** 2) / np.maximum(np.bincount(where.rings), 1)
    return np.asarray(used / np.sqrt(power + 1e-12)[where.rings], np.complex128)


def _look(picture: NDArray[np.float32], level: int, scale_x: float, scale_y: float) -> _Place:
    where = bins()
    matched = np.fft.irfft2(
        half_spectrum(_waves(picture, scale_x, scale_y) * np.conj(where.phases) * where.pilot),
        (TILE, TILE),
    )
    place = int(matched.argmax())
    score = float(matched.flat[place] / (matched.std() + 1e-12))
    return _Place(score, level, scale_x, scale_y, *divmod(place, TILE))


def _likeliest(places: list[_Place]) -> list[_Place]:
    """Return the best places that are not neighbours of a better one."""
    chosen: list[_Place] = []
    for place in sorted(places, key=lambda one: -one.score):
        near = [
            one
            for one in chosen
            if one.level == place.level
            and abs(one.scale_x / place.scale_x - 1) < 2 * (_SCALE_STEP - 1)
        ]
        if not near:
            chosen.append(place)
        if len(chosen) == _CANDIDATES:
            break
    return chosen


def _refined(levels: Mapping[int, NDArray[np.float32]], place: _Place) -> _Place:
    picture = levels[place.level]
    tried = [
        _look(picture, place.level, place.scale_x * (1 + x), place.scale_y * (1 + y))
        for x in _REFINEMENT
        for y in _REFINEMENT
    ]
    return max(tried, key=lambda one: one.score)


def _known_places(
    levels: Mapping[int, NDArray[np.float32]], width: int, height: int
) -> Iterator[_Place]:
    """Return the places of the mark in an uncropped video, unless the pilot contradicts."""
    side, pilots = min(width, height), bins().pilot
    for scale in _KNOWN_SCALES:
        cell = cell_pixels(round(width / scale), round(height / scale)) * scale
        for level, picture in levels.items():
            pixels = cell * LEVELS[level] / side
            if not _KNOWN_PIXELS[0] <= pixels <= _KNOWN_PIXELS[1]:
                continue
            place = _Place(0.0, level, pixels, pixels, 0, 0)
            values = _aligned(picture, place)[pilots]
            score = float(values.mean() / (values.std() + 1e-12) * np.sqrt(len(values)))
            if score > 0:
                yield replace(place, score=score)


def _aligned(picture: NDArray[np.float32], place: _Place) -> NDArray[np.float64]:
    """How much of each of the mark's waves is in a picture at a place, (K,): noise has a mean of 0
    in the pilot's.
    """
    where = bins()
    turns = np.fft.fftfreq(TILE)[where.rows] * place.row + where.columns / TILE * place.column
    waves = _waves(picture, place.scale_x, place.scale_y) * np.exp(2j * np.pi * turns)
    return np.asarray((waves * np.conj(where.phases)).real, np.float64)


def _word(values: NDArray[np.float64]) -> NDArray[np.float64]:
    where = bins()
    carriers = ~where.pilot
    return np.bincount(where.bits[carriers], values[carriers], minlength=WORD_BITS).astype(
        np.float64
    )


def soft_word(picture: NDArray[np.float32], place: _Place) -> NDArray[np.float64]:
    """Soft values of the code word, (288,), at a place."""
    return _word(_aligned(picture, place))


def _soft_words(
    place: _Place,
    whole: NDArray[np.float32],
    groups: list[NDArray[np.float32]],
) -> Iterator[NDArray[np.float64]]:
    """Yield the word of all frames, then that of groups weighted by their pilot."""
    yield soft_word(whole, place)
    if len(groups) > 1:
        values = np.array([_aligned(group, place) for group in groups])
        weights = np.maximum(values[:, bins().pilot].mean(axis=1) - _GROUP_NOISE, _LEAST_WEIGHT)
        yield _word(weights @ values)


def bit_accuracy(soft: NDArray[np.floating], identifier: int) -> float:
    """Return the share, 0..1, of code bits received correctly, before error correction.

    ``soft`` are the bits received, (n,), positive for 1.
    """
    return float(((soft > 0) == (encode(identifier) > 0)).mean())
