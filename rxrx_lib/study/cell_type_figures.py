"""The panels of Table 3's figure: accuracy by cell type, every replicate a dot."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.cell_types import COLUMNS
from rxrx_lib.study.figures import Panel
from rxrx_lib.study.tables import replicate_values, unfolded


def figure_panels(results: pd.DataFrame) -> list[Panel]:
    """Return a panel a cell type: every replicate of every method, and 1/K."""
    table = unfolded(results, "by_cell_type")
    chance = replicate_values(table, "baseline", "separated", "chance_accuracy")
    lines = {"1/K": float(np.mean(list(chance.values())))} if chance else {}
    panels = []
    for name, (split, metric) in COLUMNS.items():
        values = {m: list(replicate_values(table, m, split, metric).values()) for m in METHODS}
        values = {method: found for method, found in values.items() if found}
        if values:
            panels.append(Panel(name, values, lines))
    return panels
