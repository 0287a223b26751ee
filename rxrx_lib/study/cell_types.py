"""Table 3: accuracy by cell type, and how it adds up to Table 1's accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from rxrx_lib.data.metadata import CELL_TYPES
from rxrx_lib.evaluation.intervals import t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import paper
from rxrx_lib.study.claims import PERCENT, difference_claim, signed
from rxrx_lib.study.tables import Cell, Cells, cells, differences, replicate_values, unfolded

RELEASE_TEST_WELLS = {"HUVEC": 9854, "RPE": 4912, "HEPG2": 4925, "U2OS": 2452}
"""Of the release's 18 test experiments; counted in its metadata, two sites each."""
COLUMNS: Cells = {name: ("separated", f"by_cell_type_{name}") for name in CELL_TYPES}
"""Columns of Table 3, with the paper's ids."""
ROUNDED = 0.1
"""Points by which two figures with one decimal may differ and mean the same: half a digit each."""


def table3_cells(results: pd.DataFrame) -> list[Cell]:
    """Return Table 3's cells, of the runs on the separated split."""
    return cells(unfolded(results, "by_cell_type"), COLUMNS)


def weights(sites: Mapping[str, float]) -> dict[str, float]:
    """Return each cell type's share of all test sites, in the book's order."""
    total = sum(sites.values())
    return {name: sites[name] / total for name in CELL_TYPES if name in sites}


def weighted_mean(accuracy: Mapping[str, float], share: Mapping[str, float]) -> float:
    """Return the accuracy over all sites that the cell types' accuracies add up to, in percent."""
    return math.fsum(share[name] * accuracy[name] for name in share)


def weight_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the weights as words: the release's, and those of the runs that kept their counts."""
    rows = {"RxRx1": weights(RELEASE_TEST_WELLS)}
    found = _share(results)
    if found is not None and (results["data"] == "simulated").all():
        rows["here, SIMULATED"] = found
    return pd.DataFrame(
        {"screen": screen, **{name: f"{100 * share[name]:.1f}" for name in share}}
        for screen, share in rows.items()
    ).fillna("")


def paper_sums() -> pd.DataFrame:
    """Return, for the paper's numbers, what Table 3 adds up to beside Table 1, as words."""
    share = weights(RELEASE_TEST_WELLS)
    rows = []
    for method, label in paper.ROW_LABELS["table3"].items():
        printed = {name: paper.lookup("table3", method, name) for name in share}
        total = paper.lookup("table1", method, "accuracy_separated")
        adds = weighted_mean({name: number.value for name, number in printed.items()}, share)
        deviations = [share[name] * (number.sd or 0) for name, number in printed.items()]
        spread = math.hypot(*deviations, total.sd or 0)
        rows.append(
            {
                "method": label,
                "Table 3, weighted": f"{adds:.1f}",
                "Table 1": f"{total.value:.1f}",
                "difference": signed(round(adds - total.value, 1) + 0.0),  # no minus before zero
                "do they agree?": _agreement(abs(adds - total.value), spread),
            }
        )
    return pd.DataFrame(rows)


def _agreement(apart: float, spread: float) -> str:
    """Judge a difference by the rounding, and by the printed deviations, taken as independent."""
    if apart <= ROUNDED:
        return "yes, to the rounding"
    if apart <= ROUNDED + spread:
        return f"within the printed spread ({spread:.1f})"
    return f"no: other runs or settings (spread {spread:.1f})"


def measured_sums(results: pd.DataFrame) -> pd.DataFrame:
    """Return what the cell types of our runs add up to beside their accuracy, as words.

    Returns
    -------
    DataFrame
        Means over replicates, and the largest deviation of any single run, in points. Empty where
        no run kept its counts of sites.
    """
    rows = []
    for method, runs in _counted(results).groupby("method", sort=False):
        adds = [
            weighted_mean(by_cell_type, weights(sites))
            for by_cell_type, sites in zip(
                runs["by_cell_type"], runs["sites_by_cell_type"], strict=True
            )
        ]
        most = float(np.max(np.abs(np.subtract(adds, runs["accuracy"]))))
        rows.append(
            {
                "method": METHODS[str(method)].label,
                "cell types, weighted": f"{np.mean(adds):.1f}",
                "accuracy over all sites": f"{runs['accuracy'].mean():.1f}",
                "largest deviation of a run": f"{most:.1g}" if most > 1e-9 else "0",
            }
        )
    return pd.DataFrame(rows)


def gain_claims(results: pd.DataFrame, method: str = "adabn") -> list[str]:
    """Say what a method gains in each cell type, from the baseline's easiest to its hardest."""
    table = unfolded(results, "by_cell_type")
    base = {
        name: float(np.mean(list(values.values())))
        for name, (split, metric) in COLUMNS.items()
        if (values := replicate_values(table, "baseline", split, metric))
    }
    lines = []
    for name in sorted(base, key=lambda name: -base[name]):
        paired = differences(table, *COLUMNS[name]).get(method)
        if paired:
            found = t_interval(list(paired.values()))
            claim = difference_claim(METHODS[method].label, "accuracy", found)
            lines.append(f"{name}, where the baseline reaches {base[name]:.1f}{PERCENT}: {claim}")
    return lines


def direction_claims(results: pd.DataFrame, method: str = "adabn") -> list[str]:
    """Compare directions only: a method's gain by cell type, the paper's and ours."""
    table = unfolded(results, "by_cell_type")
    lines = []
    for name, column in COLUMNS.items():
        paired = differences(table, *column).get(method)
        if paired:
            here = t_interval(list(paired.values()))
            change = paper.lookup("table3", method, name).value
            change -= paper.lookup("table3", "baseline", name).value
            found = "up" if here.low > 0 else "down" if here.high < 0 else "undecided"
            lines.append(
                f"{name}: {METHODS[method].label} goes {'up' if change > 0 else 'down'} from the "
                f"baseline in the paper, {found} here."
            )
    return lines


def _counted(results: pd.DataFrame) -> pd.DataFrame:
    """Return the separated runs that kept how many test sites each cell type has."""
    if "sites_by_cell_type" not in results:
        return pd.DataFrame(columns=["method", "accuracy", "by_cell_type", "sites_by_cell_type"])
    kept = results["sites_by_cell_type"].map(lambda sites: isinstance(sites, dict))
    return results[kept & (results["split"] == "separated")]


def _share(results: pd.DataFrame) -> dict[str, float] | None:
    """Return the mean share of each cell type over the runs that kept their counts."""
    shares = pd.DataFrame([weights(sites) for sites in _counted(results)["sites_by_cell_type"]])
    return (
        None if shares.empty else {str(name): float(share) for name, share in shares.mean().items()}
    )
