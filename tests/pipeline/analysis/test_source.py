"""The source is encoded in the pose of the scene that it appears in."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.faces.detection.analyser import Vision
from swaptalk.faces.geometry.pose import Pose, estimate_pose
from swaptalk.pipeline.analysis.result import Analysis
from swaptalk.pipeline.analysis.source import read_source
from swaptalk.pipeline.render.generate import FaceGenerator, Frame
from swaptalk.storage.frames import CodeStore

from ..conftest import PoolingNetworks


class Encoder(PoolingNetworks):
    """Keeps the crops that it encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.crops: list[NDArray[np.uint8]] = []

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.crops.extend(crops)
        return super().encode(crops)


@pytest.mark.parametrize(
    "wanted", [Pose(15.0, 0.0, 0.0), Pose(-15.0, 0.0, 0.0), Pose(0.0, 10.0, 0.0)]
)
def test_the_photo_is_turned_towards_the_pose(vision: Vision, photo: Path, wanted: Pose) -> None:
    networks = Encoder()
    read_source([photo], None, vision, networks).identity(wanted)
    (crop,) = networks.crops
    (face,) = vision.faces(crop)
    # Read from the turned picture itself, in which shading and outline still speak for the old
    # pose.
    pose = estimate_pose(face.points).vector
    turned = wanted.vector != 0
    assert 0.4 < (pose[turned] / wanted.vector[turned]).item() < 1.3
    assert pose[~turned] == pytest.approx(0, abs=5)


def test_its_own_pose_leaves_the_photo_as_it_is(vision: Vision, photo: Path) -> None:
    networks = Encoder()
    source = read_source([photo], None, vision, networks)
    source.identity(source._poses[0])
    difference = np.abs(networks.crops[0].astype(int) - source._faces[0].crop).mean()
    assert difference < 1.0  # resampling alone


class TwoScenes:
    """Ten frames of each of two scenes; a source must be turned to 5 and to 20 degrees."""

    folder: Path
    references: NDArray[np.intp]

    def __init__(self, folder: Path) -> None:
        self.folder, self.references = folder, np.array([], np.intp)

    def scene(self, frame: int) -> int:
        return frame // 10

    def scene_pose(self, scene: int) -> Pose:
        return Pose((5.0, 20.0)[scene], 0.0, 0.0)

    def usable(self, frame: int) -> bool:
        return True

    def exposure(self, frame: int) -> float:
        return 1.0

    def close(self) -> None:
        pass


class Turned:
    """A source whose identity is the yaw it was asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def identity(self, pose: Pose) -> Any:
        self.asked.append(pose.yaw)
        return np.full(3, pose.yaw, np.float32)


class Marking(PoolingNetworks):
    """Its swap writes the identity into every place."""

    def swap(
        self, latents: NDArray[np.float32], identity: Any, strength: float = 1.0
    ) -> NDArray[np.float32]:
        return np.broadcast_to(identity[None, :, None, None], latents.shape).astype(np.float32)

    def decode(self, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        return latents[:, 0, :1, :1].astype(np.uint8)


def test_every_scene_gets_the_source_in_its_own_pose(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "codes.bin")
    for frame in range(20):
        store.put(frame, np.zeros((3, 16, 16), np.uint8))
    store.close()
    source: Any = Turned()
    analysis: Any = TwoScenes(tmp_path)
    with closing(FaceGenerator(Marking(), analysis, source, None, 1.0)) as faces:
        picture = np.zeros((4, 4, 3), np.uint8)
        frames = [Frame(k, k, picture) for k in (8, 9, 10, 11)]  # a batch across the cut
        assert faces(frames, [0.0] * 4).ravel().tolist() == [5, 5, 20, 20]
        faces([Frame(0, 0, picture), Frame(15, 15, picture)], [0.0] * 2)
    assert source.asked == [5.0, 20.0]  # each once


def test_a_scenes_pose_is_the_median_of_its_usable_frames(tmp_path: Path) -> None:
    from ...faces.editing.test_turn import crop_mesh, turned_mesh

    poses = [10.0] * 5 + [44.0] + [-20.0] * 4
    np.save(
        tmp_path / "mesh.npy",
        np.stack([turned_mesh(crop_mesh(), Pose(yaw, 0.0, 0.0)) for yaw in poses]),
    )
    np.save(tmp_path / "matrix.npy", np.zeros((10, 2, 3)))
    state = np.zeros(10, np.uint8)
    state[[0, 9]] = 1
    np.save(tmp_path / "state.npy", state)
    np.save(tmp_path / "reference.npy", np.zeros(10, np.uint8))
    np.save(tmp_path / "exposure.npy", np.ones(10, np.float32))
    (tmp_path / "analysis.json").write_text(
        '{"reasons": ["", "no face"], "cuts": [6, 9], "references": []}'
    )
    with closing(Analysis(tmp_path)) as analysis:
        found = [analysis.scene_pose(scene).yaw for scene in range(3)]
    assert found == pytest.approx([10.0, -20.0, 0.0], abs=2)


def test_a_scenes_pose_stays_when_more_of_it_is_shown(tmp_path: Path) -> None:
    from ...faces.editing.test_turn import crop_mesh, turned_mesh

    meshes = np.stack(
        [turned_mesh(crop_mesh(), Pose(yaw, 0.0, 0.0)) for yaw in np.linspace(-20, 30, 200)]
    )
    found = []
    for count in (100, 150, 200):
        folder = tmp_path / str(count)
        folder.mkdir()
        for name, rows in (
            ("mesh", meshes),
            ("matrix", np.zeros((200, 2, 3))),
            ("state", np.zeros(200, np.uint8)),
            ("reference", np.zeros(200, np.uint8)),
            ("exposure", np.ones(200, np.float32)),
        ):
            np.save(folder / f"{name}.npy", rows[:count])
        (folder / "analysis.json").write_text('{"reasons": [""], "cuts": [], "references": []}')
        with closing(Analysis(folder)) as analysis:
            found.append(analysis.scene_pose(0))
    assert found[1] == found[2] != found[0]
