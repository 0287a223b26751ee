"""Effects: what a statement of finding is about, computed from the cells of tables.

An effect takes the numbers at some places and gives one number. It is computed from the cells'
replicates, one by one, and from the paper's printed numbers, with their spread.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rxrx_lib.study import paper
from rxrx_lib.study.ledger import Place
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.screens import RELEASE_EXPERIMENTS
from rxrx_lib.study.tables import Cell

CHANCE: Place = ("chance", "experiment", "uniform")
"""What a uniform guess of the experiment reaches, 100/E: no cell, but known beforehand."""
SD = " sd"
"""After a column of the paper: what is printed behind its ±."""
ROUNDING = 0.05
"""Numbers are printed to one decimal."""
LIKE_TABLE1 = {
    ("table2", "baseline"): "baseline",
    ("table2", "adabn"): "adabn",
    ("table6", "accuracy"): "adabn",
}
"""Columns that are printed without ±, and the method of table 1's first column whose ± they borrow:
its separated accuracy is the same quantity."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One number that is computed from others."""

    label: str
    """Which of a statement's parts it is, in words."""
    places: tuple[Place, ...]
    """Where its numbers stand."""
    of: Callable[..., Any] = operator.sub
    """Of the numbers, in the places' order."""

    def at(self, *numbers: float) -> float:
        """Return it for some numbers; nan where it has no value, as a ratio to nothing has none."""
        try:
            return float(self.of(*numbers))
        except ZeroDivisionError:
            return math.nan


class Printed(NamedTuple):
    """An effect of the paper's printed numbers."""

    value: float
    spread: float
    """Twice the standard deviation between single runs, and what rounding may hide."""


def difference(a: Place, b: Place, label: str = "") -> Effect:
    """Return the effect a - b."""
    return Effect(label=label, places=(a, b))


def above_chance(place: Place, label: str = "") -> Effect:
    """Return how far an accuracy of naming the experiment lies above a uniform guess."""
    return Effect(label=label, places=(place, CHANCE))


def value(place: Place, label: str = "") -> Effect:
    """Return a number itself."""
    return Effect(label=label, places=(place,), of=_itself)


def per_replicate(effect: Effect, cells: Mapping[Place, Cell], chance: float) -> dict[str, float]:
    """Return the effect in each replicate that all of its cells have.

    Parameters
    ----------
    effect
        What to compute.
    cells
        By item, row and column, as :func:`rxrx_lib.study.ledger.measured` gives them.
    chance
        What stands at :data:`CHANCE`, in percent.

    Returns
    -------
    dict
        Replicate to the effect; empty where a cell is absent, or where no replicate is in all. A
        replicate whose effect has no value is left out.
    """
    asked = [place for place in effect.places if place != CHANCE]
    if any(place not in cells for place in asked):
        return {}
    first, *others = (cells[place].replicates for place in asked)
    found = {}
    for replicate in first:
        if all(replicate in other for other in others):
            numbers = (
                chance if place == CHANCE else cells[place].replicates[replicate]
                for place in effect.places
            )
            result = effect.at(*map(float, numbers))
            if math.isfinite(result):
                found[replicate] = result
    return found


def chance_of_experiment(profile: Profile) -> float:
    """Return what a uniform guess of the experiment reaches on a profile's screens, in percent."""
    if profile.screen is None:
        return 100.0 / len(RELEASE_EXPERIMENTS)
    return 100.0 / sum(train + test for _, train, test in profile.screen.experiments)


def printed(effect: Effect) -> Printed | None:
    """Return the effect of the paper's numbers; None where the paper prints one of them not.

    The spread is twice the effect's standard deviation between single runs, by the rule of small
    errors, and half a unit of the last digit of each number. So it asks what two lone runs would
    leave open; where the paper prints means of several runs, they leave less open.
    """
    found = [_printed_at(place) for place in effect.places]
    numbers = [number for number in found if number is not None]
    if len(numbers) < len(found):
        return None
    values = [number.value for number in numbers]
    slopes = _slopes(effect, values)
    sds = [number.spread for number in numbers]
    rounded = [0.0 if place == CHANCE else ROUNDING for place in effect.places]
    spread = 2 * float(np.hypot.reduce(slopes * sds)) + float(np.abs(slopes) @ rounded)
    return Printed(effect.at(*values), spread)


def _printed_at(place: Place) -> Printed | None:
    """Return a number as printed, and its standard deviation between runs."""
    item, row, column = place
    if place == CHANCE:
        return Printed(100.0 / len(RELEASE_EXPERIMENTS), 0.0)
    name = column.removesuffix(SD)
    if row not in paper.ROW_LABELS.get(item, {}) or name not in paper.COLUMN_LABELS[item]:
        return None
    number = paper.lookup(item, row, name)
    if column == name:
        return Printed(number.value, _sd(number))
    if number.sd is None or number.n is None:
        return None
    return Printed(number.sd, number.sd / math.sqrt(2 * (number.n - 1)))


def _sd(number: paper.PaperNumber) -> float:
    if number.sd is not None:
        return number.sd
    if number.unit == "percentage points":  # a difference of two accuracies of the baseline
        return math.sqrt(2) * _sd(paper.lookup("table1", "baseline", "accuracy_separated"))
    method = LIKE_TABLE1[number.item, number.column]
    return _sd(paper.lookup("table1", method, "accuracy_separated"))


def _slopes(effect: Effect, values: list[float], step: float = 1e-4) -> np.ndarray[Any, Any]:
    """Return the effect's derivative by each of its numbers."""
    slopes = []
    for position in range(len(values)):
        ends = []
        for side in (-step, step):
            moved = [*values]
            moved[position] += side
            ends.append(effect.at(*moved))
        slopes.append((ends[1] - ends[0]) / (2 * step))
    return np.array(slopes)


def _itself(number: Any) -> Any:
    return number
