from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.data.latents import LatentCache  # noqa: E402
from swaptalk.data.pairs import FrameSampler, ProxyCache, external_pairs  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.media.image import write_image  # noqa: E402
from swaptalk.models.vqgan import VQGAN  # noqa: E402


def flat(path: Path, grey: int, size: int = 256) -> None:
    write_image(path, np.full((size, size, 3), grey, np.uint8))


def as_it_is(picture: np.ndarray) -> np.ndarray:
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def test_pairs_of_another_swapper(tmp_path: Path) -> None:
    for name, base in (("a", 10), ("b_2", 100)):
        for offset, part in enumerate(("target", "source", "result")):
            flat(tmp_path / f"{name}_{part}.png", base + offset, 256 if part != "source" else 300)
    pairs = external_pairs(tmp_path, as_it_is)
    assert [[int(crop[0, 0, 0]) for crop in pair] for pair in pairs] == [
        [10, 11, 12],
        [100, 101, 102],
    ]
    assert all(crop.shape == (256, 256, 3) for pair in pairs for crop in pair)


def test_incomplete_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pairs"):
        external_pairs(tmp_path, as_it_is)
    flat(tmp_path / "a_target.png", 1)
    flat(tmp_path / "a_source.png", 2)
    with pytest.raises(InputError, match="a lacks its _source or _result picture"):
        external_pairs(tmp_path, as_it_is)
    flat(tmp_path / "a_result.png", 3, 128)
    with pytest.raises(InputError, match="differ in size"):
        external_pairs(tmp_path, as_it_is)


def test_proxies_are_made_once_and_lost_parts_again(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset({"a1": "ada"}, {"b1": "bob", "c1": "cy"})
    torch.manual_seed(0)
    vqgan = VQGAN().eval()
    latents = LatentCache(dataset, "x")

    def build() -> ProxyCache:
        proxies = ProxyCache(latents, FrameSampler(latents, 0.5, 0.0, 2.0), seed=0)
        proxies.build(3, vqgan, None)
        return proxies

    first = build()
    assert len(first) == 3
    assert all(p.target[0].identity != p.source[0].identity for p in (first[k] for k in range(3)))
    assert first[0].reposed.shape == first[0].latents.shape
    (turned,) = first.folder.glob("*-reposed.npy")
    written = {file: file.stat().st_mtime_ns for file in first.folder.iterdir() if file != turned}
    turned.unlink()
    again = build()
    assert written == {
        file: file.stat().st_mtime_ns for file in first.folder.iterdir() if file != turned
    }
    assert all(np.array_equal(first[k].reposed, again[k].reposed) for k in range(3))
    turned.write_bytes(b"of the pairs before")
    next(first.folder.glob("*-latents.npy")).unlink()
    assert all(
        np.array_equal(first[k].reposed, build()[k].reposed) for k in range(3)
    )  # goes with its pairs


def test_some_sources_wear_glasses_though_few_people_do(
    make_dataset: Callable[..., Dataset],
) -> None:
    dataset = make_dataset(
        {"clip": "cy"}, {f"p{k}": f"person {k}" for k in range(10)}, glasses="p7"
    )
    torch.manual_seed(0)
    latents = LatentCache(dataset, "x")
    proxies = ProxyCache(latents, FrameSampler(latents, 0.5, 0.0, 2.0), seed=0)
    proxies.build(14, VQGAN().eval(), None)
    sources = [proxies[k].source[0].name for k in range(14)]
    asked = [k for k in (0, 6, 12) if proxies[k].target[0].name != "p7"]
    assert asked and all(sources[k] == "p7" for k in asked)
    assert sources.count("p7") < 8
