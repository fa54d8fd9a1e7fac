import pytest

pytest.importorskip("torch")

import torch  # noqa: E402

from swaptalk.losses.terms import LossTerms  # noqa: E402


def fail() -> "torch.Tensor":
    raise AssertionError("computed although it is switched off")


def test_weighted_sum_and_logged_values() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    terms = LossTerms({"a": 0.5, "b": 3.0, "off": 0.0})
    terms.add("a", lambda: x**2)
    terms.add("b", lambda: x, scale=0.1)
    terms.add("off", fail)
    terms.add("b", fail, scale=0.0)
    terms.note("accuracy", 0.9)
    assert terms.total.item() == pytest.approx(0.5 * 4 + 0.3 * 2)
    terms.total.backward()
    assert float(x.grad) == pytest.approx(0.5 * 4 + 0.3)
    assert {k: pytest.approx(float(v)) for k, v in terms.values.items()} == {
        "a": 4,
        "b": 2,
        "accuracy": 0.9,
    }


def test_nothing_to_minimise() -> None:
    with pytest.raises(ValueError, match="every loss has weight 0"):
        _ = LossTerms({"a": 0.0}).total
