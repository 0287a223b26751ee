"""Work shared out to threads, whose results come in the order of the items."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 3
"""Items that are given out for each thread: what it holds, and what waits to be taken or used."""


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[Result, None, None]:
    """Yield `function(item)` of each item, computed in threads, with few results waiting.

    Unlike `Executor.map`, which takes all items at once and keeps all results that nobody took.

    Parameters
    ----------
    function : callable
        Safe to be called by several threads.
    items : iterable
        Taken as they are needed.
    workers : int
        Threads.

    Yields
    ------
    Result
        In the items' order. An error comes in the place of its result, and ends it.
    """
    with ThreadPoolExecutor(workers) as threads:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(threads.submit(function, item))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()


def usable_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
