import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.data.sync import delay, estimate_sync  # noqa: E402
from swaptalk.faces.geometry.topology import LIP_BOTTOM, LIP_LEFT, LIP_RIGHT, LIP_TOP  # noqa: E402

FRAMES = 100


def clip(offset: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Lips that open as loud as the voice is ``offset`` frames later, and the voice."""
    rng = np.random.default_rng(0)
    loud = np.clip(np.convolve(rng.standard_normal(FRAMES + 40), np.ones(5) / 2, "same"), 0, None)
    meshes = np.zeros((FRAMES, 468, 3), np.float32)
    meshes[:, LIP_LEFT, 0], meshes[:, LIP_RIGHT, 0] = 50, 0
    meshes[:, LIP_TOP, 1] = -loud[20 : 20 + FRAMES] * 5
    meshes[:, LIP_BOTTOM, 1] = loud[20 : 20 + FRAMES] * 5
    envelope = np.repeat(loud[20 - offset : 20 - offset + FRAMES], 640)
    tone = np.sin(2 * np.pi * 200 * np.arange(FRAMES * 640) / 16000)
    return meshes, (0.1 * envelope * tone + 1e-4 * rng.standard_normal(FRAMES * 640)).astype(
        np.float32
    )


USABLE = np.ones(FRAMES, bool)


def test_sync_is_trusted_as_it_is() -> None:
    for offset in (-1, 0, 2):
        found = estimate_sync(*(lambda m, a: (m, USABLE, a))(*clip(offset)))
        assert (found.offset, found.trusted) == (0, True)


@pytest.mark.parametrize("offset", [-7, 4, 10])
def test_a_clear_offset_is_corrected(offset: int) -> None:
    meshes, audio = clip(offset)
    found = estimate_sync(meshes, USABLE, audio)
    assert found.trusted and abs(found.offset + offset) <= 1
    again = estimate_sync(meshes, USABLE, delay(audio, found.offset * 640))
    assert again.trusted and again.offset == 0


def test_foreign_sound_is_not_trusted() -> None:
    meshes, _ = clip()
    rng = np.random.default_rng(5)
    envelope = np.repeat(np.abs(np.convolve(rng.standard_normal(FRAMES), np.ones(5), "same")), 640)
    found = estimate_sync(
        meshes, USABLE, (0.05 * envelope * rng.standard_normal(FRAMES * 640)).astype(np.float32)
    )
    assert not found.trusted or found.correlation < 0.5


def test_silence_and_short_clips_are_not_trusted() -> None:
    meshes, audio = clip()
    assert estimate_sync(meshes, USABLE, np.zeros_like(audio)).reason == "no speech"
    assert "too short" in estimate_sync(meshes[:40], USABLE[:40], audio).reason


def test_missing_faces_are_bridged() -> None:
    meshes, audio = clip()
    usable = USABLE.copy()
    usable[30:40] = False
    meshes[30:40] = np.nan
    assert estimate_sync(meshes, usable, audio).trusted


def test_delay() -> None:
    wave = np.arange(1, 6, dtype=np.float32)
    assert delay(wave, 2).tolist() == [0, 0, 1, 2, 3]
    assert delay(wave, -2).tolist() == [3, 4, 5, 0, 0]
    assert delay(wave, 0).tolist() == wave.tolist()
    assert not delay(wave, 9).any()
