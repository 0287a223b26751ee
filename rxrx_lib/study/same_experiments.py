"""Table 1 on the test experiments alone, so that both sides of a ratio rest on the same ones.

The paper's batch generalization divides an accuracy on the separated split's test experiments by
one on sites of all experiments. If the test experiments happen to be harder, or easier, than the
others, the ratio says so and calls it generalization. Here both accuracies are of the same
experiments. They are counted from kept answers, and nothing is trained for them.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.answers import of_treatments
from rxrx_lib.evaluation.metrics import perturbation_accuracy
from rxrx_lib.evaluation.predictions import Arrays
from rxrx_lib.study.kept import own_answers
from rxrx_lib.study.runs import Run
from rxrx_lib.study.second_wells import second_wells
from rxrx_lib.study.tables import Cell, Cells, cells, ratio_cells, table1

SEEN = "stratified_by_site"
"""Whose networks answer on the second wells: they have seen every siRNA in every experiment."""

SAME_EXPERIMENTS: Cells = {
    "stratified_test_experiments": (SEEN, "accuracy_test_experiments"),
    "stratified_by_well_test_experiments": ("stratified_by_well", "accuracy_test_experiments"),
    "second_wells": (SEEN, "accuracy_second_wells"),
    "second_wells_test_experiments": (SEEN, "accuracy_second_wells_test_experiments"),
    "treatments_stratified_test_experiments": (SEEN, "accuracy_test_experiments_treatments"),
    "treatments_second_wells": (SEEN, "accuracy_second_wells_treatments"),
    "treatments_second_wells_test_experiments": (
        SEEN,
        "accuracy_second_wells_test_experiments_treatments",
    ),
}
"""What the ledger keeps beside Table 1 of the same experiments, and of the second wells."""

GENERALIZATIONS = {
    "generalization_test_experiments": "stratified_test_experiments",
    "generalization_by_well_test_experiments": "stratified_by_well_test_experiments",
    "generalization_second_wells": "second_wells_test_experiments",
}
"""Column to the column of its denominator; the numerator is ``accuracy_separated``."""

SECOND_WELLS = frozenset(
    column for column in (*SAME_EXPERIMENTS, *GENERALIZATIONS) if "second_wells" in column
)
"""The columns that only a simulated screen can fill."""

NAMES = ("experiment", "well_type", "side", "sirna_id", "top_sirna_id")


def same_experiment_cells(results: pd.DataFrame, store: Path) -> dict[tuple[str, str], Cell]:
    """Return the cells of :data:`SAME_EXPERIMENTS` and :data:`GENERALIZATIONS` by row and column.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.results.gather` gives them, of Table 1's runs.
    store
        The run store, which has these runs' answers.
    """
    widened = with_same_experiments(results, store)
    found = {(cell.row, cell.column): cell for cell in cells(widened, SAME_EXPERIMENTS)}
    return found | ratio_cells(table1(results) | found, GENERALIZATIONS)


def with_same_experiments(results: pd.DataFrame, store: Path) -> pd.DataFrame:
    """Return Table 1's results with more accuracies of the stratified runs, in percent.

    Returns
    -------
    DataFrame
        With ``accuracy_test_experiments``: on those sites of the run's own test side that are of
        the separated split's test experiments; ``accuracy_second_wells``: on all sites of the
        second wells, and ``accuracy_second_wells_test_experiments``: on those of the test
        experiments; and the same with ``_treatments``. No value where the store has not the
        answers, no separated run of the replicate says which experiments are meant, or, of the
        second wells, the screen is the release.
    """
    if results.empty:
        return results
    unseen = test_experiments(results)
    added = [
        dict(_accuracies(run, store, unseen.get(run["replicate"], set())))
        for run in results.to_dict("records")
    ]
    return results.join(pd.DataFrame(added, index=results.index, dtype=float))


def test_experiments(results: pd.DataFrame) -> dict[str, set[str]]:
    """Return the separated split's test experiments in each replicate that has such a run."""
    found: dict[str, set[str]] = {}
    for run in results[results["split"] == "separated"].to_dict("records"):
        found.setdefault(run["replicate"], set()).update(run["by_experiment"])
    return found


def _accuracies(
    run: Mapping[Hashable, object], store: Path, unseen: Collection[str]
) -> Iterator[tuple[str, float]]:
    """Give a stratified run's further accuracies by name."""
    if not str(run["split"]).startswith("stratified"):
        return
    stored, method = Run(store / str(run["id"])), str(run["method"])
    own = own_answers(stored, method, NAMES)
    if own is not None:
        of_side = {name: own[name][own["side"] == "test"] for name in NAMES}
        yield from _counted("accuracy_test_experiments", _of(of_side, unseen))
    second = second_wells(stored, method) if run["split"] == SEEN else None
    if second is not None:
        whole = {name: second[name] for name in NAMES}
        yield from _counted("accuracy_second_wells", whole)
        yield from _counted("accuracy_second_wells_test_experiments", _of(whole, unseen))


def _of(sites: Arrays, experiments: Collection[str]) -> Arrays:
    rows = np.isin(sites["experiment"], sorted(experiments))
    return {name: sites[name][rows] for name in sites}


def _counted(name: str, sites: Arrays) -> Iterator[tuple[str, float]]:
    """Give the accuracy of some sites, and of the treatments among them."""
    for ending, rows in (
        ("", np.full(sites["side"].shape, True)),
        ("_treatments", of_treatments(sites)),
    ):
        if rows.any():
            answers = sites["top_sirna_id"][rows, 0]
            yield f"{name}{ending}", perturbation_accuracy(sites["sirna_id"][rows], answers)
