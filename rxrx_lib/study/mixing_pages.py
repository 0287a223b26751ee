"""Figure 6 in words: the paper's panel, the table of purity, and what was found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.experiment_purity import NEIGHBOURS
from rxrx_lib.evaluation.intervals import paired_differences, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import paper
from rxrx_lib.study.claims import PERCENT, difference_claim
from rxrx_lib.study.mixing import (
    CELL_TYPE,
    CHANCE,
    ENDINGS,
    PURITY,
    purity_cells,
    with_purity,
)
from rxrx_lib.study.panels import NOT_RUN, cell_words
from rxrx_lib.study.tables import Cell, differences, replicate_values

PAPER_SAYS = {
    "baseline": "nothing of its own",
    "gradient_reversal": "its invariance “does not generalize well to unseen” experiments",
    "adabn": "“far more effective in aligning unseen” experiments",
    "adabn_gradient_reversal": "similar to AdaBN",
}
"""The caption of the paper's figure, and its section 5.2."""


def purity_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the purity as words: a row a method and one for chance, a column a cell type."""
    by_place = {(cell.row, cell.column): cell for cell in purity_cells(results)}
    measured = {column for _, column in by_place}
    endings = {name: end for name, end in ENDINGS.items() if f"purity{end}" in measured}
    nothing = {} if endings else {"purity": "not measured"}
    rows = []
    for method, record in METHODS.items():
        found = {name: by_place.get((method, f"purity{end}")) for name, end in endings.items()}
        words = {name: "" if cell is None else cell_words(cell) for name, cell in found.items()}
        rows.append({"method": record.label, **words, **nothing})
    luck = {
        name: f"{by_place['baseline', f'chance{end}'].value:.1f}"
        for name, end in endings.items()
        if ("baseline", f"chance{end}") in by_place
    }
    return pd.DataFrame([*rows, {"method": "by luck", **luck, **nothing}]).fillna("")


def mixing_claims(results: pd.DataFrame, cell_type: str = CELL_TYPE) -> list[str]:
    """Say how each method's purity lies to chance, and then to the baseline."""
    table = with_purity(results)
    split, metric = PURITY[f"purity{ENDINGS[cell_type]}"]
    lines = []
    for method, record in METHODS.items():
        found = replicate_values(table, method, split, metric)
        if found:
            chance = replicate_values(table, method, *CHANCE[f"chance{ENDINGS[cell_type]}"])
            lines.append(_chance_claim(record.label, found, chance))
    if not lines:
        return [_why_not(results, cell_type)]
    what = "neighbours of the own experiment"
    lines += [
        difference_claim(METHODS[method].label, what, t_interval(list(paired.values())))
        for method, paired in differences(table, split, metric).items()
    ]
    return lines


def paper_panel(rxrx1: Mapping[tuple[str, str], Cell]) -> pd.DataFrame:
    """Return what the paper says of its figure beside the purity that this code measured on RxRx1.

    Parameters
    ----------
    rxrx1
        Cells measured on the release, by row and column.
    """
    rows = []
    for method, label in paper.METHODS.items():
        cell = rxrx1.get((method, "purity"))
        rows.append(
            {
                "method": label,
                "the paper says": PAPER_SAYS[method],
                "RxRx1, this code: purity": NOT_RUN if cell is None else cell_words(cell),
            }
        )
    return pd.DataFrame(rows)


def _chance_claim(label: str, found: Mapping[str, float], chance: Mapping[str, float]) -> str:
    level = f"{np.mean(list(found.values())):.1f}{PERCENT} of a site's {NEIGHBOURS} neighbours"
    luck = f"{np.mean(list(chance.values())):.1f}{PERCENT}"
    above = t_interval(list(paired_differences(found, chance).values()))
    if above.n < 2:
        verdict = "one replicate says nothing of its own spread"
    elif above.low > 0:
        verdict = f"it lies above luck ({above.n} replicates)"
    elif above.high < 0:
        verdict = f"it lies below luck ({above.n} replicates)"
    else:
        verdict = f"{above.n} replicates cannot tell it from luck"
    return f"{label}: {level} are of its own experiment, by luck {luck}; {verdict}."


def _why_not(results: pd.DataFrame, cell_type: str) -> str:
    if "test_experiments" not in results:
        return "No run of these is done."
    if "by_experiment" in results:
        tested = [name for name in results["by_experiment"].iloc[0] if f"{cell_type}-" in name]
        if len(tested) < 2:
            return (
                f"{cell_type} has {'one' if tested else 'no'} test experiment on these screens, so "
                "there is nothing that could mix: a larger profile has several."
            )
    return (
        "These runs were scored before this number was one of their metrics; execute them anew in "
        "an empty run store to have it."
    )
