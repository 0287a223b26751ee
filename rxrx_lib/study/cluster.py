"""A Dask cluster that somebody else has started: is it there, and who is in it."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

ANSWER_SECONDS = 5.0
"""Within which a scheduler has to say who it is."""
LOOK_SECONDS = 1.0
"""Between two looks at who is in the cluster."""
REMIND_SECONDS = 600.0
"""Between two lines that say that nobody is."""
ADDRESS = r"([a-z0-9]+://)?(\[[^\s\[\]]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})(/\S*)?"


class NoScheduler(RuntimeError):
    """No Dask scheduler answers at the address; the message names it."""


@contextmanager
def joined(address: str, say: Callable[[str], None]) -> Iterator[Any]:
    """Give a Dask client of the cluster at an address, and say whenever its workers change.

    Without any worker, runs wait, for hours if need be: a queue may start workers when it likes.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://node1:8786``.
    say
        Takes one line.

    Raises
    ------
    NoScheduler
        If the address is malformed, or no scheduler answers there within a few seconds.
    """
    import distributed

    # Why it cannot reconnect is said by each run's future.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    threads = {name: worker["nthreads"] for name, worker in _identity(address)["workers"].items()}
    say(f"scheduler {address}: {counted(len(threads))}")
    if busy := [name for name, n in threads.items() if n > 1]:
        say(
            f"{len(busy)} of them have more than one thread, such as {busy[0]}: each trains one "
            "run at a time and keeps others waiting; start workers with --nthreads 1."
        )
    with distributed.Client(address, timeout=ANSWER_SECONDS) as client:
        watch = WorkerWatch(address, len(threads), say)
        with _watched(client.nthreads, watch):
            yield client


class WorkerWatch:
    """Put changes in the number of workers into words.

    Parameters
    ----------
    address
        Of the scheduler.
    workers
        How many there are at first.
    say
        Takes one line.
    clock
        Seconds, from any start.
    """

    def __init__(
        self,
        address: str,
        workers: int,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address, self.workers, self.say, self.clock = address, workers, say, clock
        self.said = clock()
        if not workers:
            self._say_that_nobody_is_there()

    def look(self, workers: int) -> None:
        """Compare with the number at the last look."""
        before, self.workers = self.workers, workers
        if workers > before:
            self.say(f"scheduler {self.address}: {counted(workers)}")
        elif workers and workers < before:
            self.say(
                f"scheduler {self.address}: {counted(workers)}, {before - workers} gone; what "
                "they had in training goes on elsewhere, from its last checkpoint"
            )
        elif not workers and (before or self.clock() - self.said >= REMIND_SECONDS):
            self._say_that_nobody_is_there()

    def _say_that_nobody_is_there(self) -> None:
        self.said = self.clock()
        self.say(
            f"scheduler {self.address}: no worker; runs wait until one joins. Start one with dask "
            f"worker {self.address} --nthreads 1, or press Ctrl-C: what is done is kept."
        )


def counted(workers: int) -> str:
    """Say a number of workers: 1 worker, 2 workers."""
    return f"{workers} worker" if workers == 1 else f"{workers} workers"


@contextmanager
def _watched(workers: Callable[[], Mapping[str, int]], watch: WorkerWatch) -> Iterator[None]:
    """Look at the workers again and again, from a thread, until the block ends."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            try:
                there = workers()
            except Exception:  # noqa: BLE001 - the scheduler is gone, which each run's future says
                return
            watch.look(len(there))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=2 * LOOK_SECONDS)


def _identity(address: str) -> dict[str, Any]:
    """Return what the scheduler at the address says of itself and its workers.

    Dask's client would wait longer than its timeout where something else listens there, and takes a
    worker for a scheduler. The thread is for notebooks, whose own thread has a loop already.
    """
    matched = re.fullmatch(ADDRESS, address)
    if matched is None or not 0 < int(matched["port"]) < 2**16:
        raise _no_scheduler(address, "that is no address")
    with ThreadPoolExecutor(1) as thread:
        try:
            found: dict[str, Any] = thread.submit(asyncio.run, _asked(address)).result()
        except TimeoutError as error:
            raise _no_scheduler(address, f"no answer in {ANSWER_SECONDS:.0f} s") from error
        # What an address can be wrong in is for Dask to say, by whichever error.
        except Exception as error:
            raise _no_scheduler(address, str(error).strip().rstrip(".")) from error
    if not str(found.get("type")).endswith("Scheduler"):
        raise _no_scheduler(address, f"a {found.get('type')} answers there")
    return found


async def _asked(address: str) -> dict[str, Any]:
    from distributed.core import rpc
    from distributed.security import Security

    connection = Security().get_connection_args("client")
    async with asyncio.timeout(ANSWER_SECONDS), rpc(address, connection_args=connection) as peer:
        found: dict[str, Any] = await peer.identity()
        return found


def _no_scheduler(address: str, found: str) -> NoScheduler:
    return NoScheduler(
        f"--scheduler is {address!r}, where no Dask scheduler can be reached ({found}); expected "
        "the address that dask scheduler printed, such as tcp://node1:8786, of one that is running."
    )
