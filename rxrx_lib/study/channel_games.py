"""The paper's figure 8: what each channel adds to the accuracy, in two games that are not one.

*Retrained*: the worth of a subset of channels is the accuracy of a baseline that was trained on
them alone. *Masked*: it is the accuracy of one network, trained on all six, that sees the others
as 0. The first asks what can be learnt from a channel, the second what a network has come to rest
on. Both give the empty subset the accuracy of always answering the commonest training class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.evaluation.shapley import SUBSETS, channel_shapley
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.channel_subsets import masked_runs, subset_runs, subset_values
from rxrx_lib.study.masked_accuracy import Game, masked_accuracy
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.results import gather
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, mean_cell

KINDS = {"retrained": "trained anew on each subset", "masked": "one network, channels masked"}


class Shares(NamedTuple):
    """The Shapley values of one game."""

    kind: str
    """A key of :data:`KINDS`."""
    method: str
    values: Mapping[str, Sequence[float]]
    """Replicate to the values of channels 1 to 6, in percentage points of accuracy."""
    all_channels: Mapping[str, float]
    """Replicate to the accuracy on all six channels, in percent."""
    none: Mapping[str, float]
    """Replicate to the accuracy on none."""

    @property
    def row(self) -> str:
        """Name in the ledger."""
        return f"{self.method}_{self.kind}"

    @property
    def label(self) -> str:
        """Name on the page."""
        return f"{METHODS[self.method].label}, {KINDS[self.kind]}"

    def mean(self, channel: int) -> float:
        """Mean of a channel's value over replicates."""
        return float(np.mean([found[CHANNELS.index(channel)] for found in self.values.values()]))


def channel_shares(profile: Profile, store: str | Path) -> list[Shares]:
    """Return the Shapley values of every game that the store holds whole.

    Parameters
    ----------
    profile
        The size of the study.
    store
        The run store. What is not there is left out: a game of which a subset is not trained, and
        one whose network was not predicted with under masks.
    """
    masked = {spec: masked_accuracy(spec, Path(store)) for spec in masked_runs(profile)}
    games = {spec: game for spec, game in masked.items() if game is not None}
    nothing = {_replicate(spec): game[frozenset()] for spec, game in games.items()}
    found = [_shares("retrained", "baseline", retrained_games(profile, store, nothing))]
    for method in METHODS:
        of_method = {_replicate(s): game for s, game in games.items() if s.method == method}
        found.append(_shares("masked", method, of_method))
    return [shares for shares in found if shares.values]


def retrained_games(
    profile: Profile, store: str | Path, nothing: Mapping[str, float]
) -> dict[str, Game]:
    """Return the baseline's whole games, by replicate.

    Parameters
    ----------
    profile, store
        As :func:`channel_shares`.
    nothing
        Replicate to the worth of the empty subset. It takes no training, and labels and split
        alone tell it, which are the same as in the masked game.
    """
    values = subset_values(gather(subset_runs(profile), store))
    games = {
        name: {frozenset(s): found[name] for s, found in values.items() if name in found}
        | {frozenset(): none}
        for name, none in nothing.items()
    }
    return {name: game for name, game in games.items() if len(game) == len(SUBSETS) + 1}


def _shares(kind: str, method: str, games: Mapping[str, Game]) -> Shares:
    every = frozenset(CHANNELS)
    return Shares(
        kind,
        method,
        {name: channel_shapley(game).tolist() for name, game in games.items()},
        {name: game[every] for name, game in games.items()},
        {name: game[frozenset()] for name, game in games.items()},
    )


def _replicate(spec: RunSpec) -> str:
    """Name a run's replicate as results do."""
    screen = spec.data.screen
    return f"{-1 if screen is None else screen.seed}/{spec.seed}"


def none_line(shares: Sequence[Shares]) -> dict[str, float]:
    """Return the worth of no channel as a named line; empty where no game is whole."""
    found = [value for each in shares for value in each.none.values()]
    return {"commonest class": float(np.mean(found))} if found else {}


def share_cells(shares: Sequence[Shares]) -> list[Cell]:
    """Return the ledger's cells: a row a game, a column a channel."""
    return [
        mean_cell(
            each.row,
            f"channel_{channel}",
            {name: found[place] for name, found in each.values.items()},
        )
        for each in shares
        for place, channel in enumerate(CHANNELS)
    ]


def share_table(shares: Sequence[Shares]) -> pd.DataFrame:
    """Return the games as words, a row a game: values, their sum, and what it must be."""
    rows = []
    for each in shares:
        found = {str(channel): _word(each.mean(channel)) for channel in CHANNELS}
        every, none = (
            float(np.mean(list(some.values()))) for some in (each.all_channels, each.none)
        )
        rows.append(
            {
                "game": each.label,
                **found,
                "sum": _word(sum(map(each.mean, CHANNELS))),
                "all six": _word(every),
                "none": _word(none),
                "all minus none": _word(every - none),
            }
        )
    return pd.DataFrame(rows)


def share_data(shares: Sequence[Shares]) -> pd.DataFrame:
    """Return the figure's numbers: a row a game, channel and replicate."""
    rows = [
        (METHODS[each.method].label, KINDS[each.kind], channel, replicate, found[channel - 1])
        for each in shares
        for channel in CHANNELS
        for replicate, found in each.values.items()
    ]
    return pd.DataFrame(
        rows, columns=["method", "game", "channel", "screen/training seed", "Shapley value"]
    )


def share_claims(shares: Sequence[Shares]) -> list[str]:
    """Say of each game in which order its channels stand, and how far that is the baseline's."""
    lines = []
    for each in shares:
        order = sorted(CHANNELS, key=each.mean, reverse=True)
        words = ", ".join(f"{channel} ({_word(each.mean(channel))})" for channel in order)
        lines.append(
            f"{each.label}: from most to least, channels {words}, in points; "
            f"{_replicates(len(each.values))}."
        )
    reference = next((each for each in shares if each.row == "baseline_masked"), None)
    if reference is not None:
        lines += [
            f"{each.label}: the rank correlation of its six values with those of the baseline's "
            f"masked network is {_word(_rank_correlation(each, reference), 2)}."
            for each in shares
            if each is not reference
        ]
    return lines


def _rank_correlation(one: Shares, other: Shares) -> float:
    """Return Spearman's coefficient of two games' channels."""
    mine, theirs = (
        pd.Series([each.mean(channel) for channel in CHANNELS]).rank() for each in (one, other)
    )
    return float(mine.corr(theirs))


def _word(value: float, digits: int = 1) -> str:
    """Write a number with a true minus."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _replicates(n: int) -> str:
    return "one replicate" if n == 1 else f"mean of {n} replicates"
