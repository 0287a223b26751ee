"""One run, start to end; and many runs, through any executor."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs, stages
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.provenance import provenance, this_attempt
from rxrx_lib.study.screens import make_split, open_screen, prepare_screen
from rxrx_lib.study.spec import PredictSpec, RunSpec, identity
from rxrx_lib.training.attempts import Attempts


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Where and on what runs are executed; none of it changes a result's meaning."""

    data: Path = Path("data")
    """Folder of screens."""
    runs: Path = Path("runs")
    """The run store."""
    device: str = "auto"
    """A torch device; ``auto`` is the first GPU, else the CPU."""
    loader_workers: int = 0
    """Threads that read ahead, a run; with 0 a minibatch is read when it is needed."""
    weights: Path | None = None
    """File of weights for the runs whose spec names some; see ``NetworkSpec.weights_sha256``."""


def run_one(spec: RunSpec, runtime: Runtime) -> str:
    """Train, predict and score one run, unless it is done; go on where a killed one stopped.

    Parameters
    ----------
    spec
        What to run.
    runtime
        Where.

    Returns
    -------
    str
        The run's id; its results are in ``runtime.runs / id``.

    Raises
    ------
    Exception
        Whatever went wrong, after it was written to the run's ``failure.json``.
    """
    run = runs.open_run(runtime.runs, spec)
    runs.tidy(run)
    if run.done:
        return run.id
    runs.start(run, spec)
    try:
        device = resolve_device(runtime.device)
        attempts = Attempts(this_attempt(device))
        screen = open_screen(spec.data, runtime.data)
        split = make_split(screen.table, spec.split)
        workers = runtime.loader_workers
        screen = stages.normalised(spec, screen, split, workers=workers)
        method = METHODS[spec.method]
        with one_thread_on_cpu(device), deterministic_on_cuda(device):
            network = stages.build(method, spec, screen, weights=runtime.weights)
            history = stages.train(
                network,
                method,
                spec,
                screen,
                split,
                checkpoint=run.checkpoint,
                attempts=attempts,
                workers=workers,
                device=device,
            )
            asked = PredictSpec(statistics=method.statistics)
            metrics = stages.predict_and_score(
                network, asked, spec, screen, split, run, workers=workers, device=device
            )
        source = provenance(attempts.so_far(), screen.root, spec.data)
        source["epoch"] = stages.epoch_use(method, spec, screen, split)._asdict()
        stages.commit(run, network, history, metrics, source)
    except Exception as error:
        if _done_meanwhile(run):
            return run.id
        runs.fail(run, error)
        raise
    return run.id


def _done_meanwhile(run: runs.Run) -> bool:
    """Tell whether another process was faster; it removed what this one was working on."""
    runs.tidy(run)
    return run.done


def run_many(
    specs: Sequence[RunSpec], runtime: Runtime, executor: Executor, progress: Progress
) -> list[tuple[RunSpec, BaseException]]:
    """Execute runs through anything with the ``submit`` of ``concurrent.futures``.

    Screens come first, so that no two runs simulate the same one; then the runs that are not
    done, each once. A run that fails does not stop the others.

    Returns
    -------
    list of (RunSpec, exception)
        The runs that failed.
    """
    waiting = []
    asked = {spec.id: spec for spec in specs}
    for spec in asked.values():
        stored = runs.open_run(runtime.runs, spec)
        runs.tidy(stored)
        if not stored.done:
            waiting.append(spec)
    progress.start(total=len(asked), done=len(asked) - len(waiting))
    screens = {identity(spec.data): spec.data for spec in waiting}
    made = [executor.submit(prepare_screen, data, runtime.data) for data in screens.values()]
    for number, future in enumerate(as_completed(made), start=1):
        future.result()
        progress.say(f"screens ready: {number} of {len(made)}")
    running: dict[Future[str], RunSpec] = {}
    errors: dict[str, BaseException | None] = {}
    for spec in waiting:
        run = executor.submit(run_one, spec, runtime)
        running[run] = spec
        if run.done():  # an executor that runs at once reports at once
            errors[spec.id] = _reported(run, running.pop(run), progress)
    for run in as_completed(running):
        errors[running[run].id] = _reported(run, running[run], progress)
    failed = [(spec, errors[spec.id]) for spec in waiting]
    return [(spec, error) for spec, error in failed if error is not None]


def _reported(run: Future[str], spec: RunSpec, progress: Progress) -> BaseException | None:
    try:
        error = run.exception()
    except CancelledError:
        error = RuntimeError("the cluster gave it up; the same command goes on with it")
    progress.finished(str(spec), error)
    return error


def resolve_device(device: str) -> str:
    """Return the torch device that ``auto`` stands for on this machine."""
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def one_thread_on_cpu(device: str) -> Iterator[None]:
    """Compute on one thread: two threads sum in another order and end in other bits."""
    import torch

    before = torch.get_num_threads()
    if torch.device(device).type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic_on_cuda(device: str) -> Iterator[None]:
    """Add in a fixed order where torch can, and multiply float32 as float32, not as TF32.

    Written from torch's documentation and never run on a GPU: that two trainings there end in the
    same bits is a hope. Where an operation knows no fixed order, torch warns.
    """
    import torch

    if torch.device(device).type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32
    products = torch.get_float32_matmul_precision()
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = True, False, False
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = before
        torch.set_float32_matmul_precision(products)
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
