from __future__ import annotations

import doctest

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from rxrx_lib.evaluation import cross_experiment
from rxrx_lib.evaluation.cross_experiment import (
    nearest_elsewhere,
    neighbour_chance,
    neighbour_hits,
)

RNG = np.random.default_rng(5)
N = 300
CELL_TYPE = RNG.choice(["HUVEC", "RPE"], N)
EXPERIMENT = np.char.add(np.char.add(CELL_TYPE, "-0"), RNG.choice(list("123"), N))
SIRNA = RNG.integers(0, 7, N)
VALUES = (RNG.normal(size=(N, 16)) + 0.8 * RNG.normal(size=(7, 16))[SIRNA] + 1).astype(np.float32)


def test_every_example_in_the_docstrings_holds() -> None:
    outcome = doctest.testmod(cross_experiment)
    assert outcome.failed == 0
    assert outcome.attempted >= 3


@pytest.mark.parametrize("entries", [1, 5000, 2**24])
def test_neighbours_are_those_of_scikit_learn_whatever_the_size_of_a_block(
    monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    monkeypatch.setattr(cross_experiment, "BLOCK_ENTRIES", entries)
    nearest = nearest_elsewhere(VALUES, EXPERIMENT, CELL_TYPE)
    for name in np.unique(EXPERIMENT):
        queries = np.flatnonzero(name == EXPERIMENT)
        others = np.flatnonzero((CELL_TYPE[queries[0]] == CELL_TYPE) & (name != EXPERIMENT))
        search = NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute")
        found = search.fit(VALUES[others].astype(float)).kneighbors(
            VALUES[queries].astype(float), return_distance=False
        )
        np.testing.assert_array_equal(nearest[queries], others[found[:, 0]])


def test_a_hit_is_a_neighbour_of_the_same_sirna() -> None:
    nearest = nearest_elsewhere(VALUES, EXPERIMENT, CELL_TYPE)
    hits = neighbour_hits(VALUES, SIRNA, EXPERIMENT, CELL_TYPE)
    assert hits.tolist() == [SIRNA[row] == SIRNA[found] for row, found in enumerate(nearest)]
    assert 0.2 < hits.mean() < 1


def test_the_length_of_a_vector_does_not_matter() -> None:
    longer = VALUES * RNG.uniform(0.1, 10, size=(N, 1)).astype(np.float32)
    np.testing.assert_array_equal(
        nearest_elsewhere(longer, EXPERIMENT, CELL_TYPE),
        nearest_elsewhere(VALUES, EXPERIMENT, CELL_TYPE),
    )


def test_among_equals_the_first_is_taken_and_zeros_are_no_fault() -> None:
    values = np.zeros((4, 3), dtype=np.float32)
    assert nearest_elsewhere(values, list("AABB"), ["RPE"] * 4).tolist() == [2, 2, 0, 0]


def test_chance_is_the_expected_accuracy_of_a_random_neighbour() -> None:
    shares = []
    for row in range(N):
        others = (CELL_TYPE[row] == CELL_TYPE) & (EXPERIMENT[row] != EXPERIMENT)
        shares.append(np.mean(SIRNA[others] == SIRNA[row]))
    expected = 100 * np.mean(shares)
    assert neighbour_chance(SIRNA, EXPERIMENT, CELL_TYPE) == pytest.approx(expected)


def test_chance_is_one_over_the_sirnas_where_each_has_one_well_an_experiment() -> None:
    sirna, experiment = np.tile(np.arange(50), 4), np.repeat(list("ABCD"), 50)
    assert neighbour_chance(sirna, experiment, ["RPE"] * 200) == pytest.approx(100 / 50)
    noise = RNG.normal(size=(200, 8)).astype(np.float32)
    hits = neighbour_hits(noise, sirna, experiment, ["RPE"] * 200)
    assert 100 * hits.mean() < 100 / 50 + 3 * 100 * np.sqrt(0.02 / 200)


def test_what_has_no_neighbour_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="cell type U2OS has one experiment only"):
        nearest_elsewhere(VALUES[:3], ["A", "B", "C"], ["RPE", "RPE", "U2OS"])
    with pytest.raises(ValueError, match="cell type U2OS has one experiment only"):
        neighbour_chance([0, 0, 0], ["A", "B", "C"], ["RPE", "RPE", "U2OS"])
    with pytest.raises(ValueError, match="not finite"):
        nearest_elsewhere(np.full((2, 2), np.nan), ["A", "B"], ["RPE"] * 2)
    with pytest.raises(ValueError, match=r"values has shape \(3, 16\), expected \(2, D\)"):
        nearest_elsewhere(VALUES[:3], ["A", "B"], ["RPE"] * 2)
    with pytest.raises(ValueError, match=r"sirna_id has shape \(2,\), expected \(3,\)"):
        neighbour_hits(VALUES[:3], [0, 1], ["A", "B", "A"], ["RPE"] * 3)
