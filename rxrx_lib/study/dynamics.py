"""Figure 10: test accuracy over the training, and when it is nearly all there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.tables import Cell, mean_cell

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
        As :func:`rxrx_lib.study.results.gather` gives them. Where an older run's history lacks the
        accuracy after the last epoch, the run's own stands there: it is the same quantity. Runs
        without a history are passed over.
    """
    if "history" not in results:
        return []
    found = []
    for method in METHODS:
        chosen = results[(results["method"] == method) & (results["split"] == "separated")]
        for run in chosen[chosen["history"].astype(bool)].to_dict("records"):
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
    kept = results["history"][results["history"].astype(bool)] if "history" in results else ()
    if not len(kept):
        return [], []
    history: Mapping[str, list[float]] = next(iter(kept))
    return [int(epoch) + 1 for epoch in history["epoch"]], list(history["learning_rate"])


def dynamics_cells(results: pd.DataFrame) -> list[Cell]:
    """Return the epochs that each method takes to `NEARLY` of its last accuracy."""
    found = curves(results)
    cells = []
    for method in METHODS:
        epochs = {c.replicate: float(c.epochs_nearly) for c in of_method(found, method)}
        if epochs:
            cells.append(mean_cell(method, "epochs_to_90_percent", epochs))
    return cells
