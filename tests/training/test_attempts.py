"""The tries of one training, and what a checkpoint hands on of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rxrx_lib.training import checkpoint
from rxrx_lib.training.attempts import Attempts
from tests.training.test_fit import Cut, CutAfter
from tests.training.tiny import EVERY_STEP, network, train


def test_a_try_counts_its_seconds_and_comes_after_the_earlier_ones() -> None:
    times, processor = iter([100.0, 102.5, 104.0]), iter([7.0, 8.0, 8.25])
    attempts = Attempts({"hardware": "new"}, lambda: next(times), lambda: next(processor))
    assert attempts.so_far() == [{"hardware": "new", "seconds": 2.5, "processor_seconds": 1.0}]
    attempts.earlier = [{"hardware": "old", "seconds": 60.0}]
    assert attempts.so_far() == [
        {"hardware": "old", "seconds": 60.0},
        {"hardware": "new", "seconds": 4.0, "processor_seconds": 1.25},
    ]


def test_a_training_that_goes_on_knows_the_tries_before_it(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"

    def tried(name: str, reads: int) -> Attempts:
        attempts = Attempts({"machine": name})
        hardware = dataclasses.replace(EVERY_STEP, memory_for_sites=0)
        images = CutAfter(reads)
        train(network(), images, hardware=hardware, checkpoint_path=path, attempts=attempts)
        return attempts

    for name in ("first", "second"):
        with pytest.raises(Cut):
            tried(name, 4)  # of nine steps
    last = tried("third", 1)
    assert [each["machine"] for each in last.so_far()] == ["first", "second", "third"]
    kept = checkpoint.load(path)
    assert kept is not None
    assert kept["attempts"][:2] == last.earlier
    assert all(each["seconds"] > 0 for each in kept["attempts"])
