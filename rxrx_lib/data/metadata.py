"""The table of sites: read from any published variant, checked, and written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from rxrx_lib.data import atomic, variants
from rxrx_lib.data.faults import Fault, examine, gather
from rxrx_lib.data.variants import FILE_NAME, MetadataError
from rxrx_lib.data.vocabulary import (
    CELL_TYPES,
    CLASSES,
    COLUMNS,
    DATASETS,
    PLATES,
    SITES,
    UNLABELLED,
    WELL_TYPES,
    WELLS,
)

__all__ = [
    "CELL_TYPES",
    "CLASSES",
    "COLUMNS",
    "DATASETS",
    "FILE_NAME",
    "PLATES",
    "SITES",
    "UNLABELLED",
    "WELLS",
    "WELL_TYPES",
    "Fault",
    "MetadataError",
    "faults",
    "load",
    "sha256",
    "write",
]


def load(root: Path | str) -> pd.DataFrame:
    """Read and validate the metadata of a screen.

    Parameters
    ----------
    root : path
        Folder of the rxrx.ai release or of RxRx1-WILDS, with `metadata.csv`; or of Kaggle's
        competition, with `train.csv`, `test.csv` and both `*_controls.csv`, there or in
        `metadata/`. Where both lie, `metadata.csv` is read.

    Returns
    -------
    DataFrame (N rows)
        The columns of `COLUMNS` in that order, one row a site, in the files' order; `plate`,
        `site` and `sirna_id` as int64, the rest as strings. Further columns are ignored.

    Raises
    ------
    MetadataError
        With every fault of the files, or saying that one is missing or no CSV table.

    Notes
    -----
    What a variant lacks is absent. RxRx1-WILDS calls four of the release's test experiments `val`.
    Kaggle's test treatments have no label: their `sirna_id` is -1. Its siRNAs have no ThermoFisher
    names: `sirna` is empty, or EMPTY. It lists wells, which become two sites each whether or not
    their images are there, and holds four wells more than the release.
    """
    source = variants.find_source(root)
    found = source.examine()
    if found:
        raise MetadataError([fault.text for fault in found])
    numbers = dict.fromkeys(("plate", "site", "sirna_id"), "int64")
    return source.sites().reset_index(drop=True).astype(numbers)


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
        In the release's columns, typed or all text.
    """
    sheet = variants.release_sheet(table.reset_index(drop=True))
    return [fault.text for fault in examine(gather([sheet], variants.RELEASE_RULES))]


def sha256(root: Path | str) -> str:
    """Return the SHA-256 of a screen's metadata: of its file, or of its files' own SHA-256s.

    Raises
    ------
    MetadataError
        If there is no metadata.
    """
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in variants.find_files(root)]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
