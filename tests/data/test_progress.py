"""What a user sees of a long download or packing."""

from __future__ import annotations

import threading

import pytest

from rxrx_lib.data.progress import TransferProgress, readable_size, readable_time


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_at_most_every_few_seconds_with_rate_and_time_left() -> None:
    clock, lines = Clock(), []
    progress = TransferProgress(46_000_000_000, lines.append, clock, every=5)
    for _ in range(40):
        clock.now += 0.25
        progress.arrived(5_750_000)
    assert lines == [
        "115.0 MB of 46.0 GB (0.2%), 23.0 MB/s, 33 min 15 s left",
        "230.0 MB of 46.0 GB (0.5%), 23.0 MB/s, 33 min 10 s left",
    ]
    clock.now += 10
    progress.finish()
    assert lines[2] == "230.0 MB fetched in 20 s (11.5 MB/s)"


def test_a_transfer_of_no_time_has_no_rate() -> None:
    lines: list[str] = []
    progress = TransferProgress(10, lines.append, Clock())
    progress.arrived(10)
    progress.finish()
    assert lines == ["10 bytes fetched in 0 s (–/s)"]


def test_the_last_line_says_what_was_done_with_the_bytes() -> None:
    clock, lines = Clock(), []
    progress = TransferProgress(4000, lines.append, clock, done="packed")
    clock.now += 2
    progress.arrived(4000)
    progress.finish()
    assert lines == ["4.0 kB packed in 2 s (2.0 kB/s)"]


def test_threads_count_together() -> None:
    lines: list[str] = []
    progress = TransferProgress(80_000, lines.append, Clock())
    threads = [
        threading.Thread(target=lambda: [progress.arrived(1) for _ in range(10_000)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    progress.finish()
    assert lines == ["80.0 kB fetched in 0 s (–/s)"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (46e9, "46.0 GB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_sizes_are_readable(size: float, text: str) -> None:
    assert readable_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (130, "2 min 10 s"), (3900, "1 h 05 min"), (-1, "0 s")],
)
def test_times_are_readable(seconds: float, text: str) -> None:
    assert readable_time(seconds) == text
