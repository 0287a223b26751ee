"""Done runs as a table, one row a run."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs
from rxrx_lib.study.soundness import AWAY, LeftOut, prediction_fault, run_fault
from rxrx_lib.study.spec import PredictSpec, RunSpec

SPLITS = {
    ("separated", "experiment"): "separated",
    ("stratified", "site"): "stratified_by_site",
    ("stratified", "well"): "stratified_by_well",
    ("held_out_training", "experiment"): "held_out_training",
}
"""Name and unit of a split to its name in tables; other splits are named as `str` does."""


def gather(specs: Sequence[RunSpec], store: str | Path) -> pd.DataFrame:
    """Read the metrics of runs that are done.

    Parameters
    ----------
    specs
        The runs; those without a result are left out, and so are those that are not sound.
    store
        The run store.

    Returns
    -------
    DataFrame
        One row a run, in the order of ``specs``: ``id``, ``method``, ``split``, ``labels``,
        ``normalization``, ``channels`` (as digits: 123456), ``mixing``, ``backbone``, ``epochs``,
        ``trained_adapting`` (which part of the network adapts in training),
        ``trained_cell_type`` and ``trained_experiments`` (of few experiments; empty and 0 for other
        splits), ``screen_seed`` (absent value -1 for the release), ``seed``,
        ``reversal_coefficient`` (0 where the method does not reverse), ``technical`` and
        ``phenotype`` (the simulated screen's overall factors), ``effects`` (which of its technical
        effects are on: ``all``, or the name of the one that is), ``replicate`` (a name shared by
        the runs of one pair of seeds),
        ``seconds``, ``processor_seconds`` (no value for older runs), ``code``, ``hardware`` and
        ``date`` (what made the run, in words),
        ``epoch_steps``, ``epoch_training_sites`` and so on
        (each field of :class:`rxrx_lib.data.loader.EpochUse`; no value where an older run did not
        keep them), ``history`` (a dict: each column of history.csv with one value an epoch), and
        one column a metric, as :func:`rxrx_lib.evaluation.score.score` names them.

    Warns
    -----
    LeftOut
        For each run that is not sound: half-written, another's, or with metrics that its
        predictions do not give.
    """
    rows = []
    for spec in specs:
        run = runs.Run(Path(store) / spec.id)
        if run.done and _counted(run_fault(run)):
            made = {**_made_by(run.provenance()), "history": run.history()}
            rows.append({**run.metrics(), **made, **_described(spec)})
    return pd.DataFrame(rows)


def gather_predictions(
    specs: Sequence[RunSpec], asked: Callable[[RunSpec], Sequence[PredictSpec]], store: str | Path
) -> pd.DataFrame:
    """Read the metrics of several ways of predicting with done runs.

    Parameters
    ----------
    specs
        The runs.
    asked
        The ways of each; those that the store does not hold are left out, as are those that are
        not sound, with a warning as :func:`gather`'s.
    store
        The run store.

    Returns
    -------
    DataFrame
        As :func:`gather` gives it, but one row a prediction, with its ``statistics`` and with which
        part of the network ``adapts`` by them;
        ``seconds``, ``code``, ``hardware`` and ``date`` are of the prediction, where it was made
        after the run.
    """
    rows = []
    for spec in specs:
        run = runs.Run(Path(store) / spec.id)
        for way in asked(spec) if run.done and _counted(run_fault(run)) else ():
            folder = run.stored_prediction(way)
            if folder is not None and _counted(prediction_fault(run, folder)):
                later = folder / "provenance.json"
                source = runs.read_json(later) if later.exists() else run.provenance()
                metrics = runs.read_json(folder / "metrics.json")
                named = {"statistics": way.statistics, "adapts": way.adapting(spec)}
                described = {**_described(spec), **named}
                rows.append({**metrics, **_made_by(source), **described})
    return pd.DataFrame(rows)


def _counted(fault: str | None) -> bool:
    """Tell whether there is no fault, and warn of one."""
    if fault is not None:
        warnings.warn(LeftOut(f"left out: {fault}; {AWAY}"), stacklevel=3)
    return fault is None


def code_words(code: Mapping[str, Any]) -> str:
    """Name a version of the code, as :func:`rxrx_lib.study.provenance.code_version` gives it."""
    state = " with uncommitted changes" if code.get("modified") else ""
    commit = code.get("commit")
    return f"rxrx_lib {code['rxrx_lib']}" + (f", commit {commit[:10]}{state}" if commit else "")


def _made_by(source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "seconds": source["seconds"],
        "processor_seconds": source.get("processor_seconds", math.nan),
        "code": code_words(source["code"]),
        "hardware": source["hardware"],
        "date": source["ended"][:10],
        **{f"epoch_{name}": count for name, count in source.get("epoch", {}).items()},
    }


def _described(spec: RunSpec) -> dict[str, Any]:
    screen = spec.data.screen
    reverses = METHODS[spec.method].reverses
    seed = -1 if screen is None else screen.seed
    return {
        "id": spec.id,
        "method": spec.method,
        "split": SPLITS.get((spec.split.name, spec.split.unit), str(spec.split)),
        "labels": spec.labels,
        "normalization": spec.normalization,
        "mixing": spec.recipe.mixing,
        "backbone": spec.network.backbone,
        "epochs": spec.recipe.epochs,
        "trained_adapting": spec.network.adapts,
        "trained_cell_type": spec.split.cell_type,
        "trained_experiments": spec.split.n,
        "channels": "".join(map(str, spec.channels)),
        "data": spec.data.name,
        "screen_seed": seed,
        "seed": spec.seed,
        "reversal_coefficient": spec.recipe.reversal_coefficient if reverses else 0.0,
        "technical": 1.0 if screen is None else screen.technical,
        "phenotype": 1.0 if screen is None else screen.phenotype,
        "effects": "all" if screen is None else str(screen.effects),
        "replicate": f"{seed}/{spec.seed}",
    }
