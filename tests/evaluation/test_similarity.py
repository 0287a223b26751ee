"""Distributions of cosines, against pairs counted one by one and SciPy's exact values."""

from __future__ import annotations

import doctest
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, wasserstein_distance

from rxrx_lib.evaluation import similarity
from rxrx_lib.evaluation.cosine_counts import (
    COMPARED,
    DISTRIBUTIONS,
    LEVELS,
    STEP,
    CosineDistributions,
    compare,
)
from rxrx_lib.evaluation.similarity import cosine_distributions

Columns = dict[str, np.ndarray]


def screen(seed: int, sites: int = 90, dimensions: int = 6) -> tuple[np.ndarray, Columns]:
    """Return embeddings after a ReLU and their columns; wells of two sites, in a random order."""
    rng = np.random.default_rng(seed)
    wells = -(-sites // 2)
    experiment = rng.integers(0, 5, wells)
    sirna = rng.integers(0, 4, wells)
    columns = {
        "sirna": sirna.repeat(2),
        "experiment": np.array([f"E{each}" for each in experiment.repeat(2)]),
        "cell_type": np.array(["HUVEC", "RPE"])[(experiment % 2).repeat(2)],
        "well": np.arange(wells).repeat(2),
    }
    order = rng.permutation(2 * wells)[:sites]
    towards = rng.normal(size=(4, dimensions))[sirna.repeat(2)]
    towards += rng.normal(size=(5, dimensions))[experiment.repeat(2)]
    vectors = np.maximum(0, towards + rng.normal(size=towards.shape)) + 1e-3
    return vectors[order], {name: column[order] for name, column in columns.items()}


def one_by_one(vectors: np.ndarray, columns: Columns) -> dict[str, list[float]]:
    """Return every distribution's cosines, by a loop over pairs."""
    found: dict[str, list[float]] = {name: [] for name in DISTRIBUTIONS}
    for i, j in combinations(range(len(vectors)), 2):
        alike = {name: column[i] == column[j] for name, column in columns.items()}
        norms = np.linalg.norm(vectors[i]) * np.linalg.norm(vectors[j])
        if alike["cell_type"] and norms:
            cosine = float(vectors[i] @ vectors[j] / norms)
            panel = "within" if alike["experiment"] else "across"
            found[f"{'same' if alike['sirna'] else 'different'}_{panel}"].append(cosine)
            if alike["sirna"] and panel == "within" and not alike["well"]:
                found["same_within_other_wells"].append(cosine)
    return found


def values(found: CosineDistributions, name: str) -> np.ndarray:
    return np.repeat(np.linspace(-1, 1, LEVELS), found.counts[name])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), sites=st.integers(2, 60))
def test_every_pair_is_counted_once_in_its_distribution_at_its_cosine(
    seed: int, sites: int
) -> None:
    vectors, columns = screen(seed, sites)
    found = cosine_distributions(vectors, **columns)
    for name, cosines in one_by_one(vectors, columns).items():
        np.testing.assert_allclose(values(found, name), sorted(cosines), atol=0.51 * STEP)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_ks_and_wasserstein_are_scipys(seed: int) -> None:
    vectors, columns = screen(seed)
    found, exact = cosine_distributions(vectors, **columns), one_by_one(vectors, columns)
    for one, other in COMPARED.values():
        if exact[one] and exact[other]:
            here, ks = found.compare(one, other), ks_2samp(exact[one], exact[other]).statistic
            assert here.ks - 1e-6 <= ks <= here.ks + here.ks_error + 1e-6
            distance = wasserstein_distance(exact[one], exact[other])
            assert here.wasserstein == pytest.approx(distance, abs=STEP)
    panels = {panel: found.compare(*COMPARED[panel]) for panel in ("within", "across")}
    assert found.ks == {panel: each.ks for panel, each in panels.items()}
    assert found.wasserstein == {panel: each.wasserstein for panel, each in panels.items()}


@pytest.mark.parametrize("seed", range(3))
def test_of_many_pairs_ks_is_scipys_to_a_thousandth(seed: int) -> None:
    vectors, columns = screen(seed, 700)
    found, unit = cosine_distributions(vectors, **columns), vectors.copy()
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    one, other = np.triu_indices(len(unit), 1)
    cosine = (unit @ unit.T)[one, other]
    alike = {name: column[one] == column[other] for name, column in columns.items()}
    for panel, border in (("within", alike["experiment"]), ("across", ~alike["experiment"])):
        some = border & alike["cell_type"]
        exact = cosine[some & alike["sirna"]], cosine[some & ~alike["sirna"]]
        assert found.ks[panel] == pytest.approx(ks_2samp(*exact).statistic, abs=1e-3)
        assert found.wasserstein[panel] == pytest.approx(wasserstein_distance(*exact), abs=1e-3)


def test_blocks_and_threads_do_not_change_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    # Directions with exact products, so that no cosine hangs on the shape of a product.
    rng = np.random.default_rng(0)
    _, columns = screen(0, 200)
    vectors = np.eye(8)[rng.integers(0, 8, 200)] * rng.choice([1.0, -2.0], size=(200, 1))
    whole = cosine_distributions(vectors, **columns)
    monkeypatch.setattr(similarity, "TILE", 7)
    for workers in (1, 2, 3):
        found = cosine_distributions(vectors, **columns, workers=workers)
        for name in DISTRIBUTIONS:
            np.testing.assert_array_equal(found.counts[name], whole.counts[name])


def test_neither_order_nor_length_nor_type_of_the_embeddings_matters() -> None:
    rng = np.random.default_rng(1)
    vectors, columns = screen(3)
    vectors = np.round(64 * vectors)  # exact in half precision
    expected = cosine_distributions(vectors, **columns)
    order = rng.permutation(len(vectors))
    columns = {name: column[order] for name, column in columns.items()}
    for scale, kind in ((1e200, "f8"), (1e-200, "f8"), (1e30, "f4"), (1.0, "f2"), (1, "i4")):
        found = cosine_distributions((vectors * scale).astype(kind)[order], **columns)
        for name in DISTRIBUTIONS:
            np.testing.assert_allclose(
                values(found, name), values(expected, name), atol=1.01 * STEP
            )


def test_all_pairs_of_each_cell_type_are_there() -> None:
    vectors, columns = screen(5)
    found = cosine_distributions(vectors, **columns)
    _, sizes = np.unique(columns["cell_type"], return_counts=True)
    four = DISTRIBUTIONS[:4]
    assert sum(found.pairs(name) for name in four) == (sizes * (sizes - 1) // 2).sum()


def test_embeddings_of_zeros_are_left_out_and_counted() -> None:
    vectors, columns = screen(6)
    some = np.arange(len(vectors)) % 9 == 0
    vectors[some] = 0
    found = cosine_distributions(vectors, **columns)
    rest = cosine_distributions(vectors[~some], **{n: c[~some] for n, c in columns.items()})
    assert found.zero_vectors == some.sum()
    assert rest.zero_vectors == 0
    for name in DISTRIBUTIONS:
        np.testing.assert_array_equal(found.counts[name], rest.counts[name])


def test_parallel_and_opposite_embeddings_lie_at_the_ends() -> None:
    towards = np.array([[3, 4], [6, 8], [-3, -4], [4, -3]])
    found = cosine_distributions(towards, range(4), ["A"] * 4, ["RPE"] * 4)
    counts = found.counts["different_within"]
    assert (counts[0], counts[LEVELS // 2], counts[-1]) == (2, 3, 1)


def test_pairs_of_one_well_are_left_out_of_the_second_curve() -> None:
    vectors = np.random.default_rng(2).random((8, 3))
    columns: dict[str, Any] = {"experiment": ["A"] * 8, "cell_type": ["RPE"] * 8}
    # A treatment in one well, a control in two, another treatment in one: 1 + 6 + 1 pairs.
    sirna, well = [0, 0, 1, 1, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2, 3, 3]
    found = cosine_distributions(vectors, sirna, well=well, **columns)
    assert (found.pairs("same_within"), found.pairs("same_within_other_wells")) == (8, 4)
    assert found.same_well_share == 0.5
    without = cosine_distributions(vectors, sirna, **columns)
    assert "same_within_other_wells" not in without.counts
    assert np.isnan(without.same_well_share)


def test_a_distribution_without_pairs_has_no_distance() -> None:
    vectors, columns = screen(7)
    one = columns["experiment"] == "E0"
    found = cosine_distributions(vectors[one], **{n: c[one] for n, c in columns.items()})
    assert not np.isnan(found.ks["within"])
    assert np.isnan(found.ks["across"])
    assert np.isnan(found.wasserstein["across"])


def test_histograms_keep_every_pair() -> None:
    vectors, columns = screen(8)
    found = cosine_distributions(vectors, **columns)
    for name in DISTRIBUTIONS:
        counts = found.histogram(name, 40)
        assert counts.sum() == found.pairs(name)
        coarse, _ = np.histogram(values(found, name), 40, (-1, 1))
        np.testing.assert_array_equal(counts, coarse)


def test_the_error_of_ks_is_what_one_step_can_hide() -> None:
    one, other = np.zeros((2, LEVELS), np.int64)
    one[[5, 9]] = 1, 3
    other[[5, 7]] = 2, 2
    # At 5 lie a quarter of one and half of the other, in an order that is not known.
    found = compare(one, other)
    assert (found.ks, found.ks_error) == (0.75, 0.0)
    assert found.wasserstein == pytest.approx((0.25 * 2 + 0.75 * 2) * STEP)
    assert compare(one, one) == (0.0, 0.0, 0.75)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"embedding": np.ones(4)}, r"embedding has shape \(4,\), expected \(N, D\)"),
        ({"embedding": np.ones((4, 0))}, r"embedding has shape \(4, 0\)"),
        ({"embedding": np.ones((3, 2))}, "sirna has 4 rows, embedding has 3"),
        ({"embedding": [[1, 0], [1, np.nan], [1, 0], [0, 1]]}, "not finite in row 1"),
        ({"embedding": [[1, 0], [1, 0], [1, -np.inf], [0, 1]]}, "not finite in row 2"),
        ({"embedding": np.ones((4, 2), complex)}, "embedding holds complex128, expected real"),
        ({"sirna": [0, 1, 2]}, r"got the shapes sirna \(3,\)"),
        ({"well": [0, 1]}, r"got the shapes sirna \(4,\), well \(2,\)"),
        ({"cell_type": ["RPE", "U2OS", "RPE", "RPE"]}, "experiment A has more than one cell_type"),
        ({"well": ["B02", "B03", "B02", "B05"]}, "well B02 has more than one experiment, .* well_"),
        ({"well": [1, 1, 2, 3]}, "well 1 has more than one sirna, expected one; give well_id"),
        ({"workers": 0}, "workers is 0; give a number of threads from 1"),
    ],
)
def test_bad_input_is_said_in_a_sentence(changed: dict[str, Any], sentence: str) -> None:
    given: dict[str, Any] = {
        "embedding": np.ones((4, 2)),
        "sirna": [0, 1, 0, 1],
        "experiment": ["A", "A", "B", "B"],
        "cell_type": ["RPE"] * 4,
    }
    with pytest.raises(ValueError, match=sentence):
        cosine_distributions(**(given | changed))


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(similarity).failed == 0
    assert doctest.testmod(similarity).attempted
