"""Lines that count runs and guess the time left."""

from __future__ import annotations

import pytest

from rxrx_lib.study.progress import Progress, duration


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_count_and_estimate_from_the_pace_of_this_session() -> None:
    clock, lines = Clock(), []
    progress = Progress(lines.append, clock)
    clock.now = 100.0
    progress.start(total=12, done=8)
    clock.now = 400.0
    progress.say("screens ready: 1 of 1")
    clock.now = 420.0
    progress.finished("first", None)
    clock.now = 460.0
    progress.finished("second", ValueError("no such disk"))
    clock.now = 490.0
    progress.finished("third", None)
    progress.finished("last", None)
    assert lines == [
        "runs: 12, done before: 8, to do: 4",
        "screens ready: 1 of 1",
        "[ 9/12] first · done, about 60 s left",  # 3 left of 20 s
        "[10/12] second · FAILED: no such disk, about 60 s left",  # 2 left of 30 s
        "[11/12] third · done, about 30 s left",
        "[12/12] last · done",
    ]


def test_a_study_that_is_done_says_nothing() -> None:
    lines: list[str] = []
    Progress(lines.append).start(total=5, done=5)
    assert lines == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (180, "3 min"),
        (5340, "89 min"),
        (5400, "1 h 30 min"),
        (7500, "2 h 5 min"),
        (90000, "25 h 0 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
