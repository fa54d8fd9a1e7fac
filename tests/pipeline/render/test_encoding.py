"""Faces of several people go through the encoder together, and everybody gets their own back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.inference.bundle import ModelBundle
from swaptalk.pipeline.networks import Latents
from swaptalk.pipeline.render.encoding import Encoding, encode_together

from ..conftest import PoolingNetworks


class CountingNetworks(PoolingNetworks):
    """Notes the size of every batch that the encoder gets, whole faces and upper halves apart."""

    def __init__(self) -> None:
        super().__init__()
        self.whole: list[int] = []
        self.upper: list[int] = []

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.whole.append(len(crops))
        return super().encode(crops)

    def encode_upper(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.upper.append(len(crops))
        return super().encode(crops)[:, :, :8]


def grey(*levels: int) -> list[NDArray[np.uint8]]:
    return [np.full((256, 256, 3), level, np.uint8) for level in levels]


def levels(latents: Latents) -> list[int]:
    """The greys of whole faces; -1 where the lower half is 0 beneath another upper half."""
    assert latents.shape[1:] == (3, 16, 16)
    return [round(float(face.mean()) * 255) if face[:, 8:].any() else -1 for face in latents]


def test_one_batch_and_each_result_from_its_own_rows() -> None:
    networks = CountingNetworks()
    wanted = [Encoding(grey(10, 20, 30), levels), Encoding((), levels), Encoding(grey(40), levels)]
    assert encode_together(networks, wanted) == [[10, 20, 30], [], [40]]
    assert networks.whole == [4] and networks.upper == []


def test_upper_halves_have_a_batch_of_their_own_and_nothing_below() -> None:
    networks = CountingNetworks()
    wanted = [
        Encoding(grey(10), levels, upper=True),
        Encoding(grey(20, 30), levels),
        Encoding(grey(40, 50), levels, upper=True),
    ]
    assert encode_together(networks, wanted) == [[-1], [20, 30], [-1, -1]]
    assert networks.whole == [2] and networks.upper == [3]


def test_nothing_is_encoded_where_all_is_known() -> None:
    networks = CountingNetworks()
    assert encode_together(networks, [Encoding((), len), Encoding((), len, upper=True)]) == [0, 0]
    assert networks.whole == [] and networks.upper == []


def test_further_steps_come_in_their_order() -> None:
    wanted = Encoding(grey(10, 20), levels).then(sum).then(str)
    assert wanted.alone(CountingNetworks()) == "30"


@pytest.mark.parametrize("upper", [False, True])
def test_no_bit_depends_on_whose_faces_are_beside(upper: bool) -> None:
    """With the real networks: jobs go on to the bit with other batches than they began with."""
    networks = ModelBundle.from_pretrained()
    noise = np.random.default_rng(3).integers(0, 256, (8, 256, 256, 3), np.uint8)
    parts = [Encoding(list(part), np.copy, upper) for part in (noise[:3], noise[3:])]
    together = encode_together(networks, parts)
    for one, other in zip(together, [part.alone(networks) for part in parts], strict=True):
        np.testing.assert_array_equal(one, other)
