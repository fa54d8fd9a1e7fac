from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from swaptalk.errors import InputError  # noqa: E402
from swaptalk.metrics.fid import InceptionFeatures, InceptionV3  # noqa: E402

#: Parameters of Inception-v3 up to the last average pool.
TRUNK_PARAMETERS = 21_785_568


def seeded() -> InceptionV3:
    torch.manual_seed(0)
    network = InceptionV3().eval()
    for name, value in network.state_dict().items():
        if value.ndim == 4:
            value.copy_(torch.randn_like(value) * (2.0 / value[0].numel()) ** 0.5)
        elif name.endswith("running_var"):
            value.copy_(torch.rand_like(value) + 0.5)
    return network


def test_size_and_names_are_those_of_the_weight_file() -> None:
    network = InceptionV3()
    assert sum(p.numel() for p in network.parameters()) == TRUNK_PARAMETERS
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    assert shapes["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert shapes["Mixed_5b.branch_pool.conv.weight"] == (32, 192, 1, 1)
    assert shapes["Mixed_6c.branch7x7dbl_4.conv.weight"] == (160, 160, 7, 1)
    assert shapes["Mixed_7c.branch3x3dbl_3b.bn.running_var"] == (384,)
    assert len([k for k in shapes if k.endswith("conv.weight")]) == 94


def test_pools_follow_tensorflow() -> None:
    # A constant map keeps its value under an average that does not count padding, also at the
    # border.
    network = InceptionV3()
    assert torch.equal(network.Mixed_7b._pool(torch.ones(1, 2, 5, 5)), torch.ones(1, 2, 5, 5))
    peak = torch.zeros(1, 1, 5, 5)
    peak[0, 0, 2, 2] = 9.0
    assert network.Mixed_7c._pool(peak).sum() == 81


def test_weights_are_read_and_the_classifier_left_out(tmp_path: Path) -> None:
    path = tmp_path / "inception.pth"
    network = seeded()
    state = network.state_dict()
    torch.save({**state, "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, path)
    frames = np.random.default_rng(0).integers(0, 256, (1, 40, 60, 3), dtype=np.uint8)
    features = InceptionFeatures(path)(frames)
    assert features.shape == (1, 2048)
    # The protocol: bilinear to 299 px without antialiasing, values from [0, 1] to [-1, 1].
    x = torch.nn.functional.interpolate(
        torch.from_numpy(frames).permute(0, 3, 1, 2) / 255.0,
        size=(299, 299),
        mode="bilinear",
        align_corners=False,
    )
    with torch.no_grad():
        assert np.allclose(features, network(2 * x - 1).numpy(), atol=1e-4)


def test_other_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        InceptionFeatures(tmp_path / "missing.pth")
    wrong = tmp_path / "wrong.pth"
    wrong.write_text("not weights")
    with pytest.raises(InputError, match="wrong.pth"):
        InceptionFeatures(wrong)
    torch.save({"a": torch.zeros(1)}, wrong)
    with pytest.raises(InputError, match="not the weights of FID"):
        InceptionFeatures(wrong)
