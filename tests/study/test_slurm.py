"""The book's scripts for Slurm, without a Slurm: what they would submit, and where a job leads."""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rxrx_lib import cli
from rxrx_lib.study import runs
from rxrx_lib.study.catalogue import CATALOGUE
from rxrx_lib.study.executors import WORKER_ENVIRONMENT
from rxrx_lib.study.profiles import PROFILES
from tests.study import stalling
from tests.study.stalling import PAIR

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "book" / "examples"
HERE = {"host": "127.0.0.1", "dashboard_address": ":0"}

# Starts a job at once and on this machine, in a session of its own.
SBATCH = """#!/bin/bash
cp "$1" "$JOBS/script"
setsid bash "$JOBS/script" > "$JOBS/log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
kill -- "-$1"
"""
ECHO = """#!/bin/bash
echo "$(basename "$0")" "$@"
"""


def command(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def example() -> dict[str, Any]:
    """Run the book's file up to where it would start a cluster."""
    pytest.importorskip("dask_jobqueue", reason="comes with the test extra")
    return runpy.run_path(str(EXAMPLES / "slurm_cluster.py"))


def test_a_job_of_the_dask_script_is_one_worker_that_trains_one_run_at_a_time(
    example: dict[str, Any],
) -> None:
    with example["slurm_cluster"](**HERE) as cluster:
        script, address = cluster.job_script(), cluster.scheduler_address
        assert cluster.scheduler.allowed_failures == 100
    directives = [line.split(maxsplit=1)[1] for line in script.splitlines() if "#SBATCH" in line]
    assert directives == [
        "-J dask-worker",
        "-p gpu",
        "-n 1",
        "--cpus-per-task=8",
        "--mem=64G",
        "-t 24:00:00",
        "--gres=gpu:1",
    ]
    for name, value in WORKER_ENVIRONMENT.items():
        assert f"export {name}={value}\n" in script
    (started,) = (line for line in script.splitlines() if "dask_worker" in line)
    assert f"distributed.cli.dask_worker {address} " in started
    assert " --nthreads 1 " in started
    assert started.split().index("--memory-limit=0") > started.split().index("--memory-limit")
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_a_job_that_is_submitted_joins_the_cluster_and_does_the_runs(
    example: dict[str, Any],
    release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A stand-in for sbatch starts the job on this machine."""
    command(tmp_path / "bin", "sbatch", SBATCH)
    command(tmp_path / "bin", "scancel", SCANCEL)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("JOBS", str(tmp_path))
    monkeypatch.setattr("rxrx_lib.study.profiles.PROFILES", dict(PROFILES))
    monkeypatch.setattr("rxrx_lib.study.catalogue.CATALOGUE", dict(CATALOGUE))
    from rxrx_lib.study import catalogue, profiles

    stalling.register(profiles.PROFILES, catalogue.CATALOGUE)
    store = tmp_path / "runs"
    words = ["run", "--profile", "tiny", "--only", "pair", "--data", str(release), "--runs"]
    with example["slurm_cluster"](**HERE) as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=1)
        assert cli.main([*words, str(store), "--scheduler", cluster.scheduler_address]) == 0
    assert f"2 runs done in {store}" in capfd.readouterr().out
    assert all(runs.open_run(store, spec).done for spec in PAIR)


@pytest.mark.parametrize(
    ("script", "called"),
    [
        ("slurm_array.sh", "rxrx run --profile paper --runs a folder --shard 3/16"),
        (
            "slurm_torchrun.sh",
            "torchrun --standalone --nproc-per-node 8 -m rxrx_lib.training --profile paper "
            "--runs a folder",
        ),
    ],
)
def test_a_batch_script_passes_its_arguments_on(script: str, called: str, tmp_path: Path) -> None:
    for name in ("rxrx", "torchrun"):
        command(tmp_path, name, ECHO)
    of_slurm = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "16"}
    done = subprocess.run(
        ["bash", str(EXAMPLES / script), "--profile", "paper", "--runs", "a folder"],
        env=os.environ | of_slurm | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == called
