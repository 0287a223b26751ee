"""A study in version control: written, unpacked, read by commands, damaged, absent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from rxrx_lib import cli
from rxrx_lib.study import recorded, runs
from rxrx_lib.study.catalogue import separated_runs
from rxrx_lib.study.counted_otherwise import keep_by_cell_type
from rxrx_lib.study.merge import Refused, unpacked
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.results import gather
from tests.study.stored import finish_with_predictions, made_up_predictions

STUDY = PROFILES["study"]
SPECS = separated_runs(STUDY)[:6]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project's root with a run store and what is recorded of it. Read only."""
    root = tmp_path_factory.mktemp("root")
    for seed, spec in enumerate(SPECS):
        answers = made_up_predictions(spec, seed=seed, accuracy=0.4)
        finish_with_predictions(spec, root / "runs", answers)
    for spec in SPECS:
        keep_by_cell_type(spec, root / "runs")  # as `rxrx run` does; over wells it takes logits
    recorded.record(root / "results" / "study", STUDY, root / "runs")
    return root


def test_what_is_recorded_gives_the_same_results_as_the_store(root: Path) -> None:
    store = recorded.recorded_store(STUDY, root)
    assert store is not None
    pd.testing.assert_frame_equal(gather(SPECS, store), gather(SPECS, root / "runs"))


def test_an_archive_is_unpacked_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = recorded.recorded_store(STUDY, root)
    monkeypatch.setattr(recorded, "unpacked", None)
    assert recorded.recorded_store(STUDY, root) == store
    assert [path.name for path in (root / recorded.UNPACKED).iterdir()] == [store.name]


def test_nothing_recorded_is_no_store(tmp_path: Path) -> None:
    assert recorded.recorded_store(STUDY, tmp_path) is None
    assert recorded.fingerprint(tmp_path) == ""


def test_the_tables_have_a_line_a_run_and_a_line_a_number(root: Path) -> None:
    folder = root / "results" / "study"
    lines = pd.read_csv(folder / "runs.csv")
    assert lines["id"].tolist() == [spec.id for spec in SPECS]
    assert lines["run"].tolist() == [str(spec) for spec in SPECS]
    results = gather(SPECS, root / "runs")
    assert lines["accuracy"].to_numpy() == pytest.approx(results["accuracy"].to_numpy(), rel=1e-5)
    numbers = pd.read_csv(folder / "numbers.csv").set_index(["item", "row", "column"])
    baseline = results[results["method"] == "baseline"]["accuracy"]
    one = numbers.loc[("table1", "baseline", "accuracy_separated")]
    assert one["mean"] == pytest.approx(baseline.mean(), rel=1e-5)
    assert one["sd"] == pytest.approx(baseline.std(ddof=1), rel=1e-5)
    assert one["n"] == len(baseline) == 2


def test_recording_the_same_runs_again_changes_no_byte(root: Path, tmp_path: Path) -> None:
    recorded.record(tmp_path, STUDY, root / "runs")
    for name in (recorded.ARCHIVE, recorded.RUNS, recorded.NUMBERS):
        assert (tmp_path / name).read_bytes() == (root / "results/study" / name).read_bytes()


def test_recording_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no done run of profile 'study'; execute some first"):
        recorded.record(tmp_path / "results", STUDY, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_not_sound_is_left_out_and_named(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "runs", tmp_path / "runs")
    (tmp_path / "runs" / SPECS[0].id / "result" / "history.csv").write_text("")
    with pytest.warns(UserWarning, match="left out"):
        exported = recorded.record(tmp_path / "study", STUDY, tmp_path / "runs")
    assert SPECS[0].id in exported.left_out[0]
    assert set(exported.sizes) == {spec.id for spec in SPECS[1:]}


def test_a_damaged_archive_is_refused_and_leaves_no_store(root: Path, tmp_path: Path) -> None:
    archive = tmp_path / "results" / "study" / recorded.ARCHIVE
    archive.parent.mkdir(parents=True)
    whole = (root / "results" / "study" / recorded.ARCHIVE).read_bytes()
    for content in (whole[:-20], b"notes", b""):
        archive.write_bytes(content)
        with pytest.raises(Refused, match="is no whole xz file of a zip file"):
            recorded.recorded_store(STUDY, tmp_path)
        assert not list((tmp_path / recorded.UNPACKED).iterdir())


def test_an_archive_that_unpacks_to_more_than_any_study_needs_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rxrx_lib.study.archive.UNPACKED_LIMIT", 1000)
    archive = root / "results" / "study" / recorded.ARCHIVE
    with pytest.raises(Refused, match="it unpacks to more than 1000 bytes"):
        unpacked(archive, tmp_path / "store")


def test_the_fingerprint_is_that_of_the_archives(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "results", tmp_path / "results")
    before = recorded.fingerprint(tmp_path)
    assert before == recorded.fingerprint(root)
    with (tmp_path / "results" / "study" / recorded.ARCHIVE).open("ab") as file:
        file.write(b"more")
    assert recorded.fingerprint(tmp_path) != before


def test_plan_and_report_read_what_is_recorded(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--profile", "study", "--runs", str(root / "results" / "study")]
    assert cli.main(["plan", "--only", "table3", *words]) == 0
    assert "20 runs (absent: 14, done: 6)" in capsys.readouterr().out.splitlines()
    assert cli.main(["report", "--format", "csv", "--strict", *words]) == 0
    told = capsys.readouterr()
    cli.main(["report", "--format", "csv", "--profile", "study", "--runs", str(root / "runs")])
    assert told.out == capsys.readouterr().out
    assert told.err == ""


def test_record_writes_into_the_profiles_folder(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["record", "--profile", "study", "--runs", str(root / "runs")]) == 0
    assert capsys.readouterr().out.startswith("6 runs in results/study/runs.zip.xz: 0.0")
    assert runs.file_sha256(tmp_path / "results/study/runs.zip.xz") == runs.file_sha256(
        root / "results/study/runs.zip.xz"
    )


def test_an_archive_compressed_as_a_whole_takes_less_room(root: Path, tmp_path: Path) -> None:
    for name in ("runs.zip", "runs.zip.xz"):
        assert cli.main(["export", str(tmp_path / name), "--runs", str(root / "runs")]) == 0
    sizes = [(tmp_path / name).stat().st_size for name in ("runs.zip", "runs.zip.xz")]
    assert sizes[1] < sizes[0] / 2
