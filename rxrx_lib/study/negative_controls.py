"""Runs whose outcome is known beforehand, and whether they came out so.

Without technical effects there is nothing for AdaBN to correct; without phenotypes, or with the
training sites' classes shuffled, there is nothing to learn. A pipeline that leaks, or a simulator
that hides a label in a corner of the picture, fails here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.evaluation.intervals import Interval, t_interval
from rxrx_lib.study.tables import Cell, differences, mean_cell, replicate_values

CONTROL_TITLES = {
    "technical_off": "No technical effects",
    "labels_shuffled": "Shuffled labels",
    "phenotypes_off": "No phenotypes",
}
CONTROL_COLUMNS = {
    "baseline": "Baseline",
    "adabn": "AdaBN",
    "luck_line": "same answers, names exchanged",
}
"""What the cells' columns are called on the page; the last is a mean, and no limit."""
LARGEST_DIFFERENCE = 3.0
"""Percentage points that AdaBN may lie from the baseline where experiments do not differ."""
CHANCE_DEVIATIONS = 3.0
"""Standard deviations that an accuracy may lie above that of the same answers by luck."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One negative control: what came out, and where it had to lie."""

    control: str
    """Id: ``technical_off``, ``labels_shuffled`` or ``phenotypes_off``."""
    found: Interval
    """What came out, mean over replicates with its t interval, in percent or points."""
    expected: float
    """What nothing but chance would show: the answers' accuracy by luck, or no difference."""
    low: float
    high: float
    among: str = "all"
    """Which test sites: ``all``, or ``treatments``: of these there are many classes, so that luck
    says more there than among the two kinds of control."""

    @property
    def holds(self) -> bool:
        """Whether the mean lies where it had to."""
        return self.low <= self.found.mean <= self.high


def negative_control_cells(results: pd.DataFrame) -> list[Cell]:
    """Return the controls' numbers, by control and column."""
    if results.empty:
        return []
    found = []
    for control, chosen in _controls(results).items():
        for method in ("baseline", "adabn"):
            values = replicate_values(chosen, method, "separated", "accuracy")
            if values:
                found.append(mean_cell(control, method, values))
        lines = replicate_values(chosen, "baseline", "separated", "luck_mean")
        if lines:
            found.append(mean_cell(control, "luck_line", lines))
    return found


def verdicts(results: pd.DataFrame) -> list[Verdict]:
    """Judge the controls that the results hold.

    Parameters
    ----------
    results
        Of the catalogue's ``negative_controls``.

    Returns
    -------
    list of Verdict
        One for each of the three controls that has been run.
    """
    if results.empty:
        return []
    controls = _controls(results)
    found = []
    paired = differences(controls["technical_off"], "separated", "accuracy")
    if "adabn" in paired:
        found.append(
            Verdict(
                control="technical_off",
                found=t_interval(list(paired["adabn"].values())),
                expected=0.0,
                low=-LARGEST_DIFFERENCE,
                high=LARGEST_DIFFERENCE,
            )
        )
    for control in ("labels_shuffled", "phenotypes_off"):
        chosen = controls[control]
        for among, ending in (("all", ""), ("treatments", "_treatments")):
            values = replicate_values(chosen, "baseline", "separated", f"accuracy{ending}")
            if values:
                runs = chosen[chosen["method"] == "baseline"]
                luck = runs[[f"luck_mean{ending}", f"luck_sd{ending}"]].to_numpy()
                # Answers that are right in part, with no names to exchange, say nothing about luck.
                if luck[:, 1].any() or not luck[:, 0].any():
                    found.append(_luck_verdict(control, among, list(values.values()), luck))
    return found


def _luck_verdict(
    control: str, among: str, values: list[float], luck: npt.NDArray[np.float64]
) -> Verdict:
    """Judge the mean of runs by the mean and standard deviation of each one's luck, (runs, 2)."""
    mean, sd = luck.T
    expected = float(mean.mean())
    return Verdict(
        control=control,
        among=among,
        found=t_interval(values),
        expected=expected,
        low=0.0,
        high=expected + CHANCE_DEVIATIONS * float(np.sqrt((sd**2).sum())) / len(sd),
    )


def _controls(results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    shuffled = results["labels"] == "shuffled"
    return {
        "technical_off": results[~shuffled & (results["technical"] == 0)],
        "labels_shuffled": results[shuffled],
        "phenotypes_off": results[~shuffled & (results["phenotype"] == 0)],
    }
