from __future__ import annotations

import doctest

import numpy as np
import pytest

from rxrx_lib.evaluation import corrections
from rxrx_lib.evaluation.corrections import CORRECTIONS, centred, standardised

RNG = np.random.default_rng(3)
EXPERIMENT = RNG.permutation(np.repeat(["A-01", "A-02", "B-01"], [40, 25, 35]))
SHIFT = {"A-01": 0.0, "A-02": 50.0, "B-01": -3.0}
VALUES = (
    RNG.normal(size=(100, 6)) * np.arange(1, 7) + np.array([SHIFT[e] for e in EXPERIMENT])[:, None]
).astype(np.float32)


def test_every_example_in_the_docstrings_holds() -> None:
    outcome = doctest.testmod(corrections)
    assert outcome.failed == 0
    assert outcome.attempted >= 2


def test_no_correction_changes_nothing() -> None:
    np.testing.assert_array_equal(CORRECTIONS["none"](VALUES, EXPERIMENT), VALUES)


def test_centring_gives_each_experiment_the_mean_zero_and_keeps_its_spread() -> None:
    result = centred(VALUES, EXPERIMENT)
    for name in SHIFT:
        rows = name == EXPERIMENT
        np.testing.assert_allclose(result[rows].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(result[rows].std(axis=0), VALUES[rows].std(axis=0), rtol=1e-4)


def test_standardising_gives_each_experiment_mean_zero_and_spread_one() -> None:
    result = standardised(VALUES, EXPERIMENT)
    for name in SHIFT:
        rows = name == EXPERIMENT
        np.testing.assert_allclose(result[rows].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(result[rows].std(axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_an_experiment_is_corrected_by_its_own_rows_alone(name: str) -> None:
    rows = EXPERIMENT == "A-02"
    alone = CORRECTIONS[name](VALUES[rows], EXPERIMENT[rows])
    np.testing.assert_array_equal(CORRECTIONS[name](VALUES, EXPERIMENT)[rows], alone)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_the_input_is_left_as_it_was(name: str) -> None:
    before = VALUES.copy()
    CORRECTIONS[name](VALUES, EXPERIMENT)[:] = 0
    np.testing.assert_array_equal(VALUES, before)


@pytest.mark.parametrize("name", ["centred", "standardised"])
def test_statistics_can_come_from_some_rows_and_correct_all(name: str) -> None:
    fitted_on = RNG.permutation(100)[:60]
    result = CORRECTIONS[name](VALUES, EXPERIMENT, fitted_on)
    for row in range(100):
        same = VALUES[[i for i in fitted_on if EXPERIMENT[i] == EXPERIMENT[row]]].astype(float)
        expected = VALUES[row] - same.mean(axis=0)
        if name == "standardised":
            expected /= same.std(axis=0)
        np.testing.assert_allclose(result[row], expected, rtol=1e-3, atol=1e-4)


def test_a_feature_that_does_not_vary_in_an_experiment_becomes_zero() -> None:
    values = VALUES.copy()
    rows = EXPERIMENT == "B-01"
    values[rows, 2] = 0.1
    result = standardised(values, EXPERIMENT)
    assert (result[rows, 2] == 0).all()
    assert (result[~rows, 2] != 0).any()


@pytest.mark.parametrize("name", ["centred", "standardised"])
def test_a_shift_and_a_scale_of_an_experiment_are_undone(name: str) -> None:
    rows = EXPERIMENT == "A-01"
    moved = VALUES.copy()
    moved[rows] = moved[rows] * (1 if name == "centred" else 3) + 7
    expected = CORRECTIONS[name](VALUES, EXPERIMENT)
    np.testing.assert_allclose(CORRECTIONS[name](moved, EXPERIMENT), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["centred", "standardised"])
def test_what_cannot_be_corrected_is_refused(name: str) -> None:
    correct = CORRECTIONS[name]
    with pytest.raises(ValueError, match=r"experiment \(99,\), expected \(rows, D\)"):
        correct(VALUES, EXPERIMENT[:-1])
    with pytest.raises(ValueError, match="not finite"):
        correct(np.full_like(VALUES, np.inf), EXPERIMENT)
    with pytest.raises(ValueError, match="no row of experiment A-02"):
        correct(VALUES, EXPERIMENT, np.flatnonzero(EXPERIMENT != "A-02"))
