"""The parallel map: same results in one process and in several, errors come back."""

from __future__ import annotations

import operator
from functools import partial

import pytest

from swaptalk.workers.pool import map_unordered

#: Makes, in each process, the function that raises 2 to a power.
powers = partial(partial, operator.pow, 2)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_task_is_done_once(processes: int) -> None:
    assert sorted(map_unordered(powers, range(6), processes)) == [1, 2, 4, 8, 16, 32]
    assert list(map_unordered(powers, [], processes)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_comes_back(processes: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_unordered(partial(partial, operator.truediv, 1), [1, 0, 2], processes))
