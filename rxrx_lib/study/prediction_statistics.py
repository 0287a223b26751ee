"""What a prediction is normalised by, in words: the ways compared, their table and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import Interval, paired_differences, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.profiles import SEPARATED
from rxrx_lib.study.progress import duration
from rxrx_lib.study.screens import make_split
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.study.tables import Cell, mean_cell
from rxrx_lib.training.pools import pools

LABELS = {
    "experiment": "whole experiment",
    "experiment_exact": "whole experiment, layer by layer",
    "plate": "the site's plate",
    "minibatch": "the group predicted together",
    "controls": "control wells",
    "empty": "EMPTY wells",
    "training": "training, running statistics",
}
"""Statistics to what they are called on the page, in its order."""

WAYS = {"adabn": tuple(LABELS), "baseline": ("training", "experiment")}
"""Method to the statistics that its weights predict with."""

COLUMNS = {"treatments": "accuracy_treatments", "all_sites": "accuracy"}
"""Column of the ledger to the metric that it shows."""


def own_statistics(method: str) -> str:
    """Return what a method is normalised by unless asked otherwise."""
    return METHODS[method].statistics


class Way(NamedTuple):
    """Weights and what they are normalised by."""

    method: str
    statistics: str

    @property
    def own(self) -> bool:
        """Whether the method predicts so unless asked otherwise."""
        return own_statistics(self.method) == self.statistics

    @property
    def row(self) -> str:
        """Name in the ledger."""
        return f"{self.method} by {self.statistics}"

    @property
    def label(self) -> str:
        """Name of the statistics, marked where they are the method's own."""
        return f"{LABELS[self.statistics]}{' (its own)' if self.own else ''}"


ALL = [Way(method, statistics) for method, words in WAYS.items() for statistics in words]


def asked(spec: RunSpec) -> list[PredictSpec]:
    """Return the ways that a run's weights predict with; embeddings are not kept."""
    words = WAYS.get(spec.method, ())
    return [PredictSpec(statistics=statistics, embeddings=False) for statistics in words]


def values(results: pd.DataFrame, way: Way, metric: str) -> dict[str, float]:
    """Return replicate to percent.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.results.gather_predictions` gives them, of one item.
    way
        Which rows.
    metric
        Which column.
    """
    if results.empty:
        return {}
    rows = results[(results["method"] == way.method) & (results["statistics"] == way.statistics)]
    return dict(zip(rows["replicate"], rows[metric].astype(float), strict=True))


def cells(results: pd.DataFrame) -> list[Cell]:
    """Return the ledger's cells: a row a way, a column a metric."""
    found = []
    for way in ALL:
        for column, metric in COLUMNS.items():
            replicates = values(results, way, metric)
            if replicates:
                found.append(mean_cell(way.row, column, replicates))
    return found


def differences(results: pd.DataFrame, metric: str) -> dict[Way, Interval]:
    """Return each way's paired difference from its method's own way, in percentage points."""
    found = {}
    for way in ALL:
        own = values(results, Way(way.method, own_statistics(way.method)), metric)
        other = values(results, way, metric)
        if not way.own and own and other:
            found[way] = t_interval(list(paired_differences(other, own).values()))
    return found


def pool_sizes(table: pd.DataFrame, group_size: int) -> dict[str, float]:
    """Count the sites that a prediction rests on, on the separated split.

    Parameters
    ----------
    table
        The screen's metadata.
    group_size
        Sites a ``minibatch``.

    Returns
    -------
    dict
        Statistics to the mean over the test sites; none of ``training``.
    """
    test = make_split(table, SEPARATED).test
    experiments = sorted(set(table["experiment"].iloc[test]))
    sizes = {}
    for statistics in LABELS:
        found = [
            pool
            for name in experiments
            for pool in pools(table, name, test, statistics, group_size)
        ]
        sites = [len(pool.members) for pool in found]
        sizes[statistics] = float(np.average(sites, weights=[len(pool.asked) for pool in found]))
    return sizes


def table(results: pd.DataFrame, sizes: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return the page's table as words, a row a way.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.results.gather_predictions` gives them.
    sizes
        As :func:`pool_sizes` gives them; without them there is no column of sites.
    """
    from rxrx_lib.study.panels import cell_words  # which loads matplotlib; the ledger needs none

    apart = differences(results, "accuracy_treatments")
    by_place = {(cell.row, cell.column): cell for cell in cells(results)}
    rows, before, sites = [], "", sizes or {}
    for way in ALL:
        if (way.row, "treatments") in by_place:
            difference = apart.get(way)
            rows.append(
                {
                    "weights": "" if way.method == before else METHODS[way.method].label,
                    "normalised by": way.label,
                    "sites": f"{sites[way.statistics]:.0f}" if sites.get(way.statistics) else "",
                    "treatments": cell_words(by_place[way.row, "treatments"]),
                    "minus its own": "" if difference is None else signed(difference.mean),
                    "all sites": cell_words(by_place[way.row, "all_sites"]),
                }
            )
            before = way.method
    frame = pd.DataFrame(rows)
    return frame if sites else frame.drop(columns="sites", errors="ignore")


def claims(results: pd.DataFrame) -> list[str]:
    """Say of each way how it differs from its method's own, with interval and replicates."""
    lines = [
        _claim(way, difference)
        for way, difference in differences(results, "accuracy_treatments").items()
    ]
    if lines:
        lines.append(
            f"These are {len(lines)} comparisons, each with an interval of its own: where ways do "
            "not differ, about one interval in twenty misses zero by luck."
        )
    return lines


def made_claim(results: pd.DataFrame) -> str:
    """Say how many predictions the page rests on, and what made them."""
    made = results[results["statistics"] != results["method"].map(own_statistics)]
    return (
        f"{len(results)} predictions with the weights of {results['id'].nunique()} runs; "
        f"{len(made)} of them made after the training, in "
        f"{duration(float(made['seconds'].sum()))}, by {'; '.join(sorted(made['code'].unique()))}."
    )


def figure_data(results: pd.DataFrame) -> pd.DataFrame:
    """Return the figure's numbers: a row a way and replicate."""
    rows = [
        (METHODS[way.method].label, way.label, replicate, value)
        for way in ALL
        for replicate, value in values(results, way, "accuracy_treatments").items()
    ]
    return pd.DataFrame(
        rows, columns=["weights", "normalised by", "screen/training seed", "percent"]
    )


def _claim(way: Way, found: Interval) -> str:
    weights = f"{METHODS[way.method].label}'s weights, normalised by {LABELS[way.statistics]}"
    own = LABELS[own_statistics(way.method)]
    points = f"{signed(found.mean)} points on treatments"
    if found.n < 2:
        return f"{weights}: {points} against {own}, from one replicate."
    low, high = signed(found.low), signed(found.high)
    spread = f" (95{PERCENT} interval {low} to {high}, {found.n} replicates, paired)"
    if found.low > 0:
        return f"{weights}, lie above {own}: {points}{spread}."
    if found.high < 0:
        return f"{weights}, lie below {own}: {points}{spread}."
    return f"{weights}, cannot be told from {own}: {points}{spread}."
