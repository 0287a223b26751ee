"""One run, start to end; and many runs, through any executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs, stages
from rxrx_lib.study.identity import identity
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.provenance import provenance, this_attempt
from rxrx_lib.study.screens import make_split, open_screen, prepare_screen
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.training.attempts import Attempts
from rxrx_lib.training.hardware import Hardware, prepared
from rxrx_lib.training.peers import ALONE, PeerLost, Peers


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Where and on what runs are executed; none of it changes a result's meaning."""

    data: Path = Path("data")
    """Folder of screens."""
    runs: Path = Path("runs")
    """The run store."""
    hardware: Hardware = field(default_factory=Hardware)
    """Device, memory, speed."""
    weights: Path | None = None
    """File of weights for the runs whose spec names some; see ``NetworkSpec.weights_sha256``."""
    evaluate_every: Mapping[str, int] = field(default_factory=dict)
    """Ids of runs to the epochs between two measurements of their test accuracy while they train;
    0, and all other runs, are measured at their end alone."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, epochs in self.evaluate_every.items():
            if epochs < 0:
                raise ValueError(
                    f"evaluate_every is {epochs} for run {name}; give a number of epochs >= 0."
                )


def run_one(spec: RunSpec, runtime: Runtime, peers: Peers = ALONE) -> str:
    """Train, predict and score one run, unless it is done; go on where a killed one stopped.

    Parameters
    ----------
    spec
        What to run.
    runtime
        Where.
    peers
        The processes that execute this run together; they all call this function.

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
    if peers.agreed(run.done):
        return run.id
    runs.start(run, spec)
    try:
        with prepared(runtime.hardware) as hardware:
            attempts = Attempts(this_attempt(hardware.device, peers.size))
            screen = open_screen(spec.data, runtime.data)
            split = make_split(screen.table, spec.split)
            screen = stages.normalised(spec, screen, split, workers=hardware.loader_workers)
            method = METHODS[spec.method]
            stages.require_trainable(method, spec, screen, split)
            network = stages.build(method, spec, screen, weights=runtime.weights)
            work = stages.Work(spec, screen, split, stages.sites(spec, screen, hardware), peers)
            every = runtime.evaluate_every.get(spec.id, 0)
            history = stages.train(network, work, hardware, run, attempts, every)
            asked = PredictSpec(statistics=method.statistics)
            metrics = stages.predict_and_score(network, work, asked, run)
        source = provenance(attempts.so_far(), screen.root, spec.data)
        source["epoch"] = stages.epoch_use(method, spec, screen, split)._asdict()
        if peers.first:
            stages.commit(run, network, history, metrics, source)
    except Exception as error:
        if peers.size == 1 and _done_meanwhile(run):
            return run.id
        if not isinstance(error, PeerLost):  # the one that was lost tells why, if it still could
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
    error = run.exception()
    progress.finished(str(spec), error)
    return error
