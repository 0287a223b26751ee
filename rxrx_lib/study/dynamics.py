"""Figure 10: test accuracy over the training, and when it is nearly all there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import paired_differences, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.tables import Cell

NEARLY = 0.9
"""Share of its last accuracy at which a run counts as nearly there."""


class Curve(NamedTuple):
    """The test accuracy of one run as it trained, batch-separated."""

    method: str
    replicate: str
    epochs: tuple[int, ...]
    """How many were done at each measurement, rising; the last one is the end of the training."""
    accuracy: tuple[float, ...]
    """Percent of the test sites."""

    @property
    def epochs_nearly(self) -> int:
        """Epochs done at the first measurement of at least `NEARLY` of the last accuracy."""
        enough = NEARLY * self.accuracy[-1]
        return next(
            done
            for done, percent in zip(self.epochs, self.accuracy, strict=True)
            if percent >= enough
        )


def curves(results: pd.DataFrame) -> list[Curve]:
    """Return the curves of the separated runs, in the order of methods.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.results.gather` gives them. Where the last epoch was not measured
        in training, the run's own accuracy stands there: it is the same quantity.
    """
    if results.empty:
        return []
    found = []
    for method in METHODS:
        chosen = results[(results["method"] == method) & (results["split"] == "separated")]
        for run in chosen.to_dict("records"):
            measured = {
                int(epoch) + 1: percent
                for epoch, percent in zip(
                    run["history"]["epoch"], run["history"]["test_accuracy"], strict=True
                )
                if math.isfinite(percent)
            }
            measured.setdefault(len(run["history"]["epoch"]), run["accuracy"])
            done = tuple(sorted(measured))
            percents = tuple(float(measured[epoch]) for epoch in done)
            found.append(Curve(method, str(run["replicate"]), done, percents))
    return found


def of_method(found: Sequence[Curve], method: str) -> list[Curve]:
    """Return the curves of one method."""
    return [curve for curve in found if curve.method == method]


def mean_curve(some: Sequence[Curve]) -> tuple[list[int], list[float]]:
    """Return epochs that every curve was measured after, and the mean accuracy there."""
    tables = [dict(zip(curve.epochs, curve.accuracy, strict=True)) for curve in some]
    epochs = sorted(set.intersection(*(set(table) for table in tables)))
    return epochs, [float(np.mean([table[epoch] for table in tables])) for epoch in epochs]


def learning_rates(results: pd.DataFrame) -> tuple[list[int], list[float]]:
    """Return epochs done and the learning rate of each epoch's last step, of the first run.

    All methods have one schedule. Its minibatch's gradient is a mean over sites.
    """
    if results.empty:
        return [], []
    history: Mapping[str, list[float]] = results["history"].iloc[0]
    return [int(epoch) + 1 for epoch in history["epoch"]], list(history["learning_rate"])


def dynamics_cells(results: pd.DataFrame) -> list[Cell]:
    """Return the epochs that each method takes to `NEARLY` of its last accuracy."""
    found = curves(results)
    cells = []
    for method in METHODS:
        epochs = {c.replicate: float(c.epochs_nearly) for c in of_method(found, method)}
        if epochs:
            mean = float(np.mean(list(epochs.values())))
            cells.append(
                Cell(row=method, column="epochs_to_90_percent", value=mean, replicates=epochs)
            )
    return cells


def curve_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the curves' ends as words: epochs to nearly there, last accuracy, its spread."""
    found = curves(results)
    rows = []
    for method, record in METHODS.items():
        some = of_method(found, method)
        if some:
            last = [curve.accuracy[-1] for curve in some]
            epochs = [curve.epochs_nearly for curve in some]
            spread = f"{np.std(last, ddof=1):.1f}" if len(last) > 1 else "one replicate"
            rows.append(
                {
                    "method": record.label,
                    "epochs to 90 % of the end": f"{np.mean(epochs):.1f}",
                    "by replicate": ", ".join(map(str, epochs)),
                    "accuracy at the end": f"{np.mean(last):.1f}",
                    "standard deviation": spread,
                }
            )
    return pd.DataFrame(rows)


def curve_data(results: pd.DataFrame) -> pd.DataFrame:
    """Return the curves as numbers: a row a measurement."""
    return pd.DataFrame(
        (
            (METHODS[curve.method].label, curve.replicate, done, percent)
            for curve in curves(results)
            for done, percent in zip(curve.epochs, curve.accuracy, strict=True)
        ),
        columns=["method", "screen/training seed", "epochs done", "test accuracy"],
    )


def resolution_words(results: pd.DataFrame) -> str:
    """Say after which epochs the accuracy was measured."""
    found = sorted({done for curve in curves(results) for done in curve.epochs})
    if len(found) < 2:
        return "These runs were measured at their end alone, so that no curve can be drawn."
    epochs = f"{', '.join(map(str, found[:-1]))} and {found[-1]}"
    return f"Measured after {epochs} epochs; what lies between two measurements is not known."


def speed_claims(results: pd.DataFrame) -> list[str]:
    """Say of each method how many epochs it takes, and of the others how this differs."""
    epochs = {cell.row: cell for cell in dynamics_cells(results)}
    lines = []
    for method, cell in epochs.items():
        several = sorted(cell.replicates.values())
        spread = f"{several[0]:.0f} to {several[-1]:.0f} in {cell.n} replicates"
        if cell.n < 2:
            spread = "one replicate, which says nothing of its own spread"
        elif several[0] == several[-1]:
            spread = f"in each of {cell.n} replicates"
        words = (
            f"{METHODS[method].label} is at {100 * NEARLY:.0f}{PERCENT} of its last accuracy after "
            f"{cell.value:.1f} epochs ({spread})"
        )
        if method != "baseline" and "baseline" in epochs:
            words += _against(cell.replicates, epochs["baseline"].replicates)
        lines.append(words + ".")
    return lines


def spread_claims(results: pd.DataFrame) -> list[str]:
    """Say of each method how far its replicates lie apart at the end."""
    lines = []
    for method in METHODS:
        last = [curve.accuracy[-1] for curve in of_method(curves(results), method)]
        if len(last) > 1:
            lines.append(
                f"{METHODS[method].label}: {min(last):.1f} to {max(last):.1f}{PERCENT} at the end, "
                f"standard deviation {np.std(last, ddof=1):.1f} points ({len(last)} replicates)."
            )
    return lines


def _against(values: Mapping[str, float], base: Mapping[str, float]) -> str:
    found = t_interval(list(paired_differences(values, base).values()))
    words = f", {signed(found.mean)} epochs against the baseline"
    if found.n < 2:
        return words
    if found.low == found.high:  # an interval of no width would say too much
        return f"{words} in each replicate, as finely as it was measured"
    return f"{words} (95{PERCENT} interval {signed(found.low)} to {signed(found.high)}, paired)"
