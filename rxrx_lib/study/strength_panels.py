"""The strength curve as readers see it: a table's words, and sentences made from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import Interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.contrasts import difference
from rxrx_lib.study.panels import cell_words
from rxrx_lib.study.strength import Curves, factors_of
from rxrx_lib.study.tables import mean_cell


def strength_table(found: Curves) -> pd.DataFrame:
    """Return curves as words, a row a method and a column a factor, in percent."""
    factors = factors_of(found)
    rows = [
        [METHODS[method].label]
        + [
            cell_words(mean_cell(method, f"{factor:g}", found[method, factor]))
            if (method, factor) in found
            else ""
            for factor in factors
        ]
        for method in METHODS
    ]
    return pd.DataFrame(rows, columns=["method", *(f"factor {factor:g}" for factor in factors)])


def strength_claims(found: Curves) -> list[str]:
    """Say how each method falls from the weakest to the strongest, and how it differs on the way.

    Parameters
    ----------
    found
        Accuracies, as :func:`rxrx_lib.study.strength.curves` gives them.
    """
    factors = factors_of(found)
    if len(factors) < 2:
        return []
    ends = factors[0], factors[-1]
    falls = [_fall_line(found, method, ends) for method in METHODS if has(found, method, ends)]
    others = [name for name in METHODS if name != "baseline" and has(found, name, factors)]
    if not has(found, "baseline", factors):
        return falls
    return falls + [_gap_line(found, name, factors) for name in others]


def cell_type_claims(probe: Curves) -> list[str]:
    """Say how methods differ in what a fresh linear probe reads of the cell type.

    Parameters
    ----------
    probe
        As :func:`rxrx_lib.study.strength.curves` gives them, of the cell type's probe.
    """
    factors = factors_of(probe)
    if not factors or not has(probe, "baseline", factors):
        return []
    others = [name for name in METHODS if name != "baseline" and has(probe, name, factors)]
    return [_gap_line(probe, name, factors) for name in others]


def has(found: Curves, method: str, factors: Sequence[float]) -> bool:
    """Tell whether a method has a run at each of some factors."""
    return all((method, factor) in found for factor in factors)


def change_basis(change: Interval) -> str:
    """Say in brackets what a change rests on."""
    if change.n < 2:
        return "(one replicate, which says nothing of its own spread)"
    low, high = signed(change.low), signed(change.high)
    return f"(95{PERCENT} interval {low} to {high}, {change.n} replicates)"


def _fall_line(found: Curves, method: str, ends: tuple[float, float]) -> str:
    weak, strong = (found[method, factor] for factor in ends)
    change = difference(strong, weak)
    assert change is not None
    return (
        f"{METHODS[method].label}: from {_mean(weak):.1f}{PERCENT} at the factor {ends[0]:g} to "
        f"{_mean(strong):.1f}{PERCENT} at {ends[1]:g}, {signed(change.mean)} points "
        f"{change_basis(change)}."
    )


def _gap_line(found: Curves, method: str, factors: Sequence[float]) -> str:
    gaps = [(factor, _gap(found, method, factor)) for factor in factors]
    parts = [f"{_gap_words(gap)} at {factor:g}" for factor, gap in gaps if gap is not None]
    return (
        f"{METHODS[method].label} minus baseline, points: {', '.join(parts)} "
        f"{_basis([gap for _, gap in gaps])}."
    )


def _gap(
    found: Mapping[tuple[str, float], dict[str, float]], method: str, factor: float
) -> Interval | None:
    return difference(found.get((method, factor)), found.get(("baseline", factor)))


def _gap_words(found: Interval) -> str:
    """Write points, and their interval where there is one."""
    if found.n < 2:
        return signed(found.mean)
    return f"{signed(found.mean)} ({signed(found.low)} to {signed(found.high)})"


def _basis(some: Sequence[Interval | None]) -> str:
    least = min(each.n for each in some if each is not None)
    if least < 2:
        return "(one replicate, which says nothing of its own spread)"
    return f"(in brackets 95{PERCENT} intervals of {least} replicates)"


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values())))
