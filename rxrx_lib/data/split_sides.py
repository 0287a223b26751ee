"""A split: which rows of a screen's table are on which side."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """The sides of a screen.

    Attributes
    ----------
    name : str
        How it was made: the name of the function, or of the WILDS scheme.
    unit : str
        What stays together on one side: `experiment`, `well` or `site`.
    train, test : int64 (n,)
        Row positions in the metadata table, ascending, none on two sides.
    val, id_test : int64 (n,) or None
        Further sides that a split may have, like these: held-out experiments to choose by, and
        other sites of the training experiments.
    """

    name: str
    unit: str
    train: Rows
    test: Rows
    val: Rows | None = None
    id_test: Rows | None = None

    @property
    def sides(self) -> dict[str, Rows]:
        """The sides that the split has, by name."""
        sides = {"train": self.train, "val": self.val, "id_test": self.id_test, "test": self.test}
        return {name: rows for name, rows in sides.items() if rows is not None}

    def __post_init__(self) -> None:
        for side, rows in self.sides.items():
            if rows.dtype != np.int64 or rows.ndim != 1 or (np.diff(rows) <= 0).any():
                raise ValueError(
                    f"{side} holds {rows!r}; expected row positions as int64, ascending, each once."
                )
        for one, other in itertools.combinations(self.sides, 2):
            both = np.intersect1d(self.sides[one], self.sides[other])
            if both.size:
                raise ValueError(
                    f"{one} and {other} share the rows {both[:5].tolist()}; expected no row on "
                    "both sides."
                )
