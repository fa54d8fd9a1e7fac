import pytest

pytest.importorskip("torch")

from swaptalk.training.schedule import Schedule, progress  # noqa: E402


def test_rises_stays_and_falls() -> None:
    schedule = Schedule(warm_up=10, decay_share=0.25)
    factors = [schedule.factor(step, step / 100) for step in range(100)]
    assert factors[0] == pytest.approx(0.1) and factors[4] == pytest.approx(0.5)
    assert all(f == 1 for f in factors[9:76])
    assert all(b < a for a, b in zip(factors[75:97], factors[76:98], strict=True))
    assert schedule.factor(99, 1.0) == pytest.approx(0.02)


def test_no_decay_and_no_warm_up() -> None:
    assert Schedule(0, 0.0).factor(0, 0.99) == 1


def test_whichever_budget_ends_first() -> None:
    assert progress(50, 0.0, 100, 0.0) == 0.5
    assert progress(50, 45.0, 100, 1.0) == 0.75
    assert progress(0, 90.0, 0, 1.0) == 1.0
