"""The Shapley values of shap are those of the closed form."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest

from rxrx_lib.data.images import CHANNELS as OF_THE_SCREEN
from rxrx_lib.evaluation.shapley import CHANNELS, SUBSETS, channel_shapley

EVERY = frozenset(CHANNELS)
Game = dict[frozenset[int], float]


def drawn(seed: int) -> Game:
    draw = np.random.default_rng(seed)
    return {frozenset(some): float(draw.uniform(0, 100)) for some in ((), *SUBSETS)}


def over_orders(game: Game) -> list[float]:
    """Average what each channel adds over all 720 orders of coming."""
    total = dict.fromkeys(CHANNELS, 0.0)
    for order in itertools.permutations(CHANNELS):
        for place, channel in enumerate(order):
            before = frozenset(order[:place])
            total[channel] += game[before | {channel}] - game[before]
    return [total[channel] / math.factorial(len(CHANNELS)) for channel in CHANNELS]


def closed_form(game: Game) -> list[float]:
    n = len(CHANNELS)
    return [
        sum(
            math.factorial(len(some))
            * math.factorial(n - len(some) - 1)
            / math.factorial(n)
            * (game[some | {channel}] - value)
            for some, value in game.items()
            if channel not in some
        )
        for channel in CHANNELS
    ]


@pytest.mark.parametrize("seed", range(3))
def test_values_are_those_of_the_closed_form_and_of_all_orders(seed: int) -> None:
    found = channel_shapley(drawn(seed))
    assert found.shape == (6,)
    np.testing.assert_allclose(found, closed_form(drawn(seed)), atol=1e-9)
    np.testing.assert_allclose(found, over_orders(drawn(seed)), atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_values_add_up_to_all_channels_minus_none(seed: int) -> None:
    game = drawn(seed)
    assert channel_shapley(game).sum() == pytest.approx(game[EVERY] - game[frozenset()], abs=1e-9)


def test_channels_that_show_the_same_share_and_one_that_adds_nothing_has_nothing() -> None:
    game = {some: 4.0 + 30.0 * bool(some & {2, 4}) + 10.0 * (1 in some) for some in drawn(0)}
    np.testing.assert_allclose(channel_shapley(game), [10, 15, 0, 15, 0, 0], atol=1e-9)


def test_the_worth_of_no_channel_is_taken_from_each_alike() -> None:
    game = drawn(0)
    lower = game | {frozenset(): game[frozenset()] + 6.0}
    np.testing.assert_allclose(channel_shapley(lower) - channel_shapley(game), -1.0, atol=1e-9)


@pytest.mark.parametrize("lacking", [frozenset(), frozenset({3}), EVERY])
def test_a_game_that_lacks_a_subset_is_refused(lacking: frozenset[int]) -> None:
    game = drawn(0)
    for broken in (
        {some: value for some, value in game.items() if some != lacking},
        game | {lacking: math.nan},
    ):
        with pytest.raises(ValueError, match=r"no finite number for channels \[.*1 of the 64"):
            channel_shapley(broken)


def test_a_subset_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"number for channels \[2, 7\]; give subsets of the"):
        channel_shapley(drawn(0) | {frozenset({2, 7}): 1.0})


def test_nothing_is_printed_since_a_page_would_show_it(capfd: pytest.CaptureFixture[str]) -> None:
    channel_shapley(drawn(0))
    assert capfd.readouterr() == ("", "")


COMPILED = """
import numba
from numba.core import event
from rxrx_lib.evaluation.shapley import SUBSETS, channel_shapley
with event.install_recorder("numba:compile") as seen:
    channel_shapley({frozenset(): 0.0, **{frozenset(some): 1.0 for some in SUBSETS}})
    by_shap = len(seen.buffer)
    numba.njit(lambda number: number + 1)(1)
print(by_shap, len(seen.buffer) > by_shap)
"""


def test_numba_compiles_nothing_of_shap_and_others_as_before() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0 True\n"


def test_there_are_63_subsets_of_the_screens_channels() -> None:
    assert CHANNELS == OF_THE_SCREEN
    assert len(SUBSETS) == len(set(SUBSETS)) == 63
    assert all(subset and subset == tuple(sorted(subset)) for subset in SUBSETS)
