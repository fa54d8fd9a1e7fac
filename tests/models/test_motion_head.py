"""The teacher of the mel encoder: one token for each feature of a speech recogniser."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from swaptalk.faces.geometry.mouth_motion import MOTION_CHANNELS  # noqa: E402
from swaptalk.models.motion_head import MotionHead, MotionHeadConfig  # noqa: E402


def test_one_token_a_feature_and_noise_in_training_only() -> None:
    torch.manual_seed(0)
    head = MotionHead(MotionHeadConfig(features=24, width=16))
    features = torch.randn(2, 30, 24)
    assert not torch.equal(head.train()(features), head(features))
    head.eval()
    assert head(features).shape == (2, 30, MOTION_CHANNELS)
    assert torch.equal(head(features), head(features))
