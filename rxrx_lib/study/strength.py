"""Accuracy against the strength of a screen's batch effect: from none to twice the calibrated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import Interval, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.ablations import QUANTITIES
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.contrasts import difference
from rxrx_lib.study.panels import cell_words
from rxrx_lib.study.profiles import SEPARATED, Profile
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, replicate_values

PROBE = "cell_type_probe"
Curves = dict[tuple[str, float], dict[str, float]]
"""Method and overall factor to replicate to percent."""


def strength(profile: Profile) -> list[RunSpec]:
    """Return every method on the same screens, their technical effects multiplied by each factor.

    None with the release, whose effects nobody can turn.
    """
    if profile.screen is None:
        return []
    return [
        shortened(profile, profile.run(name, SEPARATED, replicate, technical=factor))
        for replicate in profile.with_curve_replicates().replicates
        for factor in profile.strength_factors
        for name in METHODS
    ]


def shortened(profile: Profile, spec: RunSpec) -> RunSpec:
    """Return the run with as many epochs as this chapter's runs have."""
    epochs = profile.strength_epochs or spec.recipe.epochs
    return dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, epochs=epochs))


def curves(results: pd.DataFrame, metric: str = "accuracy") -> Curves:
    """Return a metric of each method at each factor that has a run, by replicate.

    Parameters
    ----------
    results
        Of the catalogue's ``strength``.
    metric
        A column of the results, in percent.
    """
    found: Curves = {}
    for factor in [] if results.empty else sorted(results["technical"].unique()):
        some = results[(results["technical"] == factor) & (results["effects"] == "all")]
        for method in METHODS:
            values = replicate_values(some, method, "separated", metric)
            if values:
                found[method, float(factor)] = values
    return found


def factors_of(found: Curves) -> list[float]:
    """Return the factors of some curves, rising."""
    return sorted({factor for _, factor in found})


def strength_cells(results: pd.DataFrame) -> list[Cell]:
    """Return the ledger's numbers: a row a method and factor."""
    metrics = {f"accuracy{ending}": metric for ending, metric in QUANTITIES.items()}
    return [
        _cell(f"{method}_{factor:g}", column, values)
        for column, metric in (metrics | {PROBE: PROBE}).items()
        for (method, factor), values in curves(results, metric).items()
    ]


def strength_table(found: Curves) -> pd.DataFrame:
    """Return curves as words, a row a method and a column a factor, in percent."""
    factors = factors_of(found)
    rows = [
        [METHODS[method].label]
        + [
            cell_words(_cell(method, f"{factor:g}", found[method, factor]))
            if (method, factor) in found
            else ""
            for factor in factors
        ]
        for method in METHODS
    ]
    return pd.DataFrame(rows, columns=["method", *(f"factor {factor:g}" for factor in factors)])


def strength_data(accuracy: Curves, probe: Curves) -> pd.DataFrame:
    """Return the figure's numbers, a line for each method, factor and replicate."""
    return pd.DataFrame(
        [
            (
                METHODS[method].label,
                factor,
                replicate,
                value,
                probe.get((method, factor), {}).get(replicate, float("nan")),
            )
            for (method, factor), values in accuracy.items()
            for replicate, value in values.items()
        ],
        columns=["method", "factor", "screen/training seed", "accuracy", PROBE],
    )


def reference_line(results: pd.DataFrame, metric: str) -> dict[str, float]:
    """Return what a constant answer reaches, the mean over runs: the most common one."""
    line = {
        "accuracy": ("most common class", "majority_accuracy"),
        PROBE: ("most common cell type", "line_cell_type_majority"),
    }
    name, column = line[metric]
    return {name: float(results[column].mean())} if column in results else {}


def strength_claims(found: Curves) -> list[str]:
    """Say how each method falls from the weakest to the strongest, and how it differs on the way.

    Parameters
    ----------
    found
        Accuracies, as :func:`curves` gives them.
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
        As :func:`curves` gives them, of the cell type's probe.
    """
    factors = factors_of(probe)
    if not factors or not has(probe, "baseline", factors):
        return []
    others = [name for name in METHODS if name != "baseline" and has(probe, name, factors)]
    return [_gap_line(probe, name, factors) for name in others]


def distinct_runs(*items: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of several items of the catalogue, each once."""
    together = pd.concat(items, ignore_index=True)
    return together if together.empty else together.drop_duplicates("id")


def page_notes(profile: Profile) -> list[str]:
    """Say what holds for all numbers of the page, or why there are none."""
    if profile.screen is None:
        return [
            f"Profile {profile.name} takes the release, whose technical effects cannot be switched "
            "off: this page has no run and no number under it. Choose a simulated profile."
        ]
    return [epochs_words(profile)]


def epochs_words(profile: Profile) -> str:
    """Say for how long this chapter's runs are trained, against the profile's other runs."""
    usual, here = profile.recipe.epochs, profile.strength_epochs or profile.recipe.epochs
    if here == usual:
        return f"All runs of this page are trained for {here} epochs, as the profile's others."
    return (
        f"To save time, all runs of this page are trained for {here} epochs, and the other runs of "
        f"this profile for {usual}: numbers here can be compared with one another, and not with "
        "those of other chapters."
    )


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


def _cell(row: str, column: str, values: dict[str, float]) -> Cell:
    interval = t_interval(list(values.values()))
    return Cell(row=row, column=column, value=interval.mean, replicates=values)
