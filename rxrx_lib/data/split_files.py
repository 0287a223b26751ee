"""Splits as CSV files, so that others can train and test on the same sites."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from rxrx_lib.data import atomic
from rxrx_lib.data.splits import (
    WILDS_SCHEMES,
    Split,
    few_experiments,
    held_out_training,
    separated,
    stratified,
    wilds,
)


def write_all(table: pd.DataFrame, folder: Path | str, seed: int = 0) -> dict[str, Path | str]:
    """Write every split that a screen allows.

    Parameters
    ----------
    table : DataFrame (N rows)
        Metadata.
    folder : path
        Where the files go, one a split.
    seed : int
        Draws the stratified splits, the held-out training experiments and the few experiments.

    Returns
    -------
    dict
        Split to its file, or to a sentence on why the screen does not allow it.
    """
    made: dict[str, Path | str] = {}
    for name, make in _makers(table, seed).items():
        try:
            split = make()
        except ValueError as error:
            made[name] = str(error)
        else:
            made[name] = Path(folder) / f"{name}.csv"
            write_csv(split, table, Path(folder) / f"{name}.csv")
    return made


def write_csv(split: Split, table: pd.DataFrame, path: Path | str) -> None:
    """Write the split as CSV (`site_id,side`), in the table's row order.

    The sides are `train` and `test`, and `val` and `id_test` where the split has them. Sites on
    none are left out.
    """
    side = pd.Series("", index=range(len(table)))
    for name, rows in split.sides.items():
        side.iloc[rows] = name
    sides = pd.DataFrame({"site_id": table["site_id"].to_numpy(), "side": side})
    text = sides[sides["side"] != ""].to_csv(index=False, lineterminator="\n")
    atomic.write_text(Path(path), text)


def _makers(table: pd.DataFrame, seed: int) -> dict[str, Callable[[], Split]]:
    makers: dict[str, Callable[[], Split]] = {"separated": partial(separated, table)}
    for unit in ("site", "well"):
        makers[f"stratified_by_{unit}"] = partial(stratified, table, seed=seed, unit=unit)
    for scheme in WILDS_SCHEMES:
        makers[f"wilds_{scheme.replace('-', '_')}"] = partial(wilds, table, scheme=scheme)
    makers["held_out_training"] = partial(held_out_training, table, seed=seed)
    for cell_type in sorted(table["cell_type"].unique()):
        makers[f"few_experiments_{cell_type}"] = partial(
            few_experiments, table, str(cell_type), seed=seed
        )
    return makers
