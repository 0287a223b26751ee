"""The paper's figure 9: the baseline trained anew on every subset of channels.

Also which networks figure 8 looks at with channels masked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.evaluation.intervals import paired_differences, t_interval
from rxrx_lib.evaluation.shapley import SUBSETS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.profiles import SEPARATED, Profile
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, mean_cell

Subset = tuple[int, ...]
Values = dict[Subset, dict[str, float]]
"""Channels, rising, to replicate to percent."""

LEFT_OUT = 6
"""The channel whose absence, in the paper, is no loss."""
AT_LEAST = 4
"""Channels of the subsets that the paper says so of."""


def subset_runs(profile: Profile) -> list[RunSpec]:
    """Return the baseline on each subset of channels, all six among them."""
    return [
        dataclasses.replace(_shortened(profile, spec), channels=subset)
        for replicate in profile.replicates[: profile.subset_replicates]
        for spec in (profile.run("baseline", SEPARATED, replicate),)
        for subset in SUBSETS
    ]


def masked_runs(profile: Profile) -> list[RunSpec]:
    """Return the runs of Table 1 whose weights are predicted with under masks."""
    return [
        profile.run(name, SEPARATED, replicate)
        for replicate in profile.replicates[: profile.subset_replicates]
        for name in METHODS
    ]


def _shortened(profile: Profile, spec: RunSpec) -> RunSpec:
    epochs = profile.subset_epochs or spec.recipe.epochs
    return dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, epochs=epochs))


def epochs_words(profile: Profile) -> str:
    """Say for how long the subsets are trained, against the profile's other runs."""
    usual, here = profile.recipe.epochs, profile.subset_epochs or profile.recipe.epochs
    if here == usual:
        return f"Every subset is trained for {here} epochs, as all runs of this profile."
    return (
        f"To save time, every subset is trained for {here} epochs, all six channels included, and "
        f"the other runs of this profile for {usual}: subsets can be compared with one another, "
        "and not with the masked networks, which are Table 1's, nor with other chapters."
    )


def subset_values(results: pd.DataFrame, metric: str = "accuracy") -> Values:
    """Return a metric of each subset that was trained, by replicate.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.results.gather` gives them, of :func:`subset_runs`.
    metric
        Which column.
    """
    found: Values = {}
    for _, row in results.iterrows():
        subset = tuple(map(int, row["channels"]))
        found.setdefault(subset, {})[row["replicate"]] = float(row[metric])
    return found


def subset_name(subset: Subset) -> str:
    """Name a subset as the ledger does."""
    return f"channels_{''.join(map(str, subset))}"


def gains(values: Values) -> dict[Subset, dict[str, float]]:
    """Return what each smaller subset reaches more than all channels, in points, by replicate."""
    base = values.get(CHANNELS)
    if base is None:
        return {}
    shared = {name: found for name, found in values.items() if name != CHANNELS}
    return {name: paired_differences(found, base) for name, found in shared.items()}


def subset_cells(results: pd.DataFrame) -> list[Cell]:
    """Return the ledger's cells: accuracy of each subset, and its gain over all channels."""
    values = subset_values(results)
    columns = {"accuracy": values, "gain": gains(values)}
    return [
        mean_cell(subset_name(subset), column, found[subset])
        for subset in SUBSETS
        for column, found in columns.items()
        if subset in found
    ]


def subset_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the figure's numbers: a row a subset and replicate."""
    accuracy, treatments = (
        subset_values(results, metric) for metric in ("accuracy", "accuracy_treatments")
    )
    return pd.DataFrame(
        {
            "channels": "".join(map(str, subset)),
            "number": len(subset),
            "screen/training seed": replicate,
            "accuracy": value,
            "accuracy on treatments": treatments[subset][replicate],
        }
        for subset, found in accuracy.items()
        for replicate, value in found.items()
    )


def subset_claims(results: pd.DataFrame) -> list[str]:
    """Say of the paper's three findings about channel 6 what was seen here.

    Nothing is said where a subset that a sentence needs was not trained.
    """
    values = subset_values(results)
    over_all = {name: float(np.mean(list(each.values()))) for name, each in gains(values).items()}
    without = [s for s in SUBSETS if LEFT_OUT not in s and len(s) >= AT_LEAST]
    lines = []
    if all(subset in over_all for subset in without):
        lines += [_gain_line(gains(values)[without[-1]]), _count_line(over_all, without)]
    changes = added(values, LEFT_OUT)
    if len(changes) == len(SUBSETS) // 2:
        lines.append(_added_line(changes))
    return lines


def added(values: Mapping[Subset, Mapping[str, float]], channel: int) -> dict[Subset, float]:
    """Return how accuracy changes when a channel joins each subset of others, in points.

    Means over replicates; subsets whose other half was not trained are left out.
    """
    mean = {subset: float(np.mean(list(found.values()))) for subset, found in values.items()}
    found = {}
    for subset in mean:
        larger = tuple(sorted({*subset, channel}))
        if channel not in subset and larger in mean:
            found[subset] = mean[larger] - mean[subset]
    return found


def _gain_line(gain: Mapping[str, float]) -> str:
    found = t_interval(list(gain.values()))
    spread = (
        "one replicate, which says nothing of its own spread"
        if found.n < 2
        else f"95{PERCENT} interval {signed(found.low)} to {signed(found.high)}, "
        f"{found.n} replicates"
    )
    return f"All but channel {LEFT_OUT}: {signed(found.mean)} points against all six ({spread})."


def _count_line(over_all: Mapping[Subset, float], without: list[Subset]) -> str:
    above = sum(over_all[subset] > 0 for subset in without)
    return (
        f"Of the {len(without)} subsets of {AT_LEAST} or more channels without channel {LEFT_OUT}, "
        f"{above} lie above all six."
    )


def _added_line(changes: Mapping[Subset, float]) -> str:
    rises = sum(change > 0 for change in changes.values())
    return (
        f"Channel {LEFT_OUT} added to a subset of the others: accuracy is higher with it in "
        f"{rises} of {len(changes)} pairs, by {signed(float(np.mean(list(changes.values()))))} "
        "points on average over all of them."
    )
