"""Table 4: every method on three training experiments of one cell type, and what others add."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import pandas as pd

from rxrx_lib.data.simulator.spec import DEFAULT_EXPERIMENTS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.ablations import QUANTITIES, Accuracies, cells_of
from rxrx_lib.study.claims import signed
from rxrx_lib.study.paper import CELL_TYPES
from rxrx_lib.study.profiles import SEPARATED, Profile
from rxrx_lib.study.spec import RunSpec, SplitSpec
from rxrx_lib.study.tables import Cell, replicate_values
from rxrx_lib.training.recipe import Recipe

EXPERIMENTS = 3
"""How many training experiments the paper draws of each cell type."""


def table4(profile: Profile) -> list[RunSpec]:
    """Return every method on a few training experiments of each cell type, one draw for all."""
    return [
        dataclasses.replace(
            profile.run(method, few_split(cell_type, n), replicate), recipe=few_recipe(profile)
        )
        for replicate in profile.with_curve_replicates().replicates
        for cell_type, n in drawn_experiments(profile).items()
        for method in METHODS
    ]


def joint_training(profile: Profile) -> list[RunSpec]:
    """Return the runs on all cell types that Table 4's are held against; Table 1 has them too."""
    return [
        profile.run(method, SEPARATED, replicate)
        for replicate in profile.with_curve_replicates().replicates
        for method in METHODS
    ]


def few_split(cell_type: str, n: int) -> SplitSpec:
    """Return the split that trains on ``n`` experiments of one cell type."""
    return SplitSpec(name="few_experiments", cell_type=cell_type, n=n)


def training_experiments(profile: Profile) -> dict[str, int]:
    """Return how many training experiments the profile's screen has of each cell type."""
    of_screen = DEFAULT_EXPERIMENTS if profile.screen is None else profile.screen.experiments
    return {cell_type: training for cell_type, training, test in of_screen if training and test}


def drawn_experiments(profile: Profile) -> dict[str, int]:
    """Return how many of them Table 4 trains on: three, or all where there are fewer."""
    return {name: min(EXPERIMENTS, n) for name, n in training_experiments(profile).items()}


def few_recipe(profile: Profile) -> Recipe:
    """Return the recipe with as many epochs as few experiments need, warm-up in proportion."""
    recipe, epochs = profile.recipe, profile.few_experiments_epochs
    if epochs is None:
        return recipe
    warmup = round(recipe.warmup_epochs * epochs / recipe.epochs)
    return dataclasses.replace(recipe, epochs=epochs, warmup_epochs=warmup)


def alone(results: pd.DataFrame, metric: str = "accuracy") -> Accuracies:
    """Return a metric by method and cell type, each trained on its own few experiments.

    Parameters
    ----------
    results
        Of the catalogue's ``table4``; other runs among them are passed over.
    metric
        A column of the results, in percent.
    """
    if results.empty:
        return {}
    few = results[results["trained_cell_type"] != ""]
    found = {}
    for method in METHODS:
        for (cell_type, split), runs in few.groupby(["trained_cell_type", "split"], sort=False):
            values = replicate_values(runs, method, str(split), metric)
            if values:
                found[method, str(cell_type)] = values
    return found


def together(results: pd.DataFrame) -> Accuracies:
    """Return the accuracy by method and cell type, trained on all cell types' experiments.

    Parameters
    ----------
    results
        Of :func:`joint_training`.
    """
    found: dict[tuple[str, str], dict[str, float]] = {}
    for run in results.to_dict("records"):
        for cell_type, accuracy in run["by_cell_type"].items():
            found.setdefault((run["method"], cell_type), {})[run["replicate"]] = float(accuracy)
    return found


def table4_cells(results: pd.DataFrame) -> list[Cell]:
    """Return Table 4's numbers, and those that the ledger keeps beside them."""
    return [
        cell
        for ending, metric in QUANTITIES.items()
        for cell in cells_of(alone(results, metric), ending)
    ]


def learning_curves(results: pd.DataFrame) -> pd.DataFrame:
    """Return the test accuracies that were measured while Table 4's runs trained.

    Returns
    -------
    DataFrame
        ``cell_type``, ``method``, ``replicate``, ``steps`` of the optimiser so far, ``accuracy`` in
        percent.
    """
    found = []
    for run in results.to_dict("records"):
        history = run["history"]  # empty where the store holds none
        measured = zip(history.get("epoch", []), history.get("test_accuracy", []), strict=True)
        for epoch, accuracy in measured:
            if math.isfinite(accuracy):
                steps = int((epoch + 1) * run["epoch_steps"])
                place = (run["trained_cell_type"], run["method"], run["replicate"])
                found.append((*place, steps, accuracy))
    columns = ["cell_type", "method", "replicate", "steps", "accuracy"]
    return pd.DataFrame(found, columns=columns)


def last_third_claim(curves: pd.DataFrame) -> list[str]:
    """Say how much the test accuracy still changes at the end of the trainings.

    Parameters
    ----------
    curves
        As :func:`learning_curves` gives them.
    """
    changes = []
    for _, curve in curves.groupby(["cell_type", "method", "replicate"], sort=False):
        before = curve[curve["steps"] <= curve["steps"].max() * 2 / 3]
        if len(before):
            changes.append(float(curve["accuracy"].iloc[-1] - before["accuracy"].iloc[-1]))
    if not changes:
        return []
    return [
        "In the last third of its steps a run's test accuracy changes by "
        f"{signed(min(changes))} to {signed(max(changes))} points, "
        f"{signed(sum(changes) / len(changes))} in the mean of {len(changes)} runs."
    ]


def step_claims(alone: pd.DataFrame, joint: pd.DataFrame, has: Mapping[str, int]) -> list[str]:
    """Say how many optimiser steps each cell type's runs take, with and without groups.

    Parameters
    ----------
    alone
        Results of :func:`table4`.
    joint
        Results of :func:`joint_training`.
    has
        How many training experiments the screen has of each cell type.
    """
    lines = []
    for cell_type, runs in alone.groupby("trained_cell_type", sort=False):
        n, all_of_them = int(runs["trained_experiments"].iloc[0]), has[str(cell_type)]
        which = f"all {n}" if n == all_of_them > 1 else f"{n} of {all_of_them}"
        fewer = f", fewer than the paper's {EXPERIMENTS}" if n < EXPERIMENTS else ""
        lines.append(
            f"{CELL_TYPES[str(cell_type)]}, {which} training experiments{fewer}: {_steps(runs)}."
        )
    if len(joint):
        lines.append(f"All cell types together, separated split: {_steps(joint)}.")
    return lines


def _steps(runs: pd.DataFrame) -> str:
    """Count the steps of the baseline and of AdaBN, whose epochs leave out more sites."""
    words = []
    for method in ("baseline", "adabn"):
        of_method = runs[(runs["method"] == method) & runs["epoch_steps"].notna()]
        if len(of_method):
            steps, epochs = int(of_method["epoch_steps"].iloc[0]), of_method["epochs"].iloc[0]
            words.append(
                f"{METHODS[method].label} {steps:,} steps an epoch × {epochs} epochs = "
                f"{steps * epochs:,}"
            )
    return "; ".join(words)
