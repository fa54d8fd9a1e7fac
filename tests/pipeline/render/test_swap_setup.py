"""What a swap needs to know is found out once, whoever asks first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.editing.beard import Beards
from swaptalk.faces.editing.eyewear import Eyewear
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.editing.shading import measure_texture, shaded
from swaptalk.pipeline.analysis.source import Source, read_source
from swaptalk.pipeline.render.swap_setup import SHADING_FRAMES, SwapSetup

from ..first_pass import analysis_of

FRAMES = 5


@pytest.fixture
def target(analyser: FaceAnalyser, photo: Path) -> FacePhoto:
    """The portrait as a target."""
    return read_source([photo], None, analyser).photos[0]


@pytest.fixture
def source(analyser: FaceAnalyser, other_photo: Path) -> Source:
    return read_source([other_photo], None, analyser)


def no_pictures(frames):
    raise AssertionError("the first pass kept the crops")


def setup_of(folder: Path, source: Source, crop: np.ndarray, mesh: np.ndarray) -> SwapSetup:
    """Of a target that shows one face in every frame; all of them are references."""
    meshes, crops = np.stack([mesh] * FRAMES), np.stack([crop] * FRAMES)
    state = np.zeros(FRAMES, np.uint8)
    with closing(analysis_of(folder, meshes, state, [], crops)) as analysis:
        return SwapSetup(analysis, source, no_pictures)


def test_two_threads_get_the_same_facts_and_they_are_found_out_once(
    source: Source, target: FacePhoto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def measure(*face):
        looked.append(face)
        return measure_texture(*face)

    monkeypatch.setattr(f"{SwapSetup.__module__}.measure_texture", measure)
    setup = setup_of(tmp_path / "a", source, target.crop, target.mesh)
    assert not looked, "nothing is looked at before somebody asks"
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: setup.facts, range(2))
    assert one is other and len(looked) == SHADING_FRAMES
    assert list(one.crops) == list(one.meshes) == list(range(FRAMES))
    assert (one.worn, one.beards) == (Eyewear.NONE, Beards.ALIKE)


def test_a_photo_gets_the_shading_of_its_target(
    source: Source, target: FacePhoto, tmp_path: Path
) -> None:
    height = target.mesh[:, 1]
    lamp = 0.7 - 1.6 * (height - height[10]) / (height[152] - height[10])
    lit = shaded(target.crop, target.mesh, np.repeat(lamp[:, None], 3, axis=1).astype(np.float32))
    plain, hard = (
        setup_of(tmp_path / name, source, crop, target.mesh).facts.photos[0].crop.astype(np.float32)
        for name, crop in (("plain", target.crop), ("hard", lit))
    )
    (x, top), (_, chin) = np.round(source.photos[0].mesh[[9, 200], :2]).astype(int)
    near = slice(x - 6, x + 6)
    gained = [
        np.log(hard[y - 4 : y + 4, near].mean() / plain[y - 4 : y + 4, near].mean())
        for y in (top, chin)
    ]
    assert gained[0] > gained[1] + 0.1
