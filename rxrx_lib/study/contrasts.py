"""Differences that Tables 2, 4, 5 and 6 show, and the same differences measured here.

Only directions are compared, since screens, networks and numbers of classes differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from rxrx_lib.data.normalization import NORMALIZATIONS
from rxrx_lib.evaluation.intervals import Interval, paired_differences, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import paper
from rxrx_lib.study.ablations import COMPARED, DEFAULT, SELF, Accuracies
from rxrx_lib.study.claims import contrast_claim

Place = tuple[str, str]
"""Row and column."""
VARIANT_PAIRS = (
    ("no_cutmix", DEFAULT),
    ("mixup", DEFAULT),
    ("densenet121", DEFAULT),
    ("resnet101", "resnet50"),
)
"""Rows of Table 2 that differ in one thing, of which a small sibling has the like."""


class Contrast(NamedTuple):
    """One difference of two accuracies."""

    label: str
    """What is compared with what."""
    paper: float
    """The paper's difference in percentage points."""
    found: Interval
    """The paired difference measured here, over replicates."""


def difference(
    upper: Mapping[str, float] | None, lower: Mapping[str, float] | None
) -> Interval | None:
    """Return upper minus lower, paired over the replicates that both have; None without any."""
    if not upper or not lower:
        return None
    shared = [name for name in upper if name in lower]
    if not shared:
        return None
    one, other = ({name: each[name] for name in shared} for each in (upper, lower))
    return t_interval(list(paired_differences(one, other).values()))


def gap_contrasts(
    item: str | tuple[str, str], found: Accuracies, labels: Mapping[str, str]
) -> list[Contrast]:
    """Return AdaBN minus baseline, row by row.

    Parameters
    ----------
    item
        The paper's table with a column for each; or its two tables, the baseline's and AdaBN's.
    found
        Accuracies by row and method.
    labels
        What the rows are called.
    """
    return _measured(
        (
            f"AdaBN against baseline, “{label}”",
            _printed(item, row, "adabn") - _printed(item, row, "baseline"),
            found.get((row, "adabn")),
            found.get((row, "baseline")),
        )
        for row, label in labels.items()
    )


def variant_contrasts(found: Accuracies, labels: Mapping[str, str]) -> list[Contrast]:
    """Return what an augmentation or the depth of a backbone changes, method by method."""
    return _row_contrasts("table2", VARIANT_PAIRS, found, labels)


def normalization_contrasts(found: Accuracies, labels: Mapping[str, str]) -> list[Contrast]:
    """Return each normalisation against self-standardisation, method by method."""
    pairs = [(row, SELF) for row in NORMALIZATIONS if row != SELF]
    return _row_contrasts(("table5", "table6"), pairs, found, labels)


def cell_type_contrasts(found: Accuracies) -> list[Contrast]:
    """Return each method against the baseline in every cell type of Table 4."""
    return _measured(
        (
            f"{name}, {METHODS[method].label} against baseline",
            paper.lookup("table4", method, cell_type).value
            - paper.lookup("table4", "baseline", cell_type).value,
            found.get((method, cell_type)),
            found.get(("baseline", cell_type)),
        )
        for cell_type, name in paper.CELL_TYPES.items()
        for method in paper.METHODS
        if method != "baseline"
    )


def joint_contrasts(
    alone: Accuracies, together: Accuracies, cell_types: Iterable[str]
) -> list[Contrast]:
    """Return training on all cell types against one alone: Table 3 against Table 4.

    Parameters
    ----------
    alone, together
        Accuracies by method and cell type.
    cell_types
        Those whose own experiments are the same in both, here and in the paper.
    """
    return _measured(
        (
            f"{METHODS[method].label}, all cell types against {paper.CELL_TYPES[cell_type]} alone",
            paper.lookup("table3", method, cell_type).value
            - paper.lookup("table4", method, cell_type).value,
            together.get((method, cell_type)),
            alone.get((method, cell_type)),
        )
        for cell_type in cell_types
        for method in paper.METHODS
    )


def contrast_sentences(contrasts: Sequence[Contrast]) -> list[str]:
    """Say of each contrast where it points, and first how many point the paper's way."""
    if not contrasts:
        return []
    same = sum(contrast.paper * contrast.found.mean > 0 for contrast in contrasts)
    level = sum(contrast.found.mean == 0 for contrast in contrasts)
    ties = f", and {level} neither way" if level else ""
    single = any(contrast.found.n < 2 for contrast in contrasts)
    doubt = ", which one replicate cannot tell from luck" if single else ""
    return [
        f"By the bare sign of the mean{doubt}, {same} of {len(contrasts)} contrasts point the "
        f"paper's way{ties}.",
        *(contrast_claim(*contrast) for contrast in contrasts),
    ]


def contrast_data(contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """Return the contrasts measured here as numbers, in percentage points."""
    return pd.DataFrame(
        [(contrast.label, *contrast.found) for contrast in contrasts],
        columns=["contrast", "points", "low", "high", "replicates"],
    )


def _row_contrasts(
    item: str | tuple[str, str],
    pairs: Iterable[tuple[str, str]],
    found: Accuracies,
    labels: Mapping[str, str],
) -> list[Contrast]:
    return _measured(
        (
            f"{METHODS[method].label}, “{labels[row]}” against “{labels[reference]}”",
            _printed(item, row, method) - _printed(item, reference, method),
            found.get((row, method)),
            found.get((reference, method)),
        )
        for row, reference in pairs
        for method in COMPARED
    )


def _printed(item: str | tuple[str, str], row: str, method: str) -> float:
    if isinstance(item, str):
        return paper.lookup(item, row, method).value
    return paper.lookup(item[COMPARED.index(method)], row, "accuracy").value


def _measured(
    asked: Iterable[tuple[str, float, Mapping[str, float] | None, Mapping[str, float] | None]],
) -> list[Contrast]:
    """Return the contrasts of which both sides are there."""
    contrasts = []
    for label, printed, upper, lower in asked:
        found = difference(upper, lower)
        if found is not None:
            contrasts.append(Contrast(label, printed, found))
    return contrasts
