"""Figure 7's numbers: each run's cosine distributions, kept beside its predictions.

``predictions/<hash>/derived/similarity.json`` holds what the page needs, so that it can be built
where the embeddings are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd

from rxrx_lib.evaluation.cosine_counts import COMPARED, CosineDistributions
from rxrx_lib.evaluation.similarity import cosine_distributions
from rxrx_lib.study import runs
from rxrx_lib.study.derived import own_prediction, read_derived, write_derived
from rxrx_lib.study.kept import arrays_of
from rxrx_lib.study.profiles import SEPARATED, Profile
from rxrx_lib.study.results import gather
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, mean_cell

Arrays = dict[str, npt.NDArray[Any]]

FILE_NAME = "similarity.json"
FORMAT = 1
BINS = 400
"""Of the histograms that are kept, from -1 to 1."""
SHOWN = ("baseline", "adabn")
"""The methods of the paper's figure."""
CONTROLS = "same_controls"
"""Pairs of wells of one control, within against across experiments: like with like."""
QUANTITIES = tuple(
    f"{measure}_{pair}" for pair in (*COMPARED, CONTROLS) for measure in ("ks", "wasserstein")
)
"""Columns of the results and of the ledger: KS from 0 to 1, Wasserstein in units of cosine."""
SHARES = ("same_well_share", "other_wells_controls")
"""In percent: of the pairs of one siRNA in one experiment those of one well, and of the others
those of a control."""


def figure7(profile: Profile) -> list[RunSpec]:
    """Return the runs of Table 1 whose embeddings the figure compares."""
    return [
        profile.run(name, SEPARATED, replicate)
        for replicate in profile.replicates
        for name in SHOWN
    ]


def lacks_similarity(spec: RunSpec, store: Path) -> bool:
    """Tell whether the store has no distributions of a run, or those of another format."""
    return _stored(own_prediction(runs.open_run(store, spec), spec)) is None


def keep_similarity(spec: RunSpec, store: Path, *, workers: int = 1) -> None:
    """Count a done run's distributions and keep them beside its predictions.

    Raises
    ------
    NotKept
        If its predictions hold no embeddings.
    """
    folder = own_prediction(runs.open_run(store, spec), spec)
    write_derived(folder, FILE_NAME, measured(_test_sites(folder), workers=workers))


def gather_similarity(specs: Sequence[RunSpec], store: str | Path) -> pd.DataFrame:
    """Read the distributions that a store holds.

    Returns
    -------
    DataFrame
        As :func:`rxrx_lib.study.results.gather` gives it, one row a run, with the columns
        `QUANTITIES` and `SHARES` (nan where there was nothing to compare), ``ks_error``,
        ``zero_vectors``, ``pairs`` and ``histograms`` (by distribution; `BINS` counts).
    """
    rows = []
    for spec in specs:
        run = runs.open_run(Path(store), spec)
        found = _stored(own_prediction(run, spec)) if run.done else None
        if found is not None:
            numbers = {n: math.nan if v is None else v for n, v in found.items()}
            rows.append({"id": spec.id, **numbers})
    results = gather(specs, store)
    return results.merge(pd.DataFrame(rows), on="id") if rows else pd.DataFrame([])


def measured(sites: Arrays, *, workers: int = 1) -> dict[str, Any]:
    """Return what is kept of one run's test sites, ready for JSON; None for what is undefined.

    Parameters
    ----------
    sites
        Columns of predictions.npz with ``embedding``, of the sites to compare.
    workers
        Threads to count on.
    """
    found = _distributions(sites, workers)
    control = sites["well_type"] != "treatment"
    if not control.any():
        raise ValueError("well_type has no control, expected controls on every plate of a screen")
    some = _distributions({name: column[control] for name, column in sites.items()}, workers)
    compared = {pair: found.compare(*names) for pair, names in COMPARED.items()}
    compared[CONTROLS] = some.compare(*COMPARED["same_other_wells"])
    numbers: dict[str, float] = {}
    for pair, each in compared.items():
        numbers |= {f"ks_{pair}": each.ks, f"wasserstein_{pair}": each.wasserstein}
    left, of_controls = (each.pairs("same_within_other_wells") for each in (found, some))
    numbers["same_well_share"] = 100 * found.same_well_share
    numbers["other_wells_controls"] = 100 * of_controls / left if left else math.nan
    errors = [each.ks_error for each in compared.values() if not math.isnan(each.ks)]
    numbers["ks_error"] = max(errors, default=math.nan)
    return {
        "format": FORMAT,
        **{name: None if math.isnan(value) else value for name, value in numbers.items()},
        "zero_vectors": found.zero_vectors,
        "pairs": {name: found.pairs(name) for name in found.counts},
        "histograms": {name: found.histogram(name, BINS).tolist() for name in found.counts},
    }


def cells(results: pd.DataFrame) -> list[Cell]:
    """Return the ledger's cells: a row a method, a column each of `QUANTITIES` and `SHARES`."""
    found = []
    for method in SHOWN:
        for column in (*QUANTITIES, *SHARES):
            replicates = values(results, method, column)
            if replicates:
                found.append(mean_cell(method, column, replicates))
    return found


def values(results: pd.DataFrame, method: str, quantity: str) -> dict[str, float]:
    """Return one quantity of a method, replicate to value; without those that are undefined."""
    if results.empty:
        return {}
    rows = results[(results["method"] == method) & results[quantity].notna()]
    return dict(zip(rows["replicate"], rows[quantity].astype(float), strict=True))


def _distributions(sites: Arrays, workers: int) -> CosineDistributions:
    return cosine_distributions(
        sites["embedding"],
        sites["sirna_id"],
        sites["experiment"],
        sites["cell_type"],
        sites["well_id"],
        workers=workers,
    )


def _stored(folder: Path) -> dict[str, Any] | None:
    """Return what is kept, unless it is of another format."""
    found = read_derived(folder, FILE_NAME)
    return found if found is not None and found.get("format") == FORMAT else None


def _test_sites(folder: Path) -> Arrays:
    """Read the columns and embeddings of a run's test side."""
    names = ("well_id", "experiment", "cell_type", "well_type", "sirna_id", "embedding")
    stored = arrays_of(folder, (*names, "side"))
    test = stored["side"] == "test"
    return {name: stored[name][test] for name in names}
