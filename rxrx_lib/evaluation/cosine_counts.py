"""Distributions of cosines, counted at rounded values, and how far two of them lie apart.

What is computed from the counts is exact for the rounded cosines, and says how far it can be from
that of the cosines themselves. Shapes: L = `LEVELS` values of a rounded cosine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

STEP = 2.0**-15
"""Between two values of a rounded cosine."""
LEVELS = round(2 / STEP) + 1
"""Values of a rounded cosine, -1 and 1 among them."""
DISTRIBUTIONS = (
    "same_within",
    "different_within",
    "same_across",
    "different_across",
    "same_within_other_wells",
)
"""The paper's four, and the first without pairs of sites of one well."""
COMPARED = {
    "within": ("same_within", "different_within"),
    "across": ("same_across", "different_across"),
    "within_other_wells": ("same_within_other_wells", "different_within"),
    "same": ("same_within", "same_across"),
    "different": ("different_within", "different_across"),
    "same_other_wells": ("same_within_other_wells", "same_across"),
}
"""Pairs of distributions that say something: how well siRNAs can be told apart in each panel of
figure 7, and whether a distribution is the same within and across."""


class Comparison(NamedTuple):
    """How far two distributions lie apart; nan where one of them has no pair."""

    ks: float
    """Two-sample Kolmogorov-Smirnov statistic, 0 (equal) to 1 (no overlap)."""
    wasserstein: float
    """Wasserstein distance in units of cosine, 0 to 2; off by `STEP` at most."""
    ks_error: float
    """The most by which rounding the cosines can have made ``ks`` too small."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CosineDistributions:
    """Distributions of cosines between pairs of sites of one cell type, each pair once."""

    counts: Mapping[str, Counts]
    """Keys of `DISTRIBUTIONS`, the last one only where wells are known, to pairs by rounded cosine,
    (L,), from -1 to 1."""
    zero_vectors: int
    """Sites left out, since an embedding of zeros has no direction."""

    @property
    def ks(self) -> dict[str, float]:
        """KS statistic between same and different siRNAs, ``within`` and ``across``."""
        return {panel: self.compare(*COMPARED[panel]).ks for panel in ("within", "across")}

    @property
    def wasserstein(self) -> dict[str, float]:
        """Wasserstein distance between the same, ``within`` and ``across``."""
        return {panel: self.compare(*COMPARED[panel]).wasserstein for panel in ("within", "across")}

    @property
    def same_well_share(self) -> float:
        """Share of the pairs of ``same_within`` that are two sites of one well, 0 to 1.

        nan where wells are not known, or where there is no such pair.
        """
        if "same_within_other_wells" not in self.counts or not self.pairs("same_within"):
            return float("nan")
        return 1 - self.pairs("same_within_other_wells") / self.pairs("same_within")

    def pairs(self, name: str) -> int:
        """Return how many pairs a distribution has."""
        return int(self.counts[name].sum())

    def compare(self, one: str, other: str) -> Comparison:
        """Compare two distributions by their names."""
        return compare(self.counts[one], self.counts[other])

    def histogram(self, name: str, bins: int) -> Counts:
        """Return a distribution's pairs in equal bins from -1 to 1, (bins,)."""
        values = np.linspace(-1, 1, LEVELS)
        found, _ = np.histogram(values, bins, (-1, 1), weights=self.counts[name])
        return found.astype(np.int64)


def compare(one: Counts, other: Counts) -> Comparison:
    """Compare two distributions of rounded cosines, (L,) counts each.

    Notes
    -----
    Half-way between two rounded values both distribution functions are known. In between they
    rise in an order that is not known: at worst one has risen before the other begins to.
    """
    if not one.sum() or not other.sum():
        return Comparison(float("nan"), float("nan"), float("nan"))
    f, g = (np.append(0, np.cumsum(counts)) / counts.sum() for counts in (one, other))
    ks = float(np.abs(f - g).max())
    most = max(float((f[1:] - g[:-1]).max()), float((g[1:] - f[:-1]).max()))
    return Comparison(ks, float(np.abs(f - g)[1:-1].sum() * STEP), max(0.0, most - ks))
