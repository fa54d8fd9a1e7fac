"""The source: its photos, whether they show one person, and whose shape the face of a scene
gets."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.editing.face_photo import FacePhoto
from swaptalk.faces.geometry.identity_shape import normalised_shape
from swaptalk.faces.geometry.pose import Pose
from swaptalk.faces.geometry.topology import CANONICAL_MESH
from swaptalk.media.image import read_image, write_image
from swaptalk.pipeline.analysis.source import ReadyFaces, read_source

from ...faces.editing.test_turn import crop_mesh, turned_mesh
from ..first_pass import analysis_of


def test_several_photos_of_one_person(analyser: FaceAnalyser, photo: Path, tmp_path: Path) -> None:
    mirrored = tmp_path / "mirrored.png"
    write_image(mirrored, np.ascontiguousarray(read_image(photo)[:, ::-1]))
    source = read_source([photo, mirrored], None, analyser)
    assert [one.crop.shape for one in source.photos] == [(256, 256, 3)] * 2
    assert source.photos[0].pose.yaw == pytest.approx(-source.photos[1].pose.yaw, abs=4)


def test_a_photo_is_ready_for_the_next_job_by_what_it_shows(
    analyser: FaceAnalyser, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(photo, tmp_path / f"copy{photo.suffix}"))
    ready = ReadyFaces()
    first, again, other = (
        read_source([path], None, analyser, ready).photos[0] for path in (photo, copy, other_photo)
    )
    assert again is first and other is not first


def test_only_the_last_faces_stay_ready(photo: Path, analyser: FaceAnalyser) -> None:
    face = read_source([photo], None, analyser).photos[0]
    faces = [FacePhoto(np.roll(face.crop, k, axis=1), face.mesh) for k in range(3)]
    ready = ReadyFaces(2)
    made = [ready(one) for one in faces]
    assert ready(faces[2]) is made[2] and ready(faces[1]) is made[1]
    assert ready(faces[0]) is not made[0]


def test_photos_of_two_people_are_refused(
    analyser: FaceAnalyser, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    if analyser.recogniser is None:
        pytest.skip("the recogniser is not to be had")
    mirrored = tmp_path / "mirrored.png"
    write_image(mirrored, np.ascontiguousarray(read_image(photo)[:, ::-1]))
    with pytest.raises(InputError, match=f"{other_photo.name}: shows somebody else"):
        read_source([photo, other_photo, mirrored], None, analyser)


def test_a_scenes_shape_is_the_mean_of_its_usable_frames(tmp_path: Path) -> None:
    wide, long = crop_mesh() * [1.1, 1, 1], crop_mesh() * [1, 1.1, 1]
    meshes = np.stack([wide] * 6 + [long] * 4).astype(np.float32)
    meshes[0] = 0
    state = np.zeros(10, np.uint8)
    state[[0, 9]] = 1
    with closing(analysis_of(tmp_path, meshes, state, [6, 9])) as analysis:
        found = [analysis.scene_shape(scene) for scene in range(3)]
    for shape, expected in zip(found, (wide, long, CANONICAL_MESH), strict=True):
        np.testing.assert_allclose(shape, normalised_shape(expected), atol=1e-4)


def test_a_scenes_shape_stays_when_more_of_it_is_shown(tmp_path: Path) -> None:
    meshes = np.stack(
        [turned_mesh(crop_mesh(), Pose(yaw, 0.0, 0.0)) for yaw in np.linspace(-20, 30, 200)]
    )
    wider = np.linspace(1, 1.1, 200)[:, None, None] ** [1, 0, 0]
    meshes = (meshes * wider).astype(np.float32)
    found = []
    for count in (100, 150, 200):
        folder, state = tmp_path / str(count), np.zeros(count, np.uint8)
        with closing(analysis_of(folder, meshes[:count], state, [])) as analysis:
            found.append(analysis.scene_shape(0))
    assert np.array_equal(found[1], found[2]) and not np.array_equal(found[0], found[1])
