import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.metrics.perceptual import PerceptualDistance  # noqa: E402


def test_reference_value_on_frames(astronaut, soften, model) -> None:
    distance = PerceptualDistance(model("lpips-alexnet"))
    sharp, soft = astronaut[:128, 160:288], soften(astronaut)[:128, 160:288]
    # lpips 0.1.4, AlexNet.
    result = distance(np.stack([sharp, sharp]), np.stack([soft, sharp]))
    assert result.tolist() == pytest.approx([0.06218821927905083, 0.0], abs=1e-5)
