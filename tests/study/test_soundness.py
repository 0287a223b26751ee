"""Runs that cannot be believed: named, left out, never averaged in."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rxrx_lib.study import runs
from rxrx_lib.study.derived import write_derived
from rxrx_lib.study.identity import identity_of
from rxrx_lib.study.results import gather, gather_predictions
from rxrx_lib.study.soundness import LeftOut, prediction_fault, run_fault, store_faults
from rxrx_lib.study.spec import PredictSpec
from tests.study.stored import finish, finish_with_predictions, made_up_predictions, predict
from tests.study.tiny import BY_SITE, run_spec

SPEC, OTHER = run_spec(seed=1), run_spec("adabn", BY_SITE, seed=2)
OWN, PLATE = PredictSpec(statistics="training"), PredictSpec(statistics="plate")


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    finish_with_predictions(OTHER, tmp_path)
    return finish_with_predictions(SPEC, tmp_path)


def change_json(path: Path, **fields: object) -> None:
    runs.write_json(path, runs.read_json(path) | fields)


def believe(run: runs.Run) -> None:
    """Make the checksums of provenance.json those of the files, as a forger would."""
    files = {p.name: runs.file_sha256(p) for p in run.result.iterdir()}
    change_json(run.result / "provenance.json", sha256=files)


def raise_accuracy(run: runs.Run) -> None:
    change_json(run.result / "metrics.json", accuracy=99.0)


def raise_accuracy_and_checksum(run: runs.Run) -> None:
    raise_accuracy(run)
    believe(run)


def raise_accuracy_everywhere(run: runs.Run) -> None:
    raise_accuracy_and_checksum(run)
    change_json(run.prediction(OWN) / "metrics.json", accuracy=99.0)


def raise_one_experiments_accuracy_everywhere(run: runs.Run) -> None:
    for folder in (run.result, run.prediction(OWN)):
        by_experiment = run.metrics()["by_experiment"]
        change_json(folder / "metrics.json", by_experiment=dict.fromkeys(by_experiment, 1.5))
    believe(run)


def change_history(run: runs.Run) -> None:
    (run.result / "history.csv").write_text("epoch\n")


def change_spec(run: runs.Run) -> None:
    change_json(run.path / "spec.json", seed=7)


def remove_spec(run: runs.Run) -> None:
    (run.path / "spec.json").unlink()


def halve_metrics(run: runs.Run) -> None:
    path = run.result / "metrics.json"
    path.write_text(path.read_text()[:40])


def halve_predictions(run: runs.Run) -> None:
    path = run.prediction(OWN) / "predictions.npz"
    path.write_bytes(path.read_bytes()[:400])


def answer_otherwise(run: runs.Run) -> None:
    arrays = made_up_predictions(SPEC, seed=8)
    np.savez(run.prediction(OWN) / "predictions.npz", **arrays)


def remove_provenance(run: runs.Run) -> None:
    (run.result / "provenance.json").unlink()


def drop_checksums(run: runs.Run) -> None:
    source = run.provenance()
    del source["sha256"]
    runs.write_json(run.result / "provenance.json", source)


def list_for_provenance(run: runs.Run) -> None:
    (run.result / "provenance.json").write_text("[]")


def number_for_checksums(run: runs.Run) -> None:
    change_json(run.result / "provenance.json", sha256=5)


def take_result_of_another_split(run: runs.Run) -> None:
    shutil.rmtree(run.path / "predictions")
    shutil.rmtree(run.result)
    shutil.copytree(runs.open_run(run.path.parent, OTHER).result, run.result)
    source = run.provenance()
    del source["run"]
    runs.write_json(run.result / "provenance.json", source)


def take_result_of_another_seed(run: runs.Run) -> None:
    change_json(run.result / "provenance.json", run="0123456789abcdef")


def take_result_of_other_data(run: runs.Run) -> None:
    change_json(run.result / "provenance.json", data={"identity": "0123456789abcdef"})


FAULTS: dict[Callable[[runs.Run], None], str] = {
    raise_accuracy: "result/metrics.json is not the file that the run wrote",
    raise_accuracy_and_checksum: "result/metrics.json differs from ",
    raise_accuracy_everywhere: "metrics.json says accuracy 99.0, and its predictions give ",
    raise_one_experiments_accuracy_everywhere: "metrics.json says by_experiment {",
    change_history: "result/history.csv is not the file that the run wrote",
    change_spec: "spec.json holds the spec of run ",
    remove_spec: "spec.json is not there",
    halve_metrics: "result/metrics.json is no JSON",
    halve_predictions: "predictions.npz is no npz file",
    answer_otherwise: "metrics.json says accuracy",
    remove_provenance: "result/provenance.json is not there",
    drop_checksums: "result/provenance.json lacks sha256",
    list_for_provenance: "result/provenance.json holds no JSON object",
    number_for_checksums: "cannot be read (AttributeError",
    take_result_of_another_split: "has split 'stratified', and spec.json asks for 'separated'",
    take_result_of_another_seed: "is the result of run 0123456789abcdef",
    take_result_of_other_data: "was made on data 0123456789abcdef, and spec.json asks for ",
}


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda spoil: spoil.__name__)
def test_a_run_that_is_not_sound_is_named_and_left_out(
    spoil: Callable[[runs.Run], None], run: runs.Run
) -> None:
    store = run.path.parent
    assert len(gather([SPEC, OTHER], store)) == 2
    spoil(run)
    with pytest.warns(LeftOut) as told:
        results = gather([SPEC, OTHER], store)
    assert results["id"].tolist() == [OTHER.id]
    (warning,) = told
    assert str(warning.message).startswith(f"left out: {run.path}")
    assert FAULTS[spoil] in str(warning.message)
    (fault,) = store_faults(store)
    assert str(warning.message) == f"left out: {fault}"
    with pytest.warns(LeftOut):
        assert gather_predictions([SPEC], lambda spec: [OWN], store).empty


def test_sound_runs_are_gathered_without_a_word(run: runs.Run) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(gather([SPEC, OTHER], run.path.parent)) == 2
    assert store_faults(run.path.parent) == []


def test_a_run_whose_predictions_were_removed_to_save_room_is_sound(run: runs.Run) -> None:
    shutil.rmtree(run.predictions)
    assert run_fault(run) is None


def test_a_run_that_is_mended_counts_again(run: runs.Run) -> None:
    before = (run.result / "metrics.json").read_bytes()
    raise_accuracy(run)
    assert run_fault(run) is not None
    (run.result / "metrics.json").write_bytes(before)
    assert run_fault(run) is None


def test_a_way_of_predicting_that_is_not_sound_is_left_out_alone(run: runs.Run) -> None:
    digest = run.provenance()["sha256"]["weights.pt"]
    arrays = made_up_predictions(SPEC, seed=3)
    folder = predict(run, PLATE, arrays, weights_sha256=digest)
    store = run.path.parent
    both = [OWN, PLATE]
    assert len(gather_predictions([SPEC], lambda spec: both, store)) == 2
    change_json(folder / "metrics.json", accuracy=99.0)
    with pytest.warns(LeftOut, match=rf"{folder}/metrics\.json says accuracy 99\.0"):
        rows = gather_predictions([SPEC], lambda spec: both, store)
    assert rows["statistics"].tolist() == ["training"]
    assert len(gather([SPEC], store)) == 1


def test_predictions_of_other_weights_are_named(run: runs.Run) -> None:
    folder = predict(run, PLATE, made_up_predictions(SPEC), weights_sha256="f" * 64)
    fault = prediction_fault(run, folder)
    assert fault is not None
    assert "was predicted with weights ffffffff, which are not the run's" in fault


def test_a_store_names_what_is_no_run_and_passes_over_what_is_being_written(
    run: runs.Run,
) -> None:
    store = run.path.parent
    (store / ".attempt-1").mkdir()
    (store / "thesis.txt").write_text("notes")
    (store / "0123456789abcdef").mkdir()
    faults = store_faults(store)
    assert [fault.partition(";")[0] for fault in faults] == [
        f"{store}/0123456789abcdef/spec.json is not there",
        f"{store}/thesis.txt is no run",
    ]


def test_a_damaged_derived_file_is_named_and_does_not_cost_the_run(run: runs.Run) -> None:
    path = write_derived(run.prediction(OWN), "mixing.json", {"purity": 0.5})
    assert store_faults(run.path.parent) == []
    path.write_text("{")
    (fault,) = store_faults(run.path.parent)
    assert fault.startswith(f"{path} is no JSON")
    assert run_fault(run) is None


def test_a_store_that_is_not_there_has_no_fault(tmp_path: Path) -> None:
    assert store_faults(tmp_path / "none") == []


def test_a_run_in_training_is_no_fault(tmp_path: Path) -> None:
    runs.start(runs.open_run(tmp_path, SPEC), SPEC)
    assert store_faults(tmp_path) == []


def test_a_run_of_a_method_that_is_not_known_here_is_checked_as_far_as_it_can_be(
    tmp_path: Path,
) -> None:
    run = finish(SPEC, tmp_path)
    spec = json.loads((run.path / "spec.json").read_text()) | {"method": "coral"}
    there = tmp_path / identity_of(spec)
    run.path.rename(there)
    runs.write_json(there / "spec.json", spec)
    change_json(there / "result" / "provenance.json", run=there.name)
    assert store_faults(tmp_path) == []
