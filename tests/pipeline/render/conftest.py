"""A face whose mouth is moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swaptalk.faces.editing.face_composite import FaceComposite
from swaptalk.faces.geometry.align import crop_face, estimate_alignment
from swaptalk.faces.geometry.lip_shape import face_shape, lip_shape_model
from swaptalk.media.image import read_image
from swaptalk.pipeline.render.lip_motion import LipMotion
from swaptalk.pipeline.render.lip_references import LipReferences

from ..conftest import PoolingNetworks

MODEL = lip_shape_model()


@pytest.fixture
def face(analyser, other_photo: Path) -> FaceComposite:
    image = read_image(other_photo)
    landmarks = analyser.tracker().update(image).faces[0].landmarks
    alignment = estimate_alignment(landmarks.xy)
    mesh = alignment.to_crop(landmarks.points)
    return FaceComposite(crop_face(image, alignment), np.zeros((256, 256), np.float32), mesh)


def with_opening(face: FaceComposite, opening: float) -> FaceComposite:
    mesh = MODEL.move(face.mesh, MODEL.neutral(face_shape(face.mesh)), MODEL.opened(opening))
    return FaceComposite(face.picture, face.mask, mesh)


def lip_references(networks: PoolingNetworks, *faces: FaceComposite) -> LipReferences:
    return LipReferences(
        networks,
        LipMotion(networks.motion_scale),
        lambda: dict(enumerate(faces)),
        lambda number, face: networks.encode(face.picture[None]),
        lambda: faces[0].mesh,
    )
