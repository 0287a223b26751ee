"""A Dask cluster of processes of their own: it loses workers, or it is not there."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from distributed.scheduler import KilledWorker, WorkerState

from rxrx_lib import cli
from rxrx_lib.study import cluster, executors, runs
from rxrx_lib.study.cluster import NoScheduler, WorkerWatch, joined
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.executors import DaskExecutor, GivenUp, SerialExecutor, one_at_a_time
from rxrx_lib.study.require import RunsFailed, require
from tests.study.stalling import PAIR, STALLED
from tests.study.test_execute import same_bits
from tests.study.tiny import run_spec

ROOT = Path(__file__).parents[2]
STALLING_WORKER = """
import sys
from distributed.cli.dask_worker import main
from tests.study.stalling import stall_in_the_third_epoch

stall_in_the_third_epoch()
main(sys.argv[1:])
"""


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Start Python on some words, and kill it at the end."""
    started = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


@contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a scheduler on this machine; give its address and its process."""
    file = folder / "scheduler.json"
    words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    with process("-m", "distributed.cli.dask_scheduler", *words) as started:
        until = time.monotonic() + 60
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.1)  # it is written in place
        yield json.loads(file.read_text())["address"], started


def worker(address: str, *program: str) -> Iterator[subprocess.Popen[str]]:
    """Start a worker without a nanny: once killed, it does not come back."""
    options = ["--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--no-dashboard"]
    return process(*(program or ("-m", "distributed.cli.dask_worker")), address, *options)


def client(address: str, data: Path, store: Path, *items: str) -> Iterator[subprocess.Popen[str]]:
    """Start `rxrx run` on a cluster, from a profile that only tests know."""
    words = ["run", "--profile", "tiny", "--only", *items, "--data", str(data), "--runs"]
    words += [str(store), "--scheduler", address, "--checkpoint-seconds", "0"]
    return process("-m", "tests.study.stalling", *words)


def wait_for_workers(address: str, number: int) -> list[str]:
    until = time.monotonic() + 60
    found: list[str] = []
    while len(found) < number and time.monotonic() < until:
        found = list(cluster._identity(address)["workers"])
        time.sleep(0.05)
    return found


def test_a_worker_that_is_killed_in_mid_run_changes_no_result(
    release: Path, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        address, _ = stack.enter_context(scheduler(tmp_path))
        doomed = stack.enter_context(worker(address, "-c", STALLING_WORKER))
        stack.enter_context(worker(address))
        one, _ = wait_for_workers(address, 2)
        with pytest.raises(NoScheduler, match=r"\(a Worker answers there\)"):
            cluster._identity(one)
        store = tmp_path / "disturbed"
        started = stack.enter_context(client(address, release, store, "pair"))
        assert doomed.stdout is not None
        assert doomed.stdout.readline().strip() == STALLED
        doomed.send_signal(signal.SIGKILL)
        out, error = started.communicate(timeout=300)
    assert (started.returncode, out) == (0, f"2 runs done in {store}\n")
    assert f"scheduler {address}: 2 workers" in error
    assert "FAILED" not in error
    undisturbed = Runtime(data=release, runs=tmp_path / "undisturbed")
    attempts = []
    for spec in PAIR:
        run_one(spec, undisturbed)
        run = runs.open_run(store, spec)
        same_bits(runs.open_run(undisturbed.runs, spec), run)
        attempts.append(len(run.provenance().get("attempts", ["the only one"])))
    assert sorted(attempts) == [1, 2]


def test_without_workers_the_command_waits_and_says_so_and_without_a_scheduler_it_ends(
    release: Path, tmp_path: Path
) -> None:
    with (
        scheduler(tmp_path) as (address, process_of_scheduler),
        client(address, release, tmp_path / "store", "one") as started,
    ):
        assert started.stderr is not None
        assert started.stderr.readline() == f"scheduler {address}: 0 workers\n"
        assert started.stderr.readline() == (
            f"scheduler {address}: no worker; runs wait until one joins. Start one with dask "
            f"worker {address} --nthreads 1, or press Ctrl-C: what is done is kept.\n"
        )
        assert started.stderr.readline() == "runs: 1, done before: 0, to do: 1\n"
        assert started.poll() is None
        process_of_scheduler.send_signal(signal.SIGKILL)
        _, error = started.communicate(timeout=60)
    assert started.returncode == 1
    assert error == (
        "rxrx: the scheduler was lost or gave it up; the same command goes on with it, from its "
        "last checkpoint\n"
    )


def test_changes_in_the_number_of_workers_are_said_once_and_their_absence_again_and_again() -> None:
    lines: list[str] = []
    now = [0.0]
    watch = WorkerWatch("tcp://node1:8786", 2, lines.append, clock=lambda: now[0])
    for workers, seconds in [(2, 1), (3, 2), (1, 3), (1, 4), (0, 5), (0, 6), (0, 700), (4, 701)]:
        now[0] = float(seconds)
        watch.look(workers)
    elsewhere = "what they had in training goes on elsewhere, from its last checkpoint"
    nobody = "scheduler tcp://node1:8786: no worker; runs wait until one joins."
    assert lines[0] == "scheduler tcp://node1:8786: 3 workers"
    assert lines[1] == f"scheduler tcp://node1:8786: 1 worker, 2 gone; {elsewhere}"
    assert [line.startswith(nobody) for line in lines] == [False, False, True, True, False]
    assert lines[4] == "scheduler tcp://node1:8786: 4 workers"


@pytest.mark.parametrize("command", ["run", "choose"])
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://127.0.0.1:PORT", "no answer in 1 s"),
        ("banana", "that is no address"),
        ("", "that is no address"),
        ("tcp://", "that is no address"),
        ("tcp://127.0.0.1:99999", "that is no address"),
        ("tcp://127.0.0.1:port", "that is no address"),
        ("carrier-pigeon://roof:1", "that is no address"),
        ("pigeon://roof:1", "unknown address scheme 'pigeon'"),
    ],
)
def test_a_scheduler_that_is_not_there_is_wrong_usage_and_one_sentence(
    address: str,
    reason: str,
    command: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cluster.ANSWER_SECONDS < 10
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1.0)
    with socket.socket() as silent:  # it lets a client connect and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = address.replace("PORT", str(silent.getsockname()[1]))
        words = [command, "--profile", "smoke", "--data", str(tmp_path), "--runs", str(tmp_path)]
        assert cli.main([*words, "--scheduler", address]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"rxrx: --scheduler is {address!r}, where no Dask scheduler can be reached ({reason}"
    )
    assert error.endswith(
        "); expected the address that dask scheduler printed, such as tcp://node1:8786, of one "
        "that is running.\n"
    )
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_worker_with_several_threads_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"tcp://a:1": {"nthreads": 1}, "tcp://b:1": {"nthreads": 16}}
    monkeypatch.setattr(cluster, "_identity", lambda address: {"workers": found})
    monkeypatch.setattr("distributed.Client", FakeClient)
    lines: list[str] = []
    with joined("tcp://node1:8786", lines.append):
        pass
    assert lines == [
        "scheduler tcp://node1:8786: 2 workers",
        "1 of them have more than one thread, such as tcp://b:1: each trains one run at a time "
        "and keeps others waiting; start workers with --nthreads 1.",
    ]


class FakeClient:
    """Has the calls of Dask's client that the study makes; its calls end as it is told."""

    def __init__(self, address: str, timeout: float = 0.0, ends: Future[str] | None = None) -> None:
        self.ends = ends

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def nthreads(self) -> dict[str, int]:
        return {"tcp://a:1": 1, "tcp://b:1": 16}

    def get_executor(self, pure: bool) -> FakeClient:
        return self

    def submit(self, *words: object) -> Future[str]:
        assert self.ends is not None
        return self.ends


def test_what_a_cluster_does_to_a_run_is_said_in_words() -> None:
    dead = WorkerState(
        address="tcp://a:1",
        status="closed",
        pid=1,
        name="a",
        memory_limit=0,
        local_directory="",
        nanny=None,
        server_id="a",
    )
    ends: dict[BaseException, str] = {
        KilledWorker("run", dead, 3): "4 workers in a row died of it or with it; the same command",
        CancelledError(): "the scheduler was lost or gave it up; the same command goes on with it",
    }
    for error, words in ends.items():
        future: Future[str] = Future()
        told = DaskExecutor(partial(FakeClient, "", ends=future)).submit(str)
        future.set_exception(error)
        assert isinstance(told.exception(timeout=1), GivenUp)
        assert str(told.exception()).startswith(words)
    future = Future()
    told = DaskExecutor(partial(FakeClient, "", ends=future)).submit(str)
    future.set_exception(OSError("the disk is full"))
    assert str(told.exception(timeout=1)) == "the disk is full"


def test_workers_are_started_once_and_only_when_there_is_something_to_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, ended = [], []

    @contextmanager
    def started(workers: int) -> Iterator[FakeClient]:
        begun.append(workers)
        yield FakeClient("", ends=Future())
        ended.append(workers)

    monkeypatch.setattr(executors, "_started", started)
    with executors.executor(2):
        pass
    assert begun == []
    with executors.executor(2) as engine:
        engine.submit(str)
        engine.submit(str)
        assert (begun, ended) == ([2], [])
    assert ended == [2]


def test_a_worker_with_several_threads_trains_one_run_at_a_time() -> None:
    inside, most = 0, []
    lock = threading.Lock()

    def train() -> None:
        nonlocal inside
        with lock:
            inside += 1
            most.append(inside)
        time.sleep(0.01)
        with lock:
            inside -= 1

    with ThreadPoolExecutor(4) as threads:
        for future in [threads.submit(one_at_a_time, train) for _ in range(8)]:
            future.result()
    assert most == [1] * 8


def test_folders_are_sent_to_a_cluster_by_their_whole_path_and_have_to_be_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Runtime] = []

    @contextmanager
    def elsewhere(*words: object) -> Iterator[Executor]:
        yield SerialExecutor()

    def run_there(spec: object, runtime: Runtime) -> str:
        sent.append(runtime)
        return "done, on a disk of the worker's own"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(executors, "executor", elsewhere)
    monkeypatch.setattr("rxrx_lib.study.execute.prepare_screen", lambda *words: None)
    monkeypatch.setattr("rxrx_lib.study.execute.run_one", run_there)
    with pytest.raises(RunsFailed) as failed:
        require([run_spec()], data="data", store="runs", scheduler="tcp://node1:8786")
    assert str(failed.value) == (
        f"1 runs, such as {run_spec().id}, ended well and are not in {tmp_path / 'runs'}; all "
        "workers have to see this folder under this path, on a disk that they share."
    )
    (runtime,) = sent
    assert (runtime.data, runtime.runs) == (tmp_path / "data", tmp_path / "runs")
