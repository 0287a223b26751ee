"""Train once, predict many ways: more predictions with the weights of a done run."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from rxrx_lib import cli
from rxrx_lib.evaluation.score import score
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import catalogue, predictions, profiles, runs, stages
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.predictions import RunNotDone, predict_done
from rxrx_lib.study.results import gather, gather_predictions
from rxrx_lib.study.screens import make_split, open_screen
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.training.hardware import Hardware, prepared
from rxrx_lib.training.pools import STATISTICS
from tests.study.tiny import NETWORK, PROFILE, run_spec

pytestmark = pytest.mark.filterwarnings("ignore:experiment .* noisy:UserWarning")
SPEC = run_spec("adabn", epochs=2)
OWN = PredictSpec(statistics="experiment")
PLATE = PredictSpec(statistics="plate", embeddings=False)


@pytest.fixture(scope="module")
def trained(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the run `SPEC`, done. Read only."""
    store = tmp_path_factory.mktemp("runs")
    run_one(SPEC, Runtime(data=release, runs=store))
    return store


@pytest.fixture
def runtime(release: Path, trained: Path, tmp_path: Path) -> Runtime:
    """Return a place with a copy of the store, to be written into."""
    shutil.copytree(trained, tmp_path / "runs")
    return Runtime(data=release, runs=tmp_path / "runs")


@pytest.fixture
def run(runtime: Runtime) -> runs.Run:
    return runs.open_run(runtime.runs, SPEC)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def stored(run: runs.Run, asked: PredictSpec) -> dict[str, np.ndarray]:
    with np.load(run.prediction(asked) / "predictions.npz") as file:
        return dict(file)


def test_each_way_is_predicted_with_the_runs_weights_and_nothing_else_changes(
    runtime: Runtime, run: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "train", None)
    before = tree(run.path)
    ways = [PredictSpec(statistics=word, embeddings=False) for word in STATISTICS]
    made = predict_done(SPEC, ways, runtime)
    assert [way.statistics for way in made] == [word for word in STATISTICS if word != "experiment"]
    after = tree(run.path)
    assert {name: after[name] for name in before} == before
    new = {Path(name).parts for name in after.keys() - before.keys()}
    files = ("predictions.npz", "metrics.json", "provenance.json")
    assert new == {("predictions", run.prediction(way).name, f) for way in made for f in files}

    screen = open_screen(SPEC.data, runtime.data)
    network = stages.build(METHODS["adabn"], SPEC, screen)
    network.load_state_dict(torch.load(run.result / "weights.pt", weights_only=True))
    with prepared(Hardware(device="cpu")) as hardware:
        sites = stages.sites(SPEC, screen, hardware)
        work = stages.Work(SPEC, screen, make_split(screen.table, SPEC.split), sites)
        for way in made:
            expected, found = stages.predicted(network, work, way), stored(run, way)
            assert expected.keys() == found.keys()
            assert all(np.array_equal(expected[name], found[name]) for name in found)
            assert runs.read_json(run.prediction(way) / "metrics.json") == score(found)


def test_what_is_there_is_not_predicted_again(
    runtime: Runtime, run: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert predict_done(SPEC, [PLATE], runtime) == [PLATE]
    before = tree(run.path)
    monkeypatch.setattr(predictions, "open_screen", None)
    without = dataclasses.replace(OWN, embeddings=False)
    assert predict_done(SPEC, [OWN, without, PLATE], runtime) == []
    assert tree(run.path) == before


def test_a_prediction_with_embeddings_answers_for_one_without_but_under_minibatch(
    run: runs.Run,
) -> None:
    for statistics, answers in (("training", True), ("minibatch", False)):
        whole = PredictSpec(statistics=statistics)
        part = dataclasses.replace(whole, embeddings=False)
        assert run.stored_prediction(whole) is run.stored_prediction(part) is None
        run.prediction(whole).mkdir()
        assert run.stored_prediction(whole) == run.prediction(whole)
        assert run.stored_prediction(part) == (run.prediction(whole) if answers else None)
        run.prediction(part).mkdir()
        assert run.stored_prediction(part) == run.prediction(part)


def test_provenance_says_what_made_the_prediction_and_with_which_weights(
    runtime: Runtime, run: runs.Run
) -> None:
    predict_done(SPEC, [PLATE], runtime)
    source = runs.read_json(run.prediction(PLATE) / "provenance.json")
    assert source["weights_sha256"] == runs.file_sha256(run.result / "weights.pt")
    assert source["data"] == run.provenance()["data"]
    assert source["seconds"] > 0


@pytest.mark.parametrize("state", ["absent", "resumable"])
def test_a_run_that_is_not_done_is_refused(runtime: Runtime, run: runs.Run, state: str) -> None:
    shutil.rmtree(run.path if state == "absent" else run.result)
    if state == "resumable":
        run.checkpoint.touch()
    with pytest.raises(RunNotDone, match=rf"{SPEC.id} \(adabn .*\) is {state}, and only a done "):
        predict_done(SPEC, [OWN], runtime)


@pytest.mark.parametrize("fault", ["is not there", "is not the file that the run wrote"])
def test_weights_that_are_not_the_runs_own_are_refused(
    runtime: Runtime, run: runs.Run, fault: str
) -> None:
    weights = run.result / "weights.pt"
    weights.unlink()
    if fault != "is not there":
        torch.save({}, weights)
    with pytest.raises(ValueError, match=f"weights.pt {fault}; expected SHA-256 "):
        predict_done(SPEC, [PLATE], runtime)
    assert not run.prediction(PLATE).exists()


def test_a_run_that_got_other_weights_meanwhile_gets_no_prediction_of_the_old_ones(
    runtime: Runtime, run: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted = stages.predicted

    def trained_anew_meanwhile(*arguments: object) -> object:
        source = run.provenance()
        source["sha256"]["weights.pt"] = "0" * 64
        runs.write_json(run.result / "provenance.json", source)
        return predicted(*arguments)

    monkeypatch.setattr(stages, "predicted", trained_anew_meanwhile)
    with pytest.raises(RunNotDone, match="got other weights meanwhile; predict again"):
        predict_done(SPEC, [PLATE], runtime)
    assert [path.name for path in run.predictions.iterdir()] == [run.prediction(OWN).name]


def test_a_prediction_that_fails_leaves_nothing_half_written(
    runtime: Runtime, run: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(stages, "score", fail)
    with pytest.raises(OSError, match="disk full"):
        predict_done(SPEC, [PLATE], runtime)
    assert [path.name for path in run.predictions.iterdir()] == [run.prediction(OWN).name]


def test_training_anew_drops_the_old_weights_predictions(runtime: Runtime, run: runs.Run) -> None:
    predict_done(SPEC, [PLATE], runtime)
    shutil.rmtree(run.result)
    run_one(SPEC, runtime)
    assert [path.name for path in run.predictions.iterdir()] == [run.prediction(OWN).name]


def test_old_unfinished_predictions_are_tidied_away(
    runtime: Runtime, run: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run.predictions / ".attempt-1").mkdir()
    runs.tidy(run)
    assert (run.predictions / ".attempt-1").exists()  # somebody may be at work
    monkeypatch.setattr(runs, "OLD_ATTEMPT", -1.0)
    runs.tidy(run)
    assert [path.name for path in run.predictions.iterdir()] == [run.prediction(OWN).name]


@pytest.mark.parametrize("precision", ["bf16", "fp64"])
def test_a_run_is_predicted_in_its_own_precision(
    release: Path, tmp_path: Path, precision: str
) -> None:
    spec, runtime = (
        run_spec(epochs=1, warmup_epochs=0, precision=precision),
        Runtime(data=release, runs=tmp_path),
    )
    run_one(spec, runtime)
    run, own = runs.open_run(tmp_path, spec), PredictSpec(statistics="training")
    first = stored(run, own)
    shutil.rmtree(run.prediction(own))
    assert predict_done(spec, [own], runtime) == [own]
    again = stored(run, own)
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_results_have_a_row_a_prediction_that_is_there(runtime: Runtime) -> None:
    predict_done(SPEC, [PLATE], runtime)
    absent = run_spec("baseline")
    ways = [PLATE, OWN, PredictSpec(statistics="empty")]
    rows = gather_predictions([SPEC, absent], lambda spec: ways, runtime.runs)
    assert rows["statistics"].tolist() == ["plate", "experiment"]
    assert rows["id"].tolist() == [SPEC.id] * 2
    (own,) = gather([SPEC], runtime.runs).to_dict("records")
    mine = rows.iloc[1].to_dict()
    assert mine["accuracy"] == own["accuracy"]
    assert mine["seconds"] == own["seconds"] != rows["seconds"][0]


@pytest.fixture
def item(monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    """Make an item of two runs known to the command: `SPEC`, and the one returned, never run."""
    other = run_spec("baseline", epochs=2)
    monkeypatch.setitem(profiles.PROFILES, "tiny", PROFILE)
    monkeypatch.setitem(catalogue.CATALOGUE, "two", lambda profile: [SPEC, other])
    return other


def predict(runtime: Runtime, *words: str) -> int:
    where = ["--data", str(runtime.data), "--runs", str(runtime.runs), "--device", "cpu"]
    return cli.main(["predict", "--profile", "tiny", "--only", "two", *where, *words])


def test_the_command_predicts_done_runs_and_lists_the_others_as_skipped(
    runtime: Runtime, run: runs.Run, item: RunSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--no-embeddings", "--statistics", "plate", "plate", "controls"]
    assert predict(runtime, *words) == 1
    told = capsys.readouterr()
    assert told.out == f"{SPEC.id}  plate, controls  {SPEC}\n"
    assert told.err.splitlines() == [
        f"{item.id}  skipped: absent  {item}",
        "rxrx: 1 of 2 runs are not done and were skipped; execute them first (rxrx run).",
    ]
    assert run.prediction(PLATE).is_dir()
    assert not runs.open_run(runtime.runs, item).path.exists()

    assert predict(runtime, "--methods", "adabn", *words) == 0
    assert capsys.readouterr().out == f"{SPEC.id}  was there  {SPEC}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--statistics", "plate", "row"),
            f"statistics is 'row'; choose one of {', '.join(STATISTICS)}.",
        ),
        (("--statistics", "plate", "--methods", "magic"), "method is 'magic'; choose one of basel"),
        (("--statistics", "plate", "--device", "banana"), "device is 'banana', which torch cannot"),
    ],
)
def test_a_wrong_word_is_wrong_usage(
    runtime: Runtime,
    item: RunSpec,
    words: tuple[str, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = tree(runtime.runs)
    assert predict(runtime, *words) == 2
    assert capsys.readouterr().err.startswith(f"rxrx: {told}")
    assert tree(runtime.runs) == before


def test_a_part_of_the_network_adapts_where_it_is_asked_for(
    runtime: Runtime, run: runs.Run, item: RunSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--methods", "adabn", "--statistics", "experiment", "--adapts")
    assert predict(runtime, *words, "neck") == 0
    neck = PredictSpec(statistics="experiment", adapts="neck")
    assert not np.array_equal(stored(run, neck)["embedding"], stored(run, OWN)["embedding"])
    rows = gather_predictions([SPEC], lambda spec: [OWN, neck], runtime.runs)
    assert rows["adapts"].tolist() == ["all", "neck"]
    assert predict(runtime, *words, "head") == 2
    assert "adapts is 'head'; choose one of as_trained, all, neck" in capsys.readouterr().err


def test_a_run_whose_neck_alone_adapts_in_training_is_predicted_so(
    release: Path, tmp_path: Path
) -> None:
    network = dataclasses.replace(NETWORK, adapts="neck")
    spec = run_spec("adabn", network=network, epochs=2)
    runtime = Runtime(data=release, runs=tmp_path)
    run = runs.open_run(tmp_path, spec)
    assert run_one(spec, runtime) == run.id != SPEC.id
    neck, everything = (PredictSpec(statistics="experiment", adapts=p) for p in ("neck", "all"))
    predict_done(spec, [neck, everything], runtime)
    own, asked, other = (stored(run, way)["embedding"] for way in (OWN, neck, everything))
    assert np.array_equal(own, asked)
    assert not np.array_equal(own, other)
    rows = gather_predictions([spec], lambda spec: [OWN, everything], tmp_path)
    assert rows["adapts"].tolist() == ["neck", "all"]
    assert set(rows["trained_adapting"]) == {"neck"}


def test_a_prediction_spec_checks_its_word() -> None:
    with pytest.raises(ValueError, match="statistics is 'batch'; choose one of training, exper"):
        PredictSpec(statistics="batch")


def test_the_identity_of_the_runs_own_predictions_is_as_it_was() -> None:
    names = {"training": "dd14c32ee60178cd", "experiment": "cb4f7b5790e283a7"}
    for statistics, name in names.items():
        assert runs.Run(Path("x")).prediction(PredictSpec(statistics=statistics)).name == name
