"""What each of the six channels adds to an accuracy: its Shapley value, by the `shap` package.

A game gives each subset of players a value; here the players are channels and the value is an
accuracy. A player's Shapley value is what it adds to those who came before it, averaged over all
orders of coming [shapley1953value]_. The values add up to what all players reach more than none:
*efficiency*. With six channels all 64 subsets can be known, so nothing is estimated.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHANNELS = (1, 2, 3, 4, 5, 6)

SUBSETS: tuple[tuple[int, ...], ...] = tuple(
    subset
    for size in range(1, len(CHANNELS) + 1)
    for subset in itertools.combinations(CHANNELS, size)
)
"""The 63 subsets of channels that are not empty: smaller ones first, then in order."""


def channel_shapley(value: Mapping[frozenset[int], float]) -> NDArray[np.float64]:
    """Return the Shapley value of each channel, exactly.

    Parameters
    ----------
    value
        Each subset of the channels 1 to 6 to its worth, in any unit: all 64, ``frozenset()``
        among them.

    Returns
    -------
    array (6,)
        Of the channels 1 to 6, in the unit of ``value``. A positive one says that the channel
        adds to the worth of the others. They add up to the worth of all channels minus that of
        none.

    Raises
    ------
    ValueError
        If the worth of a subset is lacking or not finite, or a subset is none of the six channels.
    """
    _require_whole_game(value)
    explainer = _exact_explainer()

    def worth(present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Give the worth of subsets, one a row, (B, 6) to (B,)."""
        return np.array([value[_subset(row)] for row in np.asarray(present, dtype=bool)])

    def keep(mask: NDArray[np.bool_], _: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Leave out channels: here a mask is itself the subset that is left, (1, 6)."""
        return mask[None]

    everything = np.ones((1, len(CHANNELS)), dtype=bool)
    found = explainer(worth, keep)(everything, silent=True)
    return np.asarray(found.values[0], dtype=np.float64)


def _exact_explainer() -> Any:
    """Import shap now, with its loops left to the interpreter, to the same bits.

    Numba would compile them for three to five seconds of every process, and over 64 subsets they
    take a millisecond.
    """
    import numba

    settings: Any = numba.config
    before = settings.DISABLE_JIT
    with warnings.catch_warnings():
        # What shap imports warns of older names, and of a notebook without widgets.
        warnings.simplefilter("ignore")
        try:
            settings.DISABLE_JIT = True
            from shap import ExactExplainer
        finally:
            settings.DISABLE_JIT = before
    return ExactExplainer


def _subset(present: NDArray[np.bool_]) -> frozenset[int]:
    return frozenset(channel for channel, here in zip(CHANNELS, present, strict=True) if here)


def _require_whole_game(value: Mapping[frozenset[int], float]) -> None:
    subsets = [frozenset(), *map(frozenset, SUBSETS)]
    lacking = [subset for subset in subsets if not np.isfinite(value.get(subset, np.nan))]
    if lacking:
        raise ValueError(
            f"value has no finite number for channels {sorted(lacking[0])}, and for "
            f"{len(lacking)} of the {len(subsets)} subsets in all; give one for each, the empty "
            "subset included."
        )
    odd = value.keys() - set(subsets)
    if odd:
        raise ValueError(
            f"value has a number for channels {sorted(next(iter(odd)))}; give subsets of the "
            f"channels {CHANNELS[0]} to {CHANNELS[-1]}."
        )
