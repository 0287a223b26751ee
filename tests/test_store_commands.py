"""`rxrx export`, `merge`, `report --strict`, and shards and failures in `rxrx plan`."""

from __future__ import annotations

from pathlib import Path

import pytest

from rxrx_lib import cli
from rxrx_lib.study import catalogue, profiles, runs
from tests.study.stored import finish_with_predictions
from tests.study.tiny import PROFILE, run_spec

SPECS = [run_spec(method, seed=seed) for method in ("baseline", "adabn") for seed in range(3)]
OF_NO_ITEM = run_spec("gradient_reversal", seed=5)


@pytest.fixture(autouse=True)
def item(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an item of `SPECS` known to the command."""
    monkeypatch.setitem(profiles.PROFILES, "tiny", PROFILE)
    monkeypatch.setitem(catalogue.CATALOGUE, "six", lambda profile: SPECS)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for spec in (*SPECS[:4], OF_NO_ITEM):
        finish_with_predictions(spec, tmp_path / "runs")
    return tmp_path / "runs"


def rxrx(*words: object) -> int:
    return cli.main([str(word) for word in words])


TINY = ("--profile", "tiny", "--only", "six")


def test_export_and_merge_carry_every_done_run_of_a_store(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, new = tmp_path / "all.zip", tmp_path / "new"
    assert rxrx("export", file, "--runs", store) == 0
    assert capsys.readouterr().out.startswith(f"5 runs in {file}: 0.0")
    assert rxrx("merge", file, "--runs", new) == 0
    assert capsys.readouterr().out == (
        f"5 runs are new in {new}, 0 got more of their predictions, 0 were there, 0 conflicts\n"
    )
    assert {path.name for path in new.iterdir()} == {path.name for path in store.iterdir()}


def test_export_takes_the_runs_that_are_asked_for(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, count in ((TINY, 4), ((*TINY, "--methods", "adabn"), 1)):
        assert rxrx("export", tmp_path / "some.zip", "--runs", store, *words) == 0
        assert capsys.readouterr().out.startswith(f"{count} runs in ")


def test_conflicts_are_listed_and_at_fault(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "all.zip"
    rxrx("export", file, "--runs", store)
    new = tmp_path / "new"
    run = finish_with_predictions(SPECS[0], new)
    metrics = run.metrics() | {"accuracy_wells": 1.0}
    other = finish_with_predictions(SPECS[0], tmp_path / "other")
    for folder in (other.result, next(other.predictions.iterdir())):
        runs.write_json(folder / "metrics.json", metrics)
    sums = {path.name: runs.file_sha256(path) for path in other.result.iterdir()}
    runs.write_json(other.result / "provenance.json", other.provenance() | {"sha256": sums})
    rxrx("export", tmp_path / "other.zip", "--runs", tmp_path / "other")
    capsys.readouterr()
    assert rxrx("merge", tmp_path / "other.zip", file, "--runs", new) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"rxrx: {SPECS[0].id} of {tmp_path / 'other.zip'} is kept out: ")
    assert told.out.startswith(f"4 runs are new in {new}, 0 got more of their predictions, 1 were")


def test_a_file_that_is_no_archive_is_at_fault_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.zip").write_text("notes")
    assert rxrx("merge", tmp_path / "thesis.zip", "--runs", tmp_path / "new") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"rxrx: {tmp_path / 'thesis.zip'} is no whole zip file (")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.zip"]


def test_a_strict_report_is_at_fault_and_lists_what_it_left_out(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("report", "--profile", "tiny", "--runs", store)
    assert rxrx(*words, "--strict") == 0
    before = capsys.readouterr()
    assert before.err == ""
    bad = runs.open_run(store, SPECS[1]).result / "metrics.json"
    bad.write_text("{")
    (store / "notes.txt").write_text("?")
    for strict, code in (((), 0), (("--strict",), 1)):
        assert rxrx(*words, *strict) == code
        told = capsys.readouterr()
        lines = told.err.splitlines()
        assert len(lines) == 2
        assert sorted(line.startswith(f"rxrx: left out: {bad} is no JSON") for line in lines) == [
            False,
            True,
        ]
        assert any(f"{store}/notes.txt is no run" in line for line in lines)


def plan(store: Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[str]:
    assert rxrx("plan", *TINY, "--runs", store, *more) == 0
    return capsys.readouterr().out.splitlines()


def test_a_plan_says_in_one_line_why_a_run_failed_or_is_not_sound(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = runs.open_run(store, SPECS[4])
    runs.start(failed, SPECS[4])
    runs.fail(failed, RuntimeError("no power\nnor light"))
    bad = runs.open_run(store, SPECS[1]).result / "history.csv"
    bad.write_text("")
    lines = plan(store, capsys)
    assert lines[4] == f"{SPECS[4].id}  failed     {SPECS[4]}: RuntimeError: no power"
    assert lines[1].startswith(f"{SPECS[1].id}  unsound    {SPECS[1]}: {bad} is not the file")
    assert lines[-1] == "6 runs (absent: 1, done: 3, failed: 1, unsound: 1)"


def test_a_failure_that_cannot_be_read_does_not_stop_a_plan(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = runs.open_run(store, SPECS[4])
    runs.start(failed, SPECS[4])
    (failed.path / "failure.json").write_text("{")
    assert plan(store, capsys)[4].endswith("failure.json cannot be read")


def test_the_shards_of_a_plan_are_the_plan(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = plan(store, capsys)[:-1]
    parts = [plan(store, capsys, "--shard", f"{part}/4")[:-1] for part in range(1, 5)]
    assert sorted(line for part in parts for line in part) == sorted(whole)
    assert [len(part) for part in parts] == [2, 2, 1, 1]


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("shard", ["0/2", "3/2", "two"])
def test_a_shard_that_does_not_exist_is_wrong_usage(
    command: str, shard: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        rxrx(command, *TINY, "--shard", shard)
    assert stopped.value.code == 2
    assert f"shard is '{shard}'; give i/n, such as 3/8" in capsys.readouterr().err


def test_a_shard_without_runs_has_nothing_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rxrx("run", *TINY, "--shard", "7/7", "--runs", tmp_path, "--workers", "0") == 0
    assert capsys.readouterr().out == "no run is left for shard 7/7\n"
    assert not list(tmp_path.iterdir())


def test_running_a_study_with_an_unsound_run_is_at_fault(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("run", *TINY, "--methods", "baseline", "--runs", store, "--workers", "0")
    assert rxrx(*words) == 0
    (runs.open_run(store, SPECS[1]).result / "history.csv").write_text("")
    capsys.readouterr()
    assert rxrx(*words) == 1
    told = capsys.readouterr()
    assert told.out == f"2 runs done in {store}\n"
    assert "history.csv is not the file that the run wrote" in told.err
