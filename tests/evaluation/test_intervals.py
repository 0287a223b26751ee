from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rxrx_lib.evaluation import intervals
from rxrx_lib.evaluation.intervals import paired_differences, t_interval


def test_every_example_in_the_docstrings_holds() -> None:
    outcome = doctest.testmod(intervals)
    assert outcome.failed == 0
    assert outcome.attempted >= 2


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_interval_of_paired_differences_is_that_of_scipys_paired_t_test(
    n: int, level: float
) -> None:
    rng = np.random.default_rng(n)
    a = {seed: float(rng.normal(60, 3)) for seed in range(n)}
    b = {seed: float(rng.normal(55, 3)) for seed in reversed(range(n))}
    interval = t_interval(list(paired_differences(a, b).values()), level)
    expected = stats.ttest_rel(list(a.values()), [b[seed] for seed in a]).confidence_interval(level)
    assert interval.low == pytest.approx(expected.low)
    assert interval.high == pytest.approx(expected.high)
    assert interval.n == n


def test_the_interval_of_three_replicates_by_hand() -> None:
    # mean 10, standard error 1/sqrt(3), t(0.975, 2) = 4.302653
    assert t_interval([9.0, 10.0, 11.0]) == pytest.approx(
        (10.0, 10 - 4.302653 / math.sqrt(3), 10 + 4.302653 / math.sqrt(3), 3)
    )


def test_one_replicate_has_a_mean_and_no_interval() -> None:
    mean, low, high, n = t_interval([61.5])
    assert (mean, n) == (61.5, 1)
    assert math.isnan(low)
    assert math.isnan(high)


def test_no_replicate_has_neither() -> None:
    mean, low, high, n = t_interval([])
    assert n == 0
    assert all(math.isnan(value) for value in (mean, low, high))


def test_equal_replicates_have_an_interval_of_no_width() -> None:
    assert t_interval([4.0, 4.0, 4.0]) == (4.0, 4.0, 4.0, 3)


@given(
    values=st.lists(st.floats(-100, 100), min_size=2, max_size=6),
    shift=st.floats(-100, 100),
)
def test_the_interval_moves_with_its_values(values: list[float], shift: float) -> None:
    plain, moved = t_interval(values), t_interval([value + shift for value in values])
    assert moved.mean == pytest.approx(plain.mean + shift, abs=1e-6)
    assert moved.high - moved.low == pytest.approx(plain.high - plain.low, abs=1e-6)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_that_is_no_probability_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level is"):
        t_interval([1.0, 2.0], level)


def test_a_replicate_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one finite value a replicate"):
        t_interval([1.0, float("nan")])


def test_differences_are_paired_by_replicate_and_not_by_position() -> None:
    a, b = {(10, 0): 70.0, (11, 1): 50.0}, {(11, 1): 49.0, (10, 0): 60.0}
    assert paired_differences(a, b) == {(10, 0): 10.0, (11, 1): 1.0}


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ({}, {}, "hold no replicate"),
        ({10: 1.0, 11: 1.0}, {10: 1.0}, "only a has replicate 11"),
        ({10: 1.0}, {10: 1.0, 12: 1.0, 13: 1.0}, "only b has replicate 12, 13"),
    ],
)
def test_replicates_that_do_not_pair_are_refused(
    a: dict[int, float], b: dict[int, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        paired_differences(a, b)
