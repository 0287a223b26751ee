"""Which part of the release's pictures one wants."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields

import pandas as pd

from rxrx_lib.data import metadata, png_tree

# A picture's path in the release: its site's path, as `png_tree.site_paths` gives it, and channel.
PICTURE = re.compile(rf"({png_tree.FOLDER}/[^/]+/Plate\d/[A-P]\d\d_s\d)_w(\d)\.png")
KNOWN: dict[str, Collection[str | int]] = {
    "cell_types": metadata.CELL_TYPES,
    "plates": metadata.PLATES,
    "well_types": metadata.WELL_TYPES,
    "sites": metadata.SITES,
    "channels": png_tree.CHANNELS,
}
MOST_NAMED = 60


class SelectionError(ValueError):
    """A selection of something that does not exist."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Pictures that meet every condition; an empty field is none.

    Attributes
    ----------
    experiments : tuple of str
        Such as HUVEC-01.
    cell_types, well_types : tuple of str
        Of `metadata.CELL_TYPES` and `metadata.WELL_TYPES`.
    plates, sites, channels : tuple of int
        1 to 4, 1 to 2 and 1 to 6.
    sirnas : tuple of str
        Names as in the column sirna, or the numbers of the column sirna_id.
    """

    experiments: tuple[str, ...] = ()
    cell_types: tuple[str, ...] = ()
    plates: tuple[int, ...] = ()
    sirnas: tuple[str, ...] = ()
    well_types: tuple[str, ...] = ()
    sites: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            asked = getattr(self, field.name)
            if not isinstance(asked, tuple):
                raise SelectionError(f"{field.name} is {asked!r}; expected a tuple.")
            if field.name in KNOWN:
                _check_known(field.name, asked, KNOWN[field.name])


def select(selection: Selection, table: pd.DataFrame) -> tuple[Callable[[str], bool], int]:
    """Find the pictures of a selection in a screen.

    Parameters
    ----------
    selection : Selection
        What is wanted.
    table : DataFrame
        The release's metadata.

    Returns
    -------
    wanted : callable
        Says of a path, such as images/HUVEC-01/Plate1/B02_s1_w1.png, whether it is wanted.
    pictures : int
        How many such paths there are by the metadata.

    Raises
    ------
    SelectionError
        If an experiment or siRNA is not in the table, or no site meets every condition.
    """
    sirna, sirna_id = table["sirna"], table["sirna_id"].astype(str)
    numbers = frozenset(sirna_id)
    _check_known("experiments", selection.experiments, list(table["experiment"].unique()))
    named = [asked for asked in selection.sirnas if asked not in numbers]
    _check_known("sirnas", named, list(sirna.unique()))
    rows = pd.Series(True, index=table.index)
    for column, asked in (
        ("experiment", selection.experiments),
        ("cell_type", selection.cell_types),
        ("plate", selection.plates),
        ("well_type", selection.well_types),
        ("site", selection.sites),
    ):
        if asked:
            rows &= table[column].isin(asked)
    if selection.sirnas:
        rows &= sirna.isin(selection.sirnas) | sirna_id.isin(selection.sirnas)
    sites = frozenset(png_tree.site_paths(table[rows], ""))
    if not sites:
        asked_for = ", ".join(f"{f} {list(v)}" for f, v in vars(selection).items() if v)
        has = f"has {asked_for} together" if asked_for else "is there"
        raise SelectionError(f"no site {has}; expected at least one: ask for less.")
    channels = frozenset(selection.channels or png_tree.CHANNELS)

    def wanted(path: str) -> bool:
        picture = PICTURE.fullmatch(path)
        return picture is not None and picture[1] in sites and int(picture[2]) in channels

    return wanted, len(sites) * len(channels)


def _check_known(field: str, asked: Collection[object], known: Collection[object]) -> None:
    unknown = [value for value in asked if value not in known]
    if unknown:
        names = [str(value) for value in known]
        several = f"{len(names)} such as " if len(names) > MOST_NAMED else ""
        listed = ", ".join(names[: 5 if several else None])
        raise SelectionError(f"{field} names {unknown[0]!r}; expected some of {several}{listed}.")
