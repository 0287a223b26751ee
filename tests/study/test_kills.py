"""One run that is killed ten times at random moments."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from rxrx_lib.models.network import Network
from rxrx_lib.study import runs, stages
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.training import checkpoint
from rxrx_lib.training.hardware import Hardware
from tests.study.test_execute import same_bits
from tests.study.tiny import BY_SITE, run_spec

KILLS = 10
SPEC = run_spec("adabn_gradient_reversal", BY_SITE, epochs=12)
EVERY_STEP = Hardware(device="cpu", checkpoint_seconds=0.0)


def execute(spec: RunSpec, data: Path, store: Path) -> None:
    every = {spec.id: 2}
    run_one(spec, Runtime(data=data, runs=store, hardware=EVERY_STEP, evaluate_every=every))


def position(run: runs.Run) -> tuple[int, int]:
    """Return the epoch and the step that a run's checkpoint goes on with."""
    state = checkpoint.load(run.checkpoint)
    return (0, 0) if state is None else (state["epoch"], state["step"])


def test_a_run_killed_ten_times_at_random_moments_ends_in_the_bits_of_an_undisturbed_one(
    release: Path, tmp_path: Path
) -> None:
    # Each try is a fresh process, forked from one that has loaded torch and computed nothing.
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["rxrx_lib.study.execute", "rxrx_lib.training.fit", __name__])
    run, moments = runs.open_run(tmp_path / "killed", SPEC), random.Random(0)
    positions = [(0, 0)]
    for _ in range(KILLS):
        process = server.Process(target=execute, args=(SPEC, release, tmp_path / "killed"))
        process.start()
        while process.is_alive() and position(run) <= positions[-1]:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.05))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        positions.append(position(run))
    assert positions == sorted(set(positions))
    execute(SPEC, release, tmp_path / "killed")
    assert len(run.provenance()["attempts"]) == KILLS + 1
    undisturbed = Runtime(data=release, runs=tmp_path / "undisturbed", evaluate_every={SPEC.id: 2})
    run_one(SPEC, undisturbed)
    same_bits(runs.open_run(undisturbed.runs, SPEC), run)


def test_the_history_has_the_test_accuracy_where_it_was_asked_for(
    release: Path, tmp_path: Path
) -> None:
    spec = run_spec("adabn", BY_SITE, epochs=4)
    run_one(spec, Runtime(data=release, runs=tmp_path, evaluate_every={spec.id: 2}))
    run = runs.open_run(tmp_path, spec)
    history = pd.read_csv(run.result / "history.csv")
    assert history["test_accuracy"].notna().tolist() == [False, True, False, True]
    assert history["test_accuracy"].iloc[-1] == run.metrics()["accuracy"]


def test_the_end_of_a_history_is_the_runs_own_accuracy_which_is_not_measured_twice(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, measured = run_spec("adabn", BY_SITE, epochs=3), []
    real = stages.test_accuracy

    def test_accuracy(network: Network, work: stages.Work, masked: tuple[int, ...]) -> float:
        measured.append(real(network, work, masked))
        return measured[-1]

    monkeypatch.setattr(stages, "test_accuracy", test_accuracy)
    for store, every in (("each", 1), ("second", 2), ("none", 0)):
        asked = {spec.id: every}
        run_one(spec, Runtime(data=release, runs=tmp_path / store, evaluate_every=asked))
        run = runs.open_run(tmp_path / store, spec)
        history = pd.read_csv(run.result / "history.csv")["test_accuracy"]
        assert history.iloc[-1] == run.metrics()["accuracy"]
        assert history.iloc[:-1].dropna().tolist() == measured
        measured.clear()
    assert history.notna().sum() == 1
