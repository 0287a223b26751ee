"""What pages need of done runs beyond their metrics: made where a store lacks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rxrx_lib.study import runs
from rxrx_lib.study.derivations import DERIVATIONS, Derivation
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.executors import executor
from rxrx_lib.study.identity import identity
from rxrx_lib.study.kept import NotKept
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.require import RunsFailed, lines_of, runtime_of
from rxrx_lib.study.screens import prepare_screen
from rxrx_lib.study.soundness import run_fault
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.training.hardware import Hardware

Errors = list[Exception | None]
"""Of several steps in order: what each raised."""


class Step(NamedTuple):
    """One derivation of one run."""

    derivation: Derivation
    spec: RunSpec

    @property
    def id(self) -> str:
        """The run's identity."""
        return self.spec.id

    def __str__(self) -> str:
        """Name the step in progress and errors."""
        return f"{self.derivation.words} of {self.spec}"

    def state(self, store: Path) -> str:
        """Return what a store has of it: ``done``, ``absent``, or a run that is ``unsound``."""
        run = runs.Run(store / self.spec.id)
        if run.done and run_fault(run) is not None:
            return "unsound"
        return "done" if run.done and not self.derivation.lacking(self.spec, store) else "absent"


def steps(items: Iterable[str], profile: Profile) -> list[Step]:
    """Return what is derived for some items of the catalogue, in order.

    Parameters
    ----------
    items
        Keys of the catalogue; most have nothing.
    profile
        The size of the study.
    """
    wanted = set(items)
    return [
        Step(derivation, spec)
        for item, derivation in DERIVATIONS
        if item in wanted
        for spec in derivation.specs(profile)
    ]


def require_derived(
    some: Sequence[Step],
    *,
    data: str | Path = "data",
    store: str | Path = "runs",
    device: str = "auto",
    hardware: Hardware = Hardware(),  # noqa: B008 - it is frozen
    workers: int = 0,
    scheduler: str | None = None,
    engine: Executor | None = None,
    progress: Progress | None = None,
) -> list[Step]:
    """Make what a store lacks of some steps; nothing is trained.

    Runs that are not sound are passed over: who reads them names them.

    Parameters
    ----------
    some
        The steps, of runs that are done.
    data, store, device, hardware, workers, scheduler, engine, progress
        As in :func:`rxrx_lib.study.require.require`.

    Returns
    -------
    list of Step
        Those that this store cannot make: their runs were merged from an archive, and what they
        are computed from was not.

    Raises
    ------
    RunsFailed
        If a step failed for another reason; the others are made.
    NoScheduler
        If no scheduler answers at the address.
    """
    runtime = runtime_of(data, store, device, hardware, scheduler)
    lacking = [step for step in some if step.state(runtime.runs) == "absent"]
    if not lacking:
        return []
    progress = progress or Progress()
    opened = executor(min(workers, len(lacking)), scheduler, progress.write)
    with nullcontext(engine) if engine else opened as ready:
        _prepare_screens(lacking, runtime, ready)
        progress.start(total=len(some), done=len(some) - len(lacking), what="derived from runs")
        failed = _made(lacking, runtime, ready, progress)
    bad = [(step, error) for step, error in failed if not isinstance(error, NotKept)]
    if bad:
        raise RunsFailed(lines_of(f"{len(bad)} of what runs give were not made:", bad))
    return [step for step, _ in failed]


def _prepare_screens(lacking: Sequence[Step], runtime: Runtime, engine: Executor) -> None:
    asked = [(step.derivation.screen, step.spec) for step in lacking]
    screens = {identity(data): data for of, spec in asked if of for data in (of(spec),)}
    made = [engine.submit(prepare_screen, data, runtime.data) for data in screens.values()]
    for each in made:
        each.result()


def _made(
    lacking: Sequence[Step], runtime: Runtime, engine: Executor, progress: Progress
) -> list[tuple[Step, BaseException]]:
    """Make steps through an executor, and return those that failed."""
    failed = []

    def report(call: Future[Errors], some: Sequence[Step]) -> None:
        lost = call.exception()
        for step, error in zip(some, [lost] * len(some) if lost else call.result(), strict=True):
            progress.finished(str(step), error)
            if error is not None:
                failed.append((step, error))

    waiting: dict[Future[Errors], Sequence[Step]] = {}
    for some in _calls(lacking):
        makers = [partial(step.derivation.make, step.spec, runtime) for step in some]
        call = engine.submit(_errors_of, makers)
        if call.done():  # an executor that works at once reports at once
            report(call, some)
        else:
            waiting[call] = some
    for call in as_completed(waiting):
        report(call, waiting[call])
    return failed


def _calls(lacking: Sequence[Step]) -> list[list[Step]]:
    """Divide steps into those that one process makes, in the order of their first ones."""
    calls: dict[Derivation | Step, list[Step]] = {}
    for step in lacking:
        shared = step.derivation if step.derivation.in_one_process else step
        calls.setdefault(shared, []).append(step)
    return list(calls.values())


def _errors_of(makers: Sequence[Callable[[], object]]) -> Errors:
    """Call each, and return what it raised, or None."""
    errors: Errors = []
    for make in makers:
        try:
            make()
        except Exception as error:  # noqa: BLE001 - whoever asked for it is told
            errors.append(error)
        else:
            errors.append(None)
    return errors
