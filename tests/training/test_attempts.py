"""The tries of one training, and what a checkpoint hands on of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rxrx_lib.training import checkpoint
from rxrx_lib.training.attempts import Attempts
from rxrx_lib.training.fit import fit
from tests.training.test_fit import Cut, CutAfter
from tests.training.tiny import TARGETS, network, noise, plan, recipe


def test_a_try_counts_its_seconds_and_comes_after_the_earlier_ones() -> None:
    times = iter([100.0, 102.5, 104.0])
    attempts = Attempts({"hardware": "new"}, clock=lambda: next(times))
    assert attempts.so_far() == [{"hardware": "new", "seconds": 2.5}]
    attempts.earlier = [{"hardware": "old", "seconds": 60.0}]
    assert attempts.so_far() == [
        {"hardware": "old", "seconds": 60.0},
        {"hardware": "new", "seconds": 4.0},
    ]


def test_a_training_that_goes_on_knows_the_tries_before_it(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"

    def tried(name: str, reads: int) -> Attempts:
        attempts = Attempts({"machine": name})
        settings = {"seed": 5, "checkpoint_path": path, "attempts": attempts}
        fit(network(), CutAfter(reads), plan, TARGETS, recipe(), **settings)
        return attempts

    for name in ("first", "second"):
        with pytest.raises(Cut):
            tried(name, 4)  # three steps an epoch
    last = tried("third", 3)
    assert [each["machine"] for each in last.so_far()] == ["first", "second", "third"]
    kept = checkpoint.load(path)
    assert kept is not None
    assert kept["attempts"][:2] == last.earlier
    assert all(each["seconds"] > 0 for each in kept["attempts"])


def test_a_checkpoint_that_knows_no_tries_is_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    fit(network(), noise(), plan, TARGETS, recipe(), seed=5, checkpoint_path=path)
    old = checkpoint.load(path)
    assert old is not None
    del old["attempts"]
    checkpoint.save(path, old)
    attempts = Attempts({})
    settings = {"seed": 5, "checkpoint_path": path, "attempts": attempts}
    fit(network(), CutAfter(0), plan, TARGETS, recipe(), **settings)
    assert attempts.earlier == []
