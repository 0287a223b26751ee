"""Gradient reversal as a curve: accuracy against what still tells the experiment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import paired_differences, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, Cells, mean_cell, replicate_values

CURVES = {"gradient_reversal": "baseline", "adabn_gradient_reversal": "adabn"}
"""A method that reverses to the same without reversal, its coefficient 0."""

QUANTITIES: Cells = {
    "accuracy_held_out": ("held_out_training", "accuracy"),
    "treatments_held_out": ("held_out_training", "accuracy_treatments"),
    "accuracy_stratified": ("stratified_by_site", "accuracy"),
    "batch_classification": ("stratified_by_site", "batch_classification_accuracy"),
    "batch_probe_linear": ("stratified_by_site", "batch_probe_linear"),
    "batch_probe_mlp": ("stratified_by_site", "batch_probe_mlp"),
    "cell_type_probe": ("stratified_by_site", "cell_type_probe"),
}
"""What is measured at each coefficient: split and metric."""
READINGS = {
    "batch_classification": "head trained along",
    "batch_probe_linear": "fresh linear probe",
}
"""The two readings of the experiment that the figure has a panel for."""
ACCURACY_COLUMNS = {
    "accuracy_held_out": "accuracy, held-out experiments",
    "treatments_held_out": "treatments, held-out experiments",
    "accuracy_stratified": "accuracy, by site",
}
READING_COLUMNS = {
    "batch_classification": "experiment: head trained along",
    "batch_probe_linear": "experiment: fresh linear probe",
    "batch_probe_mlp": "experiment: fresh two-layer probe",
    "cell_type_probe": "cell type: fresh linear probe",
}


class Point(NamedTuple):
    """One coefficient of one method."""

    coefficient: float
    values: Mapping[str, Mapping[str, float]]
    """Quantity to replicate to percent."""

    def mean(self, quantity: str) -> float:
        """Mean over replicates."""
        return float(np.mean(list(self.values[quantity].values())))


def with_coefficient(spec: RunSpec, coefficient: float | None) -> RunSpec:
    """Return the same run with another reversal coefficient; None leaves it as it is."""
    if coefficient is None:
        return spec
    recipe = dataclasses.replace(spec.recipe, reversal_coefficient=coefficient)
    return dataclasses.replace(spec, recipe=recipe)


def curves(results: pd.DataFrame) -> dict[str, list[Point]]:
    """Return the points of each reversing method, by rising coefficient.

    Parameters
    ----------
    results
        Of the catalogue's ``reversal_tradeoff``. A coefficient that lacks a quantity, since not
        all of its runs are done, is left out.
    """
    if results.empty:
        return {}
    found: dict[str, list[Point]] = {}
    for reversing, plain in CURVES.items():
        points = []
        for coefficient in sorted(results["reversal_coefficient"].unique()):
            some = results[results["reversal_coefficient"] == coefficient]
            name = reversing if coefficient > 0 else plain
            values = {
                quantity: replicate_values(some, name, split, metric)
                for quantity, (split, metric) in QUANTITIES.items()
            }
            if all(values.values()):
                points.append(Point(float(coefficient), values))
        if points:
            found[reversing] = points
    return found


def reference_lines(results: pd.DataFrame) -> dict[str, float]:
    """Return what constant answers reach: 1/E, the cell type alone, the most common class."""
    lines = {
        "1/E": ("stratified_by_site", "line_uniform"),
        "cell type": ("stratified_by_site", "line_cell_type"),
        "most common class": ("held_out_training", "majority_accuracy"),
    }
    found = {}
    for name, (split, metric) in lines.items():
        values = replicate_values(results, "baseline", split, metric)
        if values:
            found[name] = float(np.mean(list(values.values())))
    return found


def tradeoff_cells(results: pd.DataFrame) -> list[Cell]:
    """Return the curves' numbers, a row for each method and coefficient."""
    return [
        mean_cell(f"{method}_{point.coefficient:g}", quantity, values)
        for method, points in curves(results).items()
        for point in points
        for quantity, values in point.values.items()
    ]


def tradeoff_table(results: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return some quantities of the curves as words, in percent, means over replicates."""
    return pd.DataFrame(
        {
            "method": METHODS[method].label,
            "coefficient": f"{point.coefficient:g}",
            **{label: f"{point.mean(name):.1f}" for name, label in columns.items()},
        }
        for method, points in curves(results).items()
        for point in points
    )


def tradeoff_data(results: pd.DataFrame) -> pd.DataFrame:
    """Return the curves as numbers: method, coefficient, replicate, and a column a quantity."""
    return pd.DataFrame(
        {
            "method": METHODS[method].label,
            "coefficient": point.coefficient,
            "screen/training seed": replicate,
            **{quantity: values[replicate] for quantity, values in point.values.items()},
        }
        for method, points in curves(results).items()
        for point in points
        for replicate in point.values["accuracy_held_out"]
    )


def tradeoff_claims(results: pd.DataFrame) -> list[str]:
    """Say where each curve's readings of the experiment and its accuracy go."""
    lines = []
    for method, points in curves(results).items():
        if len(points) > 1 and points[0].coefficient == 0:
            lines += [_reading_claim(method, points), _accuracy_claim(method, points)]
    return lines


def _reading_claim(method: str, points: list[Point]) -> str:
    lowest = min(points[1:], key=lambda point: point.mean("batch_classification"))
    head, probe = READINGS

    def change(quantity: str) -> str:
        return f"{points[0].mean(quantity):.1f} to {lowest.mean(quantity):.1f}{PERCENT}"

    return (
        f"{METHODS[method].label}: of its coefficients above 0, its own head reads the experiment "
        f"least at {lowest.coefficient:g}. From coefficient 0 to there the {READINGS[head]} goes "
        f"from {change(head)} of sites, a {READINGS[probe]} from {change(probe)}."
    )


def _accuracy_claim(method: str, points: list[Point]) -> str:
    quantity = "accuracy_held_out"
    best = max(points[1:], key=lambda point: point.mean(quantity))
    found = t_interval(
        list(paired_differences(best.values[quantity], points[0].values[quantity]).values())
    )
    spread = (
        "from one replicate, which says nothing of its own spread"
        if found.n < 2
        else f"95{PERCENT} interval {signed(found.low)} to {signed(found.high)}, "
        f"{found.n} replicates"
    )
    return (
        f"{METHODS[method].label}: of its coefficients above 0, {best.coefficient:g} names most "
        f"siRNAs of held-out experiments, {best.mean(quantity):.1f}{PERCENT}: "
        f"{signed(found.mean)} points more than coefficient 0 ({spread})."
    )
