"""A run on two processes that torchrun starts; and one of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rxrx_lib.study import runs
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.training import checkpoint
from tests.study.stalling import DOUBLE, LONG

ROOT = Path(__file__).parents[2]


def start(item: str, data: Path, store: Path, *words: str) -> subprocess.Popen[str]:
    """Start two processes at a run of the tiny profile."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *torchrun, "-m", "tests.study.stalling", "run"]
    command += ["--profile", "tiny", "--only", item, "--data", str(data), "--runs", str(store)]
    return subprocess.Popen(
        [*command, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def children(process: int) -> Sequence[int]:
    """Return the processes that a process started, by Linux's own list."""
    return [
        int(child)
        for thread in Path(f"/proc/{process}/task").iterdir()
        for child in (thread / "children").read_text().split()
    ]


def rank_of(process: int) -> str:
    """Return the rank that torchrun gave a process."""
    words = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return dict(word.split(b"=", 1) for word in words if b"=" in word)[b"RANK"].decode()


def test_two_processes_give_the_weights_and_predictions_of_one(
    release: Path, tmp_path: Path
) -> None:
    process = start("double", release, tmp_path / "two")
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert error.count("[1/1]") == 1  # one of them reports
    run_one(DOUBLE, Runtime(data=release, runs=tmp_path / "one"))
    one, two = (runs.open_run(tmp_path / name, DOUBLE) for name in ("one", "two"))
    mine, theirs = (torch.load(run.result / "weights.pt", weights_only=True) for run in (one, two))
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        torch.testing.assert_close(theirs[name], values, rtol=1e-9, atol=1e-9)
    (folder,) = (one.path / "predictions").iterdir()
    with (
        np.load(folder / "predictions.npz") as here,
        np.load(two.path / "predictions" / folder.name / "predictions.npz") as there,
    ):
        assert here["site_id"].tolist() == there["site_id"].tolist()
        assert here["top_sirna_id"].tolist() == there["top_sirna_id"].tolist()
        np.testing.assert_allclose(there["embedding"], here["embedding"], rtol=1e-6, atol=1e-6)
    assert two.provenance()["hardware"].startswith("2 × ")


def test_a_process_that_dies_ends_the_run_with_a_sentence_and_the_run_goes_on(
    release: Path, tmp_path: Path
) -> None:
    run = runs.open_run(tmp_path, LONG)
    process = start("long", release, tmp_path, "--checkpoint-seconds", "0")
    until = time.monotonic() + 60
    while not run.checkpoint.exists() and time.monotonic() < until:
        time.sleep(0.01)
    (last,) = (child for child in children(process.pid) if rank_of(child) == "1")
    os.kill(last, signal.SIGKILL)
    _, error = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "rxrx: process 0 of 2" in error
    assert "the same command goes on from the last checkpoint" in error
    assert run.state == "resumable"
    state = checkpoint.load(run.checkpoint)
    assert state is not None
    assert (state["epoch"], state["step"]) > (0, 0)
    run_one(LONG, Runtime(data=release, runs=tmp_path))
    assert run.state == "done"
    assert len(run.provenance()["attempts"]) == 2


def test_engines_for_many_runs_are_refused_where_several_processes_work_on_one(
    release: Path, tmp_path: Path
) -> None:
    process = start("long", release, tmp_path, "--workers", "2")
    _, error = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "rxrx: --workers and --scheduler send runs to several processes" in error
    assert not list(tmp_path.iterdir())
