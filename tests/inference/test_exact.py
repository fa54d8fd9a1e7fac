"""Networks that serve one thread at a time."""

from __future__ import annotations

import pytest

from swaptalk.inference.exact import Spares


def test_one_that_has_nothing_to_do_is_lent_again() -> None:
    made: list[object] = []
    spares = Spares(lambda: made.append(object()) or made[-1])
    with spares.lent() as first, spares.lent() as second:
        assert first is not second
    for _ in range(3):
        with spares.lent() as again:
            assert again in made
    assert len(made) == 2


def test_one_whose_use_failed_comes_back() -> None:
    spares = Spares(object)
    with pytest.raises(ValueError, match="no such view"), spares.lent() as first:
        raise ValueError("no such view")
    with spares.lent() as again:
        assert again is first
