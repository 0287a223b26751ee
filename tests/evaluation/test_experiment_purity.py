"""How many of a site's nearest neighbours are of its own experiment, against a plain loop."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from rxrx_lib.evaluation import experiment_purity
from rxrx_lib.evaluation.experiment_purity import neighbour_purity, purity_chance

RNG = np.random.default_rng(3)
N = 120
EXPERIMENT = RNG.choice(["A", "B", "C"], N, p=[0.5, 0.3, 0.2])
SHIFT = dict(zip("ABC", RNG.normal(size=(3, 8)), strict=True))
VALUES = RNG.normal(size=(N, 8)) + 0.7 * np.array([SHIFT[name] for name in EXPERIMENT])


def by_loops(values: np.ndarray, experiment: np.ndarray, k: int) -> list[float]:
    """Sort all others by cosine, one row at a time."""
    shares = []
    for row, query in enumerate(values):
        lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(query)
        order = [other for other in np.argsort(-(values @ query) / lengths) if other != row]
        shares.append(sum(experiment[other] == experiment[row] for other in order[:k]) / k)
    return shares


def test_every_example_in_the_docstrings_holds() -> None:
    outcome = doctest.testmod(experiment_purity)
    assert outcome.failed == 0
    assert outcome.attempted >= 4


@pytest.mark.parametrize("k", [1, 15, N - 1])
@pytest.mark.parametrize("entries", [1, 1000, 2**24])
def test_purity_is_that_of_a_plain_loop_whatever_the_size_of_a_block(
    monkeypatch: pytest.MonkeyPatch, k: int, entries: int
) -> None:
    monkeypatch.setattr(experiment_purity, "BLOCK_ENTRIES", entries)
    found = neighbour_purity(VALUES, EXPERIMENT, k=k)
    np.testing.assert_allclose(found, by_loops(VALUES, EXPERIMENT, k), atol=1e-12)


def test_the_order_of_the_rows_has_no_say_even_where_rows_are_equal() -> None:
    values = np.round(np.abs(VALUES[:, :2]))  # many rows alike, some of them zero
    order = RNG.permutation(N)
    shuffled = neighbour_purity(values[order], EXPERIMENT[order])
    np.testing.assert_allclose(neighbour_purity(values, EXPERIMENT)[order], shuffled)


def test_chance_is_the_mean_of_neighbours_drawn_at_random() -> None:
    shares = [
        np.mean(np.delete(EXPERIMENT, row) == EXPERIMENT[row]) for row in range(EXPERIMENT.size)
    ]
    assert purity_chance(EXPERIMENT) == pytest.approx(np.mean(shares))


def test_embeddings_that_are_all_alike_are_mixed_as_by_chance() -> None:
    found = neighbour_purity(np.ones((N, 4)), EXPERIMENT)
    assert found.mean() == pytest.approx(purity_chance(EXPERIMENT))


def test_embeddings_without_information_come_near_chance_and_shifted_ones_lie_above() -> None:
    noise = neighbour_purity(np.random.default_rng(0).normal(size=(N, 8)), EXPERIMENT).mean()
    assert noise == pytest.approx(purity_chance(EXPERIMENT), abs=0.05)
    assert neighbour_purity(VALUES, EXPERIMENT).mean() > noise + 0.1


def test_experiments_that_lie_apart_are_pure() -> None:
    apart = np.eye(3)[np.unique(EXPERIMENT, return_inverse=True)[1]]
    assert neighbour_purity(apart, EXPERIMENT, k=5).tolist() == [1.0] * N


@pytest.mark.parametrize(
    ("values", "experiment", "k", "message"),
    [
        (VALUES[:5], EXPERIMENT, 3, "values has shape"),
        (np.full((N, 2), np.nan), EXPERIMENT, 3, "not finite"),
        (VALUES, EXPERIMENT, N, "k is 120, expected 1 to 119"),
        (VALUES, EXPERIMENT, 0, "k is 0"),
        (VALUES, np.full(N, "A"), 3, "experiment holds A only"),
        (VALUES[:0], EXPERIMENT[:0], 3, "no rows"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    values: np.ndarray, experiment: np.ndarray, k: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        neighbour_purity(values, experiment, k=k)
