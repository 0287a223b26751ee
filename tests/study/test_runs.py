"""The run store: what state a run is in, and that results appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rxrx_lib.study import runs
from rxrx_lib.study.identity import canonical, identity
from rxrx_lib.study.spec import PredictSpec
from tests.study.tiny import run_spec

SPEC = run_spec()


def fill(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "metrics.json").write_text(text)

    return write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_run_passes_through_its_states(tmp_path: Path) -> None:
    def state() -> str:
        return runs.open_run(tmp_path, SPEC).state

    run = runs.open_run(tmp_path, SPEC)
    assert run.path == tmp_path / SPEC.id
    assert run.id == SPEC.id
    seen = [state()]
    runs.start(run, SPEC)
    seen.append(state())
    run.checkpoint.write_bytes(b"")
    seen.append(state())
    runs.fail(run, RuntimeError("no power"))
    seen.append(state())
    runs.start(run, SPEC)
    seen.append(state())
    runs.commit_folder(run.result, fill("{}"))
    seen.append(state())
    assert seen == ["absent", "started", "resumable", "failed", "resumable", "done"]
    assert run.done


def test_looking_at_a_run_creates_nothing(tmp_path: Path) -> None:
    assert runs.open_run(tmp_path / "store", SPEC).state == "absent"
    assert not (tmp_path / "store").exists()


def test_what_was_asked_is_stored_in_full(tmp_path: Path) -> None:
    run = runs.open_run(tmp_path, SPEC)
    runs.start(run, SPEC)
    assert json.loads((run.path / "spec.json").read_text()) == canonical(SPEC)


def test_a_folder_with_another_spec_than_its_name_says_is_refused(tmp_path: Path) -> None:
    run = runs.open_run(tmp_path, SPEC)
    runs.start(run, SPEC)
    stored = canonical(SPEC)
    stored["seed"] = 1
    (run.path / "spec.json").write_text(json.dumps(stored))
    with pytest.raises(runs.SpecMismatch, match=rf"{SPEC.id}/spec\.json holds another spec"):
        runs.open_run(tmp_path, SPEC)


def test_a_spec_that_is_no_json_is_named(tmp_path: Path) -> None:
    run = runs.open_run(tmp_path, SPEC)
    runs.start(run, SPEC)
    (run.path / "spec.json").write_text("{")
    with pytest.raises(ValueError, match=rf"{SPEC.id}/spec\.json is no JSON"):
        runs.open_run(tmp_path, SPEC)


def test_a_failure_is_written_down_with_its_place(tmp_path: Path) -> None:
    run = runs.open_run(tmp_path, SPEC)
    runs.start(run, SPEC)

    def fail_here() -> None:
        raise OSError(errno.ENOSPC, "disk full")

    with pytest.raises(OSError, match="disk full") as raised:
        fail_here()
    runs.fail(run, raised.value)
    report = json.loads((run.path / "failure.json").read_text())
    assert report["error"] == "OSError: [Errno 28] disk full"
    assert "in fail_here" in report["traceback"]


def test_of_two_writers_the_first_wins_and_the_second_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "run" / "result"
    outcomes = []

    def slow(folder: Path) -> None:
        fill("slow")(folder)
        outcomes.append(runs.commit_folder(target, fill("fast")))

    outcomes.append(runs.commit_folder(target, slow))
    assert outcomes == [True, False]
    assert (target / "metrics.json").read_text() == "fast"
    assert names(target.parent) == ["result"]


@pytest.mark.parametrize(("durable", "waits"), [(True, 1), (False, 0)])
def test_the_disk_is_waited_for_unless_the_folder_can_be_made_again(
    durable: bool, waits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr(os, "fsync", waited.append)
    assert runs.commit_folder(tmp_path / "folder", fill("{}"), durable=durable)
    assert len(waited) == waits
    assert names(tmp_path) == ["folder"]


def test_what_is_to_be_replaced_makes_room_for_the_new_folder_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    target = tmp_path / "predictions"
    for text in ("old", "new"):
        assert runs.commit_folder(target, fill(text), replaces=lambda: True)
        assert (target / "metrics.json").read_text() == text
    assert names(tmp_path) == ["predictions"]


def test_whether_to_replace_is_asked_when_the_folder_is_filled(tmp_path: Path) -> None:
    target = tmp_path / "predictions"
    runs.commit_folder(target, fill("old"))
    done = []

    def write(folder: Path) -> None:
        fill("late")(folder)
        done.append(True)

    assert not runs.commit_folder(target, write, replaces=lambda: not done)
    assert (target / "metrics.json").read_text() == "old"
    assert names(tmp_path) == ["predictions"]


def test_a_writer_that_finds_a_file_in_its_way_is_not_taken_for_a_second_one(
    tmp_path: Path,
) -> None:
    def stumbling(folder: Path) -> None:
        folder.mkdir()

    with pytest.raises(FileExistsError):
        runs.commit_folder(tmp_path / "result", stumbling)
    assert names(tmp_path) == []


def test_tidying_removes_old_attempts_and_keeps_those_that_may_be_alive(tmp_path: Path) -> None:
    run = runs.open_run(tmp_path, SPEC)
    runs.start(run, SPEC)
    for name, hours in ((".attempt-killed", 25), (".attempt-alive", 1)):
        (run.path / name).mkdir()
        fill("half")(run.path / name)
        changed = time.time() - 3600 * hours
        os.utime(run.path / name, (changed, changed))
    run.checkpoint.write_bytes(b"")
    runs.tidy(run)
    assert names(run.path) == [".attempt-alive", "checkpoint.pt", "spec.json"]


def test_tidying_a_done_run_removes_what_led_to_it(tmp_path: Path) -> None:
    run = runs.open_run(tmp_path, SPEC)
    runs.start(run, SPEC)
    runs.commit_folder(run.result, fill("{}"))
    runs.fail(run, RuntimeError("too late"))
    for name in ("checkpoint.pt", "checkpoint.pt.prev", ".checkpoint.pt-0123"):
        (run.path / name).write_bytes(b"")
    runs.tidy(run)
    runs.tidy(run)
    assert names(run.path) == ["result", "spec.json"]


def test_a_run_that_is_not_there_is_tidy(tmp_path: Path) -> None:
    runs.tidy(runs.open_run(tmp_path / "store", SPEC))
    assert names(tmp_path) == []


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        fill("half")(folder)
        raise OSError(errno.ENOSPC, "disk full")

    with pytest.raises(OSError, match="disk full"):
        runs.commit_folder(tmp_path / "result", broken)
    assert names(tmp_path) == []


def test_ways_of_predicting_lie_side_by_side(tmp_path: Path) -> None:
    run = runs.open_run(tmp_path, SPEC)
    ways = [PredictSpec(statistics=statistics) for statistics in ("training", "experiment")]
    assert [run.prediction(way) for way in ways] == [
        tmp_path / SPEC.id / "predictions" / identity(way) for way in ways
    ]


def test_numbers_that_are_not_finite_are_never_stored(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        runs.write_json(tmp_path / "metrics.json", {"accuracy": float("nan")})
