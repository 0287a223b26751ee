"""What the paper finds about cell types: tables 3 and 4."""

from __future__ import annotations

from typing import Any

import numpy as np

from rxrx_lib.study.effects import Effect, difference
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.paper import CELL_TYPES, METHODS

CELLS = "Cell types"
OF_CELLS = "how hard a cell type is belongs to RxRx1's cells, and the simulator's are calibrated"


def _gains(item: str) -> tuple[Effect, ...]:
    """Return AdaBN's gain over the baseline in each cell type."""
    return tuple(
        difference((item, "adabn", name), (item, "baseline", name), label)
        for name, label in CELL_TYPES.items()
    )


def _hardest_minus_easiest(item: str) -> Effect:
    """Return AdaBN's gain in the hardest cell type minus that in the easiest.

    Hard is where the mean of both methods is low. By the baseline alone, its luck would stand on
    both sides: a cell type that it happens to do badly in is called hard, and gains.
    """
    places = [(item, name, kind) for name in ("baseline", "adabn") for kind in CELL_TYPES]
    return Effect(label="", places=tuple(places), of=_gain_by_hardness)


def _gain_by_hardness(*accuracies: float) -> float:
    baseline, adabn = np.split(np.array(accuracies), 2)
    gain, ease = adabn - baseline, adabn + baseline
    return float(gain[ease.argmin()] - gain[ease.argmax()])


def _cell_type_apart(item: str, kind: str, others: Any) -> tuple[Effect, ...]:
    """Return a cell type minus the lowest (``np.minimum``) or highest of the others, by method."""
    kinds = [kind, *(name for name in CELL_TYPES if name != kind)]
    return tuple(
        Effect(
            label=label,
            places=tuple((item, method, name) for name in kinds),
            of=lambda first, *rest: first - others.reduce(rest),
        )
        for method, label in METHODS.items()
    )


OF_CELL_TYPES: tuple[Finding, ...] = (
    Finding(
        id="huvec_easiest",
        topic=CELLS,
        where="section 5.5, table 3",
        statement="HUVEC is the easiest cell type, under every method.",
        metric="accuracy of HUVEC minus the best other cell type, for each method",
        kind="increase",
        effects=_cell_type_apart("table3", "HUVEC", np.maximum),
        untestable=OF_CELLS,
    ),
    Finding(
        id="u2os_hardest",
        topic=CELLS,
        where="section 5.5, table 3",
        statement="U2OS is the hardest cell type, under every method.",
        metric="accuracy of U2OS minus the worst other cell type, for each method",
        kind="decrease",
        effects=_cell_type_apart("table3", "U2OS", np.minimum),
        untestable=OF_CELLS,
    ),
    Finding(
        id="adabn_helps_every_cell_type",
        topic=CELLS,
        where="section 5.5, table 3",
        statement="AdaBN helps every cell type.",
        metric="accuracy by cell type, AdaBN minus baseline",
        kind="increase",
        effects=_gains("table3"),
    ),
    Finding(
        id="adabn_helps_harder_more",
        topic=CELLS,
        where="caption of table 3",
        statement="AdaBN helps harder cell types more.",
        metric="AdaBN's gain in the hardest cell type minus in the easiest (by both methods' mean)",
        kind="increase",
        effects=(_hardest_minus_easiest("table3"),),
    ),
    Finding(
        id="few_u2os_hardest",
        topic=CELLS,
        where="section 5.5, table 4",
        statement="With three training experiments each, U2OS is still the hardest.",
        metric="accuracy of U2OS minus the worst other cell type, for each method",
        kind="decrease",
        effects=_cell_type_apart("table4", "U2OS", np.minimum),
        replicates=3,
        untestable=OF_CELLS,
    ),
    Finding(
        id="few_adabn_helps_every_cell_type",
        topic=CELLS,
        where="section 5.5, table 4",
        statement="With three training experiments of one cell type, AdaBN helps each of them.",
        metric="accuracy by cell type, AdaBN minus baseline",
        kind="increase",
        effects=_gains("table4"),
        replicates=3,
    ),
    Finding(
        id="few_adabn_helps_hardest_most",
        topic=CELLS,
        where="section 5.5, table 4",
        statement="With three experiments, too, AdaBN helps the hardest cell type most.",
        metric="AdaBN's gain in the hardest cell type minus in the easiest (by both methods' mean)",
        kind="increase",
        effects=(_hardest_minus_easiest("table4"),),
        replicates=3,
    ),
    Finding(
        id="joint_training_helps",
        topic=CELLS,
        where="section 5.5, tables 3 and 4",
        statement="Training on all cell types together beats training on one alone.",
        metric="accuracy of U2OS, table 3 minus table 4, for each method",
        kind="increase",
        effects=tuple(
            difference(("table3", method, "U2OS"), ("table4", method, "U2OS"), label)
            for method, label in METHODS.items()
        ),
        replicates=3,
    ),
)
