"""Which sites train and which test: the splits of the paper, of RxRx1-WILDS, and small ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data.quota import choose
from rxrx_lib.data.randomness import generator
from rxrx_lib.data.split_sides import Rows, Split

__all__ = [
    "UNITS",
    "WILDS_SCHEMES",
    "Split",
    "few_experiments",
    "held_out_training",
    "separated",
    "stratified",
    "wilds",
]

Flags = npt.NDArray[np.bool_]

UNITS = ("site", "well")
WILDS_SCHEMES = ("official", "mixed-to-test")


def separated(table: pd.DataFrame) -> Split:
    """Split as the release does: whole experiments, by the `dataset` column.

    What RxRx1-WILDS calls val is part of the paper's test side.
    """
    return _split("separated", "experiment", (table["dataset"] == "train").to_numpy(bool))


def few_experiments(table: pd.DataFrame, cell_type: str, n: int = 3, seed: int = 0) -> Split:
    """Train on some experiments of one cell type; test on its test experiments.

    Parameters
    ----------
    table : DataFrame (N rows)
        Metadata.
    cell_type : str
        One of the table's.
    n : int
        How many of its training experiments to train on.
    seed : int
        Draws them. More experiments of the same seed are these and others.

    Returns
    -------
    Split
        Rows of one cell type, whole experiments. The same ones whatever the order of the rows.

    Raises
    ------
    ValueError
        If the table has not the cell type, or not so many training experiments of it.
    """
    cell_types = sorted(table["cell_type"].unique())
    if cell_type not in cell_types:
        expected = ", ".join(cell_types)
        raise ValueError(f"cell_type is {cell_type!r}; expected one of the table's: {expected}.")
    of_cell_type = table["cell_type"] == cell_type
    training = sorted(table["experiment"][of_cell_type & (table["dataset"] == "train")].unique())
    if not 1 <= n <= len(training):
        raise ValueError(
            f"n is {n}; expected 1 to {len(training)}, the training experiments of {cell_type}."
        )
    chosen = generator("few experiments", seed, cell_type).permutation(np.array(training))[:n]
    return Split(
        name="few_experiments",
        unit="experiment",
        train=_rows(table["experiment"].isin(chosen)),
        test=_rows(of_cell_type & (table["dataset"] != "train")),
    )


def held_out_training(table: pd.DataFrame, seed: int = 0) -> Split:
    """Hold experiments out of the separated split's training side, to choose settings by.

    Of each cell type with two or more training experiments one is drawn for the test side, as
    RxRx1-WILDS takes one of each for its val; all others train. Test experiments are on neither
    side.

    Parameters
    ----------
    table : DataFrame (N rows)
        Metadata.
    seed : int
        Draws the held-out experiments.

    Returns
    -------
    Split
        Whole experiments. The same ones whatever the order of the rows, and one cell type's do not
        depend on the others.

    Raises
    ------
    ValueError
        If no cell type has two training experiments.
    """
    training = table["dataset"] == "train"
    held_out = []
    for cell_type, experiments in table[training].groupby("cell_type")["experiment"]:
        names = sorted(experiments.unique())
        if len(names) > 1:
            draw = generator("held-out training", seed, str(cell_type))
            held_out.append(names[draw.integers(len(names))])
    if not held_out:
        raise ValueError(
            "dataset marks no cell type's second training experiment; expected two of at least one "
            "cell type, one to train on and one to hold out."
        )
    test = table["experiment"].isin(held_out)
    return Split(
        name="held_out_training",
        unit="experiment",
        train=_rows(training & ~test),
        test=_rows(test),
    )


def wilds(table: pd.DataFrame, scheme: str = "official") -> Split:
    """Split as RxRx1-WILDS does.

    `official` trains on site 1 of the training experiments; `id_test` is site 2 of the same, `val`
    and `test` are both sites of held-out experiments. `mixed-to-test` shows what training on the
    test experiments would be worth: it trains on their site 1, in place of as many training
    experiments of each cell type (those with the lowest numbers), and tests on their site 2; `val`
    stays.

    Parameters
    ----------
    table : DataFrame (N rows)
        Metadata. Where no experiment is marked `val`, as in the release, it is the first test
        experiment of each cell type: the four that RxRx1-WILDS took.
    scheme : {"official", "mixed-to-test"}
        WILDS's own names.

    Returns
    -------
    Split
        `mixed-to-test` leaves out site 2 of the training experiments and has no `id_test`.

    Raises
    ------
    ValueError
        If `scheme` is neither of the two, no test experiment is left, or `mixed-to-test` finds
        fewer training than test experiments of a cell type.
    """
    if scheme not in WILDS_SCHEMES:
        raise ValueError(f"scheme is {scheme!r}; expected one of {', '.join(WILDS_SCHEMES)}.")
    side = _wilds_sides(table)
    if not (side == "test").any():
        raise ValueError(
            "dataset marks no test experiment that is not val; expected two held-out experiments "
            "of a cell type, one for each."
        )
    first = table["site"] == 1
    training, val, test = (side == name for name in ("train", "val", "test"))
    if scheme == "official":
        return Split(
            name="wilds_official",
            unit="site",
            train=_rows(training & first),
            val=_rows(val),
            id_test=_rows(training & ~first),
            test=_rows(test),
        )
    kept = training & ~table["experiment"].isin(_replaced(table[training], table[test]))
    return Split(
        name="wilds_mixed_to_test",
        unit="site",
        train=_rows((kept | test) & first),
        val=_rows(val),
        test=_rows(test & ~first),
    )


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
            chosen = choose(units, share, unit == "site", bool(control), draw)
            train[part["row"]] = part[together].isin(units.loc[chosen, together])
    return _split("stratified", unit, train)


def _split(name: str, unit: str, train: Flags) -> Split:
    return Split(name=name, unit=unit, train=_rows(train), test=_rows(~train))


def _rows(chosen: Flags | pd.Series[bool]) -> Rows:
    return np.flatnonzero(np.asarray(chosen, dtype=bool))


def _wilds_sides(table: pd.DataFrame) -> pd.Series[str]:
    """Return each row's `dataset`, with val experiments if it has none."""
    side = table["dataset"]
    if (side == "val").any():
        return side
    test = table[side == "test"].drop_duplicates("experiment").sort_values("experiment")
    first = test.drop_duplicates("cell_type")["experiment"]
    return side.mask(table["experiment"].isin(first), "val")


def _replaced(training: pd.DataFrame, test: pd.DataFrame) -> list[str]:
    """Return the training experiments that make room for the test experiments."""
    replaced = []
    for cell_type, rows in test.groupby("cell_type"):
        needed = rows["experiment"].nunique()
        of_cell_type = training["experiment"][training["cell_type"] == cell_type]
        experiments = sorted(of_cell_type.unique())
        if len(experiments) < needed:
            raise ValueError(
                f"{cell_type} has {len(experiments)} training experiments; expected at least "
                f"{needed}, since mixed-to-test trains on its test experiments in their place."
            )
        replaced += experiments[:needed]
    return replaced


def _training_share(of_cell_type: pd.DataFrame) -> Fraction:
    """Training experiments over all experiments of one cell type, in the separated split."""
    experiments = of_cell_type.drop_duplicates("experiment")
    return Fraction(int((experiments["dataset"] == "train").sum()), len(experiments))
