"""Every fault that the metadata of a screen can have, whichever files it stands in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data.vocabulary import UNLABELLED

Flags = npt.NDArray[np.bool_]
# Letters of a header that is none of a screen.
MOST_QUOTED = 120
# A check yields: row, column, what came and what was expected.
Found = Iterator[tuple[int, str, str]]


class Fault(NamedTuple):
    """One fault: its row (position in all files together; None: a file's), column and sentence."""

    row: int | None
    column: str
    text: str


class Allowed(NamedTuple):
    """The entries that a column may have, and how a sentence puts it."""

    entries: frozenset[str]
    expected: str


class Pattern(NamedTuple):
    """What an entry of free text must look like, and how a sentence puts it."""

    regex: str
    expected: str


@dataclass(frozen=True)
class Rules:
    """What the entries of one variant must satisfy.

    Attributes
    ----------
    id_parts : mapping
        Ids, and the columns that each is put together from. The first names a row.
    row_is : str
        What a row stands for: a site or a well.
    patterns : mapping
        Columns of free text.
    one_per_key : list of (column, key)
        Rows with the same key have the same entry.
    doubted : mapping
        An entry that contradicts others leaves open which is wrong: columns that share its doubt.
    """

    id_parts: Mapping[str, Sequence[str]]
    row_is: str
    patterns: Mapping[str, Pattern]
    one_per_key: Sequence[tuple[str, str]]
    doubted: Mapping[str, Sequence[str]]

    @property
    def name(self) -> str:
        """The column that names a row."""
        return next(iter(self.id_parts))


@dataclass(frozen=True, eq=False)
class Sheet:
    """One file of a variant.

    Attributes
    ----------
    file : str
        Its name, as sentences say it.
    table : DataFrame
        Its entries, as text or typed. Columns that are not asked for do not matter. The index
        counts the file's lines after the header, from 0.
    columns : sequence of str
        What it must have.
    allowed : mapping
        Columns with a limited choice of entries.
    implied : mapping
        Columns whose entry follows from the file alone.
    """

    file: str
    table: pd.DataFrame
    columns: Sequence[str]
    allowed: Mapping[str, Allowed]
    implied: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Entries:
    """All rows of all sheets as text, and which entries have no fault so far.

    Attributes
    ----------
    text : dict
        Columns of all rows; empty where a sheet lacks one.
    sound : dict
        Like `text`: False where there is a fault or no entry.
    starts : int64 (sheets + 1,)
        Where the rows of each sheet start.
    """

    sheets: Sequence[Sheet]
    rules: Rules
    text: dict[str, pd.Series[str]]
    sound: dict[str, Flags]
    starts: npt.NDArray[np.int64]

    def place(self, row: int) -> tuple[Sheet, int]:
        """Return the sheet and the line of a row: lines count from 1, the first is the header."""
        sheet = int(np.searchsorted(self.starts, row, side="right")) - 1
        line = int(self.sheets[sheet].table.index[row - int(self.starts[sheet])]) + 2
        return self.sheets[sheet], line

    def all_sound(self, *columns: str) -> Flags:
        """Return the rows that have no fault in any of the columns."""
        sound: Flags = np.all([self.sound[column] for column in columns], axis=0)
        return sound


def gather(sheets: Sequence[Sheet], rules: Rules) -> Entries:
    """Put the rows of all sheets under one another."""
    lengths = [len(sheet.table) for sheet in sheets]
    columns = dict.fromkeys(c for sheet in sheets for c in (*sheet.columns, *sheet.implied))
    text: dict[str, pd.Series[str]] = {}
    sound: dict[str, Flags] = {}
    for column in columns:
        text[column] = pd.concat([_column(sheet, column) for sheet in sheets], ignore_index=True)
        given = [column in sheet.table or column in sheet.implied for sheet in sheets]
        sound[column] = np.repeat(np.array(given), lengths)
    return Entries(sheets, rules, text, sound, np.concatenate([[0], np.cumsum(lengths)]))


def examine(entries: Entries) -> list[Fault]:
    """Find every fault, those of whole files first, then in row order.

    One wrong entry gives one fault: a row's ids are compared with its parts, and rows with one
    another, only where no fault of these entries has been found before. Where two rows differ and
    none tells which is right, the fault is the later one's and names both.
    """
    found = list(_faults_of_files(entries))
    name = entries.rules.name
    for check in CHECKS:
        # Marked fault by fault, so that a check sees what it has itself found before.
        for row, column, reason in check(entries):
            for doubted in {column, *entries.rules.doubted.get(column, ())}:
                entries.sound[doubted][row] = False
            sheet, line = entries.place(row)
            named = f" ({name} {entries.text[name][row]})" if name in sheet.table else ""
            text = f"{sheet.file} line {line}{named}: {column} {reason}."
            found.append(Fault(row, column, text))
    return sorted(found, key=lambda fault: -1 if fault.row is None else fault.row)


def _faults_of_files(entries: Entries) -> Iterator[Fault]:
    for sheet in entries.sheets:
        expected = ", ".join(sheet.columns)
        missing = [column for column in sheet.columns if column not in sheet.table]
        if len(missing) == len(sheet.columns):
            came = ", ".join(map(str, sheet.table.columns))[:MOST_QUOTED]
            yield Fault(None, "", f"{sheet.file} has the columns {came!r}; expected {expected}.")
            continue
        for column in missing:
            yield Fault(
                None, column, f"{sheet.file}: column {column} is missing; expected {expected}."
            )
    if all(sheet.table.empty for sheet in entries.sheets):
        files = " and ".join(sheet.file for sheet in entries.sheets)
        holds = "holds" if len(entries.sheets) == 1 else "hold"
        expected = f"expected one row a {entries.rules.row_is}"
        yield Fault(None, "", f"{files} {holds} no rows; {expected}.")


def _cut_short(entries: Entries) -> Found:
    """Rows that end early, such as the last of a file that is not all there."""
    for sheet, start in zip(entries.sheets, entries.starts.tolist(), strict=False):
        columns = [str(column) for column in sheet.table if column in sheet.columns]
        # How many entries in a row, from the last column on, are empty.
        following = np.zeros(len(sheet.table), dtype=np.int64)
        ending = np.ones(len(sheet.table), dtype=bool)
        for column in reversed(columns):
            ending &= (entries.text[column].iloc[start : start + len(ending)] == "").to_numpy(bool)
            following += ending
        for row in np.flatnonzero(following > 1).tolist():
            for marks in entries.sound.values():
                marks[start + row] = False
            expected = "expected an entry in each; fetch or write the file again"
            column = columns[-following[row]]
            yield start + row, column, f"and all after it are empty; {expected}"


def _not_allowed(entries: Entries) -> Found:
    for sheet, start in zip(entries.sheets, entries.starts.tolist(), strict=False):
        for column, (allowed, expected) in sheet.allowed.items():
            text = entries.text[column].iloc[start : start + len(sheet.table)]
            wrong = ~text.isin(allowed).to_numpy() & entries.sound[column][start:][: len(text)]
            for row in (start + np.flatnonzero(wrong)).tolist():
                yield row, column, f"is {text[row]!r}; expected {expected}"


def _unlike_pattern(entries: Entries) -> Found:
    for column, (regex, expected) in entries.rules.patterns.items():
        text = entries.text[column]
        # Each distinct entry once: there are a hundred times fewer of them than rows.
        usable = [entry for entry in text.unique() if re.fullmatch(regex, entry)]
        wrong = entries.sound[column] & ~text.isin(usable).to_numpy()
        for row in np.flatnonzero(wrong).tolist():
            yield row, column, f"is {text[row]!r}; expected {expected}"


def _contradicted_id(entries: Entries) -> Found:
    """Ids that differ from their parts; a well_id only where its row's site_id does not."""
    text = entries.text
    for column, parts in entries.rules.id_parts.items():
        expected = text[parts[0]]
        for part in parts[1:]:
            expected = expected + "_" + text[part]
        usable = entries.all_sound(column, *parts)
        for row in np.flatnonzero(usable & (text[column] != expected).to_numpy(bool)).tolist():
            came, wanted = text[column][row], expected[row]
            yield row, column, f"is {came!r}; expected {wanted!r} from {', '.join(parts)}"


def _repeated_row(entries: Entries) -> Found:
    """All but one of the rows that share a name; rather not one that agrees with its parts."""
    name = entries.rules.name
    known = entries.all_sound(name, *entries.rules.id_parts[name])
    surest_first = np.argsort(~known, kind="stable")
    names = entries.text[name].iloc[surest_first[entries.sound[name][surest_first]]]
    kept = names.drop_duplicates()
    kept_rows = pd.Series(kept.index, index=kept)
    for row in names.index[names.duplicated()].tolist():
        line = _line(entries, int(kept_rows[names[row]]), beside=row)
        yield row, name, f"stands on {line} too; expected one row a {entries.rules.row_is}"


def _disagreement(entries: Entries) -> Found:
    """Rows whose entry differs from the commonest one of their class, experiment or well."""
    text = entries.text
    for column, key in entries.rules.one_per_key:
        usable = entries.all_sound(column, key) & (text[key] != str(UNLABELLED)).to_numpy(bool)
        pairs = pd.DataFrame({"key": text[key][usable], "value": text[column][usable]})
        rows = pairs.reset_index(names="row").groupby(["key", "value"], sort=False)["row"]
        ranked = rows.agg(["size", "min"]).sort_values("size", ascending=False, kind="stable")
        commonest = ranked.reset_index().drop_duplicates("key").set_index("key")
        expected = pairs["key"].map(commonest["value"])
        for row in pairs.index[pairs["value"] != expected].tolist():
            came, wanted, group = text[column][row], expected[row], text[key][row]
            reason = f"; expected {wanted!r}, as in the other rows of {key} {group}"
            if ranked["size"][group, came] == commonest["size"][group]:
                line = _line(entries, int(commonest["min"][group]), beside=row)
                reason = f", but {wanted!r} on {line}; expected one for {key} {group}"
            yield row, column, f"is {came!r}{reason}"


def _line(entries: Entries, row: int, beside: int) -> str:
    """Name the line of a row, and its file where that of `beside` is another."""
    sheet, line = entries.place(row)
    return f"line {line}" if sheet is entries.place(beside)[0] else f"line {line} of {sheet.file}"


def _column(sheet: Sheet, column: str) -> pd.Series[str]:
    if column in sheet.table:
        return pd.Series(sheet.table[column].astype(str).to_numpy(), dtype=object)
    return pd.Series([sheet.implied.get(column, "")] * len(sheet.table), dtype=object)


CHECKS: tuple[Callable[[Entries], Found], ...] = (
    _cut_short,
    _not_allowed,
    _unlike_pattern,
    _contradicted_id,
    _repeated_row,
    _disagreement,
)
