"""The networks that find faces give the same in either engine."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from swaptalk.assets.catalogue import resolve
from swaptalk.errors import SwapTalkError
from swaptalk.inference.engines import OPENVINO, available_devices
from swaptalk.inference.tflite import _InLiteRT, _InOpenVINO
from swaptalk.media.image import read_image


@pytest.mark.skipif(OPENVINO not in available_devices(), reason="OpenVINO is not installed")
@pytest.mark.parametrize(
    "name", ("blazeface-back", "blazeface-full-range", "face-mesh", "mobilefacenet")
)
def test_openvino_computes_what_litert_does(name: str, photo: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    try:
        path = resolve(name, progress=False)
    except SwapTalkError as error:
        pytest.skip(f"face models are not to be had: {error}")
    reference, model = _InLiteRT(path, 1), _InOpenVINO(path, 1)
    assert model.input_shape == reference.input_shape
    count, height, width, _ = model.input_shape
    picture = cv2.resize(read_image(photo), (width, height)) / 127.5 - 1
    value = np.repeat(picture[None].astype(np.float32), count, axis=0)
    expected, found = reference(value), model(value)
    assert [one.shape for one in found] == [one.shape for one in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert np.abs(ours - theirs).max() < 1e-5 * max(1.0, float(np.abs(theirs).max()))
    assert not np.shares_memory(found[0], model(value)[0])
