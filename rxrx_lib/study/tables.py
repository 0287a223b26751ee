"""From results to the cells of a table: each cell keeps its replicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import Interval, paired_differences, t_interval
from rxrx_lib.evaluation.metrics import batch_generalization
from rxrx_lib.models.methods import METHODS

Cells = dict[str, tuple[str, str]]
"""Column of a table to the split and the metric that it shows."""

TABLE1: Cells = {
    "accuracy_separated": ("separated", "accuracy"),
    "accuracy_stratified": ("stratified_by_site", "accuracy"),
    "accuracy_stratified_by_well": ("stratified_by_well", "accuracy"),
    "batch_classification": ("stratified_by_site", "batch_classification_accuracy"),
}
"""What Table 1 prints, its by-well column added; generalization is computed from the first two."""

BESIDE_TABLE1: Cells = {
    "treatments_separated": ("separated", "accuracy_treatments"),
    "treatments_stratified": ("stratified_by_site", "accuracy_treatments"),
    "macro_separated": ("separated", "accuracy_macro"),
    "macro_stratified": ("stratified_by_site", "accuracy_macro"),
    "wells_separated": ("separated", "accuracy_wells"),
    "wells_stratified_by_well": ("stratified_by_well", "accuracy_wells"),
    "batch_probe_linear": ("stratified_by_site", "batch_probe_linear"),
    "batch_probe_mlp": ("stratified_by_site", "batch_probe_mlp"),
    "batch_probe_linear_controls": ("stratified_by_site", "batch_probe_linear_controls"),
    "batch_probe_mlp_controls": ("stratified_by_site", "batch_probe_mlp_controls"),
    "cell_type_probe": ("stratified_by_site", "cell_type_probe"),
    "batch_classification_by_well": ("stratified_by_well", "batch_classification_accuracy"),
    "batch_probe_linear_by_well": ("stratified_by_well", "batch_probe_linear"),
    "batch_probe_mlp_by_well": ("stratified_by_well", "batch_probe_mlp"),
}
"""What the ledger keeps beside Table 1."""

GENERALIZATIONS = {
    "generalization": "accuracy_stratified",
    "generalization_by_well": "accuracy_stratified_by_well",
}
"""Column to the column of its denominator; the numerator is ``accuracy_separated``."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One number of a table, with what it rests on: in percent, or what its column says."""

    row: str
    column: str
    value: float
    """Mean over replicates; for generalization the ratio of two such means."""
    replicates: dict[str, float]
    """Replicate to its value; for a ratio of means to the replicate's own ratio."""

    @property
    def sd(self) -> float:
        """Standard deviation over replicates, nan for fewer than two."""
        values = list(self.replicates.values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")

    @property
    def n(self) -> int:
        """Number of replicates."""
        return len(self.replicates)

    @property
    def interval(self) -> Interval:
        """Mean with its 95 % t interval."""
        return t_interval(list(self.replicates.values()))


def cells(results: pd.DataFrame, columns: Cells) -> list[Cell]:
    """Return the cells of a table that the results can fill, row by row.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.results.gather` gives them, of one item of the catalogue.
    columns
        What each column shows.
    """
    found = []
    for method in METHODS:
        for column, (split, metric) in columns.items():
            values = replicate_values(results, method, split, metric)
            if values:
                found.append(mean_cell(method, column, values))
    return found


def mean_cell(row: str, column: str, values: Mapping[str, float]) -> Cell:
    """Return the cell of some replicates' values: their mean."""
    mean = float(np.mean(list(values.values())))
    return Cell(row=row, column=column, value=mean, replicates=dict(values))


def table1(results: pd.DataFrame) -> dict[tuple[str, str], Cell]:
    """Return Table 1's cells by method and column, generalization included."""
    table = {(cell.row, cell.column): cell for cell in cells(results, TABLE1)}
    return table | ratio_cells(table, GENERALIZATIONS)


def ratio_cells(
    table: Mapping[tuple[str, str], Cell], columns: Mapping[str, str]
) -> dict[tuple[str, str], Cell]:
    """Return separated accuracy over other accuracies, as ratios of means over replicates.

    Parameters
    ----------
    table
        By method and column; a ratio that lacks one of its two accuracies is left out.
    columns
        Column to the column of its denominator.
    """
    found = {}
    for method in METHODS:
        for column, denominator in columns.items():
            separated = table.get((method, "accuracy_separated"))
            stratified = table.get((method, denominator))
            if separated is not None and stratified is not None and stratified.value > 0:
                found[method, column] = ratio_cell(method, column, separated, stratified)
    return found


def ratio_cell(row: str, column: str, separated: Cell, stratified: Cell) -> Cell:
    """Return what is left of an accuracy in unseen experiments, in percent.

    The value is the ratio of the means. Its spread is that of the replicates' own ratios, of those
    that both accuracies have: a replicate that is hard for both stays out of it.
    """
    over, under = separated.replicates, stratified.replicates
    return Cell(
        row=row,
        column=column,
        value=batch_generalization(list(over.values()), list(under.values())),
        replicates={
            name: batch_generalization(value, under[name])
            for name, value in over.items()
            if under.get(name, 0) > 0
        },
    )


def replicate_values(
    results: pd.DataFrame, method: str, split: str, metric: str
) -> dict[str, float]:
    """Return a metric of one method on one split, by replicate.

    Raises
    ------
    ValueError
        If there are two such runs of one replicate, as in the results of several items.
    """
    if results.empty or metric not in results:
        return {}
    # In numpy, since a book asks thousands of times and pandas takes a millisecond each.
    column = results[metric].to_numpy()
    wanted = (results["method"].to_numpy() == method) & (results["split"].to_numpy() == split)
    wanted &= results[metric].notna().to_numpy()
    replicates = results["replicate"].to_numpy()[wanted].tolist()
    values = dict(zip(replicates, column[wanted].astype(float).tolist(), strict=True))
    if len(values) < len(replicates):
        twice = next(name for name in values if replicates.count(name) > 1)
        raise ValueError(
            f"results hold several runs of {method}, {split}, replicate {twice}; expected "
            "one: gather the runs of one item of the catalogue."
        )
    return values


def unfolded(results: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the results with a column ``<metric>_<key>`` for each key of a metric that is a dict.

    Runs that lack the metric, or one of its keys, have no value there.
    """
    if metric not in results:
        return results
    some = [value if isinstance(value, dict) else {} for value in results[metric]]
    parts = pd.DataFrame(some, index=results.index).add_prefix(f"{metric}_")
    return pd.concat([results, parts], axis=1)


def differences(
    results: pd.DataFrame, split: str, metric: str, reference: str = "baseline"
) -> dict[str, dict[str, float]]:
    """Return each other method's paired differences from the reference, by replicate.

    Positive where the method's metric is the larger one, in percentage points.
    """
    base = replicate_values(results, reference, split, metric)
    found = {}
    for method in METHODS:
        values = replicate_values(results, method, split, metric)
        if method != reference and values and base:
            found[method] = paired_differences(values, base)
    return found


def per_experiment(results: pd.DataFrame, method: str, reference: str = "baseline") -> pd.DataFrame:
    """Return the differences from the reference in every test experiment, batch-separated.

    Returns
    -------
    DataFrame
        ``replicate``, ``experiment``, ``cell_type``, ``difference`` in percentage points.
    """
    columns = ["replicate", "experiment", "cell_type", "difference"]
    if results.empty:
        return pd.DataFrame(columns=columns)
    rows = []
    separated = results[results["split"] == "separated"]
    for replicate, runs in separated.groupby("replicate", sort=False):
        by_method = runs.set_index("method")["by_experiment"]
        if method not in by_method or reference not in by_method:
            continue
        for experiment, accuracy in by_method[reference].items():
            cell_type = experiment.split("-")[-2]  # HUVEC-01, SIM-HUVEC-01
            difference = by_method[method][experiment] - accuracy
            rows.append((replicate, experiment, cell_type, difference))
    return pd.DataFrame(rows, columns=columns)
