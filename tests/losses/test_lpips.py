import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.assets import catalogue  # noqa: E402
from swaptalk.losses.lpips import LPIPS  # noqa: E402

FILES = {"alex": "lpips-alexnet", "vgg": "lpips-vgg16"}


def pinned(name: str) -> Path:
    if catalogue.status(catalogue.get(name)) != "ready":
        pytest.skip(f"{name} is not there: 'swaptalk models pull' fetches it")
    return catalogue.resolve(name, progress=False)


def portrait() -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """A face of 128 px, the same softened, the same in a mirror."""
    whole = np.asarray(Image.open(pinned("astronaut")).convert("RGB")).astype(np.uint16)
    soft = (
        whole + np.roll(whole, 1, 0) + np.roll(whole, 1, 1) + np.roll(whole, (1, 1), (0, 1))
    ) // 4
    crops = (x[:128, 160:288].astype(np.float32) / 127.5 - 1 for x in (whole, soft))
    a, b = (torch.from_numpy(crop).permute(2, 0, 1)[None] for crop in crops)
    return a, b, a.flip(3)


@pytest.mark.parametrize(
    ("network", "softened", "mirrored"),
    # lpips 0.1.4 with its own heads on these ImageNet convolutions.
    [
        ("alex", 0.06218821927905083, 0.24045255780220032),
        ("vgg", 0.11614550650119781, 0.3932598829269409),
    ],
)
def test_agrees_with_the_reference_implementation(
    network, softened: float, mirrored: float
) -> None:
    distance = LPIPS(network, pinned(FILES[network]))
    face, soft, mirror = portrait()
    with torch.no_grad():
        result = distance(torch.cat([face, face, face]), torch.cat([soft, mirror, face]))
    assert result.tolist() == pytest.approx([softened, mirrored, 0.0], abs=1e-5)


def test_gradient_is_finite_and_reduces_the_distance() -> None:
    distance = LPIPS("alex", pinned("lpips-alexnet"))
    face, soft, _ = portrait()
    # Flat areas give all-zero activations, where the reference formula's gradient is infinite.
    soft = soft.clone()
    soft[:, :, :64] = 0.0
    soft.requires_grad_()
    before = distance(soft, face).sum()
    before.backward()
    assert soft.grad is not None and torch.isfinite(soft.grad).all()
    with torch.no_grad():
        after = distance(soft - 0.01 * soft.grad / soft.grad.abs().max(), face).sum()
    assert after < before
    assert not any(p.requires_grad for p in distance.parameters())


def test_bfloat16_autocast_stays_close() -> None:
    distance = LPIPS("alex", pinned("lpips-alexnet"))
    face, soft, _ = portrait()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        result = distance(face, soft)
    assert result.dtype == torch.float32
    assert result.item() == pytest.approx(0.0622, rel=0.03)


def test_fewer_stages_are_the_first_terms_of_the_sum() -> None:
    face, soft, _ = portrait()
    with torch.no_grad():
        values = [
            LPIPS("alex", pinned("lpips-alexnet"), stages=n)(face, soft).item() for n in (1, 3, 5)
        ]
    assert 0 < values[0] < values[1] < values[2]
    with pytest.raises(ValueError, match="1..5"):
        LPIPS("alex", pinned("lpips-alexnet"), stages=0)


def test_a_weight_file_cannot_run_code(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return Path(tmp_path / "harm").touch, ()  # type: ignore[return-value]

    harmful = tmp_path / "weights.ckpt"
    harmful.write_bytes(pickle.dumps({"AlexNet_0": Harm()}))
    with pytest.raises(ValueError, match="not a set of LPIPS weights"):
        LPIPS("alex", harmful)
    assert not (tmp_path / "harm").exists()


def test_the_other_network_is_refused() -> None:
    with pytest.raises(ValueError, match="not a set of LPIPS weights for vgg"):
        LPIPS("vgg", pinned("lpips-alexnet"))
