"""Accuracy against the strength of a screen's batch effect: from none to twice the calibrated."""

from __future__ import annotations

import dataclasses

import pandas as pd

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.ablations import QUANTITIES
from rxrx_lib.study.profiles import SEPARATED, Profile
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, mean_cell, replicate_values

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
        mean_cell(f"{method}_{factor:g}", column, values)
        for column, metric in (metrics | {PROBE: PROBE}).items()
        for (method, factor), values in curves(results, metric).items()
    ]


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
