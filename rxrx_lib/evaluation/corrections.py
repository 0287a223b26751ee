"""Corrections of embeddings that use no label: what an experiment has in common is taken out.

By default a correction is fitted on all the rows that it is given, those that are tested included:
transductive, as adaptive batch normalisation is. Shapes: N rows (sites), D embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float32]
Rows = NDArray[np.intp]


class Correction(Protocol):
    """From embeddings (N, D) and the experiment of each row (N,) to embeddings (N, D)."""

    def __call__(
        self, values: NDArray[Any], experiment: ArrayLike, fitted_on: ArrayLike | None = None
    ) -> Values:
        """Correct all rows by statistics of the rows at ``fitted_on``."""


def uncorrected(
    values: NDArray[Any], experiment: ArrayLike, fitted_on: ArrayLike | None = None
) -> Values:
    """Give a copy of the embeddings (N, D) as they are, in float32; parameters as in `centred`."""
    return np.array(values, dtype=np.float32)


def centred(
    values: NDArray[Any], experiment: ArrayLike, fitted_on: ArrayLike | None = None
) -> Values:
    """Subtract from each feature its mean over the sites of the experiment.

    Parameters
    ----------
    values
        Embeddings (N, D), finite.
    experiment
        Experiment of each row, (N,).
    fitted_on
        Positions of the rows that the means are taken over, at least one of each experiment; all
        by default.

    Returns
    -------
    float32 (N, D)
        Mean 0 in each experiment and feature, over the rows fitted on; spreads as they were.

    Raises
    ------
    ValueError
        For shapes that do not match, no rows, values that are not finite, and an experiment
        without a row to fit on.

    Examples
    --------
    >>> centred(np.array([[1.0], [3.0], [10.0]]), ["A", "A", "B"]).ravel().tolist()
    [-1.0, 1.0, 0.0]
    """
    result = np.empty(values.shape, dtype=np.float32)
    for rows, fitted in _experiments(values, experiment, fitted_on):
        result[rows] = values[rows] - values[fitted].mean(axis=0, dtype=np.float64)
    return result


def standardised(
    values: NDArray[Any], experiment: ArrayLike, fitted_on: ArrayLike | None = None
) -> Values:
    """Centre, and divide each feature by its standard deviation over the sites of the experiment.

    Parameters
    ----------
    values, experiment, fitted_on
        As in `centred`.

    Returns
    -------
    float32 (N, D)
        Mean 0 and standard deviation 1 (that of the population: divided by the number of rows) in
        each experiment and feature, over the rows fitted on; 0 where they do not vary.

    Raises
    ------
    ValueError
        As `centred`.

    Examples
    --------
    >>> standardised(np.array([[1.0], [5.0], [10.0]]), ["A", "A", "B"]).ravel().tolist()
    [-1.0, 1.0, 0.0]
    """
    result = centred(values, experiment, fitted_on)
    for rows, fitted in _experiments(values, experiment, fitted_on):
        spread = values[fitted].std(axis=0, dtype=np.float64)
        # Rounding gives a constant feature a spread of dust, which division would blow up.
        varies = (np.ptp(values[fitted], axis=0) > 0) & (spread > 0)
        result[rows] *= np.divide(1.0, spread, out=np.zeros_like(spread), where=varies)
    return result


def _experiments(
    values: NDArray[Any], experiment: ArrayLike, fitted_on: ArrayLike | None
) -> Iterator[tuple[Rows, Rows]]:
    """Check what came, and give the rows of each experiment and those of them to fit on."""
    experiments = np.asarray(experiment)
    if values.ndim != 2 or experiments.shape != values.shape[:1] or values.size == 0:
        raise ValueError(
            f"values has shape {values.shape} and experiment {experiments.shape}, expected "
            "(rows, D) and (rows,) with at least one row"
        )
    if not np.isfinite(values).all():
        raise ValueError("values holds a value that is not finite")
    fitting = np.zeros(len(values), dtype=bool)
    fitting[slice(None) if fitted_on is None else np.asarray(fitted_on)] = True
    names, group, counts = np.unique(experiments, return_inverse=True, return_counts=True)
    in_order = np.split(np.argsort(group, kind="stable"), np.cumsum(counts)[:-1])
    for name, rows in zip(names, in_order, strict=True):
        fitted = rows[fitting[rows]]
        if not fitted.size:
            raise ValueError(f"fitted_on has no row of experiment {name}, expected at least one")
        yield rows, fitted


CORRECTIONS: Mapping[str, Correction] = {
    "none": uncorrected,
    "centred": centred,
    "standardised": standardised,
}
"""In the order of every table and figure."""
