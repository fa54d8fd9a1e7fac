"""Picture of the content of a template."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swaptalk.faces.geometry.align import CROP_SIZE, Alignment, crop_face
from swaptalk.pipeline.analysis.face_log import FaceLogReader, by_frame
from swaptalk.pipeline.analysis.result import MATRIX
from swaptalk.pipeline.options import DEFAULT_FACE, GenerateOptions
from swaptalk.pipeline.plan import make_plan
from swaptalk.pipeline.target import resized
from swaptalk.pipeline.template.template import Template
from swaptalk.storage.rows import Rows

#: Frames shown.
COLUMNS = 4
_BOX_COLOUR, _MESH_COLOUR = (80, 220, 100), (255, 210, 80)
_LABEL_HEIGHT = 28


def template_sheet(template: Template) -> NDArray[np.uint8]:
    """RGB picture (H, W, 3): frames with box and landmarks of the face above, the aligned crops
    below.

    Raises:
        InputError: the template is damaged, or its target is not there.
    """
    plan = make_plan(GenerateOptions(target=template.path), "faces")
    count = template.header.frames
    shown = [(2 * column + 1) * count // (2 * COLUMNS) for column in range(min(COLUMNS, count))]
    columns = []
    with tempfile.TemporaryDirectory(prefix="swaptalk-") as temporary:
        folder = Path(temporary)
        with template.unpacked(folder):
            log = FaceLogReader(folder, count)
            chosen = log.faces(log.selector().choose(template.header.face or DEFAULT_FACE))
            meshes = {
                frame: record["mesh"]
                for frame, record in enumerate(by_frame(chosen, count))
                if record is not None and frame in shown
            }
            with plan.open_target() as target, Rows(folder / MATRIX) as matrices:
                for frame, picture in zip(shown, target.frames(shown), strict=True):
                    columns.append(_column(frame, picture, matrices[frame], meshes.get(frame)))
    return np.concatenate(columns, axis=1)


def _column(
    frame: int,
    picture: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    mesh: NDArray[np.float32] | None,
) -> NDArray[np.uint8]:
    crop = np.full((CROP_SIZE, CROP_SIZE, 3), 24, np.uint8)
    text = f"frame {frame}"
    if matrix.any():
        alignment = Alignment(matrix)
        crop = crop_face(picture, alignment)
        side = CROP_SIZE - 1
        corners = alignment.to_image(
            np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
        )
        thickness = max(1, round(picture.shape[0] / 240))
        for point in [] if mesh is None else mesh[:, :2]:
            cv2.circle(
                picture,
                np.round(point).astype(int).tolist(),
                thickness // 2,
                _MESH_COLOUR,
                -1,
                cv2.LINE_AA,
            )
        cv2.polylines(
            picture, [np.round(corners).astype(np.int32)], True, _BOX_COLOUR, thickness, cv2.LINE_AA
        )
    else:
        text += ": left as it is"
    height = max(1, round(picture.shape[0] * CROP_SIZE / picture.shape[1]))
    label = np.full((_LABEL_HEIGHT, CROP_SIZE, 3), 24, np.uint8)
    cv2.putText(
        label, text, (6, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (230, 230, 230), 1, cv2.LINE_AA
    )
    return np.concatenate([label, resized(picture, CROP_SIZE, height), crop], axis=0)
