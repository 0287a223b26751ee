"""Done runs trained again: equal to the bit here, and what is said where they are not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from rxrx_lib import cli
from rxrx_lib.study import catalogue, profiles, runs
from rxrx_lib.study.archive import done_runs, export
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.merge import merge
from rxrx_lib.study.recorded import ARCHIVE
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.study.verify import compared, sampled
from tests.study.stored import finish, finish_with_predictions, made_up_predictions
from tests.study.tiny import PROFILE, run_spec

pytestmark = pytest.mark.filterwarnings("ignore:experiment .* noisy:UserWarning")
SPEC, ABSENT = run_spec("adabn", epochs=2), run_spec("baseline", epochs=2)
OWN = PredictSpec(statistics="experiment")


@pytest.fixture(scope="module")
def trained(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the run `SPEC`, done. Read only."""
    store = tmp_path_factory.mktemp("runs")
    run_one(SPEC, Runtime(data=release, runs=store))
    return store


@pytest.fixture
def item(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an item of two runs known to the command, of which one is never done."""
    monkeypatch.setitem(profiles.PROFILES, "tiny", PROFILE)
    monkeypatch.setitem(catalogue.CATALOGUE, "two", lambda profile: [SPEC, ABSENT])


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def verify(release: Path, store: Path, *more: str) -> int:
    words = ["verify", "--profile", "tiny", "--only", "two", "--sample", "5", "--device", "cpu"]
    where = ["--data", str(release), "--runs", str(store), "--workers", "0"]
    return cli.main([*words, *where, *more])


def told(out: str) -> tuple[str, str]:
    """Return the one verdict's line, without the run's name, and the count."""
    line, count = out.splitlines()
    assert line.startswith(f"{SPEC.id}  ")
    return line.removeprefix(f"{SPEC.id}  ").replace(f"{SPEC}: ", ""), count


def test_a_run_trained_again_here_agrees_to_the_bit(
    release: Path, trained: Path, item: None, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(trained)
    assert verify(release, trained) == 0
    assert told(capsys.readouterr().out) == (
        "agrees   equal, bit by bit: metrics and predictions",
        "1 of 1 runs agree",
    )
    assert tree(trained) == before


def test_a_scratch_store_is_kept_and_gone_on_with(
    release: Path, trained: Path, item: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--scratch", str(tmp_path / "scratch")]
    assert verify(release, trained, *words) == 0
    assert runs.open_run(tmp_path / "scratch", SPEC).done
    monkeypatch.setattr("rxrx_lib.study.execute.run_one", None)
    assert verify(release, trained, *words) == 0
    assert verify(release, trained, "--scratch", str(trained)) == 2


def test_a_sample_of_what_is_recorded_is_trained_again(
    release: Path, trained: Path, item: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(tmp_path / "study" / ARCHIVE, done_runs(trained))
    before = tree(tmp_path)
    assert verify(release, tmp_path / "study") == 0
    line, count = told(capsys.readouterr().out)
    assert line.startswith("agrees   equal, bit by bit: metrics and predictions (answers;")
    assert count == "1 of 1 runs agree"
    assert tree(tmp_path) == before


def test_a_merged_run_is_compared_by_its_answers(
    release: Path, trained: Path, item: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(tmp_path / "runs.zip", done_runs(trained))
    merge([tmp_path / "runs.zip"], tmp_path / "runs")
    assert verify(release, tmp_path / "runs") == 0
    line, _ = told(capsys.readouterr().out)
    assert line == (
        "agrees   equal, bit by bit: metrics and predictions (answers; logits and embeddings are "
        "not kept)"
    )


def test_a_run_that_no_training_gives_is_found_out_though_its_parts_fit(
    release: Path, trained: Path, item: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = runs.open_run(trained, SPEC).provenance()
    made = {name: source[name] for name in ("hardware", "libraries")}
    finish_with_predictions(SPEC, tmp_path / "runs", **made)
    assert verify(release, tmp_path / "runs") == 1
    line, count = told(capsys.readouterr().out)
    assert line.startswith("DIFFERS  ")
    assert "metrics differ: " in line
    assert count == "0 of 1 runs agree"


def test_a_run_that_is_not_sound_is_not_trained_again(
    release: Path, trained: Path, item: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained, tmp_path / "runs")
    (runs.open_run(tmp_path / "runs", SPEC).result / "history.csv").write_text("")
    assert verify(release, tmp_path / "runs") == 1
    line, _ = told(capsys.readouterr().out)
    assert line.startswith("DIFFERS  not sound: ")
    assert "history.csv is not the file that the run wrote" in line


def test_a_store_without_done_runs_is_at_fault(
    release: Path, item: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(release, tmp_path) == 1
    assert "has no done run of profile 'tiny' and these items" in capsys.readouterr().err


def pair(tmp_path: Path, one: dict, other: dict, **source: object) -> tuple[runs.Run, runs.Run]:
    return (
        finish_with_predictions(SPEC, tmp_path / "one", one),
        finish_with_predictions(SPEC, tmp_path / "other", other, **source),
    )


def test_one_other_logit_is_a_difference_on_the_same_processor(tmp_path: Path) -> None:
    one, other = made_up_predictions(SPEC), made_up_predictions(SPEC)
    other["top_logit"][3, 1] -= 1e-6
    agrees, words = compared(SPEC, *pair(tmp_path, one, other), tolerance=5.0)
    assert not agrees
    assert words == "predictions differ in top_logit"


@pytest.mark.parametrize(("tolerance", "expected"), [(5.0, True), (1.0, False)])
def test_on_another_processor_metrics_agree_within_the_tolerance(
    tolerance: float, expected: bool, tmp_path: Path
) -> None:
    one, other = made_up_predictions(SPEC), made_up_predictions(SPEC)
    test = np.flatnonzero(other["side"] == "test")
    wrong = next(row for row in test if other["top_sirna_id"][row, 0] != other["sirna_id"][row])
    other["top_sirna_id"][wrong, 0] = other["sirna_id"][wrong]
    stored = pair(tmp_path, one, other, hardware="another processor")
    agrees, words = compared(SPEC, *stored, tolerance=tolerance)
    assert agrees is expected
    assert f"points apart, tolerance {tolerance:g}, " in words
    rows = one["sirna_id"].size
    assert f"{100 * (rows - 1) / rows:.1f} % of the answers equal" in words
    assert words.endswith(
        "not bit by bit, for another hardware: a processor with torch 2, now another processor "
        "with torch 2"
    )


def test_on_another_processor_other_sites_are_a_difference(tmp_path: Path) -> None:
    one, other = made_up_predictions(SPEC), made_up_predictions(SPEC, classes=5)
    agrees, words = compared(SPEC, *pair(tmp_path, one, other, hardware="another"), tolerance=100.0)
    assert not agrees
    assert words.startswith("classes was 6, is 5")


def test_a_sample_is_of_done_runs_and_depends_on_the_seed_alone(tmp_path: Path) -> None:
    specs = [run_spec(seed=seed) for seed in range(12)]
    for spec in specs[:9]:
        finish(spec, tmp_path)
    done = {spec.id for spec in specs[:9]}

    def names(some: list[RunSpec], count: int, seed: int) -> list[str]:
        return [spec.id for spec in sampled(some, tmp_path, count, seed)]

    draws = [names(specs, 3, seed) for seed in range(8)]
    assert all(len(set(draw)) == 3 and set(draw) <= done for draw in draws)
    assert names(specs[::-1], 3, 0) == draws[0]
    assert len({tuple(draw) for draw in draws}) > 1
    assert set(names(specs, 50, 0)) == done
