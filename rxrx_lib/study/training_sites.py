"""How many of the sites it was trained on a network names, predicted as it predicts unseen ones.

In training the baseline's layers normalise each minibatch by its own statistics; in prediction, by
running averages of these. A network that cannot name its training sites in prediction has lost them
between the two. What it then misses in unseen experiments is not all due to their being unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.metrics import perturbation_accuracy
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.ablations import COMPARED, Accuracies, accuracies, by_normalization, cells_of
from rxrx_lib.study.claims import PERCENT
from rxrx_lib.study.kept import own_answers
from rxrx_lib.study.panels import cell_words
from rxrx_lib.study.runs import Run

METRIC = "accuracy_training_sites"
"""Percent of a run's training sites that its own way of predicting names rightly."""
SIDES = {"unseen": "accuracy", "trained on": METRIC}
"""Which sites are named, and the column of the results that holds how many."""


def with_training_sites(results: pd.DataFrame, store: Path) -> pd.DataFrame:
    """Return the results with a column :data:`METRIC`, counted from each run's answers.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.results.gather` gives them; no value where a run's answers hold no
        training site.
    store
        The run store.
    """
    if results.empty:
        return results
    runs = zip(results["id"], results["method"], strict=True)
    return results.assign(**{METRIC: [_percent(Run(store / id_), method) for id_, method in runs]})


def training_sites_panel(results: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return accuracies of Tables 5 and 6 on unseen sites and on training sites, as words.

    Parameters
    ----------
    results
        Of :func:`with_training_sites`.
    labels
        Normalisations in their order, and what they are called.
    """
    words = {
        heading: {(cell.row, cell.column): cell_words(cell) for cell in cells_of(found)}
        for heading, found in _of_both(results).items()
    }
    return pd.DataFrame(
        {
            "normalisation": label,
            **{
                f"{METHODS[method].label}, {heading}": cells.get((row, method), "")
                for method in COMPARED
                for heading, cells in words.items()
            },
        }
        for row, label in labels.items()
    )


def training_sites_claims(results: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """Say under which normalisation each method names fewest, and most, of its training sites."""
    trained_on = _of_both(results)["trained on"]
    lines = []
    for method in COMPARED:
        mean = {
            row: float(np.mean(list(values.values())))
            for (row, each), values in trained_on.items()
            if each == method
        }
        if len(mean) > 1:
            few, many = min(mean, key=lambda row: mean[row]), max(mean, key=lambda row: mean[row])
            lines.append(
                f"{METHODS[method].label}: of the sites that it was trained on it names fewest "
                f"under “{labels[few]}”, {mean[few]:.1f}{PERCENT}, and most under "
                f"“{labels[many]}”, {mean[many]:.1f}{PERCENT}."
            )
    return lines


def _of_both(results: pd.DataFrame) -> dict[str, Accuracies]:
    rows = by_normalization(results)
    return {heading: accuracies(rows, metric) for heading, metric in SIDES.items()}


def _percent(run: Run, method: str) -> float:
    answers = own_answers(run, method, ("side", "sirna_id", "top_sirna_id"))
    if answers is None or not (answers["side"] == "train").any():
        return float("nan")
    rows = answers["side"] == "train"
    return perturbation_accuracy(answers["sirna_id"][rows], answers["top_sirna_id"][rows, 0])
