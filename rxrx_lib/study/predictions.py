"""More predictions with the weights of done runs: train once, predict in many ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs, stages
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.provenance import provenance, this_attempt
from rxrx_lib.study.reduction import SITES_FILE
from rxrx_lib.study.screens import all_tested, make_split, open_screen
from rxrx_lib.study.spec import DataSpec, PredictSpec, RunSpec
from rxrx_lib.training.attempts import Attempts
from rxrx_lib.training.hardware import prepared

if TYPE_CHECKING:
    from rxrx_lib.models.network import Network


class RunNotDone(RuntimeError):
    """A run is asked for predictions and has no trained weights yet."""


def predict_done(
    spec: RunSpec, asked: Sequence[PredictSpec], runtime: Runtime
) -> list[PredictSpec]:
    """Predict with a done run's weights in each way that its folder lacks; nothing is trained.

    Each appears whole, by one rename, in ``predictions/<hash>/``.

    Parameters
    ----------
    spec
        The run.
    asked
        The ways.
    runtime
        Where and on what.

    Returns
    -------
    list of PredictSpec
        The ways that were lacking.

    Raises
    ------
    RunNotDone
        If the run has no result, or got another one meanwhile.
    ValueError
        If its weights are not those that it wrote, or an experiment has too few sites for the
        statistics that are asked for.
    """
    lacking = missing(spec, asked, runtime)
    if not lacking:
        return []
    run = runs.open_run(runtime.runs, spec)
    with trained(spec, runtime) as (network, work, digest):
        for way in lacking:
            attempts = Attempts(this_attempt(work.sites.hardware.device))
            found = stages.predicted(network, work, way)
            source = provenance(attempts.so_far(), work.screen.root, spec.data)
            _commit(run, way, found, {**source, "weights_sha256": digest})
    return lacking


@contextmanager
def trained(
    spec: RunSpec, runtime: Runtime, other: DataSpec | None = None
) -> Iterator[tuple[Network, stages.Work, str]]:
    """Give a done run's network, what it predicts on, and its weights' SHA-256.

    Parameters
    ----------
    spec
        The run.
    runtime
        Where and on what.
    other
        Another screen of the same experiments to predict instead, all its sites being test sites.

    Raises
    ------
    ValueError
        If the weights are not those that the run wrote.
    """
    with prepared(runtime.hardware) as hardware:
        screen = open_screen(spec.data if other is None else other, runtime.data)
        split = (
            make_split(screen.table, spec.split)
            if other is None
            else all_tested(screen.table, spec.split)
        )
        screen = stages.normalised(spec, screen, split, workers=hardware.loader_workers)
        work = stages.Work(spec, screen, split, stages.sites(spec, screen, hardware))
        network, digest = _trained_network(work, runs.open_run(runtime.runs, spec))
        yield network, work, digest


def missing(spec: RunSpec, asked: Sequence[PredictSpec], runtime: Runtime) -> list[PredictSpec]:
    """Return the ways of predicting that a done run's folder lacks.

    Raises
    ------
    RunNotDone
        If the run has no result.
    """
    run = done_run(spec, runtime.runs)
    return [way for way in asked if run.stored_prediction(way) is None]


def done_run(spec: RunSpec, store: Path) -> runs.Run:
    """Return a run that can predict.

    Raises
    ------
    RunNotDone
        If the run has no result.
    """
    run = runs.open_run(store, spec)
    if not run.done:
        raise RunNotDone(
            f"{run.path} ({spec}) is {run.state}, and only a done run predicts; execute it first "
            "(rxrx run)."
        )
    return run


def _trained_network(work: stages.Work, run: runs.Run) -> tuple[Network, str]:
    """Return the method's network with the run's weights, and their file's SHA-256."""
    import torch

    path, recorded = run.result / "weights.pt", run.provenance()["sha256"]["weights.pt"]
    if not path.is_file() or runs.file_sha256(path) != recorded:
        what = "is not the file that the run wrote" if path.is_file() else "is not there"
        if (run.path / SITES_FILE).exists():
            what += ", as in every run that was merged from an archive"
        raise ValueError(
            f"{path} {what}; expected SHA-256 {recorded}: put that file there, or remove "
            f"{run.result} and execute the run again (rxrx run)."
        )
    # Whatever the backbone started from, it has been trained since.
    fresh = dataclasses.replace(work.spec.network, weights_sha256="")
    spec = dataclasses.replace(work.spec, network=fresh)
    network = stages.build(METHODS[spec.method], spec, work.screen).to(work.sites.dtype)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network, recorded


def _commit(
    run: runs.Run,
    way: PredictSpec,
    predictions: dict[str, npt.NDArray[Any]],
    source: dict[str, Any],
) -> None:
    """Make a prediction appear, whole, unless the run has other weights by now."""

    def write(folder: Path) -> None:
        stages.write_predictions(folder, predictions)
        files = {"metrics.json": runs.file_sha256(folder / "metrics.json")}
        runs.write_json(folder / "provenance.json", {**source, "sha256": files})
        now = run.provenance()["sha256"]["weights.pt"] if run.done else None
        if now != source["weights_sha256"]:
            raise RunNotDone(f"{run.path} got other weights meanwhile; predict again.")

    runs.commit_folder(run.prediction(way), write)
