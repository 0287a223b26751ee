"""Every number that the paper prints in a table, by table, row and column.

Sypetkowski et al., RxRx1: A Dataset for Evaluating Experimental Batch Correction Methods (2023),
tables 1 to 6: 72 numbers, four of them ratios of accuracies, all others accuracies. Of the figures'
contents the text puts a single one in numbers, in section 5.6. Rows and columns have the project's
own ids (methods, cell types, scope of the normalisation); `ROW_LABELS` and `COLUMN_LABELS` give
them as a reader knows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Printed = float | tuple[float, float]
"""A value as printed, alone or with what follows its ±."""


@dataclass(frozen=True, kw_only=True)
class PaperNumber:
    """One number of the paper.

    Table 1 has five runs a method and split (its caption); the paper does not say how many runs
    the other tables rest on. What a ± means is said for figure 10 alone, a standard deviation,
    and taken for the same in the tables.
    """

    item: str
    """Where it stands: ``table1`` … ``table6``, ``figure9``."""
    row: str
    """Id of the row, a key of ``ROW_LABELS[item]``."""
    column: str
    """Id of the column, a key of ``COLUMN_LABELS[item]``."""
    value: float
    """As printed, in ``unit``."""
    sd: float | None
    """What is printed after ±, in percentage points; None where nothing is."""
    n: int | None
    """Number of runs behind it; None where the paper does not say."""
    unit: Literal["percent", "percentage points"] = "percent"
    """Percentage points for a difference of two accuracies."""


METHODS = {
    "baseline": "Baseline",
    "gradient_reversal": "Gradient reversal",
    "adabn": "AdaBN",
    "adabn_gradient_reversal": "AdaBN + gradient reversal",
}
CELL_TYPES = {"HUVEC": "HUVEC", "RPE": "RPE", "HEPG2": "HepG2", "U2OS": "U2OS"}
NORMALIZATIONS = {
    "training_all": "All images",
    "experiment_controls": "Control images per experiment",
    "experiment_all": "All images per experiment",
    "plate_controls": "Control images per plate",
    "plate_all": "All images per plate",
    "self": "Self-standardization",
}
ACCURACY = {"accuracy": "Accuracy"}

ROW_LABELS: dict[str, dict[str, str]] = {
    "table1": METHODS,
    "table2": {
        "default": "Default",
        "no_cutmix": "− CutMix",
        "mixup": "− CutMix + MixUp",
        "resnet50": "Backbone ResNet-50",
        "resnet101": "Backbone ResNet-101",
        "densenet121": "Backbone DenseNet-121",
    },
    "table3": METHODS,
    "table4": METHODS,
    "table5": NORMALIZATIONS,
    "table6": NORMALIZATIONS,
    "figure9": {"channels_12345": "All channels but channel 6"},
}
COLUMN_LABELS: dict[str, dict[str, str]] = {
    "table1": {
        "accuracy_separated": "Accuracy, separated",
        "accuracy_stratified": "Accuracy, stratified",
        "generalization": "Batch generalization",
        "batch_classification": "Batch classification accuracy",
    },
    "table2": {"baseline": METHODS["baseline"], "adabn": METHODS["adabn"]},
    "table3": CELL_TYPES,
    "table4": CELL_TYPES,
    "table5": ACCURACY,
    "table6": ACCURACY,
    "figure9": {"gain": "Accuracy gained over all six channels"},
}

# Cells in the order of the columns.
_PRINTED: dict[str, dict[str, tuple[Printed, ...]]] = {
    "table1": {
        "baseline": ((75.1, 0.2), (91.1, 0.1), 82.4, (59.2, 0.7)),
        "gradient_reversal": ((71.2, 0.4), (89.1, 0.1), 79.9, (1.8, 0.1)),
        "adabn": ((87.1, 0.2), (91.1, 0.1), 95.6, (16.4, 0.3)),
        "adabn_gradient_reversal": ((86.2, 0.3), (90.2, 0.2), 95.6, (2.3, 0.1)),
    },
    "table2": {
        "default": (75.2, 87.1),
        "no_cutmix": (70.8, 80.2),
        "mixup": (75.6, 83.9),
        "resnet50": (71.7, 83.9),
        "resnet101": (71.9, 84.6),
        "densenet121": (74.3, 85.9),
    },
    "table3": {
        "baseline": ((84.2, 0.2), (79.0, 0.4), (76.2, 0.1), (26.1, 1.5)),
        "gradient_reversal": ((83.8, 0.2), (78.1, 0.5), (74.0, 0.6), (24.3, 0.7)),
        "adabn": ((92.1, 0.2), (87.2, 0.0), (86.2, 0.2), (68.2, 0.1)),
        "adabn_gradient_reversal": ((92.0, 0.0), (87.5, 0.1), (85.6, 0.1), (66.9, 0.3)),
    },
    "table4": {
        "baseline": ((39.5, 0.7), (39.2, 2.0), (31.4, 0.4), (2.8, 1.0)),
        "gradient_reversal": ((41.4, 0.5), (38.8, 0.5), (32.3, 0.4), (3.0, 0.3)),
        "adabn": ((55.1, 1.1), (56.1, 0.4), (56.2, 1.6), (44.0, 0.9)),
        "adabn_gradient_reversal": ((55.3, 2.0), (56.7, 0.9), (55.5, 0.6), (44.1, 1.4)),
    },
    "table5": {
        "training_all": ((60.8, 1.1),),
        "experiment_controls": ((68.4, 0.5),),
        "experiment_all": ((68.6, 0.5),),
        "plate_controls": ((73.4, 0.3),),
        "plate_all": ((73.4, 0.5),),
        "self": ((75.1, 0.2),),
    },
    "table6": {
        "training_all": (78.4,),
        "experiment_controls": (83.6,),
        "experiment_all": (83.7,),
        "plate_controls": (81.7,),
        "plate_all": (82.6,),
        "self": (87.1,),
    },
    "figure9": {"channels_12345": (2.0,)},
}
_RUNS = {"table1": 5}


def numbers(item: str | None = None) -> tuple[PaperNumber, ...]:
    """Give the paper's numbers in reading order, all of them or those of one item.

    Parameters
    ----------
    item
        ``"table1"`` to ``"table6"``, ``"figure9"``, or None for all.

    Raises
    ------
    ValueError
        For an item of which the paper prints no number; the known ones are listed.
    """
    if item is None:
        return tuple(_BY_PLACE.values())
    _require_known("item", item, ROW_LABELS)
    return tuple(number for number in _BY_PLACE.values() if number.item == item)


def lookup(item: str, row: str, column: str) -> PaperNumber:
    """Give the number at one place.

    Raises
    ------
    ValueError
        For an item, a row or a column that the paper does not have; the known ones are listed.

    Examples
    --------
    >>> lookup("table1", "adabn", "accuracy_separated").value
    87.1
    """
    _require_known("item", item, ROW_LABELS)
    _require_known("row", row, ROW_LABELS[item])
    _require_known("column", column, COLUMN_LABELS[item])
    return _BY_PLACE[item, row, column]


def _require_known(
    field: str, given: str, known: dict[str, dict[str, str]] | dict[str, str]
) -> None:
    if given not in known:
        raise ValueError(f"{field} is {given!r}, expected one of {', '.join(known)}")


def _read() -> Iterator[PaperNumber]:
    for item, rows in _PRINTED.items():
        for row, cells in rows.items():
            for column, cell in zip(COLUMN_LABELS[item], cells, strict=True):
                value, sd = cell if isinstance(cell, tuple) else (cell, None)
                yield PaperNumber(
                    item=item,
                    row=row,
                    column=column,
                    value=value,
                    sd=sd,
                    n=_RUNS.get(item),
                    unit="percentage points" if item == "figure9" else "percent",
                )


_BY_PLACE = {(number.item, number.row, number.column): number for number in _read()}
