"""Whether what lies closest is alike: nearest neighbours and the labels that they share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Agreement(NamedTuple):
    """How often a point's nearest other point has the point's own label."""

    share: float
    """Of all points, 0 … 1."""
    chance: float
    """The same for a neighbour drawn at random."""
    n: int
    """Number of points."""


def nearest_agreement(
    features: npt.NDArray[np.float64], labels: npt.NDArray[np.object_]
) -> Agreement:
    """Compare each point's label with that of the nearest other point.

    Parameters
    ----------
    features
        Points (N, D), N ≥ 2; distances are Euclidean. Of equally close points the first counts.
    labels
        One a point, (N,).
    """
    n = len(features)
    if n < 2 or len(labels) != n:
        raise ValueError(f"{n} points and {len(labels)} labels; expected two or more, one each")
    squares = (features**2).sum(axis=1)
    distances = squares[:, np.newaxis] + squares - 2 * features @ features.T
    np.fill_diagonal(distances, np.inf)
    share = float((labels[distances.argmin(axis=1)] == labels).mean())
    _, sizes = np.unique(labels.astype(str), return_counts=True)
    return Agreement(share, float((sizes * (sizes - 1)).sum() / (n * (n - 1))), n)
