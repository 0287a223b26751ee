"""Which errata of the paper touch which of the numbers that it prints.

The errata themselves, with their evidence, are the table of ``book/appendices/errata.md``, from
which the numbers here are. What can be checked by arithmetic, the tests check.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from rxrx_lib.study import paper
from rxrx_lib.study.ledger import Place


class Kind(Enum):
    """What an erratum means for a number."""

    AT_ODDS = "another number of the paper, or a sentence, is at odds with it"
    UNCLEAR = "the paper is wrong or silent about what it was measured on, or how"
    GENERAL = "the same, of so many numbers that it is said once, and not beside each"


@dataclass(frozen=True, kw_only=True)
class Touch:
    """What one erratum says of some of the paper's numbers."""

    erratum: int
    """Its number on the page of errata."""
    kind: Kind
    note: str
    """A clause, short enough to stand beside the number."""
    places: tuple[Place, ...]


def _numbers_of(
    *items: str, rows: Collection[str] = (), columns: Collection[str] = ()
) -> tuple[Place, ...]:
    """Return the places of some items, of all rows and columns or of these."""
    return tuple(
        (number.item, number.row, number.column)
        for number in paper.numbers()
        if number.item in items
        if not rows or number.row in rows
        if not columns or number.column in columns
    )


_TABLES = tuple(f"table{number}" for number in range(1, 7))
_REVERSING = ("gradient_reversal", "adabn_gradient_reversal")
_WITHOUT_EXPERIMENT_HEAD = tuple(
    place for place in _numbers_of(*_TABLES) if place[2] != "batch_classification"
)

TOUCHES = (
    Touch(
        erratum=2,
        kind=Kind.UNCLEAR,
        note="over 4 test experiments; the text counts 5",
        places=_numbers_of("table3", "table4", columns=("RPE", "HEPG2")),
    ),
    Touch(
        erratum=2,
        kind=Kind.UNCLEAR,
        note="what table 3 adds up to with the text's wrong counts",
        places=(("table1", "baseline", "accuracy_separated"),),
    ),
    Touch(
        erratum=8,
        kind=Kind.UNCLEAR,
        note="the stratified split, as worded, cannot be made",
        places=_numbers_of(
            "table1", columns=("accuracy_stratified", "generalization", "batch_classification")
        ),
    ),
    Touch(
        erratum=9,
        kind=Kind.AT_ODDS,
        note="table 3 adds up to another number",
        places=_numbers_of("table1", rows=_REVERSING, columns=("accuracy_separated",)),
    ),
    Touch(
        erratum=9,
        kind=Kind.AT_ODDS,
        note="the row does not add up to table 1",
        places=_numbers_of("table3", rows=_REVERSING),
    ),
    Touch(
        erratum=9,
        kind=Kind.AT_ODDS,
        note="its numerator is not what table 3 adds up to",
        places=_numbers_of("table1", rows=_REVERSING, columns=("generalization",)),
    ),
    Touch(
        erratum=9,
        kind=Kind.AT_ODDS,
        note="±: wider than table 3's allow",
        places=(("table1", "adabn_gradient_reversal", "accuracy_separated"),),
    ),
    Touch(
        erratum=10,
        kind=Kind.AT_ODDS,
        note="the same model has 75.2 in table 2, 75.1 in tables 1 and 5",
        places=(
            ("table1", "baseline", "accuracy_separated"),
            ("table2", "default", "baseline"),
            ("table5", "self", "accuracy"),
        ),
    ),
    Touch(
        erratum=10,
        kind=Kind.GENERAL,
        note="no ± is printed",
        places=_numbers_of("table2", "table6"),
    ),
    Touch(
        erratum=13,
        kind=Kind.UNCLEAR,
        note="lies below a uniform guess, 1/51",
        places=(("table1", "gradient_reversal", "batch_classification"),),
    ),
    Touch(
        erratum=13,
        kind=Kind.UNCLEAR,
        note="who knows the cell type only reaches 4/51, 7.8 %",
        places=_numbers_of("table1", columns=("batch_classification",)),
    ),
    Touch(
        erratum=16,
        kind=Kind.UNCLEAR,
        note="which three experiments is not listed",
        places=_numbers_of("table4", columns=("HUVEC", "RPE", "HEPG2")),
    ),
    Touch(
        erratum=16,
        kind=Kind.UNCLEAR,
        note="the text calls the training sets of tables 3 and 4 the same",
        places=_numbers_of("table3", "table4", columns=("U2OS",)),
    ),
    Touch(
        erratum=17,
        kind=Kind.UNCLEAR,
        note="all images, or all training images?",
        places=_numbers_of("table5", "table6", rows=("training_all",)),
    ),
    Touch(
        erratum=18,
        kind=Kind.AT_ODDS,
        note="±: not smaller with AdaBN, against section 5.8",
        places=(
            *_numbers_of("table1", rows=("baseline", "adabn"), columns=("accuracy_separated",)),
            *_numbers_of(
                "table3", "table4", rows=("baseline", "adabn"), columns=("HUVEC", "HEPG2")
            ),
        ),
    ),
    Touch(
        erratum=15,
        kind=Kind.GENERAL,
        note="whether an accuracy is averaged over images or over classes is not said",
        places=_WITHOUT_EXPERIMENT_HEAD,
    ),
    Touch(
        erratum=19,
        kind=Kind.GENERAL,
        note="what stands behind ± is not said, nor, but for table 1, over how many runs",
        places=tuple(
            (number.item, number.row, number.column)
            for number in paper.numbers()
            if number.sd is not None
        ),
    ),
)

TOUCH_NO_NUMBER = {
    1: "how many images were possible",
    3: "which images were left out",
    4: "how many images are in circulation",
    5: "how often controls occur on a plate",
    6: "which well has which siRNA; networks see images only",
    7: "which siRNAs share a plate; confirmed",
    11: "names of a table and of a page",
    12: "two ways of counting one set",
    14: "figure 8, which prints no number",
}
"""Errata that touch no number of tables 1 to 6, and what they are about."""


def touching(place: Place, *kinds: Kind) -> tuple[Touch, ...]:
    """Return what errata say of one number, in their order, of some kinds or of all."""
    found = [touch for touch in TOUCHES if place in touch.places and touch.kind in (kinds or Kind)]
    return tuple(sorted(found, key=lambda touch: touch.erratum))


def general_sentences() -> list[str]:
    """Say once what touches many numbers alike."""
    return [
        f"Erratum {touch.erratum} touches {len(touch.places)} of them: {touch.note}."
        for touch in TOUCHES
        if touch.kind is Kind.GENERAL
    ]
