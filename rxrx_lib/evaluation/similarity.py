"""Cosine similarities between embeddings: the four distributions of the paper's section 5.4.

Pairs of sites of one cell type have the same siRNA or different ones, and stand in one experiment
(within) or in two (across). There are hundreds of millions of them, so they are counted and not
kept, at rounded cosines. Shapes: N sites, D dimensions, L = `LEVELS` values of a rounded cosine.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from rxrx_lib.evaluation.columns import columns
from rxrx_lib.evaluation.cosine_counts import (
    DISTRIBUTIONS,
    LEVELS,
    STEP,
    CosineDistributions,
    Counts,
)

TILE = 1024
"""Most sites a side of the block of pairs that a thread holds at a time."""


def cosine_distributions(
    embedding: ArrayLike,
    sirna: ArrayLike,
    experiment: ArrayLike,
    cell_type: ArrayLike,
    well: ArrayLike | None = None,
    *,
    workers: int = 1,
) -> CosineDistributions:
    """Count the cosines of all pairs of sites within each cell type.

    Each pair counts once, and no site is paired with itself. EMPTY is a class as any other.

    Parameters
    ----------
    embedding
        Embeddings of the sites, (N, D), finite, of any length. A site whose embedding is all zeros
        is left out and counted.
    sirna, experiment, cell_type
        Of each site, (N,); an experiment has one cell type.
    well
        Name of each site's well, (N,), unlike for wells of two experiments or plates, as
        ``well_id`` is. With it, pairs of one well are left out in a fifth distribution.
    workers
        Threads, at least 1. The counts do not depend on it. Each takes about 20 MB, beside a copy
        of the embeddings of one cell type in float32.

    Returns
    -------
    CosineDistributions
        The counts, with ``ks`` and ``wasserstein`` within and across experiments.

    Raises
    ------
    ValueError
        For arrays of other shapes, an embedding that is not finite, an experiment of two cell
        types, a well of two experiments or siRNAs, and less than one worker.

    Examples
    --------
    Two experiments point the same siRNAs in opposite directions:

    >>> towards = [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1], [1, 0], [1, 0]]
    >>> found = cosine_distributions(
    ...     towards, [0, 0, 1, 1] * 2, ["A"] * 4 + ["B"] * 4, ["RPE"] * 8
    ... )
    >>> found.ks
    {'within': 1.0, 'across': 1.0}
    >>> found.compare("same_within", "same_across").wasserstein
    1.0
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; give a number of threads from 1")
    vectors, length = _vectors(embedding)
    sites = _Sites(*_codes(len(vectors), sirna, experiment, cell_type, well))
    counts = {name: np.zeros(LEVELS, np.int64) for name in DISTRIBUTIONS}
    lock = Lock()  # integers: the order of adding does not matter

    def count(pair: tuple[_Tile, _Tile]) -> None:
        found = dict(_pairs(*pair))
        with lock:
            for name, some in found.items():
                counts[name] += some

    # One thread a product: two products at once take less time than one after the other by two.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as threads:
        for rows in sites.by_cell_type(length > 0):
            tiles = _tiles(_directions(vectors, length, rows), sites.rows(rows))
            list(threads.map(count, _unordered(tiles)))
    if well is None:
        del counts["same_within_other_wells"]
    return CosineDistributions(counts=counts, zero_vectors=int((length == 0).sum()))


class _Sites(NamedTuple):
    """What tells sites apart, as whole numbers, (N,) each."""

    sirna: NDArray[np.int64]
    experiment: NDArray[np.int64]
    cell_type: NDArray[np.int64]
    well: NDArray[np.int64]
    """All different where wells are not known."""

    def rows(self, rows: NDArray[np.int64]) -> _Sites:
        """Return some sites."""
        return _Sites(*(column[rows] for column in self))

    def by_cell_type(self, wanted: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
        """Give the wanted rows of each cell type, by experiment and siRNA."""
        order = np.lexsort((self.sirna, self.experiment, self.cell_type))
        order = order[wanted[order]]
        ends = np.flatnonzero(np.diff(self.cell_type[order])) + 1
        yield from (part for part in np.split(order, ends) if part.size)


class _Tile(NamedTuple):
    """Some sites of one experiment, by siRNA."""

    number: int
    directions: NDArray[np.float32]
    sites: _Sites


def _vectors(embedding: ArrayLike) -> tuple[NDArray[np.floating[Any]], NDArray[np.float64]]:
    """Return embeddings as numbers with a point, and each one's largest entry in size, (N,)."""
    vectors = np.asarray(embedding)
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise ValueError(
            f"embedding has shape {vectors.shape}, expected (N, D) with a row a site and a column "
            "or more"
        )
    if vectors.dtype.kind not in "fiu":
        raise ValueError(f"embedding holds {vectors.dtype}, expected real numbers")
    if vectors.dtype.kind != "f":
        vectors = vectors.astype(np.float64)
    # Not isfinite of all entries, which would take a quarter of the embeddings' memory.
    length = np.maximum(vectors.max(axis=1), -vectors.min(axis=1)).astype(np.float64)
    if not np.isfinite(length).all():
        row = int(np.flatnonzero(~np.isfinite(length))[0])
        raise ValueError(f"embedding holds a value that is not finite in row {row}; predict anew")
    return vectors, length


def _codes(
    rows: int, sirna: ArrayLike, experiment: ArrayLike, cell_type: ArrayLike, well: ArrayLike | None
) -> list[NDArray[np.int64]]:
    """Return the columns as whole numbers, in the order of `_Sites`."""
    given = {"sirna": sirna, "experiment": experiment, "cell_type": cell_type}
    named = dict(zip(given, columns(**given), strict=True))
    named["well"] = np.arange(named["sirna"].size) if well is None else np.asarray(well)
    named["well"] = columns(sirna=sirna, well=named["well"])[1]
    if named["sirna"].size != rows:
        raise ValueError(f"sirna has {named['sirna'].size} rows, embedding has {rows}")
    codes = {name: np.unique(column, return_inverse=True)[1] for name, column in named.items()}
    for whole, part in (("experiment", "cell_type"), ("well", "experiment"), ("well", "sirna")):
        _, first = np.unique(codes[whole], return_index=True)
        odd = np.flatnonzero(codes[part] != codes[part][first][codes[whole]])
        if odd.size:
            name = named[whole][odd[0]]
            advice = "; give well_id, not the position on a plate" if whole == "well" else ""
            raise ValueError(f"{whole} {name} has more than one {part}, expected one{advice}")
    return list(codes.values())


def _directions(
    vectors: NDArray[np.floating[Any]], length: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return some embeddings at length 1; squares neither overflow nor vanish on the way."""
    some = vectors[rows]
    if some.dtype.itemsize < 4:
        some = some.astype(np.float32)
    some /= length[rows, np.newaxis].astype(some.dtype)
    directions = some.astype(np.float32, copy=False)
    directions /= np.sqrt(np.einsum("nd,nd->n", directions, directions))[:, np.newaxis]
    return directions


def _tiles(directions: NDArray[np.float32], sites: _Sites) -> list[_Tile]:
    """Cut one cell type's sites, by experiment and siRNA, at experiments and into equal parts."""
    tiles: list[_Tile] = []
    ends = np.flatnonzero(np.diff(sites.experiment)) + 1
    for rows in np.split(np.arange(len(directions)), ends):
        for part in np.array_split(rows, -(-rows.size // TILE)):
            tile = slice(part[0], part[-1] + 1)
            found = _Sites(*(column[tile] for column in sites))
            tiles.append(_Tile(len(tiles), directions[tile], found))
    return tiles


def _unordered(tiles: list[_Tile]) -> Iterator[tuple[_Tile, _Tile]]:
    """Give all pairs of tiles, each once, a tile with itself too."""
    for number, tile in enumerate(tiles):
        yield from ((tile, other) for other in tiles[number:])


def _pairs(one: _Tile, other: _Tile) -> Iterator[tuple[str, Counts]]:
    """Count the pairs of a site of one tile and a site of another one, or of the same."""
    panel = "within" if one.sites.experiment[0] == other.sites.experiment[0] else "across"
    level = one.directions @ other.directions.T
    level *= 1 / STEP
    level += 1 / STEP + 0.5
    first = np.searchsorted(other.sites.sirna, one.sites.sirna, side="left")
    end = np.searchsorted(other.sites.sirna, one.sites.sirna, side="right")
    if one.number == other.number:
        level[np.tril_indices(len(level))] = LEVELS  # each pair once, no site with itself
        first = np.arange(len(level)) + 1
    every = _counted(level.ravel())
    row, column = _ranges(first, end)
    alike = level[row, column]
    same = _counted(alike)
    yield f"different_{panel}", every - same
    yield f"same_{panel}", same
    if panel == "within":
        apart = one.sites.well[row] != other.sites.well[column]
        yield "same_within_other_wells", _counted(alike[apart])


def _counted(level: NDArray[np.float32]) -> Counts:
    """Count rounded cosines, (L,); what lies at L is no pair."""
    return np.bincount(level.astype(np.intp), minlength=LEVELS + 1)[:LEVELS]


def _ranges(
    first: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows 0, 1, … and columns first, …, end - 1 of each, one entry a pair."""
    sizes = np.maximum(end - first, 0)
    row = np.repeat(np.arange(len(sizes)), sizes)
    column = np.arange(row.size) - np.repeat(np.cumsum(sizes) - sizes, sizes) + first[row]
    return row, column
