"""Nearest neighbours in other experiments: whether they show the same siRNA.

No classifier is trained: what is asked is the geometry of the embeddings. Similarity is the cosine.
Shapes: N rows (sites), D embedding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rxrx_lib.evaluation.columns import columns

BLOCK_ENTRIES = 2**24
"""Similarities that are held at a time: 64 MiB, however many rows there are."""


def nearest_elsewhere(
    values: NDArray[Any], experiment: ArrayLike, cell_type: ArrayLike
) -> NDArray[np.int64]:
    """Find each row's nearest neighbour among the other experiments of its cell type.

    Parameters
    ----------
    values
        Embeddings (N, D), finite. A row of zeros has the similarity 0 to every other.
    experiment, cell_type
        Of each row, (N,).

    Returns
    -------
    int64 (N,)
        The row of highest cosine similarity, computed in float32; among equals the first in the
        order of experiments and rows.

    Raises
    ------
    ValueError
        For shapes that do not match, no rows, values that are not finite, and a cell type with
        one experiment only.

    Examples
    --------
    >>> x = np.array([[1, 0], [1, 0.1], [3, 0], [0, 1]])
    >>> nearest_elsewhere(x, ["A", "A", "B", "B"], ["RPE"] * 4).tolist()
    [2, 2, 0, 1]
    """
    experiments, cell_types = columns(experiment=experiment, cell_type=cell_type)
    if values.ndim != 2 or values.shape[:1] != experiments.shape:
        raise ValueError(f"values has shape {values.shape}, expected ({experiments.size}, D)")
    if not np.isfinite(values).all():
        raise ValueError("values holds a value that is not finite")
    nearest = np.empty(experiments.size, dtype=np.int64)
    for name in np.unique(cell_types):
        rows = np.flatnonzero(cell_types == name)
        rows = rows[np.argsort(experiments[rows], kind="stable")]
        _require_several(str(name), experiments[rows])
        nearest[rows] = rows[_nearest_sorted(unit_rows(values[rows]), experiments[rows])]
    return nearest


def neighbour_hits(
    values: NDArray[Any], sirna_id: ArrayLike, experiment: ArrayLike, cell_type: ArrayLike
) -> NDArray[np.bool_]:
    """Say of each row whether its nearest neighbour elsewhere has the same siRNA.

    Their mean is the cross-experiment nearest-neighbour accuracy: higher is better, and
    `neighbour_chance` is what embeddings without any information reach.

    Parameters
    ----------
    values
        Embeddings (N, D), finite.
    sirna_id, experiment, cell_type
        Of each row, (N,).

    Returns
    -------
    bool (N,)

    Raises
    ------
    ValueError
        As `nearest_elsewhere`.
    """
    (sirnas,) = columns(sirna_id=sirna_id)
    if sirnas.shape != values.shape[:1]:
        raise ValueError(f"sirna_id has shape {sirnas.shape}, expected {values.shape[:1]}")
    hits: NDArray[np.bool_] = sirnas[nearest_elsewhere(values, experiment, cell_type)] == sirnas
    return hits


def neighbour_chance(sirna_id: ArrayLike, experiment: ArrayLike, cell_type: ArrayLike) -> float:
    """Nearest-neighbour accuracy of a neighbour drawn at random.

    Of each row the share of the same siRNA among the rows of other experiments of its cell type;
    their mean. Close to 1/K where K siRNAs have one well in each experiment.

    Parameters
    ----------
    sirna_id, experiment, cell_type
        Of each row, (N,).

    Returns
    -------
    float
        Percent, 0 to 100.

    Raises
    ------
    ValueError
        For arrays that are empty or whose lengths do not match, and for a cell type with one
        experiment only.

    Examples
    --------
    >>> neighbour_chance([0, 1, 0, 1, 1, 1], list("AABBBB"), ["RPE"] * 6)
    50.0
    """
    rows = columns(sirna_id=sirna_id, experiment=experiment, cell_type=cell_type)
    sirnas, experiments, cell_types = (np.unique(column, return_inverse=True)[1] for column in rows)
    for name in np.unique(rows[2]):
        _require_several(str(name), rows[1][rows[2] == name])
    elsewhere = _alike(cell_types) - _alike(cell_types, experiments)
    same = _alike(cell_types, sirnas) - _alike(cell_types, sirnas, experiments)
    return float(100 * np.mean(same / elsewhere))


def unit_rows(values: NDArray[Any]) -> NDArray[np.float32]:
    """Scale the rows of values (N, D) to length 1; a row of zeros stays."""
    length = np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
    scaled = np.divide(values, length, out=np.zeros(values.shape), where=length > 0)
    unit: NDArray[np.float32] = scaled.astype(np.float32)
    return unit


def _nearest_sorted(unit: NDArray[np.float32], experiment: NDArray[Any]) -> NDArray[np.int64]:
    """Nearest rows (n,) of unit vectors (n, D) that lie sorted by experiment, block by block."""
    starts = np.unique(experiment, return_index=True)[1].tolist()
    block = max(1, BLOCK_ENTRIES // len(unit))
    nearest = np.empty(len(unit), dtype=np.int64)
    for start, end in zip(starts, [*starts[1:], len(unit)], strict=True):
        for first in range(start, end, block):
            queries = slice(first, min(first + block, end))
            similarity = unit[queries] @ unit.T
            similarity[:, start:end] = -np.inf
            nearest[queries] = similarity.argmax(axis=1)
    return nearest


def _require_several(cell_type: str, experiment: NDArray[Any]) -> None:
    if np.unique(experiment).size < 2:
        raise ValueError(
            f"cell type {cell_type} has one experiment only, expected two or more: a neighbour "
            "is looked for in another one; leave this cell type out"
        )


def _alike(*codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many rows have a row's combination of codes, (N,)."""
    combination = np.ravel_multi_index(codes, [code.max() + 1 for code in codes])
    alike: NDArray[np.intp] = np.bincount(combination)[combination]
    return alike
