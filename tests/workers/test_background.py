import sys
import threading
from collections.abc import Iterator

import pytest

from swaptalk.workers.background import TURN_SECONDS, background, short_turns


def test_order_and_end() -> None:
    assert list(background(lambda: range(100), depth=3, name="numbers")) == list(range(100))


def test_the_queue_is_bounded() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for i in range(1000):
            made.append(i)
            yield i

    items = background(numbers, depth=2, name="numbers")
    # However fast the producer is: taken, two in the queue, one in the producer's hand.
    assert all(len(made) <= number + 1 + 2 + 1 for number in items)
    assert len(made) == 1000


def test_an_exception_arrives_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("disk on fire")

    items = background(broken, depth=4, name="broken")
    assert next(items) == 1
    with pytest.raises(OSError, match="disk on fire"):
        next(items)


def test_closing_the_last_stage_stops_the_whole_chain() -> None:
    closed: list[str] = []

    def endless(name: str) -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.append(name)

    def second() -> Iterator[int]:
        items = background(lambda: endless("first"), depth=2, name="first")
        try:
            yield from items
        finally:
            items.close()
            closed.append("second")

    before = threading.active_count()
    items = background(second, depth=2, name="second")
    next(items)
    items.close()
    assert closed == ["first", "second"]
    assert threading.active_count() == before


def test_turns_are_short_only_while_stages_run():
    before = sys.getswitchinterval()
    with pytest.raises(KeyError), short_turns():
        assert sys.getswitchinterval() == pytest.approx(TURN_SECONDS)
        raise KeyError
    assert sys.getswitchinterval() == before
