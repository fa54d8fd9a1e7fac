from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from swaptalk.data.frames import FrameSampler  # noqa: E402
from swaptalk.data.latents import RUN_FRAMES, LatentCache, spread_runs  # noqa: E402
from swaptalk.data.motion import MotionTable  # noqa: E402
from swaptalk.data.mouths import MouthSampler  # noqa: E402
from swaptalk.data.store import Dataset  # noqa: E402
from swaptalk.data.windows import window_starts  # noqa: E402
from swaptalk.errors import InputError  # noqa: E402
from swaptalk.models.vqgan import VQGAN, VQGANConfig  # noqa: E402

SMALL = VQGANConfig(
    latent_channels=16,
    encoder_widths=(8, 8, 8),
    encoder_blocks=(1, 1, 1),
    decoder_widths=(8, 8, 8),
    decoder_blocks=(1, 1, 1),
    codebook_size=16,
)
#: Frames embedded of each clip in these tests, and consecutive frames in a sample.
SOME, WINDOW = 24, 5


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(
        {"a": "ada", "b": "bob", "c": "cy"}, {"a1": "ada", "a2": "ada", "b1": "bob"}
    )


@pytest.fixture
def autoencoder() -> VQGAN:
    torch.manual_seed(0)
    return VQGAN(SMALL).eval()


def test_runs_are_spread_and_usable() -> None:
    usable = np.ones(500, bool)
    usable[100:200] = False
    chosen = spread_runs(usable, 60)
    assert 50 <= chosen.sum() <= 60 and not (chosen & ~usable).any()
    assert chosen[:100].any() and chosen[200:300].any() and chosen[400:].any()
    assert len(window_starts(chosen, WINDOW)) >= 6 * (RUN_FRAMES - WINDOW + 1)
    assert spread_runs(usable, 400) is usable


def test_without_long_runs_single_frames_are_spread() -> None:
    usable = np.arange(300) % 3 > 0
    chosen = spread_runs(usable, 20)
    assert chosen.sum() == 20 and not (chosen & ~usable).any() and chosen[250:].any()


def test_only_some_frames_are_embedded(dataset: Dataset, autoencoder: VQGAN) -> None:
    whole, some = LatentCache(dataset, "x"), LatentCache(dataset, "y", SOME)
    for cache in (whole, some):
        cache.build(dataset.items, autoencoder)
    for item in dataset.items:
        usable = some.usable(item)
        assert usable.sum() == (20 if item.count > 1 else 1)
        np.testing.assert_allclose(some(item)[usable], whole(item)[usable], atol=2e-3)
        assert not some(item)[~usable].any() and np.abs(whole(item)).sum(axis=(1, 2, 3)).all()
    sizes = [sum(p.stat().st_blocks for p in c.folder.glob("*.npy")) for c in (whole, some)]
    assert sizes[1] < 0.6 * sizes[0]


def test_only_what_is_asked_for_is_embedded(dataset: Dataset, autoencoder: VQGAN) -> None:
    cache = LatentCache(dataset, "x", SOME)
    cache.build([i for i in dataset.items if i.name in ("a", "b1")], autoencoder)
    assert sorted(p.stem for p in cache.folder.iterdir()) == ["a", "b1"]


def test_a_whole_cache_is_read_and_only_embedded_frames_are_drawn(
    dataset: Dataset, autoencoder: VQGAN
) -> None:
    some = LatentCache(dataset, "x", SOME)
    LatentCache(dataset, "x").build(dataset.items, autoencoder)
    some.build(dataset.items, autoencoder)
    assert not list(some.folder.iterdir())
    frames = FrameSampler(dataset, 0.3, 1.0, 9.0, clip_frames=SOME)
    drawn = [frames.draw(np.random.default_rng(k)) for k in range(60)]
    assert all(some.usable(item)[frame] for item, frame in drawn)
    assert any(item.count > 1 for item, _ in drawn)


def test_frames_that_are_not_embedded_are_never_drawn(dataset: Dataset, autoencoder: VQGAN) -> None:
    cache, motion = LatentCache(dataset, "x", SOME), MotionTable(dataset)
    motion.build()
    sampler = MouthSampler(dataset, cache.usable, motion, WINDOW, 7, 10, 0.2, 0.5)
    cache.build(sampler.items, autoencoder)
    assert sorted(i.name for i in sampler.items) == ["a", "a1", "a2", "b", "c"]
    rng = np.random.default_rng(0)
    for _ in range(40):
        for sample in sampler.draw(rng, 8):
            for item, frame in (*sample.targets, sample.reference):
                assert cache(item)[frame].any()


def test_too_few_frames_are_refused(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="at least 10"):
        LatentCache(dataset, "x", RUN_FRAMES - 1)
