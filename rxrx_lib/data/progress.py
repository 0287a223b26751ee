"""How far a download or a packing is, in plain lines."""

from __future__ import annotations

import threading
from collections.abc import Callable

UNITS = ("bytes", "kB", "MB", "GB", "TB")


class TransferProgress:
    """Counts bytes from any thread, and writes a line now and then.

    Parameters
    ----------
    total : int
        Bytes to come.
    write : callable
        Takes one line, of one thread at a time.
    clock : callable
        Seconds, from any origin.
    every : float
        Seconds from a line to the next.
    done : str
        What the last line says of the bytes.
    """

    def __init__(
        self,
        total: int,
        write: Callable[[str], None],
        clock: Callable[[], float],
        every: float = 5.0,
        done: str = "fetched",
    ) -> None:
        self._total, self._write, self._clock, self._every = total, write, clock, every
        self._done, self._word = 0, done
        self._started = self._written = clock()
        self._lock = threading.Lock()

    def arrived(self, size: int) -> None:
        """Count `size` more bytes."""
        with self._lock:
            self._done += size
            now = self._clock()
            if now - self._written >= self._every:
                self._written = now
                self._write(self._line(now - self._started))

    def finish(self) -> None:
        """Write the last line."""
        seconds = self._clock() - self._started
        rate = readable_size(self._done / seconds) if seconds > 0 else "–"
        took = readable_time(seconds)
        self._write(f"{readable_size(self._done)} {self._word} in {took} ({rate}/s)")

    def _line(self, seconds: float) -> str:
        rate = self._done / seconds
        left = readable_time((self._total - self._done) / rate)
        share = f"{self._done / self._total:.1%}"
        of = f"{readable_size(self._done)} of {readable_size(self._total)}"
        return f"{of} ({share}), {readable_size(rate)}/s, {left} left"


def readable_size(size: float) -> str:
    """Return a number of bytes in decimal units: 46.0 GB."""
    power = 0
    while size >= 999.95 and power < len(UNITS) - 1:
        size, power = size / 1000, power + 1
    return f"{size:.1f} {UNITS[power]}" if power else f"{size:.0f} {UNITS[0]}"


def readable_time(seconds: float) -> str:
    """Return a duration in its two largest units: 1 h 05 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
