"""What the restoration network gets to see, and when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.pipeline.api import SwapTalk

from ..conftest import PoolingNetworks

FRAMES = 3


class RestoringNetworks(PoolingNetworks):
    """Shows the real pixels wherever there are any."""

    restores = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[NDArray[np.uint8], ...]] = []

    def restore(
        self,
        face: NDArray[np.uint8],
        restored: NDArray[np.uint8],
        guide: NDArray[np.uint8],
        mask: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        self.seen.append((face[0], restored[0], guide[0], mask[0]))
        return np.where(mask[..., None] > 127, guide, restored)


@pytest.fixture
def networks() -> RestoringNetworks:
    return RestoringNetworks()


def test_a_swap_comes_with_its_composite(
    maker: SwapTalk, networks: RestoringNetworks, make_clip, other_photo: Path, tmp_path: Path
) -> None:
    job = {"source": other_photo, "target": make_clip(frames=FRAMES)}
    maker.generate(**job, output=tmp_path / "out.mp4")
    assert len(networks.seen) == FRAMES
    for face, restored, guide, mask in networks.seen:
        assert face.shape == restored.shape == guide.shape == (256, 256, 3)
        assert mask.shape == (256, 256) and mask.dtype == np.uint8
        assert 0.1 < (mask > 127).mean() < 0.6
        # The pooled face is flat, the composite is a photograph.
        assert guide[mask > 127].std() > face[mask > 127].std()
    maker.generate(**job, output=tmp_path / "plain.mp4", restoration=False)
    assert len(networks.seen) == FRAMES


def test_a_mouth_that_speaks_comes_with_its_references(
    maker: SwapTalk, networks: RestoringNetworks, make_clip, make_wav, tmp_path: Path
) -> None:
    clip = make_clip(frames=FRAMES)
    maker.generate(target=clip, audio=make_wav(FRAMES / 25), output=tmp_path / "out.mp4")
    assert networks.seen
    for face, _, guide, mask in networks.seen:
        lower = np.arange(256)[:, None] > 112
        assert not mask[~lower[:, 0]].any() and mask.max() == 255
        assert guide[mask > 127].std() > face[mask > 127].std()
        # Around the mouth the guide is the target itself.
        assert guide[mask == 0].std() > 10
