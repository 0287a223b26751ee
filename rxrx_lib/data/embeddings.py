"""The official embeddings: `embeddings.csv` beside `metadata.csv`, 128 features a site.

Shapes: N sites of the metadata that have an embedding, D = 128 features.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data import atomic, metadata

FILE_NAME = "embeddings.csv"
FEATURES = 128
FEATURE_COLUMNS = tuple(f"feature_{number}" for number in range(FEATURES))
CHUNK = 8192
"""Lines that are read or written at a time: they bound what is in memory beside the result."""


class EmbeddingsError(ValueError):
    """The file of embeddings cannot be used; the message is one sentence."""


class EmbeddedSites(NamedTuple):
    """Sites with their embeddings, in the order of the metadata.

    Attributes
    ----------
    table : DataFrame (N rows)
        Metadata, as `metadata.load` gives it, of the sites that have an embedding.
    values : float32 (N, 128)
        Their embeddings, finite, in arbitrary units.
    missing : int
        Sites of the metadata that have none.
    """

    table: pd.DataFrame
    values: npt.NDArray[np.float32]
    missing: int


def load(root: Path | str) -> EmbeddedSites:
    """Read the embeddings of a screen and match them with its metadata by `site_id`.

    Parameters
    ----------
    root : path
        Folder with `metadata.csv` and `embeddings.csv` (columns `site_id`, `feature_0` …
        `feature_127`; lines in any order; further columns are ignored).

    Returns
    -------
    EmbeddedSites
        Every site that stands in both files.

    Raises
    ------
    MetadataError
        As `metadata.load`.
    EmbeddingsError
        If the file is missing or no CSV table, has other columns, holds no line, or has a line
        whose site is unknown or stood there before, or whose features are not finite numbers.
    """
    sites = metadata.load(root)
    path = Path(root) / FILE_NAME
    values = np.zeros((len(sites), FEATURES), dtype=np.float32)
    line_of = np.zeros(len(sites), dtype=np.int64)  # 0: no line so far
    place = pd.Index(sites["site_id"])
    for chunk in _chunks(path):
        lines = chunk.index.to_numpy() + 2  # the header is line 1
        rows = place.get_indexer(chunk["site_id"])
        _require_known(path, chunk["site_id"], lines, rows)
        _require_once(path, chunk["site_id"], lines, rows, line_of)
        values[rows] = _numbers(path, chunk, lines)
        line_of[rows] = lines
    there = line_of > 0
    if not there.any():
        raise EmbeddingsError(f"{path} holds no rows; expected one row a site.")
    table = sites[there].reset_index(drop=True)
    return EmbeddedSites(table, values[there], int((~there).sum()))


def write(table: pd.DataFrame, values: npt.NDArray[Any], root: Path | str) -> None:
    """Write a screen's metadata and its embeddings, in the release's format.

    Parameters
    ----------
    table : DataFrame (N rows)
        Metadata, with the release's columns.
    values : (N, 128)
        Embeddings; written with six significant digits.
    root : path
        The folder; each of its two files appears whole or not at all.

    Raises
    ------
    MetadataError
        With every fault of the table.
    EmbeddingsError
        For another shape of `values` and for values that are not finite.
    """
    if values.shape != (len(table), FEATURES) or not np.isfinite(values).all():
        raise EmbeddingsError(
            f"values has shape {values.shape}; expected ({len(table)}, {FEATURES}), all finite."
        )
    metadata.write(table, root)
    site_ids = table["site_id"].to_numpy()
    with (
        atomic.replacing(Path(root) / FILE_NAME) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(",".join(("site_id", *FEATURE_COLUMNS)) + "\n")
        for first in range(0, len(values), CHUNK):
            some = slice(first, first + CHUNK)
            lines = pd.DataFrame(values[some], index=site_ids[some])
            lines.to_csv(file, header=False, float_format="%.6g", lineterminator="\n")


def _chunks(path: Path) -> Iterator[pd.DataFrame]:
    """Read the site and its features, some lines at a time; what is no number stays text."""
    if not path.is_file():
        raise EmbeddingsError(
            f"{path} is missing: expected the release's file, one row a site; fetch it."
        )
    try:
        _require_columns(path, list(pd.read_csv(path, nrows=0).columns))
        # All columns, for with some of them pandas passes over a line that has too many entries.
        with pd.read_csv(path, dtype={"site_id": str}, chunksize=CHUNK, low_memory=False) as chunks:
            for chunk in chunks:
                _require_headed(path, chunk)
                yield chunk
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise EmbeddingsError(
            f"{path} is no CSV table ({str(error).strip()}): expected UTF-8 text with a header "
            "line; fetch or write it again."
        ) from error


def _require_headed(path: Path, chunk: pd.DataFrame) -> None:
    """Refuse lines with more entries than the header: pandas takes the first for row names."""
    if not isinstance(chunk.index, pd.RangeIndex):
        raise EmbeddingsError(
            f"{path} line 2: has more entries than the header; expected one for each of its "
            f"{len(chunk.columns)} columns, so fetch or write the file again."
        )


def _require_columns(path: Path, found: list[str]) -> None:
    expected = f"expected site_id and {FEATURE_COLUMNS[0]} to {FEATURE_COLUMNS[-1]}"
    for column in ("site_id", *FEATURE_COLUMNS):
        if column not in found:
            raise EmbeddingsError(f"{path}: column {column} is missing; {expected}.")
    features = [column for column in found if column.startswith("feature_")]
    if len(features) != FEATURES:
        raise EmbeddingsError(
            f"{path} has {len(features)} columns of features; {expected}, {FEATURES} of them."
        )


def _require_known(
    path: Path, site_ids: pd.Series[str], lines: npt.NDArray[Any], rows: npt.NDArray[Any]
) -> None:
    unknown = np.flatnonzero(rows < 0)
    if unknown.size:
        first = unknown[0]
        raise EmbeddingsError(
            f"{path} line {lines[first]}: site_id is {site_ids.iloc[first]!r}, which "
            f"{metadata.FILE_NAME} lacks; expected the sites of the file beside it, so give both "
            "files of one release."
        )


def _require_once(
    path: Path,
    site_ids: pd.Series[str],
    lines: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    line_of: npt.NDArray[Any],
) -> None:
    """Refuse a site that stood on an earlier line, of this chunk or of one before."""
    again = np.flatnonzero((line_of[rows] > 0) | pd.Series(rows).duplicated().to_numpy())
    if again.size:
        later = again[0]
        before = line_of[rows[later]] or lines[np.flatnonzero(rows == rows[later])[0]]
        raise EmbeddingsError(
            f"{path} line {lines[later]}: site_id {site_ids.iloc[later]!r} stands on line "
            f"{before} too; expected one row a site, so fetch or write the file again."
        )


def _numbers(path: Path, chunk: pd.DataFrame, lines: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the features of a chunk (rows, 128) as finite numbers."""
    texts = chunk[list(FEATURE_COLUMNS)]
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and is refused
        numbers: npt.NDArray[np.float32] = texts.apply(pd.to_numeric, errors="coerce").to_numpy(
            np.float32
        )
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        row, column = wrong[0]
        raise EmbeddingsError(
            f"{path} line {lines[row]} (site_id {chunk['site_id'].iloc[row]}): "
            f"{FEATURE_COLUMNS[column]} is {str(texts.iloc[row, column])!r}; expected a finite "
            "number, so fetch or write the file again."
        )
    return numbers
