import numpy as np
import pytest

from swaptalk.metrics.sync_offset import sync_score


def stream(frames: int = 120, size: int = 32) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(frames, size))


@pytest.mark.parametrize("offset", [-9, -1, 0, 4, 15])
def test_a_clip_shifted_by_known_frames_finds_the_offset(offset: int) -> None:
    # Sound that comes `offset` frames early: what belongs to frame t is heard at t - offset.
    whole = stream(200)
    video, audio = whole[40:160], whole[40 + offset : 160 + offset]
    result = sync_score(video, audio)
    assert result.offset == offset
    assert result.distance < 0.2 * np.median(result.curve) or abs(offset) == 15
    assert result.confidence > 2.0


def test_unrelated_streams_have_no_confidence() -> None:
    rng = np.random.default_rng(6)
    result = sync_score(rng.normal(size=(400, 64)), rng.normal(size=(400, 64)))
    assert result.confidence < 0.3


def test_distance_of_constant_streams_is_the_closed_form() -> None:
    # Every audio vector is 3 away from every video vector; padding counts only where the window
    # leaves the clip.
    video, audio = np.zeros((100, 9)), np.ones((100, 9))
    result = sync_score(video, audio, maximum_shift=2)
    assert result.curve == pytest.approx([3 * 0.98, 3 * 0.99, 3.0, 3 * 0.99, 3 * 0.98], abs=1e-4)
    assert result.distance == pytest.approx(2.94, abs=1e-4)
    assert result.confidence == pytest.approx(2.97 - 2.94, abs=1e-4)


def test_agrees_with_pairwise_distance_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    video, audio = stream(40), stream(40)[::-1].copy()
    shift = 6
    padded = torch.nn.functional.pad(torch.from_numpy(audio), (0, 0, shift, shift))
    rows = [
        torch.nn.functional.pairwise_distance(
            torch.from_numpy(video[[i]]).repeat(2 * shift + 1, 1), padded[i : i + 2 * shift + 1]
        )
        for i in range(40)
    ]
    mean = torch.stack(rows, 1).mean(1)
    result = sync_score(video, audio, maximum_shift=shift)
    assert result.curve == pytest.approx(mean.numpy())
    assert result.distance == pytest.approx(mean.min().item())
    assert result.confidence == pytest.approx((mean.median() - mean.min()).item())
    assert result.offset == shift - int(mean.argmin())


def test_mismatched_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        sync_score(stream(10), stream(11))
