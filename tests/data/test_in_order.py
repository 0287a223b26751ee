"""Results come in the items' order, few at a time, whatever the threads do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from rxrx_lib.data.in_order import AHEAD, in_order


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    def slower_at_first(item: int) -> int:
        time.sleep(0.002 * (item < 3))
        return item * item

    assert list(in_order(slower_at_first, range(40), workers)) == [n * n for n in range(40)]
    assert list(in_order(slower_at_first, [], workers)) == []


def test_no_more_items_are_taken_than_a_few_for_each_thread() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    results = in_order(abs, items(), workers=2)
    for used in range(1, 51):
        next(results)
        assert taken - used < AHEAD * 2
    results.close()
    assert taken < 100


def test_an_error_comes_in_the_place_of_its_result_and_ends_the_work() -> None:
    done: list[int] = []
    lock = threading.Lock()

    def work(item: int) -> int:
        if item == 5:
            raise KeyError(item)
        with lock:
            done.append(item)
        return item

    results = in_order(work, range(1000), workers=2)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(KeyError):
        next(results)
    assert len(done) < 5 + AHEAD * 2 + 1
