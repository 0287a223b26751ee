"""What pages need of done runs beyond their metrics, by item of the catalogue.

One list for ``rxrx run``, ``rxrx plan``, ``make book`` and notebooks: a store that one of them has
filled, or an archive of it, has all that the others ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rxrx_lib.study import (
    channel_masking,
    counted_otherwise,
    mixing,
    predictions,
    rival_files,
    rival_measures,
    rivals,
    runs,
    similarity,
)
from rxrx_lib.study import prediction_statistics as statistics
from rxrx_lib.study.catalogue import by_site_runs, separated_runs
from rxrx_lib.study.catalogue import prediction_statistics as statistics_runs
from rxrx_lib.study.channel_subsets import masked_runs
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.executors import executor
from rxrx_lib.study.identity import identity
from rxrx_lib.study.kept import NotKept
from rxrx_lib.study.masked_accuracy import masked_accuracy
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.require import RunsFailed, lines_of, runtime_of
from rxrx_lib.study.screens import prepare_screen
from rxrx_lib.study.second_wells import second_screen, second_wells
from rxrx_lib.study.second_wells_prediction import predict_second_wells
from rxrx_lib.study.soundness import run_fault
from rxrx_lib.study.spec import DataSpec, PredictSpec, RunSpec
from rxrx_lib.training.hardware import Hardware


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """Something that is computed from a done run and kept in its folder."""

    words: str
    """What it is, in the plural."""
    specs: Callable[[Profile], Sequence[RunSpec]]
    """The runs that it is computed from; the item that it belongs to has them all."""
    lacking: Callable[[RunSpec, Path], bool]
    """Whether a store has a done run without it."""
    make: Callable[[RunSpec, Runtime], object]
    """Compute it from a done run, and keep it."""
    screen: Callable[[RunSpec], DataSpec] | None = None
    """A screen that it needs beside the run's own; made first, so that no two processes do."""


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


def _predictions(
    words: str,
    specs: Callable[[Profile], Sequence[RunSpec]],
    asked: Callable[[RunSpec], Sequence[PredictSpec]],
) -> Derivation:
    return Derivation(
        words=words,
        specs=specs,
        lacking=lambda spec, store: bool(
            predictions.missing(spec, asked(spec), Runtime(runs=store))
        ),
        make=partial(_predict, asked),
    )


def _predict(
    asked: Callable[[RunSpec], Sequence[PredictSpec]], spec: RunSpec, runtime: Runtime
) -> None:
    predictions.predict_done(spec, asked(spec), runtime)


def _measure_rivals(spec: RunSpec, runtime: Runtime) -> None:
    rival_measures.measure_done(spec, runtime)


def _lacks_second_wells(spec: RunSpec, store: Path) -> bool:
    return second_wells(runs.Run(store / spec.id), spec.method) is None


def _keep_by_cell_type(spec: RunSpec, runtime: Runtime) -> None:
    counted_otherwise.keep_by_cell_type(spec, runtime.runs)


def _keep_similarity(spec: RunSpec, runtime: Runtime) -> None:
    similarity.keep_similarity(spec, runtime.runs)


def _keep_layout(spec: RunSpec, runtime: Runtime) -> None:
    mixing.keep_layout(spec, runtime.runs)


DERIVATIONS: tuple[tuple[str, Derivation], ...] = (
    (
        "test_time_statistics",
        _predictions("predictions by other statistics", statistics_runs, statistics.asked),
    ),
    (
        "rivals",
        _predictions("predictions with a part adapting", rivals.rivals, rivals.asked),
    ),
    (
        "rivals",
        Derivation(
            words="accuracies of cheap rivals",
            specs=rivals.measured_runs,
            lacking=lambda spec, store: rival_files.read_measured(spec, store) is None,
            make=_measure_rivals,
        ),
    ),
    (
        "figure8",
        Derivation(
            words="accuracies under channel masks",
            specs=masked_runs,
            lacking=lambda spec, store: masked_accuracy(spec, store) is None,
            make=channel_masking.mask_done,
        ),
    ),
    (
        "figure7",
        Derivation(
            words="cosine similarities",
            specs=similarity.figure7,
            lacking=similarity.lacks_similarity,
            make=_keep_similarity,
        ),
    ),
    (
        "figure6",
        Derivation(
            words="UMAP layouts",
            specs=lambda profile: mixing.laid_out(separated_runs(profile)),
            lacking=mixing.lacks_layout,
            make=_keep_layout,
        ),
    ),
    (
        "table1",
        Derivation(
            words="answers on second wells",
            specs=lambda profile: by_site_runs(profile) if profile.screen is not None else [],
            lacking=_lacks_second_wells,
            make=predict_second_wells,
            screen=lambda spec: second_screen(spec.data),
        ),
    ),
    (
        "table3",
        Derivation(
            words="other accuracies by cell type",
            specs=separated_runs,
            lacking=counted_otherwise.lacks_by_cell_type,
            make=_keep_by_cell_type,
        ),
    ),
)
"""Items of the catalogue, and what is derived for each; the longest first."""


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
    progress: Progress | None = None,
) -> list[Step]:
    """Make what a store lacks of some steps; nothing is trained.

    Runs that are not sound are passed over: who reads them names them.

    Parameters
    ----------
    some
        The steps, of runs that are done.
    data, store, device, hardware, workers, scheduler, progress
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
    with executor(min(workers, len(lacking)), scheduler, progress.write) as engine:
        _prepare_screens(lacking, runtime, engine)
        progress.start(total=len(some), done=len(some) - len(lacking), what="derived from runs")
        failed = _made(lacking, runtime, engine, progress)
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

    def report(call: Future[object], step: Step) -> None:
        error = call.exception()
        progress.finished(str(step), error)
        if error is not None:
            failed.append((step, error))

    waiting: dict[Future[object], Step] = {}
    for step in lacking:
        call = engine.submit(step.derivation.make, step.spec, runtime)
        if call.done():  # an executor that works at once reports at once
            report(call, step)
        else:
            waiting[call] = step
    for call in as_completed(waiting):
        report(call, waiting[call])
    return failed
