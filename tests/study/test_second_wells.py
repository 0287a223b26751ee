"""A second set of wells: answers of networks that have seen no picture of them."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from rxrx_lib.data.simulator import ScreenSpec
from rxrx_lib.evaluation.metrics import perturbation_accuracy
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs, stages
from rxrx_lib.study.after_runs import Step, require_derived
from rxrx_lib.study.archive import done_runs, export
from rxrx_lib.study.derivations import DERIVATIONS
from rxrx_lib.study.derived import own_prediction
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.merge import merge
from rxrx_lib.study.predictions import RunNotDone
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.screens import all_tested, open_screen, screen_folder
from rxrx_lib.study.second_wells import FILE, second_screen, second_wells
from rxrx_lib.study.second_wells_prediction import predict_second_wells
from rxrx_lib.study.spec import DataSpec, PredictSpec
from rxrx_lib.training.hardware import Hardware, prepared
from tests.study.tiny import BY_SITE, RELEASE, run_spec

pytestmark = pytest.mark.filterwarnings("ignore:experiment .* noisy:UserWarning")
SCREEN = ScreenSpec(
    seed=3,
    image_size=32,
    pixel_size=8.0,
    experiments=(("HUVEC", 2, 1),),
    treatments_per_plate=1,
    positive_controls=1,
)
DATA = DataSpec(name="simulated", screen=SCREEN)
SPEC = dataclasses.replace(run_spec("adabn", BY_SITE, epochs=1, warmup_epochs=0), data=DATA)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """Return a place where `SPEC` is done and both sets of wells are rendered. Read only."""
    place = tmp_path_factory.mktemp("second")
    runtime = Runtime(data=place / "data", runs=place / "runs", hardware=Hardware(device="cpu"))
    run_one(SPEC, runtime)
    predict_second_wells(SPEC, runtime)
    return runtime


@pytest.fixture
def runtime(done: Runtime, tmp_path: Path) -> Runtime:
    """Return a copy of the store, to be written into, without answers on the second wells."""
    shutil.copytree(done.runs, tmp_path / "runs")
    (own_prediction(runs.open_run(tmp_path / "runs", SPEC), SPEC) / "derived" / FILE).unlink()
    return dataclasses.replace(done, runs=tmp_path / "runs")


def kept(runtime: Runtime) -> dict[str, np.ndarray] | None:
    found = second_wells(runs.open_run(runtime.runs, SPEC), SPEC.method)
    return None if found is None else dict(found)


def test_the_second_screen_differs_in_its_set_of_wells_alone() -> None:
    other = second_screen(DATA)
    assert other.screen == dataclasses.replace(SCREEN, wells_set=1)
    assert dataclasses.replace(other, screen=SCREEN) == DATA
    with pytest.raises(ValueError, match="data is 'rxrx1', which has one set of wells; a second"):
        second_screen(RELEASE)


def test_answers_are_those_of_the_runs_weights_on_every_site_of_the_second_wells(
    done: Runtime,
) -> None:
    screen = open_screen(second_screen(DATA), done.data)
    first = open_screen(DATA, done.data)
    network = stages.build(METHODS["adabn"], SPEC, first)
    result = runs.open_run(done.runs, SPEC).result
    network.load_state_dict(torch.load(result / "weights.pt", weights_only=True))
    with prepared(Hardware(device="cpu")) as hardware:
        sites = stages.sites(SPEC, screen, hardware)
        work = stages.Work(SPEC, screen, all_tested(screen.table, SPEC.split), sites)
        way = PredictSpec(statistics="experiment", embeddings=False)
        expected = stages.predicted(network, work, way)
    found = kept(done)
    assert found is not None
    assert sorted(found["site_id"]) == sorted(screen.table["site_id"])
    assert set(found["side"]) == {"test"}
    order = np.argsort(expected["site_id"]), np.argsort(found["site_id"])
    for name in ("site_id", "sirna_id", "experiment", "well_type", "predicted_experiment"):
        assert np.array_equal(expected[name][order[0]], found[name][order[1]])
    assert np.array_equal(expected["top_sirna_id"][order[0], 0], found["top_sirna_id"][order[1], 0])
    assert not np.array_equal(
        first.table.sort_values("site_id")["sirna_id"].to_numpy(), found["sirna_id"][order[1]]
    )


def test_nothing_of_the_first_wells_is_read_and_nothing_is_trained(
    runtime: Runtime, done: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = second_screen(DATA)
    shutil.copytree(screen_folder(other, done.data), screen_folder(other, tmp_path / "data"))
    monkeypatch.setattr(stages, "train", None)
    predict_second_wells(SPEC, dataclasses.replace(runtime, data=tmp_path / "data"))
    assert [path.name for path in (tmp_path / "data").iterdir()] == [
        screen_folder(other, tmp_path).name
    ]
    again, before = kept(runtime), kept(done)
    assert again is not None
    assert before is not None
    assert all(np.array_equal(again[name], before[name]) for name in before)


def test_their_screen_comes_first_and_what_is_there_is_not_made_again(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    (answers,) = (each for item, each in DERIVATIONS if item == "table1")
    where = {"data": tmp_path / "data", "store": runtime.runs, "device": "cpu"}
    for _ in range(2):
        require_derived([Step(answers, SPEC)], **where, progress=Progress(write=lines.append))
        monkeypatch.setattr(stages, "predicted", None)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [
        screen_folder(second_screen(DATA), tmp_path).name
    ]
    assert lines == [
        "derived from runs: 1, done before: 0, to do: 1",
        f"[1/1] answers on second wells of {SPEC} · done",
    ]


def test_other_weights_or_other_statistics_make_the_answers_void(
    done: Runtime, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.open_run(runtime.runs, SPEC)
    assert kept(runtime) is None
    predict_second_wells(SPEC, runtime)
    assert kept(runtime) is not None
    source = run.provenance()
    source["sha256"]["weights.pt"] = "0" * 64
    runs.write_json(run.result / "provenance.json", source)
    assert kept(runtime) is None
    plate = dataclasses.replace(METHODS["adabn"], statistics="plate")
    monkeypatch.setitem(METHODS, "adabn", plate)
    assert kept(done) is None


def test_answers_go_into_archives_and_come_out_of_them(done: Runtime, tmp_path: Path) -> None:
    export(tmp_path / "runs.zip", done_runs(done.runs))
    merge([tmp_path / "runs.zip"], tmp_path / "merged")
    before, after = kept(done), kept(dataclasses.replace(done, runs=tmp_path / "merged"))
    assert before is not None
    assert after is not None
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    truth, answer = after["sirna_id"], after["top_sirna_id"][:, 0]
    assert perturbation_accuracy(truth, answer) == 100 * np.mean(truth == answer)


def test_a_file_that_is_something_else_is_refused_by_name(runtime: Runtime) -> None:
    folder = own_prediction(runs.open_run(runtime.runs, SPEC), SPEC)
    np.savez(folder / "derived" / FILE, nothing=np.zeros(1))
    with pytest.raises(ValueError, match=rf"{FILE} cannot be read \(KeyError.*; expected a run's"):
        kept(runtime)


def test_a_run_that_is_not_done_is_refused(done: Runtime, tmp_path: Path) -> None:
    with pytest.raises(RunNotDone, match="is absent, and only a done run predicts"):
        predict_second_wells(SPEC, dataclasses.replace(done, runs=tmp_path))


def test_pixels_of_a_training_side_cannot_standardise_wells_that_have_none(done: Runtime) -> None:
    spec = dataclasses.replace(SPEC, normalization="training_all")
    screen = open_screen(second_screen(DATA), done.data)
    with pytest.raises(ValueError, match="the training side has no site; expected at least one"):
        stages.normalised(spec, screen, all_tested(screen.table, spec.split))
