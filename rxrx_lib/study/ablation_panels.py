"""Tables 2, 4, 5 and 6 as readers see them: words of a table, data of a figure, what runs cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import Interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import paper
from rxrx_lib.study.ablations import COMPARED, Accuracies, cells_of
from rxrx_lib.study.claims import signed
from rxrx_lib.study.contrasts import difference
from rxrx_lib.study.figures import Panel
from rxrx_lib.study.panels import PLUS_MINUS, cell_words, simulated_panel

GAP = "AdaBN minus baseline, points"


def gap_panel(found: Accuracies, labels: Mapping[str, str], rows_are: str) -> pd.DataFrame:
    """Return both methods' accuracies and the gap between them as words, row by row.

    Parameters
    ----------
    found
        Accuracies by row and method, in percent.
    labels
        Rows in their order, and what they are called; a row without a run has empty cells.
    rows_are
        What the table has a row for.
    """
    cells = {(cell.row, cell.column): cell_words(cell) for cell in cells_of(found)}
    return pd.DataFrame(
        {
            rows_are: label,
            **{METHODS[name].label: cells.get((row, name), "") for name in COMPARED},
            GAP: points_words(difference(found.get((row, "adabn")), found.get((row, "baseline")))),
        }
        for row, label in labels.items()
    )


def cell_type_panel(found: Accuracies) -> pd.DataFrame:
    """Return the accuracies by method and cell type as words, a row a method."""
    cells = {(cell.row, cell.column): cell for cell in cells_of(found)}
    return simulated_panel(cells, paper.CELL_TYPES)


def cell_type_figure_panels(found: Accuracies, results: pd.DataFrame) -> list[Panel]:
    """Return a panel a cell type with every method's replicates, and the most common class.

    Parameters
    ----------
    found
        As :func:`rxrx_lib.study.few_experiments.alone` gives them.
    results
        What they were made from.
    """
    panels = []
    for cell_type, label in paper.CELL_TYPES.items():
        values = {
            method: list(found[method, cell_type].values())
            for method in METHODS
            if (method, cell_type) in found
        }
        if values:
            runs = results[results["trained_cell_type"] == cell_type]
            lines = {"most common class": float(runs["majority_accuracy"].mean())}
            panels.append(Panel(label, values, lines))
    return panels


def accuracy_data(found: Accuracies, labels: Mapping[str, str], rows_are: str) -> pd.DataFrame:
    """Return a figure's accuracies as numbers, a line a replicate."""
    return pd.DataFrame(
        [
            (labels[row], METHODS[method].label, replicate, value)
            for (row, method), values in found.items()
            for replicate, value in values.items()
        ],
        columns=[rows_are, "method", "screen/training seed", "accuracy"],
    )


def majority_line(results: pd.DataFrame) -> dict[str, float]:
    """Return what always answering the most common class reaches, the mean over runs."""
    if "majority_accuracy" not in results:
        return {}
    return {"most common class": float(results["majority_accuracy"].mean())}


def run_sentences(results: pd.DataFrame) -> list[str]:
    """Say how many runs a page rests on, what one of them took, and what that leaves unknown."""
    if results.empty:
        return []
    seconds = results["seconds"].to_numpy(float)
    replicates = sorted(results["replicate"].unique())
    hardware = "; ".join(sorted(results["hardware"].unique()))
    known = (
        f"One replicate (screen and training seed {replicates[0]}): nothing is known of the spread "
        "over seeds and screens, so no difference of this build is decided."
        if len(replicates) == 1
        else f"{len(replicates)} replicates (screen/training seeds {', '.join(replicates)}); "
        "differences are paired within a replicate."
    )
    return [
        f"{len(results)} runs. One took {np.median(seconds):.0f} s in the middle, "
        f"{seconds.min():.0f} to {seconds.max():.0f} s, on {hardware}.",
        known,
    ]


def points_words(found: Interval | None) -> str:
    """Write points with their sign, ± half of their 95 % t interval; nothing for None."""
    if found is None:
        return ""
    half = "" if found.n < 2 else f"{PLUS_MINUS}{found.high - found.mean:.1f}"
    return signed(found.mean) + half
