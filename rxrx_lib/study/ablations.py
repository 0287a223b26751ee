"""Tables 2, 5 and 6: separated accuracy after one change of augmentation, backbone or input."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from rxrx_lib.data.normalization import NORMALIZATIONS
from rxrx_lib.models.architectures import SIBLINGS
from rxrx_lib.study import paper
from rxrx_lib.study.profiles import SEPARATED, Profile
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, mean_cell, replicate_values

COMPARED = ("baseline", "adabn")
"""The methods that the paper changes something of."""


class Variant(NamedTuple):
    """A row of Table 2."""

    mixing: str
    backbone: str
    """As in the paper; a small network has its sibling."""


DEFAULT = "default"
VARIANTS = {
    DEFAULT: Variant("cutmix", "densenet161"),
    "no_cutmix": Variant("none", "densenet161"),
    "mixup": Variant("mixup", "densenet161"),
    "resnet50": Variant("cutmix", "resnet50"),
    "resnet101": Variant("cutmix", "resnet101"),
    "densenet121": Variant("cutmix", "densenet121"),
}
SELF = "self"
"""The normalisation that the paper's other tables use."""
QUANTITIES = {
    "": "accuracy",
    "_macro": "accuracy_macro",
    "_treatments": "accuracy_treatments",
    "_wells": "accuracy_wells",
}
"""What the ledger keeps of a run: ending of the column to metric; the paper prints the first."""

Accuracies = Mapping[tuple[str, str], Mapping[str, float]]
"""Row and column of a table to replicate to percent."""


def table2(profile: Profile) -> list[RunSpec]:
    """Return both methods with every augmentation and every backbone of Table 2."""
    return [
        with_variant(profile.run(method, SEPARATED, replicate), variant)
        for replicate in profile.with_curve_replicates().replicates
        for variant in VARIANTS.values()
        for method in COMPARED
    ]


def with_variant(spec: RunSpec, variant: Variant) -> RunSpec:
    """Return the same run as a row of Table 2 has it, or its small sibling's."""
    papers_size = spec.network.backbone in SIBLINGS
    backbone = variant.backbone if papers_size else SIBLINGS[variant.backbone]
    return dataclasses.replace(
        spec,
        network=dataclasses.replace(spec.network, backbone=backbone),
        recipe=dataclasses.replace(spec.recipe, mixing=variant.mixing),
    )


def variant_of(spec: RunSpec) -> str:
    """Return the row of Table 2 that a run belongs to, a small sibling's as its backbone's.

    Raises
    ------
    ValueError
        If it has an augmentation or a backbone that Table 2 has not.
    """
    large = {small: name for name, small in SIBLINGS.items()}.get(spec.network.backbone)
    variant = Variant(spec.recipe.mixing, large or spec.network.backbone)
    rows = [row for row, each in VARIANTS.items() if each == variant]
    if not rows:
        raise ValueError(f"{spec} is no run of Table 2; expected one of {', '.join(VARIANTS)}.")
    return rows[0]


def normalizations(profile: Profile, method: str) -> list[RunSpec]:
    """Return a method with each of the six normalisations: Table 5 or Table 6."""
    return [
        dataclasses.replace(profile.run(method, SEPARATED, replicate), normalization=name)
        for replicate in profile.with_curve_replicates().replicates
        for name in NORMALIZATIONS
    ]


def by_variant(results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the runs of each row of Table 2, a small sibling's in the row of its backbone."""
    if results.empty:
        return {}
    large = {small: name for name, small in SIBLINGS.items()}
    backbone = results["backbone"].replace(large)
    return {
        row: results[(results["mixing"] == variant.mixing) & (backbone == variant.backbone)]
        for row, variant in VARIANTS.items()
    }


def by_normalization(results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the runs of each row of Tables 5 and 6."""
    if results.empty:
        return {}
    return {name: results[results["normalization"] == name] for name in NORMALIZATIONS}


def accuracies(rows: Mapping[str, pd.DataFrame], metric: str = "accuracy") -> Accuracies:
    """Return a metric of each row and method that has a run, by replicate.

    Parameters
    ----------
    rows
        As :func:`by_variant` or :func:`by_normalization` gives them.
    metric
        A column of the results, in percent.

    Raises
    ------
    ValueError
        If there are two runs of one row, method and replicate.
    """
    found = {
        (row, method): replicate_values(runs, method, "separated", metric)
        for row, runs in rows.items()
        for method in COMPARED
    }
    return {place: values for place, values in found.items() if values}


def table2_cells(results: pd.DataFrame) -> list[Cell]:
    """Return Table 2's numbers, and those that the ledger keeps beside them."""
    return [
        cell
        for ending, metric in QUANTITIES.items()
        for cell in cells_of(accuracies(by_variant(results), metric), ending)
    ]


def normalization_cells(results: pd.DataFrame) -> list[Cell]:
    """Return the numbers of Table 5 or of Table 6: those of the one method that was run."""
    return [
        dataclasses.replace(cell, column=f"accuracy{ending}")
        for ending, metric in QUANTITIES.items()
        for cell in cells_of(accuracies(by_normalization(results), metric))
    ]


def cells_of(found: Accuracies, ending: str = "") -> list[Cell]:
    """Return accuracies as cells of a table; ``ending`` is put behind the columns' names."""
    return [mean_cell(row, column + ending, values) for (row, column), values in found.items()]


def variant_labels(profile: Profile) -> dict[str, str]:
    """Return what the rows of Table 2 are called, small siblings named as such."""
    printed = paper.ROW_LABELS["table2"]
    if profile.network.backbone in SIBLINGS:
        return dict(printed)
    small = {row: SIBLINGS[variant.backbone] for row, variant in VARIANTS.items()}
    return {
        row: f"{small[row]} (sibling of {label.removeprefix('Backbone ')})"
        if label.startswith("Backbone ")
        else label
        for row, label in printed.items()
    }
