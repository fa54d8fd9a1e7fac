"""The networks that come with the package, called as the pipeline calls them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from swaptalk.inference.bundle import ModelBundle
from swaptalk.inference.engines import (
    FEWEST_CORES_FOR_ALL,
    OPENVINO,
    available_cores,
    available_devices,
)


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    return ModelBundle.from_pretrained(threads=1)


def pictures(count: int) -> np.ndarray:
    """Smooth noise uint8 (count, 256, 256, 3)."""
    noise = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)
    return np.stack([cv2.resize(one, (256, 256), interpolation=cv2.INTER_CUBIC) for one in noise])


@pytest.mark.parametrize("count", (1, 2, 3))
def test_upper_halves_alone_are_those_of_whole_faces_to_the_bit(
    bundle: ModelBundle, count: int
) -> None:
    crops = pictures(count)
    whole = bundle.encode(crops)
    assert np.array_equal(bundle.encode_upper(crops), whole[:, :, :8])
    crops[:, 128:] = 0  # what is below does not matter
    assert np.array_equal(bundle.encode_upper(crops), whole[:, :, :8])


def test_the_lip_sync_reads_only_the_upper_half_of_its_target(bundle: ModelBundle) -> None:
    latents = bundle.encode(pictures(2))
    motion = np.repeat(bundle.silent_motion[None, None], bundle.motion_window, axis=1)
    made = bundle.lipsync(latents[:1], latents[1:], motion)
    latents[:1, :, 8:] = 0
    assert np.array_equal(bundle.lipsync(latents[:1], latents[1:], motion), made)


@pytest.mark.skipif(OPENVINO not in available_devices(), reason="others use all cores anyway")
def test_the_number_of_threads_changes_no_bit() -> None:
    bundle = ModelBundle.from_pretrained(device=OPENVINO, threads=0)
    few = available_cores() < FEWEST_CORES_FOR_ALL
    assert bundle.most_threads == (bundle.threads if few else available_cores())
    crops = pictures(3)

    def made() -> list[np.ndarray]:
        latents = bundle.encode(crops)
        mask = np.ones((3, 1, 64, 64), np.float32)
        swapped = bundle.swap(latents, mask, bundle.identity(latents[:1]))
        motion = np.repeat(bundle.silent_motion[None, None], bundle.motion_window, axis=1)
        spoken = bundle.lipsync(swapped, swapped, np.repeat(motion, 3, axis=0))
        return [latents, swapped, spoken, bundle.decode(spoken)]

    bundle.use_threads(1)
    alone = made()
    bundle.use_threads(max(2, available_cores()))
    assert bundle.threads == max(2, available_cores())
    assert all(np.array_equal(a, b) for a, b in zip(made(), alone, strict=True))


def test_faces_are_restored_one_by_one_as_together(bundle: ModelBundle) -> None:
    face, restored, guide = (pictures(2) // shade for shade in (1, 2, 3))
    mask = np.zeros((2, 256, 256), np.uint8)
    mask[:, 64:192, 64:192] = 255
    made = bundle.restore(face, restored, guide, mask)
    assert made.shape == face.shape and made.dtype == np.uint8
    one = slice(1, 2)
    alone = bundle.restore(face[one], restored[one], guide[one], mask[one])
    assert np.array_equal(alone, made[one])


def test_a_face_that_needs_no_restoring_hardly_changes(
    bundle: ModelBundle, astronaut: np.ndarray
) -> None:
    face = cv2.resize(astronaut[:256, 96:352], (256, 256))[None]
    mask = np.full((1, 256, 256), 255, np.uint8)
    made = bundle.restore(face, face, face, mask)
    assert np.abs(made.astype(int) - face).mean() < 4
