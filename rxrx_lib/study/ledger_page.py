"""The ledger as readers see it: the paper's numbers, what was measured, and a box to search them.

The paper's and simulated numbers never share a table.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from rxrx_lib.study import paper
from rxrx_lib.study.ablations import variant_labels
from rxrx_lib.study.errata import Kind, general_sentences, touching
from rxrx_lib.study.ledger import Place
from rxrx_lib.study.pages import Widget
from rxrx_lib.study.panels import NOT_RUN, measured_words, with_sd
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.tables import Cell

SCRIPT = Path(__file__).with_name("ledger_search.js")
CLASS = "ledger"
"""Of the tables that the box searches."""
AT_ODDS = "✗\N{NO-BREAK SPACE}at odds"
TABLES = tuple(f"table{number}" for number in range(1, 7))
COLUMN_LABELS: dict[str, dict[str, str]] = {
    **paper.COLUMN_LABELS,
    "table5": {"accuracy": "Accuracy, baseline"},
    "table6": {"accuracy": "Accuracy, AdaBN"},
}
MEASURED_LABELS: dict[str, dict[str, str]] = {
    **COLUMN_LABELS,
    "table1": {
        "accuracy_separated": "Accuracy, separated",
        "accuracy_stratified": "Accuracy, stratified by site",
        "accuracy_stratified_by_well": "Accuracy, stratified by well",
        "generalization": "Batch generalization, by site",
        "generalization_by_well": "Batch generalization, by well",
        "batch_classification": "Batch classification, by site",
        "batch_classification_by_well": "Batch classification, by well",
    },
}
"""The same with the columns of Table 1 that the paper leaves open how to make."""


class Counted(NamedTuple):
    """Where the ledger keeps one number, by what it is counted over; None where it cannot be."""

    sites: str
    classes: str | None = None
    wells: str | None = None
    treatments: str | None = None


COUNTED_OVER = {
    "sites": "over sites",
    "classes": "mean of classes",
    "wells": "over wells",
    "treatments": "treatments alone",
}
_OF_TABLE1 = (
    Counted("accuracy_separated", "macro_separated", "wells_separated", "treatments_separated"),
    Counted("accuracy_stratified", "macro_stratified", None, "treatments_stratified"),
    Counted(
        "accuracy_stratified_by_well",
        "macro_stratified_by_well",
        "wells_stratified_by_well",
        "treatments_stratified_by_well",
    ),
    Counted("generalization", "generalization_macro", None, "generalization_treatments"),
    Counted(
        "generalization_by_well",
        "generalization_by_well_macro",
        "generalization_by_well_wells",
        "generalization_by_well_treatments",
    ),
    Counted("batch_classification"),
    Counted("batch_classification_by_well"),
)


def counted_columns(item: str) -> tuple[Counted, ...]:
    """Return the columns of one of the paper's tables, each with its other ways of counting."""
    if item == "table1":
        return _OF_TABLE1
    return tuple(
        Counted(column, *(f"{column}_{ending}" for ending in ("macro", "wells", "treatments")))
        for column in paper.COLUMN_LABELS[item]
    )


def paper_table(rxrx1: Mapping[Place, Cell]) -> pd.DataFrame:
    """Return every number that the paper's tables print, as words.

    Parameters
    ----------
    rxrx1
        What this code measured on the release, as :func:`rxrx_lib.study.ledger.measured` gives it.

    Returns
    -------
    DataFrame
        Table, row, column, the paper's number with its ±, ours or "not run here", and the errata
        that touch the paper's, with links.
    """
    rows = []
    for number in _printed():
        place = (number.item, number.row, number.column)
        cell = rxrx1.get(place)
        rows.append(
            {
                "table": _table_label(number.item),
                "row": paper.ROW_LABELS[number.item][number.row],
                "column": COLUMN_LABELS[number.item][number.column],
                "paper": with_sd(number.value, number.sd),
                "RxRx1, this code": NOT_RUN if cell is None else measured_words(cell),
                "remarks": _errata_words(place),
            }
        )
    return pd.DataFrame(rows)


def paper_data(rxrx1: Mapping[Place, Cell]) -> pd.DataFrame:
    """Return the same as numbers, with the ids of places, all errata, and what they say."""
    rows = []
    for number in _printed():
        place = (number.item, number.row, number.column)
        touches = touching(place)
        rows.append(
            {
                **dict(zip(("item", "row", "column"), place, strict=True)),
                "paper": number.value,
                "paper_sd": number.sd,
                "paper_n": number.n,
                **_numbers("rxrx1", rxrx1.get(place)),
                "at_odds": bool(touching(place, Kind.AT_ODDS)),
                "errata": " ".join(dict.fromkeys(str(touch.erratum) for touch in touches)),
                "remarks": "; ".join(touch.note for touch in touches),
            }
        )
    return pd.DataFrame(rows).astype({"paper_n": "Int64", "rxrx1_n": "Int64"})


def summary(rxrx1: Mapping[Place, Cell]) -> list[str]:
    """Say how many numbers there are, how many are measured anew, and what errata touch."""
    places = [(number.item, number.row, number.column) for number in _printed()]
    at_odds, unclear = (
        sum(bool(touching(place, kind)) for place in places)
        for kind in (Kind.AT_ODDS, Kind.UNCLEAR)
    )
    return [
        f"The paper's tables print {len(places)} numbers. With this code, "
        f"{sum(place in rxrx1 for place in places)} of them have been measured on RxRx1 so far.",
        f"{at_odds} of them are marked {AT_ODDS}: {Kind.AT_ODDS.value}.",
        f"{unclear} have a remark of another kind: {Kind.UNCLEAR.value}.",
        *general_sentences(),
    ]


def measured_table(found: Mapping[Place, Cell], profile: Profile) -> pd.DataFrame:
    """Return what a profile's runs give for the paper's tables, as words, counted in every way.

    Parameters
    ----------
    found
        As :func:`rxrx_lib.study.ledger.measured` gives it.
    profile
        Whose runs they are.
    """
    labels = {**paper.ROW_LABELS, "table2": variant_labels(profile)}
    rows = []
    for item, row, counted in _counted_places(found):
        cell = found[item, row, counted.sites]
        words = {
            COUNTED_OVER[way]: _words(None if column is None else found.get((item, row, column)))
            for way, column in counted._asdict().items()
        }
        rows.append(
            {
                "table": _table_label(item),
                "row": labels[item][row],
                "column": MEASURED_LABELS[item][counted.sites],
                **words,
                "n": str(cell.n),
            }
        )
    return pd.DataFrame(rows)


def measured_data(found: Mapping[Place, Cell], profile: Profile) -> pd.DataFrame:
    """Return the same as numbers: a mean, a standard deviation and a count each way."""
    rows = []
    for item, row, counted in _counted_places(found):
        numbers: dict[str, float | int | None] = {}
        for way, column in counted._asdict().items():
            numbers |= _numbers(way, None if column is None else found.get((item, row, column)))
        place = {"item": item, "row": row, "column": counted.sites, "profile": profile.name}
        rows.append(place | numbers)
    table = pd.DataFrame(rows)
    return table.astype({f"{way}_n": "Int64" for way in COUNTED_OVER} if rows else {})


def search_box(names: Sequence[str]) -> Widget:
    """Return the box that searches the page's tables; without JavaScript it is not there.

    Parameters
    ----------
    names
        What the rows of each table are, in the page's order, as it reads after "12 of 72".
    """
    named = html.escape(json.dumps(list(names)))
    page = (
        f'<div class="ledger-search" data-names="{named}" hidden>'
        '<label for="ledger-words">Search both tables</label>'
        '<input id="ledger-words" type="search" autocomplete="off" spellcheck="false" '
        'aria-describedby="ledger-hint">'
        '<p id="ledger-hint">Rows that have all words, in any order; quotes keep words '
        'together. For example: <kbd>u2os adabn</kbd>, <kbd>"table 5"</kbd>, '
        '<kbd>"erratum 9"</kbd>, <kbd>75.1</kbd>.</p>'
        '<p role="status" aria-live="polite"></p>'
        f"<script>\n{SCRIPT.read_text(encoding='utf-8')}</script></div>"
    )
    return Widget(page, "A box to search the tables; needs a browser.")


def _printed() -> Iterator[paper.PaperNumber]:
    return (number for item in TABLES for number in paper.numbers(item))


def _counted_places(found: Mapping[Place, Cell]) -> Iterator[tuple[str, str, Counted]]:
    """Give table, row and column of what was measured, in the paper's order."""
    for item in TABLES:
        for row in paper.ROW_LABELS[item]:
            for counted in counted_columns(item):
                if (item, row, counted.sites) in found:
                    yield item, row, counted


def _table_label(item: str) -> str:
    return f"Table {item.removeprefix('table')}"


def _errata_words(place: Place) -> str:
    """Name errata, each once with a link to it, and what they say of a number."""
    words = []
    for kind, mark in ((Kind.AT_ODDS, f"[{AT_ODDS}]{{.verdict .against}} "), (Kind.UNCLEAR, "")):
        notes: dict[int, list[str]] = {}
        for touch in touching(place, kind):
            notes.setdefault(touch.erratum, []).append(touch.note)
        some = [
            f"{{ref}}`erratum {number} <erratum-{number}>`: {'; '.join(of_it)}"
            for number, of_it in notes.items()
        ]
        words += [mark + "; ".join(some)] if some else []
    return "; ".join(words)


def _words(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    return with_sd(cell.value, cell.sd if cell.n > 1 else None)


def _numbers(name: str, cell: Cell | None) -> dict[str, float | int | None]:
    """Return a cell as three numbers; one replicate has no deviation."""
    if cell is None:
        return {name: None, f"{name}_sd": None, f"{name}_n": None}
    return {
        name: cell.value,
        f"{name}_sd": cell.sd if cell.n > 1 else None,
        f"{name}_n": cell.n or None,
    }
