"""Wells are drawn within experiments, whole, and alike for all who have the same wells."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from scipy import stats

from rxrx_lib.evaluation import well_resampling
from rxrx_lib.evaluation.well_resampling import percentile_interval, resampled_accuracy


def screen(wells: int, sites: int = 2, experiments: int = 2) -> dict[str, np.ndarray]:
    """Return wells and experiments of a test set; wells have the same names in each experiment."""
    index = np.arange(experiments * wells * sites)
    return {
        "well": np.array([f"w{i:03d}" for i in (index // sites) % wells]),
        "experiment": np.array([f"e{i}" for i in index // (sites * wells)]),
    }


def test_every_example_in_the_docstrings_holds() -> None:
    outcome = doctest.testmod(well_resampling)
    assert outcome.failed == 0
    assert outcome.attempted >= 1


def test_the_draws_of_single_site_wells_are_binomial() -> None:
    where = screen(wells=200, sites=1, experiments=1)
    correct = np.arange(200) < 60
    drawn = resampled_accuracy(correct, **where, draws=4000)
    assert drawn.mean() == pytest.approx(30, abs=0.3)
    assert drawn.std() == pytest.approx(100 * math.sqrt(0.3 * 0.7 / 200), rel=0.05)


def test_the_interval_is_that_of_scipys_bootstrap() -> None:
    rng = np.random.default_rng(0)
    correct, where = rng.random(150) < 0.4, screen(wells=150, sites=1, experiments=1)
    low, high = percentile_interval(resampled_accuracy(correct, **where, draws=5000))
    theirs = stats.bootstrap(
        (100.0 * correct,), np.mean, n_resamples=5000, method="percentile", rng=1
    ).confidence_interval
    assert low == pytest.approx(theirs.low, abs=1.0)
    assert high == pytest.approx(theirs.high, abs=1.0)


def test_sites_of_a_well_are_drawn_together() -> None:
    """Two sites that agree are one piece of evidence: the spread is that of the wells."""
    correct = np.repeat(np.arange(100) < 50, 2)
    paired = resampled_accuracy(correct, **screen(wells=100, experiments=1), draws=4000)
    alone = resampled_accuracy(correct, **screen(200, sites=1, experiments=1), draws=4000)
    assert paired.std() == pytest.approx(5.0, rel=0.06)
    assert alone.std() == pytest.approx(5.0 / math.sqrt(2), rel=0.06)


def test_differences_between_experiments_do_not_widen_the_draws() -> None:
    where = screen(wells=50)
    correct = where["experiment"] == "e0"
    assert resampled_accuracy(correct, **where, draws=50).tolist() == [50.0] * 50


def test_methods_on_the_same_wells_are_paired_whatever_the_order_of_their_sites() -> None:
    rng = np.random.default_rng(1)
    where = screen(wells=80)
    base = rng.random(320) < 0.5
    better = base | (rng.random(320) < 0.1)
    order = rng.permutation(320)
    first = resampled_accuracy(base, **where, draws=500)
    again = resampled_accuracy(
        better[order], where["well"][order], where["experiment"][order], draws=500
    )
    other_wells = np.array([f"other {name}" for name in where["well"]])
    unpaired = resampled_accuracy(better, other_wells, where["experiment"], draws=500)
    assert (again - first).std() < 0.5 * (unpaired - first).std()


def test_an_experiment_has_the_same_draws_alone_and_among_others() -> None:
    where = screen(wells=30)
    correct = (where["experiment"] == "e1") & (where["well"] < "w010")
    alone = where["experiment"] == "e1"
    both = resampled_accuracy(correct, **where, draws=100)
    one = resampled_accuracy(
        correct[alone], where["well"][alone], where["experiment"][alone], draws=100
    )
    np.testing.assert_allclose(both, one / 2)


def test_a_seed_gives_the_same_draws_and_another_seed_others() -> None:
    correct, where = np.arange(100) < 40, screen(wells=25)
    first, same, other = (resampled_accuracy(correct, **where, seed=s) for s in (3, 3, 4))
    assert first.tolist() == same.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": 0}, "draws is 0"),
        ({"well": ["a"]}, "one value a row"),
        ({"correct": [], "well": [], "experiment": []}, "no rows"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change: dict[str, object], message: str) -> None:
    given = {"correct": [True, False], "well": ["a", "b"], "experiment": ["X", "X"]} | change
    with pytest.raises(ValueError, match=message):
        resampled_accuracy(**given)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level is"):
        percentile_interval([1.0, 2.0], level)
