"""The table of sites: its columns, their types and ranges, and every fault it can have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data import atomic

COLUMNS = (
    "site_id",
    "well_id",
    "cell_type",
    "dataset",
    "experiment",
    "plate",
    "well",
    "site",
    "well_type",
    "sirna",
    "sirna_id",
)
CELL_TYPES = ("HUVEC", "RPE", "HEPG2", "U2OS")
WELL_TYPES = ("treatment", "positive_control", "negative_control")
DATASETS = ("train", "test")
PLATES = (1, 2, 3, 4)
SITES = (1, 2)
# The inner 14 × 22 wells of a 384-well plate: rows B to O, columns 02 to 23.
WELLS = tuple(f"{row}{column:02d}" for row in "BCDEFGHIJKLMNO" for column in range(2, 24))
CLASSES = 1139
UNLABELLED = -1

FILE_NAME = "metadata.csv"


# What the checks see: every column as text, and which entries have no fault so far; and what
# they yield: row, column, what came and what was expected.
Texts = dict[str, "pd.Series[str]"]
Marks = dict[str, npt.NDArray[np.bool_]]
Found = Iterator[tuple[int, str, str]]


class Fault(NamedTuple):
    """One fault of the table: its row (position; None for the whole file), column and sentence."""

    row: int | None
    column: str
    text: str


class MetadataError(ValueError):
    """The table cannot be used.

    Attributes
    ----------
    faults : list of str
        One sentence for each fault; the message has one line for each.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__(faults)
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join(self.faults)


def load(root: Path | str) -> pd.DataFrame:
    """Read and validate the metadata of a screen.

    Parameters
    ----------
    root : path
        Folder with `metadata.csv` in the columns of the rxrx.ai release.

    Returns
    -------
    DataFrame (N rows)
        The columns of `COLUMNS` in that order, one row a site, in the file's order; `plate`,
        `site` and `sirna_id` as int64, the rest as strings. Further columns are ignored.

    Raises
    ------
    MetadataError
        With every fault of the file, or saying that it is missing or no CSV table.
    """
    table = read_text(root)
    found = faults(table)
    if found:
        raise MetadataError(found)
    numbers = dict.fromkeys(("plate", "site", "sirna_id"), "int64")
    return table.loc[:, list(COLUMNS)].astype(numbers)


def write(table: pd.DataFrame, root: Path | str) -> None:
    """Write a table as `root/metadata.csv`, whole or not at all.

    Raises
    ------
    MetadataError
        With every fault of the table; nothing is written then.
    """
    found = faults(table)
    if found:
        raise MetadataError(found)
    text = table.loc[:, list(COLUMNS)].to_csv(index=False, lineterminator="\n")
    atomic.write_text(Path(root) / FILE_NAME, text)


def faults(table: pd.DataFrame) -> list[str]:
    """Return one line for each fault of a table, missing columns first, then in row order.

    Parameters
    ----------
    table : DataFrame
        Typed, or all text as `read_text` gives it.
    """
    return [fault.text for fault in examine(table)]


def read_text(root: Path | str) -> pd.DataFrame:
    """Read `root/metadata.csv` as text, unchecked.

    Raises
    ------
    MetadataError
        If the file is missing or is no CSV table.
    """
    path = Path(root) / FILE_NAME
    if not path.is_file():
        raise MetadataError(
            [f"{path} is missing: expected the folder of a screen, with {FILE_NAME} in it."]
        )
    try:
        # "NA" is text here, and a short row must not shift the columns of the others.
        table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        found = f"{path} is no CSV table ({str(error).strip()})"
        raise MetadataError(
            [f"{found}: expected UTF-8 text with a header line; fetch or write it again."]
        ) from error
    return table.fillna("")


def examine(table: pd.DataFrame) -> list[Fault]:
    """Find every fault of a table, with the row and column it is in.

    One wrong entry gives one fault: a row's ids are compared with its parts, and rows with one
    another, only where no fault of these entries has been found before. Where two rows differ and
    none tells which is right, the fault is the later one's and names both.
    """
    found = [_missing_column(column) for column in COLUMNS if column not in table.columns]
    if table.empty:
        found.append(Fault(None, "", f"{FILE_NAME} holds no rows; expected one row a site."))
    text: Texts = {
        column: pd.Series(table[column].astype(str).to_numpy(), dtype=object)
        for column in table.columns
        if column in COLUMNS
    }
    sound: Marks = {column: np.ones(len(table), dtype=bool) for column in text}
    for check in CHECKS:
        # Marked fault by fault, so that a check sees what it has itself found before.
        for row, column, reason in check(text, sound):
            for doubted in {column, *DOUBTED.get(column, ())} & sound.keys():
                sound[doubted][row] = False
            found.append(Fault(row, column, f"{_where(text, row)}: {column} {reason}."))
    return sorted(found, key=lambda fault: -1 if fault.row is None else fault.row)


def _cut_short(text: Texts, sound: Marks) -> Found:
    """Rows that end early, such as the last of a file that is not all there."""
    empty = pd.DataFrame(text) == ""
    following = empty.iloc[:, ::-1].cummin(axis="columns").sum(axis="columns").to_numpy()
    for row in np.flatnonzero(following > 1).tolist():
        for marks in sound.values():
            marks[row] = False
        expected = "expected an entry in each; fetch or write the file again"
        yield row, list(text)[-following[row]], f"and all after it are empty; {expected}"


def _out_of_range(text: Texts, sound: Marks) -> Found:
    for column, (allowed, expected) in RANGES.items():
        if column in text:
            for row in np.flatnonzero(sound[column] & ~text[column].isin(allowed)).tolist():
                yield row, column, f"is {text[column][row]!r}; expected {expected}"


def _unusable_experiment(text: Texts, sound: Marks) -> Found:
    """Experiments name folders, so they must not lead out of the screen."""
    if "experiment" in text:
        names = text["experiment"]
        usable = names.str.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*").to_numpy(bool)
        for row in np.flatnonzero(sound["experiment"] & ~usable).tolist():
            expected = "letters, digits and '-', such as HUVEC-01"
            yield row, "experiment", f"is {names[row]!r}; expected {expected}"


def _contradicted_id(text: Texts, sound: Marks) -> Found:
    """Ids that differ from their parts; a well_id only where its row's site_id does not."""
    for column, parts in ID_PARTS.items():
        if {column, *parts} <= text.keys():
            expected = text[parts[0]]
            for part in parts[1:]:
                expected = expected + "_" + text[part]
            usable = _all_sound(sound, column, *parts)
            for row in np.flatnonzero(usable & (text[column] != expected)).tolist():
                came, wanted = text[column][row], expected[row]
                yield row, column, f"is {came!r}; expected {wanted!r} from {', '.join(parts)}"


def _repeated_site(text: Texts, sound: Marks) -> Found:
    """All but one of the rows that share a site_id; rather not one that agrees with its parts."""
    if "site_id" in text:
        known = _all_sound(sound, "site_id", *ID_PARTS["site_id"])
        surest_first = np.argsort(~known, kind="stable")
        sites = text["site_id"].iloc[surest_first[sound["site_id"][surest_first]]]
        kept = sites.drop_duplicates()
        kept_rows = pd.Series(kept.index, index=kept)
        for row in sites.index[sites.duplicated()].tolist():
            line = _line(int(kept_rows[sites[row]]))
            yield row, "site_id", f"stands on line {line} too; expected one row a site"


def _disagreement(text: Texts, sound: Marks) -> Found:
    """Rows whose entry differs from the commonest one of their class, experiment or well."""
    for column, key in ONE_PER_KEY:
        if {column, key} <= text.keys():
            usable = _all_sound(sound, column, key) & (text[key] != str(UNLABELLED))
            pairs = pd.DataFrame({"key": text[key][usable], "value": text[column][usable]})
            rows = pairs.reset_index(names="row").groupby(["key", "value"], sort=False)["row"]
            ranked = rows.agg(["size", "min"]).sort_values("size", ascending=False, kind="stable")
            commonest = ranked.reset_index().drop_duplicates("key").set_index("key")
            expected = pairs["key"].map(commonest["value"])
            for row in pairs.index[pairs["value"] != expected].tolist():
                came, wanted, group = text[column][row], expected[row], text[key][row]
                reason = f"; expected {wanted!r}, as in the other rows of {key} {group}"
                if ranked["size"][group, came] == commonest["size"][group]:
                    line = _line(int(commonest["min"][group]))
                    reason = f", but {wanted!r} on line {line}; expected one for {key} {group}"
                yield row, column, f"is {came!r}{reason}"


def _all_sound(sound: Marks, *columns: str) -> npt.NDArray[np.bool_]:
    return (
        pd.DataFrame({column: sound[column] for column in columns if column in sound})
        .all(axis="columns")
        .to_numpy(bool)
    )


def _where(text: Texts, row: int) -> str:
    site = f" (site_id {text['site_id'][row]})" if "site_id" in text else ""
    return f"{FILE_NAME} line {_line(row)}{site}"


def _missing_column(column: str) -> Fault:
    columns = ", ".join(COLUMNS)
    return Fault(None, column, f"{FILE_NAME}: column {column} is missing; expected {columns}.")


def _line(row: int) -> int:
    """Line of a row in the file: lines count from 1, and the first holds the header."""
    return row + 2


RANGES: dict[str, tuple[frozenset[str], str]] = {
    "cell_type": (frozenset(CELL_TYPES), f"one of {', '.join(CELL_TYPES)}"),
    "dataset": (frozenset(DATASETS), " or ".join(DATASETS)),
    "plate": (frozenset(map(str, PLATES)), f"{PLATES[0]} to {PLATES[-1]}"),
    "well": (frozenset(WELLS), "rows B to O and columns 02 to 23, such as B02"),
    "site": (frozenset(map(str, SITES)), " or ".join(map(str, SITES))),
    "well_type": (frozenset(WELL_TYPES), f"one of {', '.join(WELL_TYPES)}"),
    "sirna_id": (
        frozenset(map(str, range(UNLABELLED, CLASSES))),
        f"0 to {CLASSES - 1}, or {UNLABELLED} where there is no label",
    ),
}
ID_PARTS = {
    "site_id": ["experiment", "plate", "well", "site"],
    "well_id": ["experiment", "plate", "well"],
}
# An entry that contradicts another leaves open which of them is wrong.
DOUBTED = {"site_id": ID_PARTS["site_id"], "sirna": ["sirna_id"], "sirna_id": ["sirna"]}
# (column, key): rows with the same key have the same entry. Not one well_type a class: the release
# has EMPTY wells that were not planned.
ONE_PER_KEY = [("sirna", "sirna_id"), ("cell_type", "experiment"), ("dataset", "experiment")]
ONE_PER_KEY += [("sirna_id", "well_id"), ("well_type", "well_id")]
CHECKS: tuple[Callable[[Texts, Marks], Found], ...] = (
    _cut_short,
    _out_of_range,
    _unusable_experiment,
    _contradicted_id,
    _repeated_site,
    _disagreement,
)
