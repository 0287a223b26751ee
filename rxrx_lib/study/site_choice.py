"""Which sites a sheet of pictures shows: always the first by name, never picked by their looks."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from rxrx_lib.data.metadata import CELL_TYPES, UNLABELLED

TREATMENT, UNTREATED = "treatment", "negative_control"


class Grid(NamedTuple):
    """Sites in rows and columns."""

    sites: tuple[tuple[int, ...], ...]
    """Row positions in the table of sites, one tuple a row of pictures."""
    row_names: tuple[str, ...]
    column_names: tuple[str, ...]


def shown_cell_type(table: pd.DataFrame) -> str:
    """Return HUVEC, which the paper shows, or the first cell type that the screen has."""
    present = set(table["cell_type"])
    return next(cell_type for cell_type in CELL_TYPES if cell_type in present)


def untreated_site(table: pd.DataFrame) -> int:
    """Return the first untreated site of the shown cell type."""
    cell_type = shown_cell_type(table)
    return int(_numbered(table, UNTREATED, cell_type)["row"].iloc[0])


def across_experiments(table: pd.DataFrame, *, sirnas: int, experiments: int) -> Grid:
    """Choose the same siRNAs (rows) in several experiments (columns) of the shown cell type.

    Raises
    ------
    ValueError
        If the experiments have no labelled treatment in common.
    """
    return _crossed(
        _numbered(table, TREATMENT, shown_cell_type(table)), "experiment", sirnas, experiments
    )


def across_cell_types(table: pd.DataFrame, *, sirnas: int) -> Grid:
    """Choose EMPTY and the same siRNAs (rows) in the first experiment of each cell type (columns).

    Raises
    ------
    ValueError
        If the experiments have no labelled treatment in common.
    """
    treated = _crossed(
        _of_first_experiments(_numbered(table, TREATMENT)), "cell_type", sirnas, len(CELL_TYPES)
    )
    untreated = _crossed(
        _of_first_experiments(_numbered(table, UNTREATED)), "cell_type", 1, len(CELL_TYPES)
    )
    names = tuple(c for c in CELL_TYPES if c in treated.column_names)
    order = [treated.column_names.index(name) for name in names]
    rows = (untreated.sites[0], *treated.sites)
    return Grid(
        tuple(tuple(row[place] for place in order) for row in rows),
        (*untreated.row_names, *treated.row_names),
        names,
    )


def same_plate(table: pd.DataFrame, *, sirnas: int) -> Grid:
    """Choose EMPTY and several siRNAs side by side on one plate of the shown cell type."""
    cell_type = shown_cell_type(table)
    untreated = _numbered(table, UNTREATED, cell_type).iloc[:1]
    treated = _numbered(table, TREATMENT, cell_type)
    here = (treated["experiment"] == untreated["experiment"].iloc[0]) & (
        treated["plate"] == untreated["plate"].iloc[0]
    )
    chosen = pd.concat([untreated, treated[here].drop_duplicates("sirna").head(sirnas)])
    return Grid((tuple(chosen["row"]),), ("",), tuple(chosen["sirna"]))


def _of_first_experiments(found: pd.DataFrame) -> pd.DataFrame:
    """Return the sites of each cell type's first experiment."""
    first = found.groupby("cell_type")["experiment"].transform("min")
    chosen: pd.DataFrame = found[found["experiment"] == first]
    return chosen


def _labelled(table: pd.DataFrame) -> pd.DataFrame:
    """Return the first site of each labelled well, with its position in the table as ``row``."""
    numbered = table.assign(row=range(len(table)))
    wanted = (numbered["sirna_id"] != UNLABELLED) & (numbered["site"] == numbered["site"].min())
    found: pd.DataFrame = numbered[wanted]
    return found


def _numbered(table: pd.DataFrame, well_type: str, cell_type: str | None = None) -> pd.DataFrame:
    """Return the first sites of one type of well in a fixed order."""
    found = _labelled(table)
    found = found[found["well_type"] == well_type]
    if cell_type is not None:
        found = found[found["cell_type"] == cell_type]
    return found.sort_values(["experiment", "plate", "sirna", "well"], kind="stable")


def _crossed(found: pd.DataFrame, column: str, sirnas: int, columns: int) -> Grid:
    """Lay the first siRNAs that all columns have against the columns."""
    once = found.drop_duplicates(["sirna", column])
    square = once.pivot(index="sirna", columns=column, values="row").sort_index(axis="columns")
    square = square.iloc[:, :columns].dropna().head(sirnas)
    if square.empty:
        raise ValueError(
            f"no siRNA has a labelled site in each {column.replace('_', ' ')}; "
            "use metadata with labels, or a whole screen."
        )
    return Grid(
        tuple(tuple(int(row) for row in rows) for rows in square.to_numpy()),
        tuple(str(name) for name in square.index),
        tuple(str(name) for name in square.columns),
    )
