"""Figure 10 in words: the paper's panel, the table of speed, and what was found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import paired_differences, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import paper
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.dynamics import NEARLY, curves, dynamics_cells, of_method
from rxrx_lib.study.panels import NOT_RUN
from rxrx_lib.study.tables import Cell

PAPER_SAYS = {"adabn": "“converges faster than the baseline”; runs “more consistent”"}
"""Section 5.8 and the caption; it compares AdaBN with the baseline alone."""


def paper_panel(rxrx1: Mapping[str, Cell]) -> pd.DataFrame:
    """Return what the paper says of its figure beside what this code measured on RxRx1.

    Parameters
    ----------
    rxrx1
        Cells measured on the release, by method.
    """
    rows = []
    for method, label in paper.METHODS.items():
        cell = rxrx1.get(method)
        rows.append(
            {
                "method": label,
                "the paper says": PAPER_SAYS.get(method, "nothing of its own"),
                "RxRx1, this code: epochs to 90 %": (
                    NOT_RUN if cell is None else f"{cell.value:.1f} (n = {cell.n})"
                ),
            }
        )
    return pd.DataFrame(rows)


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
