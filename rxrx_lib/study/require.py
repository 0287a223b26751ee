"""What a notebook calls first: results of runs, trained here where the store lacks them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from rxrx_lib.study import runs
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.results import gather
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.training.hardware import Hardware

if TYPE_CHECKING:
    from rxrx_lib.study.after_runs import Step
    from rxrx_lib.study.execute import Runtime


class RunsFailed(RuntimeError):
    """Some runs did not end well; the message lists them."""


def require(
    specs: Sequence[RunSpec],
    *,
    data: str | Path = "data",
    store: str | Path = "runs",
    device: str = "auto",
    hardware: Hardware = Hardware(),  # noqa: B008 - it is frozen
    evaluate_every: Mapping[str, int] | None = None,
    workers: int = 0,
    scheduler: str | None = None,
    engine: Executor | None = None,
    weights: Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the results of runs, training first those that the store lacks.

    Parameters
    ----------
    specs
        The runs, in the order in which they are wanted.
    data
        Folder of screens.
    store
        The run store.
    device
        Torch device for what has to be trained; ``auto`` is a GPU where there is one.
    hardware
        How it is trained otherwise; its device gives way to ``device``.
    evaluate_every
        Ids of runs to the epochs between two measurements of their test accuracy while they train,
        as :func:`rxrx_lib.study.catalogue.evaluations` gives them; all others are measured at
        their end alone.
    workers
        Processes to train in; 0 trains in this one.
    scheduler
        Address of a Dask scheduler to train on instead. Its workers see the same folders under the
        same paths.
    engine
        An open executor to train in instead, which several calls may share.
    weights
        File of weights for the runs whose spec names some.
    progress
        Where lines on the progress go; standard error by default.

    Returns
    -------
    DataFrame
        See :func:`rxrx_lib.study.results.gather`.

    Raises
    ------
    RunsFailed
        If a run failed; the others are done and kept. Or if workers did runs that do not appear in
        the store.
    NoScheduler
        If no scheduler answers at the address.
    """
    store = Path(store)
    if not all(runs.open_run(store, spec).done for spec in specs):
        from rxrx_lib.study.execute import run_many
        from rxrx_lib.study.executors import executor

        runtime = runtime_of(
            data, store, device, hardware, scheduler, evaluate_every=evaluate_every, weights=weights
        )
        progress = progress or Progress()
        if hint := _other_store(store):
            progress.write(hint)
        opened = executor(workers, scheduler, progress.write)
        with nullcontext(engine) if engine else opened as ready:
            failed = run_many(specs, runtime, ready, progress)
        _require_done(specs, failed, runtime.runs)
    return gather(specs, store)


def runtime_of(
    data: str | Path,
    store: str | Path,
    device: str,
    hardware: Hardware,
    scheduler: str | None,
    *,
    evaluate_every: Mapping[str, int] | None = None,
    weights: Path | None = None,
) -> Runtime:
    """Return where and on what :func:`require` executes what it is given."""
    from rxrx_lib.study.execute import Runtime

    # A cluster's workers were started in folders of their own.
    seen = Path.absolute if scheduler is not None else Path
    return Runtime(
        data=seen(Path(data)),
        runs=seen(Path(store)),
        hardware=dataclasses.replace(hardware, device=device),
        evaluate_every=evaluate_every or {},
        weights=weights and seen(weights),
    )


def _other_store(store: Path) -> str | None:
    """Name a store one folder up where none is here: Jupyter starts notebooks in their folder."""
    above = ".." / store
    if store.is_absolute() or store.exists() or not above.is_dir():
        return None
    return (
        f"{store} is not there and is begun in {Path.cwd()}; to use {above} instead, stop, and set "
        f"runs = '{above}' and data = '../data'."
    )


def _require_done(
    specs: Sequence[RunSpec], failed: Sequence[tuple[RunSpec, BaseException]], store: Path
) -> None:
    if failed:
        raise RunsFailed(lines_of(f"{len(failed)} runs failed:", failed))
    if elsewhere := [spec.id for spec in specs if not runs.open_run(store, spec).done]:
        raise RunsFailed(
            f"{len(elsewhere)} runs, such as {elsewhere[0]}, ended well and are not in {store}; "
            "all workers have to see this folder under this path, on a disk that they share."
        )


def lines_of(head: str, failed: Sequence[tuple[RunSpec | Step, BaseException]]) -> str:
    """Write a line a failure under a heading."""
    lines = [f"{what.id}  {what}: {error}" for what, error in failed]
    return os.linesep.join([head, *lines])
