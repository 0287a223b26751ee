"""Plain lines that say how far a study is: done, to do, time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def to_stderr(line: str) -> None:
    """Print a line where a terminal, a notebook and a log file all show it at once."""
    print(line, file=sys.stderr, flush=True)


class Progress:
    """Count runs, and guess the time left from the pace so far.

    Parameters
    ----------
    write
        Takes one line without its end.
    clock
        Seconds, from any start.
    """

    def __init__(
        self,
        write: Callable[[str], None] = to_stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.write = write
        self.clock = clock
        self.total = self.done = self.finished_here = 0
        self.since = clock()

    def start(self, total: int, done: int, what: str = "runs") -> None:
        """Say how many runs, or what else, there are and how many were done before."""
        self.total, self.done, self.finished_here = total, done, 0
        self.since = self.clock()
        if total > done:
            self.write(f"{what}: {total}, done before: {done}, to do: {total - done}")

    def say(self, line: str) -> None:
        """Pass a line on; the pace is counted from the last such line."""
        self.since = self.clock()
        self.write(line)

    def finished(self, name: str, error: BaseException | None) -> None:
        """Report one run that has ended, well or not."""
        self.done += 1
        self.finished_here += 1
        left = self.total - self.done
        pace = (self.clock() - self.since) / self.finished_here
        outcome = "done" if error is None else f"FAILED: {error}"
        going = f", about {duration(pace * left)} left" if left else ""
        self.write(f"[{self.done:>{len(str(self.total))}}/{self.total}] {name} · {outcome}{going}")


def duration(seconds: float) -> str:
    """Write a duration as people say it: 45 s, 3 min, 2 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
