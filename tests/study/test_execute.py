"""One run from start to end, whatever happens to it; and many runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from rxrx_lib.data.normalization import standardise
from rxrx_lib.evaluation.score import score
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import execute, runs, stages
from rxrx_lib.study.execute import Runtime, run_many, run_one
from rxrx_lib.study.executors import SerialExecutor, executor
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.results import gather
from rxrx_lib.study.screens import make_split, open_screen, prepare_screen
from rxrx_lib.study.spec import DataSpec, NetworkSpec, PredictSpec, RunSpec, SplitSpec
from rxrx_lib.training import checkpoint
from rxrx_lib.training.hardware import Hardware
from tests.study.stalling import ONE, STALLED
from tests.study.test_screens import SIMULATED
from tests.study.tiny import BY_SITE, NETWORK, run_spec

ROOT = Path(__file__).parents[2]


def same_bits(one: runs.Run, two: runs.Run) -> None:
    """Compare everything that a run leaves but its provenance."""
    weights = [torch.load(run.result / "weights.pt", weights_only=True) for run in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    for key in weights[0]:
        assert torch.equal(weights[0][key], weights[1][key]), key
    assert (one.result / "metrics.json").read_bytes() == (two.result / "metrics.json").read_bytes()
    mine, theirs = (pd.read_csv(run.result / "history.csv") for run in (one, two))
    measured_here = ["seconds", "peak_memory"]
    pd.testing.assert_frame_equal(
        mine.drop(columns=measured_here), theirs.drop(columns=measured_here), check_exact=True
    )
    (folder,) = (one.path / "predictions").iterdir()
    with (
        np.load(folder / "predictions.npz") as mine,
        np.load(two.path / "predictions" / folder.name / "predictions.npz") as theirs,
    ):
        assert mine.files == theirs.files
        for name in mine.files:
            assert np.array_equal(mine[name], theirs[name]), name


@pytest.fixture(scope="module")
def undisturbed(release: Path, tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    """Return the run `ONE`, executed in this process."""
    runtime = Runtime(data=release, runs=tmp_path_factory.mktemp("runs"))
    assert run_one(ONE, runtime) == ONE.id
    return runs.open_run(runtime.runs, ONE)


def test_a_done_run_leaves_its_result_its_predictions_and_nothing_else(
    undisturbed: runs.Run,
) -> None:
    assert {path.name for path in undisturbed.path.iterdir()} == {
        "spec.json",
        "predictions",
        "result",
    }
    assert {path.name for path in undisturbed.result.iterdir()} == {
        "weights.pt",
        "metrics.json",
        "history.csv",
        "provenance.json",
    }
    source = undisturbed.provenance()
    for name, digest in source["sha256"].items():
        assert runs.file_sha256(undisturbed.result / name) == digest
    assert list(source) == [
        "code",
        "libraries",
        "hardware",
        "data",
        "started",
        "ended",
        "seconds",
        "processor_seconds",
        "epoch",
        "run",
        "sha256",
    ]
    assert source["run"] == ONE.id
    # Each of the 51 experiments has 8 to 15 training sites and so one group of eight, two a step.
    assert source["epoch"]["steps"] == 51 // 2
    assert source["epoch"]["sites"] == 51 // 2 * 16


@pytest.mark.parametrize("normalization", ["training_all", "experiment_controls", "plate_all"])
def test_a_run_trains_and_predicts_on_sites_normalised_as_it_asks(
    normalization: str, release: Path, tmp_path: Path
) -> None:
    spec = run_spec(normalization=normalization, epochs=2)
    runtime = Runtime(data=release, runs=tmp_path)
    run = runs.open_run(tmp_path, spec)
    assert run_one(spec, runtime) == run.id != run_spec(epochs=2).id
    with np.load(run.prediction(PredictSpec(statistics="training")) / "predictions.npz") as stored:
        predictions = dict(stored)

    screen = open_screen(spec.data, release)
    split = make_split(screen.table, spec.split)
    by = stages.normalised(spec, screen, split, workers=0).pixel_statistics
    network = stages.build(METHODS[spec.method], spec, screen).eval()
    network.load_state_dict(torch.load(run.result / "weights.pt", weights_only=True))
    rows = split.test[:20]
    sites = standardise(screen.images.read(rows), by.mean[rows], by.std[rows])
    with torch.inference_mode():
        top = network(torch.from_numpy(sites)).sirna.topk(10).values
    place = {site: row for row, site in enumerate(predictions["site_id"])}
    places = [place[site] for site in screen.table["site_id"].iloc[rows]]
    np.testing.assert_allclose(predictions["top_logit"][places], top, atol=1e-4)


@pytest.mark.parametrize(
    ("method", "split", "sides"),
    [
        ("adabn", SplitSpec(name="wilds_official", unit="site"), {"val", "id_test"}),
        ("baseline", SplitSpec(name="wilds_mixed_to_test", unit="site"), {"val"}),
        ("adabn", SplitSpec(name="few_experiments", cell_type="RPE", n=3), set()),
        ("adabn_gradient_reversal", SplitSpec(name="held_out_training", seed=1), set()),
    ],
    ids=lambda value: value.name if isinstance(value, SplitSpec) else None,
)
def test_a_run_on_another_split_scores_every_side_that_it_holds_out(
    method: str, split: SplitSpec, sides: set[str], release: Path, tmp_path: Path
) -> None:
    spec = run_spec(method, split, epochs=2)
    run_one(spec, Runtime(data=release, runs=tmp_path))
    run = runs.open_run(tmp_path, spec)
    asked = PredictSpec(statistics=METHODS[method].statistics)
    with np.load(run.prediction(asked) / "predictions.npz") as stored:
        predictions = dict(stored)
    assert set(predictions["side"]) == {"train", "test"} | sides
    right = predictions["top_sirna_id"][:, 0] == predictions["sirna_id"]
    metrics = run.metrics()
    found = {name for name in metrics if name in ("accuracy_val", "accuracy_id_test")}
    assert found == {f"accuracy_{side}" for side in sides}
    for side in ("test", *sides):
        name = "accuracy" if side == "test" else f"accuracy_{side}"
        assert metrics[name] == pytest.approx(100 * right[predictions["side"] == side].mean())
    named = "held_out_training" if split.name == "held_out_training" else str(split)
    assert gather([spec], tmp_path)["split"].tolist() == [named]


def test_metrics_are_those_of_the_predictions_file_alone(undisturbed: runs.Run) -> None:
    folder = undisturbed.prediction(PredictSpec(statistics="experiment"))
    with np.load(folder / "predictions.npz") as stored:
        predictions = dict(stored)
    assert undisturbed.metrics() == score(predictions) == runs.read_json(folder / "metrics.json")
    assert undisturbed.metrics()["test_sites"] == (predictions["side"] == "test").sum()
    assert "accuracy_wells" not in undisturbed.metrics()  # the split parts the sites of a well


def test_history_has_one_line_an_epoch(undisturbed: runs.Run) -> None:
    lines = (undisturbed.result / "history.csv").read_text().splitlines()
    assert lines[0] == (
        "epoch,learning_rate,sirna_loss,experiment_loss,test_accuracy,seconds,peak_memory"
    )
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(ONE.recipe.epochs))


def test_a_run_that_is_done_is_not_run_again(undisturbed: runs.Run) -> None:
    before = (undisturbed.result / "weights.pt").stat().st_mtime_ns
    nowhere = Runtime(data=Path("nowhere"), runs=undisturbed.path.parent)
    assert run_one(ONE, nowhere) == ONE.id
    assert (undisturbed.result / "weights.pt").stat().st_mtime_ns == before


def test_a_run_killed_in_the_middle_of_an_epoch_goes_on_to_the_bits_of_an_undisturbed_one(
    undisturbed: runs.Run, release: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.study.stalling", "--stall", "run"]
    command += [
        "--profile",
        "tiny",
        "--only",
        "one",
        "--data",
        str(release),
        "--runs",
        str(tmp_path),
        "--workers",
        "0",
        "--checkpoint-seconds",
        "0",
    ]
    run = runs.open_run(tmp_path, ONE)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == STALLED
        assert run.state == "resumable"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert runs.open_run(tmp_path, ONE).state == "resumable"
    state = checkpoint.load(run.checkpoint)
    assert state is not None
    assert (state["epoch"], state["step"], len(state["history"])) == (2, 1, 2)
    run_one(ONE, Runtime(data=release, runs=tmp_path))
    same_bits(undisturbed, run)
    assert not run.checkpoint.exists()
    source = run.provenance()
    first, second = source["attempts"]
    kept = {"code", "hardware", "started", "seconds", "processor_seconds"}
    assert first.keys() == second.keys() == kept
    assert source["started"] == first["started"] <= second["started"] <= source["ended"]
    assert source["seconds"] == pytest.approx(first["seconds"] + second["seconds"])
    assert min(first["seconds"], second["seconds"]) > 0


STANDING_STILL = """
import importlib, sys
from pathlib import Path
from rxrx_lib.study.execute import Runtime, run_one
from tests.study.stalling import ONE

module, name, data, store = sys.argv[1:]
place = importlib.import_module(module)
function = getattr(place, name)

def wait_first(*arguments, **keywords):
    setattr(place, name, function)
    print("waiting", flush=True)
    sys.stdin.readline()
    return function(*arguments, **keywords)

setattr(place, name, wait_first)
run_one(ONE, Runtime(data=Path(data), runs=Path(store)))
"""


def standing_still(module: str, function: str, data: Path, store: Path) -> subprocess.Popen[str]:
    """Execute `ONE` in a process that waits for a line where it first calls the function."""
    process = subprocess.Popen(
        [sys.executable, "-c", STANDING_STILL, module, function, str(data), str(store)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    return process


def test_a_run_killed_between_its_predictions_and_its_result_ends_in_the_same_bits(
    undisturbed: runs.Run, release: Path, tmp_path: Path
) -> None:
    run = runs.open_run(tmp_path, ONE)
    with standing_still("rxrx_lib.study.stages", "commit", release, tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert run.state == "resumable"
    (folder,) = run.predictions.iterdir()
    (folder / "metrics.json").write_text("{}")  # as if its code had been another one
    run_one(ONE, Runtime(data=release, runs=tmp_path))
    same_bits(undisturbed, run)
    assert runs.read_json(folder / "metrics.json") == undisturbed.metrics()
    assert {path.name for path in run.path.iterdir()} == {"spec.json", "predictions", "result"}


@pytest.mark.parametrize(
    ("module", "function"),
    [("torch", "save"), ("rxrx_lib.study.stages", "predict_and_score")],
    ids=["saving a checkpoint", "predicting"],
)
def test_of_two_processes_at_one_run_the_slower_one_ends_quietly(
    undisturbed: runs.Run, release: Path, tmp_path: Path, module: str, function: str
) -> None:
    with standing_still(module, function, release, tmp_path) as slower:
        run_one(ONE, Runtime(data=release, runs=tmp_path))
        _, error = slower.communicate("go on\n", timeout=60)
    assert (slower.returncode, error) == (0, "")
    run = runs.open_run(tmp_path, ONE)
    same_bits(undisturbed, run)
    assert {path.name for path in run.path.iterdir()} == {"spec.json", "predictions", "result"}


def test_weights_that_are_trained_again_get_predictions_and_metrics_of_their_own(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rxrx_lib.training import optimizer

    def predictions() -> np.ndarray:
        folder = run.prediction(PredictSpec(statistics="training"))
        with np.load(folder / "predictions.npz") as stored:
            assert run.metrics() == runs.read_json(folder / "metrics.json") == score(dict(stored))
            return stored["top_logit"]

    spec = run_spec(epochs=1, warmup_epochs=0)
    run = runs.open_run(tmp_path, spec)
    runtime = Runtime(data=release, runs=tmp_path)
    run_one(spec, runtime)
    before = predictions()
    shutil.copytree(
        run.prediction(PredictSpec(statistics="training")),
        run.prediction(PredictSpec(statistics="experiment")),
    )
    shutil.rmtree(run.result)
    monkeypatch.setattr(optimizer, "learning_rate", lambda *step, **settings: 1e-6)
    run_one(spec, runtime)
    assert not np.allclose(before, predictions())
    assert len(list(run.predictions.iterdir())) == 1  # those of the old weights are gone


def test_what_a_kill_left_beside_a_result_is_removed_at_the_next_start(
    release: Path, tmp_path: Path
) -> None:
    done = run_spec(seed=1)
    finish(done, tmp_path)
    run = runs.open_run(tmp_path, done)
    for start in (
        lambda: run_one(done, Runtime(data=release, runs=tmp_path)),
        lambda: run_many(
            [done], Runtime(data=release, runs=tmp_path), SerialExecutor(), Progress(print)
        ),
    ):
        run.checkpoint.write_bytes(b"")
        start()
        assert {path.name for path in run.path.iterdir()} == {"spec.json", "result"}


def test_where_a_run_is_executed_changes_nothing(
    undisturbed: runs.Run, release: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(release)
    runtime = Runtime(
        data=tmp_path / "data",
        runs=tmp_path / "runs",
        hardware=Hardware(device="cpu:0", loader_workers=1, memory_for_sites=0),
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert run_one(ONE, runtime) == ONE.id
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    same_bits(undisturbed, runs.open_run(runtime.runs, ONE))


def test_a_failure_is_written_down_and_forgotten_once_the_run_succeeds(
    release: Path, tmp_path: Path
) -> None:
    spec = run_spec("adabn", BY_SITE, epochs=1, warmup_epochs=0)
    run = runs.open_run(tmp_path, spec)
    with pytest.raises(FileNotFoundError, match="the RxRx1 release is not there"):
        run_one(spec, Runtime(data=tmp_path / "nowhere", runs=tmp_path))
    assert run.state == "failed"
    assert "release is not there" in runs.read_json(run.path / "failure.json")["error"]
    run_one(spec, Runtime(data=release, runs=tmp_path))
    assert run.state == "done"
    assert not (run.path / "failure.json").exists()


class Stage:
    """Stands in for the screens and the runs, and writes down what was asked of it."""

    def __init__(self, failing: Iterable[RunSpec] = ()) -> None:
        self.failing = {spec.id for spec in failing}
        self.events: list[tuple[str, str]] = []
        self.lock = threading.Lock()

    def prepare_screen(self, data: DataSpec, folder: Path) -> Path:
        with self.lock:
            self.events.append(("screen", data.name))
        return folder

    def run_one(self, spec: RunSpec, runtime: Runtime) -> str:
        with self.lock:
            self.events.append(("run", spec.id))
        if spec.id in self.failing:
            raise OSError(f"seed {spec.seed} failed")
        finish(spec, runtime.runs)
        return spec.id


def finish(spec: RunSpec, store: Path) -> None:
    run = runs.open_run(store, spec)
    runs.start(run, spec)
    runs.commit_folder(run.result, lambda folder: runs.write_json(folder / "metrics.json", {}))


@pytest.mark.parametrize("engine", [SerialExecutor(), ThreadPoolExecutor(2)], ids=["serial", "two"])
def test_many_runs_skip_what_is_done_and_go_on_after_a_failure(
    engine: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated = RunSpec(data=SIMULATED, split=BY_SITE, method="adabn", network=NETWORK)
    specs = [*(run_spec(seed=seed) for seed in range(5)), simulated]
    stage = Stage(failing=[specs[2]])
    for name in ("prepare_screen", "run_one"):
        monkeypatch.setattr(execute, name, getattr(stage, name))
    finish(specs[0], tmp_path)
    lines: list[str] = []
    with engine:
        failed = run_many(specs, Runtime(runs=tmp_path), engine, Progress(lines.append))

    ((spec, error),) = failed
    assert spec == specs[2]
    assert str(error) == "seed 2 failed"
    assert sorted(stage.events[:2]) == [("screen", "rxrx1"), ("screen", "simulated")]
    assert sorted(stage.events[2:]) == sorted(("run", spec.id) for spec in specs[1:])
    assert [runs.open_run(tmp_path, s).done for s in specs] == [True, True, False, True, True, True]
    assert lines[0] == "runs: 6, done before: 1, to do: 5"
    assert lines[1:3] == ["screens ready: 1 of 2", "screens ready: 2 of 2"]
    assert [line[:5] for line in lines[3:]] == ["[2/6]", "[3/6]", "[4/6]", "[5/6]", "[6/6]"]
    assert sum("FAILED: seed 2 failed" in line for line in lines) == 1


def test_a_run_that_is_asked_for_twice_is_executed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(failing=[run_spec(seed=1)])
    for name in ("prepare_screen", "run_one"):
        monkeypatch.setattr(execute, name, getattr(stage, name))
    lines: list[str] = []
    specs = [run_spec(seed=seed) for seed in (0, 1, 0, 1)]
    failed = run_many(specs, Runtime(runs=tmp_path), SerialExecutor(), Progress(lines.append))
    assert [spec.seed for spec, _ in failed] == [1]
    assert [kind for kind, _ in stage.events] == ["screen", "run", "run"]
    assert lines[0] == "runs: 2, done before: 0, to do: 2"


def test_in_this_process_each_run_is_reported_before_the_next_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    for name in ("prepare_screen", "run_one"):
        monkeypatch.setattr(execute, name, getattr(stage, name))

    def write(line: str) -> None:
        stage.events.append(("line", line.split()[0]))

    specs = [run_spec(seed=seed) for seed in range(2)]
    run_many(specs, Runtime(runs=tmp_path), SerialExecutor(), Progress(write))
    assert [kind for kind, _ in stage.events] == [
        "line",
        "screen",
        "line",
        *("run", "line"),
        *("run", "line"),
    ]


def test_a_screen_that_cannot_be_had_stops_before_any_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="the RxRx1 release is not there"):
        run_many(
            [run_spec()], Runtime(data=tmp_path, runs=tmp_path), SerialExecutor(), Progress(print)
        )
    assert not list(tmp_path.iterdir())


def test_a_run_in_a_worker_process_gives_the_bits_of_one_in_this_process(
    undisturbed: runs.Run, release: Path, tmp_path: Path
) -> None:
    """Two processes training the same spec: a Dask worker, and this one."""
    broken = run_spec(network=NetworkSpec(backbone="densenet161"))
    lines: list[str] = []
    runtime = Runtime(data=release, runs=tmp_path)
    with executor(workers=1) as engine:
        failed = run_many([ONE, broken], runtime, engine, Progress(lines.append))
    ((spec, error),) = failed
    assert spec == broken
    assert "backbone is 'densenet161', which makes one feature of 32 × 32 pixels" in str(error)
    assert runs.open_run(tmp_path, broken).state == "failed"
    assert len(lines) == 4
    same_bits(undisturbed, runs.open_run(tmp_path, ONE))


def test_less_than_no_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="workers is -1; give 0"), executor(workers=-1):
        pass


def test_an_interrupt_is_not_kept_in_a_future() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SerialExecutor().submit(interrupted)


def test_screens_are_made_by_whoever_needs_them_first(tmp_path: Path) -> None:
    """Two processes that need one screen: one folder, whole, whoever was first."""
    with ThreadPoolExecutor(2) as engine:
        roots = list(engine.map(lambda _: prepare_screen(SIMULATED, tmp_path), range(2)))
    assert roots[0] == roots[1]
    assert [path.name for path in tmp_path.iterdir()] == [roots[0].name]
    assert len(os.listdir(roots[0] / "images")) == 2
