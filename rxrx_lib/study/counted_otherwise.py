"""Accuracies of Tables 1 and 3, not over sites: the mean over classes, over wells, of treatments.

The runs of the other tables hold theirs among their metrics. Those by cell type are counted from
the predictions; kept beside them, they go into archives, which hold no logits to vote with:

    runs/<id>/predictions/<hash>/derived/accuracy_by_cell_type.json
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rxrx_lib.data.metadata import CELL_TYPES
from rxrx_lib.evaluation.answers import of_treatments, side
from rxrx_lib.evaluation.metrics import (
    perturbation_accuracy,
    well_accuracy,
)
from rxrx_lib.evaluation.predictions import COLUMNS, SCALARS, Arrays
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.derived import own_prediction, read_derived, write_derived
from rxrx_lib.study.kept import NotKept, arrays_of
from rxrx_lib.study.results import gather
from rxrx_lib.study.runs import open_run
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, Cells, cells, ratio_cell, unfolded

FILE_NAME = "accuracy_by_cell_type.json"
NEEDED = (*SCALARS, *COLUMNS, "top_sirna_id")
WAYS = ("macro", "wells", "treatments")
"""Endings of the ledger's columns."""
BY_WELL: Cells = {
    f"{way}_stratified_by_well": ("stratified_by_well", f"accuracy_{way}")
    for way in ("macro", "treatments")
}
"""What stands beside Table 1 for the split by well."""
_RATIO_OF: Cells = {
    f"{split}_{way}": (split, f"accuracy_{way}")
    for split in ("separated", "stratified_by_site", "stratified_by_well")
    for way in WAYS
}
BY_CELL_TYPE: Cells = {
    f"{name}_{way}": ("separated", f"{way}_by_cell_type_{name}")
    for way in WAYS
    for name in CELL_TYPES
}
"""What stands beside Table 3."""


def table1_otherwise(results: pd.DataFrame) -> list[Cell]:
    """Return what was not counted over sites for Table 1: the split by well, and generalization.

    A split by site leaves no whole well on its test side, so that no ratio over wells rests on it.
    """
    found = {(cell.row, cell.column): cell for cell in cells(results, _RATIO_OF)}
    ratios = []
    for method in METHODS:
        for column, split in (
            ("generalization", "stratified_by_site"),
            ("generalization_by_well", "stratified_by_well"),
        ):
            for way in WAYS:
                above, below = (found.get((method, f"{s}_{way}")) for s in ("separated", split))
                if above is not None and below is not None and below.value > 0:
                    ratios.append(ratio_cell(method, f"{column}_{way}", above, below))
    return [*cells(results, BY_WELL), *ratios]


def table3_otherwise(specs: Sequence[RunSpec], store: Path) -> list[Cell]:
    """Return what was not counted over sites for Table 3.

    Parameters
    ----------
    specs
        Runs on the separated split; those that are not done, or not sound, are left out.
    store
        The run store. A merged run has no accuracy over wells, unless its archive brought it.
    """
    results = gather(specs, store)
    if results.empty:
        return []
    folders = {spec.id: own_prediction(open_run(store, spec), spec) for spec in specs}
    counted = [
        read_derived(folders[name], FILE_NAME) or by_cell_type(_arrays(folders[name]))
        for name in results["id"]
    ]
    for way in WAYS:
        name = f"{way}_by_cell_type"
        some = pd.Series([each.get(way) for each in counted], results.index, dtype=object)
        results = unfolded(results.assign(**{name: some}), name)
    return cells(results, BY_CELL_TYPE)


def lacks_by_cell_type(spec: RunSpec, store: Path) -> bool:
    """Tell whether a store has a done run with predictions, and not these accuracies."""
    run = open_run(store, spec)
    folder = own_prediction(run, spec)
    whole = run.done and (folder / "predictions.npz").exists()
    return whole and read_derived(folder, FILE_NAME) is None


def keep_by_cell_type(spec: RunSpec, store: Path) -> None:
    """Count the accuracies by cell type of a done run, and keep them."""
    folder = own_prediction(open_run(store, spec), spec)
    write_derived(folder, FILE_NAME, by_cell_type(_arrays(folder)))


def by_cell_type(arrays: Arrays) -> dict[str, dict[str, float]]:
    """Return the accuracies of each cell type's test sites that are not counted over sites.

    Parameters
    ----------
    arrays
        As :func:`rxrx_lib.evaluation.predictions.validate_predictions` describes them; embeddings
        may lack, and logits.

    Returns
    -------
    dict
        By way of `WAYS` and cell type, in percent. ``wells`` is absent without logits, or where a
        test well has a site that is not on the test side.
    """
    test = side(arrays, "test")
    ways: dict[str, Callable[[Arrays], float | None]] = {"macro": _macro}
    if "top_logit" in arrays and bool(arrays["whole_wells"]):
        ways["wells"] = _wells
    ways["treatments"] = _treatments
    found: dict[str, dict[str, float]] = {way: {} for way in ways}
    for name in np.unique(test["cell_type"]).tolist():
        rows = test["cell_type"] == name
        some = {column: values[rows] for column, values in test.items()}
        for way, count in ways.items():
            accuracy = count(some)
            if accuracy is not None:
                found[way][name] = accuracy
    return found


def _macro(test: Arrays) -> float:
    return perturbation_accuracy(test["sirna_id"], test["top_sirna_id"][:, 0], average="macro")


def _wells(test: Arrays) -> float:
    return well_accuracy(test["well_id"], test["sirna_id"], test["top_sirna_id"], test["top_logit"])


def _treatments(test: Arrays) -> float | None:
    rows = of_treatments(test)
    if not rows.any():
        return None
    return perturbation_accuracy(test["sirna_id"][rows], test["top_sirna_id"][rows, 0])


def _arrays(folder: Path) -> dict[str, Any]:
    """Read what is counted from: with logits, or, of a merged run, without."""
    try:
        return arrays_of(folder, (*NEEDED, "top_logit"))
    except NotKept:
        return arrays_of(folder, NEEDED)
