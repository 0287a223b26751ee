"""Table 1 as readers see it: the paper's panel, the simulated panel, and the figures' panels."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import Interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import paper
from rxrx_lib.study.figures import Panel
from rxrx_lib.study.negative_controls import CONTROL_COLUMNS, CONTROL_TITLES, negative_control_cells
from rxrx_lib.study.tables import Cell, differences, replicate_values

NOT_RUN = "not run here"
NOT_POSSIBLE = "not possible on the release"
PLUS_MINUS = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"
ACCURACY_COLUMNS = {
    "accuracy_separated": "separated",
    "accuracy_stratified": "stratified by site",
    "accuracy_stratified_by_well": "stratified by well",
    "generalization": "generalization",
}
TREATMENT_COLUMNS = {
    "treatments_separated": "treatments, separated",
    "treatments_stratified": "treatments, by site",
    "macro_separated": "mean of classes, separated",
    "macro_stratified": "mean of classes, by site",
}
BATCH_COLUMNS = {
    "batch_classification": "experiment: head trained along",
    "batch_probe_linear": "experiment: fresh linear probe",
    "batch_probe_mlp": "experiment: fresh two-layer probe",
    "batch_probe_linear_controls": "experiment: fresh linear probe, controls, wells apart",
    "cell_type_probe": "cell type: fresh linear probe",
}
SAME_EXPERIMENT_COLUMNS = {
    "accuracy_separated": "separated",
    "stratified_test_experiments": "by site",
    "stratified_by_well_test_experiments": "by well",
    "second_wells_test_experiments": "second wells",
    "second_wells": "second wells, all experiments",
}
GENERALIZATION_COLUMNS = {
    "generalization": "all experiments, by site",
    "generalization_test_experiments": "test experiments, by site",
    "generalization_by_well_test_experiments": "test experiments, by well",
    "generalization_second_wells": "test experiments, second wells",
}
METRICS = {
    "Accuracy, batch-separated": ("separated", "accuracy"),
    "Accuracy, batch-stratified by site": ("stratified_by_site", "accuracy"),
    "Accuracy, batch-stratified by well": ("stratified_by_well", "accuracy"),
    "Batch classification, head trained along": (
        "stratified_by_site",
        "batch_classification_accuracy",
    ),
    "Batch classification, fresh linear probe": ("stratified_by_site", "batch_probe_linear"),
}
"""Panels of the replicates' figure."""


def paper_panel(
    item: str, rxrx1: Mapping[tuple[str, str], Cell], rows_are: str = "method"
) -> pd.DataFrame:
    """Return a table of the paper beside what this code measured on RxRx1.

    Parameters
    ----------
    item
        ``table1`` …
    rxrx1
        Cells measured on the release, by row and column.
    rows_are
        What the table has a row for.

    Returns
    -------
    DataFrame
        Words: row (on its first line only), quantity, the paper's value, and ours with its
        number of replicates, or "not run here"; after ± both times a standard deviation.
    """
    rows: list[dict[str, str]] = []
    shown = ""
    for number in paper.numbers(item):
        cell = rxrx1.get((number.row, number.column))
        label = paper.ROW_LABELS[item][number.row]
        rows.append(
            {
                rows_are: "" if label == shown else label,
                "quantity": paper.COLUMN_LABELS[item][number.column],
                "paper": with_sd(number.value, number.sd),
                "RxRx1, this code": NOT_RUN if cell is None else measured_words(cell),
            }
        )
        shown = label
    return pd.DataFrame(rows)


def measured_words(cell: Cell) -> str:
    """Write a cell's mean ± standard deviation over replicates, and how many there are."""
    words = with_sd(cell.value, cell.sd if cell.n > 1 else None)
    return f"{words} (n = {cell.n})" if cell.n else words


def with_sd(value: float, sd: float | None) -> str:
    """Write a number ± its standard deviation, where it has one."""
    return f"{value:.1f}" if sd is None else f"{value:.1f}{PLUS_MINUS}{sd:.1f}"


def simulated_panel(
    cells: Mapping[tuple[str, str], Cell],
    columns: Mapping[str, str],
    impossible: Collection[str] = (),
) -> pd.DataFrame:
    """Return some columns of the simulated table as words: mean ± half the 95 % t interval.

    Parameters
    ----------
    cells
        By method and column.
    columns
        Which columns, and what they are called on the page.
    impossible
        Those that the release, which has one set of wells, can never fill; their cells say so.
    """
    rows = []
    for method, record in METHODS.items():
        row = {"method": record.label}
        for column, label in columns.items():
            cell = cells.get((method, column))
            absent = NOT_POSSIBLE if column in impossible else ""
            row[label] = absent if cell is None else cell_words(cell)
        rows.append(row)
    return pd.DataFrame(rows)


def control_panel(results: pd.DataFrame) -> pd.DataFrame:
    """Return the controls' accuracies as words, in percent: a row a control, luck beside them."""
    words = {(cell.row, cell.column): cell_words(cell) for cell in negative_control_cells(results)}
    return pd.DataFrame(
        {
            "control": title,
            **{label: words.get((control, name), "") for name, label in CONTROL_COLUMNS.items()},
        }
        for control, title in CONTROL_TITLES.items()
        if any(row == control for row, _ in words)
    )


def cell_words(cell: Cell) -> str:
    """Write a cell's mean ± half of its 95 % t interval, where there are replicates."""
    if cell.n < 2:
        return f"{cell.value:.1f}"
    interval = cell.interval
    return f"{cell.value:.1f}{PLUS_MINUS}{interval.high - interval.mean:.1f}"


def replicate_figure_panels(results: pd.DataFrame) -> list[Panel]:
    """Return the panels of every replicate's figure, with chance and reference lines."""
    panels = []
    for title, (split, metric) in METRICS.items():
        values = {
            method: list(replicate_values(results, method, split, metric).values())
            for method in METHODS
        }
        values = {method: found for method, found in values.items() if found}
        if values:
            panels.append(Panel(title, values, _lines(results, split, metric)))
    return panels


def difference_figure_panels(results: pd.DataFrame) -> list[Panel]:
    """Return the panels of the paired differences from the baseline."""
    panels = []
    for title, (split, metric) in METRICS.items():
        paired = differences(results, split, metric)
        if paired:
            panels.append(Panel(title, {m: list(found.values()) for m, found in paired.items()}))
    return panels


def panel_data(panels: list[Panel], results: pd.DataFrame) -> pd.DataFrame:
    """Return a figure's numbers: panel, method, replicate, value in percent or points."""
    replicates = list(dict.fromkeys(results["replicate"]))
    rows = [
        (panel.title, METHODS[method].label, replicate, value)
        for panel in panels
        for method, values in panel.values.items()
        for replicate, value in zip(replicates, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["panel", "method", "screen/training seed", "value"])


def paper_differences(item: str, column: str) -> dict[str, float]:
    """Return the difference from the baseline of each method that the paper has, as printed."""
    base = paper.lookup(item, "baseline", column).value
    return {
        method: paper.lookup(item, method, column).value - base
        for method in paper.ROW_LABELS[item]
        if method != "baseline"
    }


def measured_differences(results: pd.DataFrame, split: str, metric: str) -> dict[str, Interval]:
    """Return each method's paired difference from the baseline, with its t interval."""
    from rxrx_lib.evaluation.intervals import t_interval

    return {
        method: t_interval(list(paired.values()))
        for method, paired in differences(results, split, metric).items()
    }


def line_words(results: pd.DataFrame) -> str:
    """Say where the reference lines of the experiment's probes lie, and the cell type's."""
    split = "stratified_by_site"
    lines = {
        "uniform guess 1/E": "line_uniform",
        "cell type alone": "line_cell_type",
        "most common cell type": "line_cell_type_majority",
    }
    found = {
        name: list(replicate_values(results, "baseline", split, line).values())
        for name, line in lines.items()
    }
    return ", ".join(f"{name} {np.mean(values):.1f}" for name, values in found.items() if values)


def _lines(results: pd.DataFrame, split: str, metric: str) -> dict[str, float]:
    """Return the reference lines that belong to a metric, means over replicates."""
    names = (
        {"most common class": "majority_accuracy"}
        if metric == "accuracy"
        else {"1/E": "line_uniform", "cell type": "line_cell_type"}
    )
    found = {}
    for label, line in names.items():
        values = replicate_values(results, "baseline", split, line)
        if values:
            found[label] = sum(values.values()) / len(values)
    return found
