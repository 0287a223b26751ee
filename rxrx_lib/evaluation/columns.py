"""Columns of one table of sites, checked where they enter a metric."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def columns(**arrays: ArrayLike) -> list[NDArray[Any]]:
    """Give the named columns as arrays (N,), N >= 1.

    Raises
    ------
    ValueError
        Where a column is not one-dimensional, where two differ in length, and for no rows: an
        accuracy of none is undefined.
    """
    checked = {name: np.asarray(array) for name, array in arrays.items()}
    shapes = {name: column.shape for name, column in checked.items()}
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) != 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"expected one value a row in each array, got the shapes {listed}")
    if any(column.size == 0 for column in checked.values()):
        raise ValueError(f"{' and '.join(checked)}: no rows, expected at least one")
    return list(checked.values())


def ranked(name: str, array: ArrayLike, rows: int) -> NDArray[Any]:
    """Give the k best entries of each row as an array (N, k), k >= 1.

    Raises
    ------
    ValueError
        For another number of rows than ``rows``, and for other dimensions.
    """
    values = np.asarray(array)
    if values.ndim != 2 or values.shape[0] != rows or values.shape[1] == 0:
        raise ValueError(f"{name} has shape {values.shape}, expected ({rows}, k) with k >= 1")
    return values
