"""The metadata of a screen as its files have it: the rxrx.ai release, RxRx1-WILDS, or Kaggle's.

The release and RxRx1-WILDS have `metadata.csv`, one row a site, in the same columns. Kaggle's
competition has four files, one row a well and neither sites nor cell types; `Source.sites` makes
the release's rows of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rxrx_lib.data.faults import Allowed, Entries, Fault, Pattern, Rules, Sheet, examine, gather
from rxrx_lib.data.kaggle_labels import CLASS_OF_LABEL, UNTREATED
from rxrx_lib.data.vocabulary import (
    CELL_TYPES,
    CLASSES,
    COLUMNS,
    DATASETS,
    EMPTY,
    PLATES,
    SITES,
    UNLABELLED,
    WELL_TYPES,
    WELLS,
)

FILE_NAME = "metadata.csv"
# File → what it says of all its wells. The unlabelled test treatments come without a label.
KAGGLE_FILES: Mapping[str, Mapping[str, str]] = {
    "train.csv": {"dataset": "train", "well_type": "treatment"},
    "train_controls.csv": {"dataset": "train"},
    "test.csv": {"dataset": "test", "well_type": "treatment"},
    "test_controls.csv": {"dataset": "test"},
}
# Google's copy of Kaggle's files has them in a folder beside the images.
KAGGLE_FOLDERS = ("", "metadata")


class MetadataError(ValueError):
    """The metadata cannot be used.

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


@dataclass(frozen=True, eq=False)
class Source:
    """The metadata of a screen, read and not yet checked.

    Attributes
    ----------
    files : tuple of Path
        Where it stands.
    entries : Entries
        Its rows.
    """

    files: tuple[Path, ...]
    entries: Entries

    @property
    def kaggle(self) -> bool:
        """Whether it is Kaggle's, one row a well."""
        return self.files[0].name != FILE_NAME

    def examine(self) -> list[Fault]:
        """Find every fault."""
        return examine(self.entries)

    def sites(self) -> pd.DataFrame:
        """Return the rows in the release's columns as text, one a site.

        The index is the position of the entry that a site comes from. Kaggle's wells become two
        sites each, as Recursion's own reader has it: every well was imaged at two, and no file
        says which images are there. Its siRNAs have no names but EMPTY.
        """
        if self.kaggle:
            return _release_rows(pd.DataFrame(self.entries.text))
        rows = self.entries.sheets[0].table.reset_index(drop=True)
        return rows.reindex(columns=COLUMNS, fill_value="")


def find_source(root: Path | str) -> Source:
    """Read the metadata of whichever variant lies in `root`, as text and unchecked.

    Raises
    ------
    MetadataError
        If there is none, or if a file is missing or no CSV table.
    """
    files = find_files(root)
    if files[0].name == FILE_NAME:
        return Source(files, gather([release_sheet(read_csv(files[0]))], RELEASE_RULES))
    return Source(files, gather([_kaggle_sheet(path) for path in files], KAGGLE_RULES))


def find_files(root: Path | str) -> tuple[Path, ...]:
    """Return the file or files that hold the metadata of a screen.

    Raises
    ------
    MetadataError
        If there are none, or not all of Kaggle's.
    """
    path = Path(root) / FILE_NAME
    if path.is_file():
        return (path,)
    for folder in KAGGLE_FOLDERS:
        paths = tuple(Path(root, folder, name) for name in KAGGLE_FILES)
        missing = [other for other in paths if not other.is_file()]
        if not missing:
            return paths
        if len(missing) < len(paths):
            together = f"expected {FOUR_FILES} together, so put it beside the others"
            raise MetadataError([f"{other} is missing; {together}." for other in missing])
    raise MetadataError(
        [
            f"{path} is missing: expected the folder of a screen, with {FILE_NAME} in it, or with "
            f"Kaggle's {FOUR_FILES}{_elsewhere(Path(root))}."
        ]
    )


def _elsewhere(root: Path) -> str:
    """Say where the metadata are instead: one folder deeper, or not unpacked yet."""
    for name in (FILE_NAME, *KAGGLE_FILES):
        for found in sorted(root.glob(f"*/{name}")):
            return f"; {found} is there, so give {found.parent}"
        for found in (root / f"{name}{ending}" for ending in (".gz", ".zip")):
            if found.exists():
                return f"; {found} is there, so unpack it"
    return ""


def read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file as text, unchecked; the index counts its lines, blank ones left out.

    Raises
    ------
    MetadataError
        If it cannot be read or is no CSV table.
    """
    try:
        with warnings.catch_warnings():
            # Else entries beyond the header's columns are lost with a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # "NA" is text here, and a short row must not shift the columns of the others.
            table = pd.read_csv(
                path, dtype=str, keep_default_na=False, index_col=False, skip_blank_lines=False
            ).fillna("")
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        found = f"{path} is no CSV table ({str(error).strip()})"
        raise MetadataError(
            [f"{found}: expected UTF-8 text with a header line; fetch or write it again."]
        ) from error
    return table[(table != "").any(axis="columns")]


def release_sheet(table: pd.DataFrame) -> Sheet:
    """Return a table in the release's columns, typed or text, as a sheet; see `Sheet.table`."""
    return Sheet(FILE_NAME, table, COLUMNS, RELEASE_ALLOWED)


def _kaggle_sheet(path: Path) -> Sheet:
    implied = KAGGLE_FILES[path.name]
    table = read_csv(path)
    columns = ["id_code", "experiment", "plate", "well"]
    # Copies of test.csv that were made after the competition may have the labels.
    if path.name != "test.csv" or "sirna" in table:
        columns.append("sirna")
    if "well_type" not in implied:
        columns.append("well_type")
    allowed = {column: one for column, one in KAGGLE_ALLOWED.items() if column in columns}
    return Sheet(path.name, table, columns, allowed, implied)


def _release_rows(wells: pd.DataFrame) -> pd.DataFrame:
    """Make the release's rows, two a well, of Kaggle's."""
    # A well without a label, or whose label is at fault, is unlabelled.
    sirna_id = wells["sirna"].map(CLASS_OF_LABEL).fillna(UNLABELLED).astype(int)
    described = wells.assign(
        well_id=wells["id_code"],
        # HUVEC-01, or SIM-HUVEC-01.
        cell_type=wells["experiment"].str.split("-").str[-2],
        sirna=np.where(sirna_id == UNTREATED, EMPTY, ""),
        sirna_id=sirna_id.astype(str),
    )
    sites = described.loc[described.index.repeat(len(SITES))]
    sites = sites.assign(site=np.tile([str(site) for site in SITES], len(wells)))
    sites["site_id"] = sites["well_id"] + "_" + sites["site"]
    return sites[list(COLUMNS)].astype(str)


def _one_of(entries: Sequence[object]) -> Allowed:
    return Allowed(frozenset(map(str, entries)), f"one of {', '.join(map(str, entries))}")


FOUR_FILES = f"{', '.join(list(KAGGLE_FILES)[:-1])} and {list(KAGGLE_FILES)[-1]}"
PLACES = {
    "plate": Allowed(frozenset(map(str, PLATES)), f"{PLATES[0]} to {PLATES[-1]}"),
    "well": Allowed(frozenset(WELLS), "rows B to O and columns 02 to 23, such as B02"),
}
RELEASE_ALLOWED = {
    "cell_type": _one_of(CELL_TYPES),
    "dataset": _one_of(DATASETS),
    **PLACES,
    "site": Allowed(frozenset(map(str, SITES)), " or ".join(map(str, SITES))),
    "well_type": _one_of(WELL_TYPES),
    "sirna_id": Allowed(
        frozenset(map(str, range(UNLABELLED, CLASSES))),
        f"0 to {CLASSES - 1}, or {UNLABELLED} where there is no label",
    ),
}
KAGGLE_ALLOWED = {
    **PLACES,
    "sirna": Allowed(
        frozenset(CLASS_OF_LABEL),
        f"0 to {UNTREATED}, or sirna_0 to sirna_{UNTREATED - 1}, UNTREATED",
    ),
    "well_type": _one_of(WELL_TYPES),
}
RELEASE_RULES = Rules(
    id_parts={
        "site_id": ["experiment", "plate", "well", "site"],
        "well_id": ["experiment", "plate", "well"],
    },
    row_is="site",
    patterns={
        # Experiments name folders, so they must not lead out of the screen.
        "experiment": Pattern(
            r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits and '-', such as HUVEC-01"
        ),
        # A quotation mark left open would swallow the rows up to the next.
        "sirna": Pattern(r"[^\s,\"]*", "one word, such as s21721 or EMPTY"),
    },
    # Not one well_type a class: the release has EMPTY wells that were not planned.
    one_per_key=[
        ("sirna", "sirna_id"),
        ("cell_type", "experiment"),
        ("dataset", "experiment"),
        ("sirna_id", "well_id"),
        ("well_type", "well_id"),
    ],
    doubted={
        "site_id": ["experiment", "plate", "well", "site"],
        "sirna": ["sirna_id"],
        "sirna_id": ["sirna"],
    },
)
KAGGLE_RULES = Rules(
    id_parts={"id_code": ["experiment", "plate", "well"]},
    row_is="well",
    patterns={
        "experiment": Pattern(
            rf"([A-Za-z0-9][A-Za-z0-9._]*-)*({'|'.join(CELL_TYPES)})-[A-Za-z0-9._]+",
            f"one of {', '.join(CELL_TYPES)} and a number, such as HUVEC-01",
        )
    },
    one_per_key=[("dataset", "experiment")],
    doubted={"id_code": ["experiment", "plate", "well"]},
)
# The columns that name a row: at fault where they contradict its parts.
NAMES = (RELEASE_RULES.name, KAGGLE_RULES.name)
