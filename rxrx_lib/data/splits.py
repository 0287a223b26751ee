"""Which sites train and which test: the batch-separated and the batch-stratified split."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, eye_array, hstack, vstack

from rxrx_lib.data import atomic
from rxrx_lib.data.randomness import generator

Rows = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

UNITS = ("site", "well")


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Two sides of a screen.

    Attributes
    ----------
    name : str
        How it was made: `separated` or `stratified`.
    unit : str
        What stays together on one side: `experiment`, `well` or `site`.
    train, test : int64 (n,)
        Row positions in the metadata table, ascending, none on both sides.
    """

    name: str
    unit: str
    train: Rows
    test: Rows

    def __post_init__(self) -> None:
        for side in ("train", "test"):
            rows = getattr(self, side)
            if rows.dtype != np.int64 or rows.ndim != 1 or (np.diff(rows) <= 0).any():
                raise ValueError(
                    f"{side} holds {rows!r}; expected row positions as int64, ascending, each once."
                )
        both = np.intersect1d(self.train, self.test)
        if both.size:
            raise ValueError(
                f"train and test share the rows {both[:5].tolist()}; expected no row on both sides."
            )


def separated(table: pd.DataFrame) -> Split:
    """Split as the release does: whole experiments, by the `dataset` column."""
    return _split("separated", "experiment", (table["dataset"] == "train").to_numpy(bool))


def stratified(table: pd.DataFrame, seed: int = 0, unit: str = "site") -> Split:
    """Split every class and every experiment in the separated split's proportion.

    A treatment has one well of two sites in an experiment, so the unit decides what the split
    asks for: by site, every (class, experiment) pair of the test side has been trained on; by
    well, no such pair of a treatment has. Controls, with several wells an experiment, are split
    by well under both.

    With T of a cell type's E experiments on the separated split's training side, the share is
    T/E. A (class, experiment) pair of n units gives ⌊nT/E⌋ or ⌈nT/E⌉ of them to training, but

    - under `unit="site"` at least one, so below a share of one half treatments get one site of
      two, more than their share;
    - of a control's two or more wells at least one to each side, where 0 < T < E.

    Where these two leave room for it, the training units of every (class, cell type) and of
    every experiment, treatments and controls each for themselves, are their share of the units
    rounded up or down.

    Parameters
    ----------
    table : DataFrame (N rows)
        Metadata, every row with a class.
    seed : int
        Draws one of the splits that satisfy this.
    unit : {"site", "well"}
        Whether the two sites of a treatment's well may part.

    Returns
    -------
    Split
        All N rows. The same sites are on each side whatever the order of the table's rows.

    Raises
    ------
    ValueError
        If `unit` is neither of the two or a row has no class.
    """
    if unit not in UNITS:
        raise ValueError(f"unit is {unit!r}; expected one of {', '.join(UNITS)}.")
    unlabelled = int((table["sirna_id"] < 0).sum())
    if unlabelled:
        raise ValueError(
            f"sirna_id is -1 in {unlabelled} of {len(table)} rows; the stratified split needs the "
            "class of every site, so leave those rows out or use the rxrx.ai release."
        )
    train = np.zeros(len(table), dtype=bool)
    # In the order of the sites' names, so that the draws do not depend on the table's order.
    ordered = table.assign(
        row=np.arange(len(table)), control=table["well_type"] != "treatment"
    ).sort_values("site_id")
    for cell_type, of_cell_type in ordered.groupby("cell_type"):
        share = _training_share(of_cell_type)
        for control, part in of_cell_type.groupby("control"):
            together = "site_id" if unit == "site" and not control else "well_id"
            units = part.drop_duplicates(together).reset_index(drop=True)
            draw = generator("stratified split", seed, unit, str(cell_type), int(bool(control)))
            chosen = _choose(units, share, unit == "site", bool(control), draw)
            train[part["row"]] = part[together].isin(units.loc[chosen, together])
    return _split("stratified", unit, train)


def write_csv(split: Split, table: pd.DataFrame, path: Path | str) -> None:
    """Write the split as CSV (`site_id,side`, side `train` or `test`), in the table's row order.

    Sites on neither side are left out.
    """
    side = pd.Series("", index=range(len(table)))
    side.iloc[split.train] = "train"
    side.iloc[split.test] = "test"
    sides = pd.DataFrame({"site_id": table["site_id"].to_numpy(), "side": side})
    text = sides[sides["side"] != ""].to_csv(index=False, lineterminator="\n")
    atomic.write_text(Path(path), text)


def _split(name: str, unit: str, train: Flags) -> Split:
    return Split(name=name, unit=unit, train=np.flatnonzero(train), test=np.flatnonzero(~train))


def _training_share(of_cell_type: pd.DataFrame) -> Fraction:
    """Training experiments over all experiments of one cell type, in the separated split."""
    experiments = of_cell_type.drop_duplicates("experiment")
    return Fraction(int((experiments["dataset"] == "train").sum()), len(experiments))


def _choose(
    units: pd.DataFrame, share: Fraction, by_site: bool, control: bool, draw: np.random.Generator
) -> Flags:
    """Return which units (one row each) train, for the treatments or controls of a cell type."""
    pair = units.groupby(["sirna_id", "experiment"]).ngroup().to_numpy()
    sizes = np.bincount(pair)
    first = np.unique(pair, return_index=True)[1]
    _, classes = np.unique(units["sirna_id"].to_numpy()[first], return_inverse=True)
    _, experiments = np.unique(units["experiment"].to_numpy(str)[first], return_inverse=True)
    low, high = _limits(sizes, share, by_site, control and 0 < share < 1)
    quota = _balanced(sizes, low, high, share, [classes, experiments], draw.random(len(sizes)))
    order = np.lexsort((draw.random(len(units)), pair))
    place = np.empty(len(units), dtype=np.int64)
    place[order] = np.arange(len(units)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place < quota[pair]


def _limits(
    sizes: Counts, share: Fraction, keep_training: bool, keep_both: bool
) -> tuple[Counts, Counts]:
    """Return the fewest and the most training units that each (class, experiment) may give."""
    low, high = _rounded_share(sizes, share)
    if keep_both:
        several = sizes >= 2
        low[several] = np.clip(low[several], 1, sizes[several] - 1)
        high[several] = np.clip(high[several], 1, sizes[several] - 1)
    if keep_training:
        low = np.maximum(low, 1)
    return low, np.maximum(low, high)


def _rounded_share(sizes: Counts, share: Fraction) -> tuple[Counts, Counts]:
    """Return `sizes` × `share`, rounded down and rounded up, without floating point."""
    return (
        sizes * share.numerator // share.denominator,
        -(-sizes * share.numerator // share.denominator),
    )


def _balanced(
    sizes: Counts,
    low: Counts,
    high: Counts,
    share: Fraction,
    margins: list[Counts],
    cost: npt.NDArray[np.float64],
) -> Counts:
    """Round `sizes` × `share` between `low` and `high` so that each margin is rounded too.

    A transport problem: its constraint matrix is totally unimodular, so the cheapest solution is
    whole-numbered, and with random costs it is one random solution, the same for every solver.
    A margin misses its rounded share only where the limits leave no other way (a large price).
    """
    pairs = np.arange(len(sizes))
    sums = vstack([csr_array((np.ones(len(sizes)), (group, pairs))) for group in margins])
    totals = np.concatenate([np.bincount(group, sizes).astype(np.int64) for group in margins])
    fewest, most = _rounded_share(totals, share)
    missing = eye_array(len(totals))
    solution = milp(
        np.concatenate([cost, np.full(2 * len(totals), float(len(sizes)))]),
        constraints=LinearConstraint(hstack([sums, missing, -missing]).tocsr(), fewest, most),
        bounds=Bounds(
            np.concatenate([low, np.zeros(2 * len(totals))]),
            np.concatenate([high, np.full(2 * len(totals), np.inf)]),
        ),
    )
    assert solution.success, solution.message
    quota: Counts = np.rint(solution.x[: len(sizes)]).astype(np.int64)
    assert np.abs(solution.x[: len(sizes)] - quota).max() < 1e-6, "the solution is no vertex"
    return quota
