"""The design of a screen in counts: RxRx1's as its release has them, and those of a given table."""

from __future__ import annotations

import pandas as pd

from rxrx_lib.data.metadata import CELL_TYPES, DATASETS, UNLABELLED

# Counted in the public metadata table of the release (its final version). The experiments agree
# with the paper's sections 2.3 and 3.1 up to a misprint, the errata's number 2.
RELEASE = pd.DataFrame(
    [
        ("HUVEC", "train", 16, 19_671, 39_342),
        ("HUVEC", "test", 8, 9_854, 19_708),
        ("RPE", "train", 7, 8_623, 17_246),
        ("RPE", "test", 4, 4_912, 9_824),
        ("HEPG2", "train", 7, 8_622, 17_244),
        ("HEPG2", "test", 4, 4_925, 9_850),
        ("U2OS", "train", 3, 3_696, 7_392),
        ("U2OS", "test", 2, 2_452, 4_904),
    ],
    columns=["cell_type", "dataset", "experiments", "wells", "sites"],
)
"""Experiments, wells and sites of the RxRx1 release."""
COUNTED = ("experiments", "wells", "sites")


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """Count experiments, wells and sites by cell type and side, in the columns of `RELEASE`."""
    found = table.groupby(["cell_type", "dataset"]).agg(
        experiments=("experiment", "nunique"), wells=("well_id", "nunique"), sites=("site", "size")
    )
    order = [(c, d) for c in CELL_TYPES for d in DATASETS if (c, d) in found.index]
    return found.loc[order].reset_index()


def counts_panel(found: pd.DataFrame) -> pd.DataFrame:
    """Return counts as words: a row for each cell type and side, and each side's sum."""
    sums = found.groupby("dataset", sort=False)[list(COUNTED)].sum().reset_index()
    shown = pd.concat([found, sums.assign(cell_type="all")])
    rows = [
        [
            f"{row['cell_type']}, {_side(row['dataset'])}",
            *(f"{row[name]:,}" for name in COUNTED),
        ]
        for row in shown.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["cell type, side", *COUNTED])


def design_claims(table: pd.DataFrame) -> list[str]:
    """Say which rules of the design hold in this table, plate by plate."""
    wells = table[table["sirna_id"] != UNLABELLED].drop_duplicates("well_id")
    plates = wells.drop_duplicates(["experiment", "plate"])
    positives = wells[wells["well_type"] == "positive_control"]
    treatments = wells[wells["well_type"] == "treatment"]
    return [
        _empty_claim(wells, len(plates)),
        *([_positive_claim(positives, len(plates))] if len(positives) else []),
        *(_treatment_claims(treatments) if len(treatments) else []),
    ]


def release_claim(table: pd.DataFrame) -> str:
    """Say whether the counts of a table are the release's."""
    same = counts(table).equals(RELEASE.astype(dict.fromkeys(COUNTED, "int64")))
    if same:
        return "These counts are those of the release, row by row."
    return "These counts are not those of the release: what follows rests on another set of files."


def _empty_claim(wells: pd.DataFrame, plates: int) -> str:
    empty = wells[wells["well_type"] == "negative_control"]
    at_b02 = int((empty["well"] == "B02").sum())
    others = len(empty) - at_b02
    return (
        f"EMPTY stands at B02 on {_of(at_b02, plates, 'plates')}; "
        f"{f'EMPTY wells elsewhere: {others:,}' if others else 'no other well is EMPTY'}."
    )


def _positive_claim(positives: pd.DataFrame, plates: int) -> str:
    kinds = positives["sirna"].nunique()
    on_plate = positives.groupby(["experiment", "plate"])["sirna"].nunique()
    return (
        f"Positive controls ({kinds:,} in all, on {positives['well'].nunique():,} positions): the "
        f"full set stands on {_of(int((on_plate == kinds).sum()), plates, 'plates')}."
    )


def _treatment_claims(treatments: pd.DataFrame) -> list[str]:
    wells = treatments.groupby(["sirna", "experiment"]).size()
    kinds, experiments = treatments["sirna"].nunique(), treatments["experiment"].nunique()
    first = treatments[treatments["experiment"] == treatments["experiment"].min()]
    group = treatments["sirna"].map(first.drop_duplicates("sirna").set_index("sirna")["plate"])
    mixed = group.groupby([treatments["experiment"], treatments["plate"]]).nunique()
    pairs = "pairs of treatment and experiment"
    return [
        f"Treatments ({kinds:,} in all, in {experiments:,} experiments): "
        f"{_of(int((wells == 1).sum()), kinds * experiments, pairs)} have exactly one well.",
        f"Treatments that share a plate in {first['experiment'].iloc[0]} keep together: on "
        f"{_of(int((mixed == 1).sum()), len(mixed), 'plates')} all belong to one such group.",
    ]


def _side(dataset: str) -> str:
    return "training" if dataset == "train" else dataset


def _of(some: int, total: int, things: str) -> str:
    return f"{some:,} of {total:,} {things}"
