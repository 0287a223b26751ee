"""One trained network under all masks: what is kept, and when it is made again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.evaluation.shapley import SUBSETS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs, stages
from rxrx_lib.study.channel_masking import mask_done
from rxrx_lib.study.derived import own_prediction
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.masked_accuracy import FILE, masked_accuracies, masked_accuracy
from rxrx_lib.study.predictions import RunNotDone, predict_done
from rxrx_lib.study.screens import make_split, open_screen
from rxrx_lib.study.spec import PredictSpec
from tests.study.tiny import run_spec

pytestmark = pytest.mark.filterwarnings("ignore:experiment .* noisy:UserWarning")
SPEC = run_spec("adabn", epochs=2)
FEW = (*SUBSETS[:2], SUBSETS[40], CHANNELS)
"""Subsets that tests can wait for; the others have a number of their own."""


@pytest.fixture(scope="module")
def trained(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the run `SPEC`, done. Read only."""
    store = tmp_path_factory.mktemp("runs")
    run_one(SPEC, Runtime(data=release, runs=store))
    return store


@pytest.fixture
def runtime(release: Path, trained: Path, tmp_path: Path) -> Runtime:
    shutil.copytree(trained, tmp_path / "runs")
    return Runtime(data=release, runs=tmp_path / "runs")


@pytest.fixture
def run(runtime: Runtime) -> runs.Run:
    return runs.open_run(runtime.runs, SPEC)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Predict under the masks of `FEW` only; return the masks that were asked for."""
    real, asked = stages.test_accuracy, []

    def test_accuracy(network: object, work: stages.Work, masked: tuple[int, ...]) -> float:
        asked.append(masked)
        seen = tuple(channel for channel in CHANNELS if channel not in masked)
        return real(network, work, masked) if seen in FEW else float(len(seen))

    monkeypatch.setattr(stages, "test_accuracy", test_accuracy)
    return asked


def test_each_subset_is_predicted_with_the_others_masked_and_as_any_prediction_is(
    runtime: Runtime, run: runs.Run, quick: list[tuple[int, ...]]
) -> None:
    mask_done(SPEC, runtime)
    assert [set(masked) | set(subset) for masked, subset in zip(quick, SUBSETS, strict=True)] == [
        set(CHANNELS)
    ] * 63
    game = masked_accuracy(SPEC, runtime.runs)
    assert game is not None
    assert game.keys() == {frozenset(), *map(frozenset, SUBSETS)}
    assert game[frozenset(CHANNELS)] == pytest.approx(run.metrics()["accuracy"])
    for subset in FEW:
        masked = tuple(channel for channel in CHANNELS if channel not in subset)
        way = PredictSpec(statistics="experiment", embeddings=False, masked=masked)
        predict_done(SPEC, [way], runtime)
        stored = run.stored_prediction(way)
        assert stored is not None
        assert game[frozenset(subset)] == runs.read_json(stored / "metrics.json")["accuracy"]


def test_no_channel_is_worth_always_answering_the_commonest_training_class(
    runtime: Runtime, quick: list[tuple[int, ...]]
) -> None:
    mask_done(SPEC, runtime)
    table = open_screen(SPEC.data, runtime.data).table
    split = make_split(table, SPEC.split)
    answer = table["sirna_id"].iloc[split.train].mode().min()
    right = (table["sirna_id"].iloc[split.test] == answer).mean()
    game = masked_accuracy(SPEC, runtime.runs)
    assert game is not None
    assert game[frozenset()] == pytest.approx(100 * right)


def test_what_is_kept_says_what_made_it(
    runtime: Runtime, run: runs.Run, quick: list[tuple[int, ...]]
) -> None:
    mask_done(SPEC, runtime)
    assert len(quick) == 63
    other = run_spec("baseline")
    found = masked_accuracies([SPEC, other], runtime.runs)
    assert found == {SPEC.id: masked_accuracy(SPEC, runtime.runs)}
    content = runs.read_json(own_prediction(run, SPEC) / "derived" / FILE)
    assert content["weights_sha256"] == runs.file_sha256(run.result / "weights.pt")
    assert content["provenance"]["data"] == run.provenance()["data"]


def test_other_weights_or_other_statistics_make_it_void(
    runtime: Runtime,
    run: runs.Run,
    quick: list[tuple[int, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mask_done(SPEC, runtime)
    plate = dataclasses.replace(METHODS["adabn"], statistics="plate")
    with monkeypatch.context() as changed:
        changed.setitem(METHODS, "adabn", plate)
        assert masked_accuracy(SPEC, runtime.runs) is None
    assert masked_accuracy(SPEC, runtime.runs) is not None
    source = run.provenance()
    source["sha256"]["weights.pt"] = "0" * 64
    runs.write_json(run.result / "provenance.json", source)
    assert masked_accuracy(SPEC, runtime.runs) is None


def test_training_anew_drops_what_was_kept(
    runtime: Runtime, run: runs.Run, quick: list[tuple[int, ...]]
) -> None:
    mask_done(SPEC, runtime)
    shutil.rmtree(run.result)
    assert masked_accuracy(SPEC, runtime.runs) is None
    run_one(SPEC, runtime)
    assert not (own_prediction(run, SPEC) / "derived" / FILE).exists()


def test_a_file_that_lacks_a_subset_is_refused_by_name(
    runtime: Runtime, run: runs.Run, quick: list[tuple[int, ...]]
) -> None:
    mask_done(SPEC, runtime)
    content = runs.read_json(own_prediction(run, SPEC) / "derived" / FILE)
    del content["accuracy"]["1,2"]
    (own_prediction(run, SPEC) / "derived" / FILE).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"{FILE} lacks a number \(KeyError\('1,2'\)\); expected"):
        masked_accuracy(SPEC, runtime.runs)


def test_a_failure_leaves_nothing_behind(
    runtime: Runtime, run: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> float:
        raise OSError("disk full")

    monkeypatch.setattr(stages, "test_accuracy", fail)
    with pytest.raises(OSError, match="disk full"):
        mask_done(SPEC, runtime)
    assert [path.suffix for path in run.predictions.iterdir()] == [""]


def test_a_run_that_is_not_done_is_refused(runtime: Runtime) -> None:
    with pytest.raises(RunNotDone, match="is absent, and only a done run predicts"):
        mask_done(run_spec("baseline"), runtime)
    assert masked_accuracy(run_spec("baseline"), runtime.runs) is None
