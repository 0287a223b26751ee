from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    recall_score,
    top_k_accuracy_score,
)

from rxrx_lib.evaluation import metrics
from rxrx_lib.evaluation.metrics import (
    accuracy_by,
    batch_classification_accuracy,
    batch_generalization,
    perturbation_accuracy,
    top_accuracy,
    well_accuracy,
)

ANSWERS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40)


def answers(seed: int, rows: int = 200, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    return truth, np.where(rng.random(rows) < 0.4, truth, rng.integers(0, classes, rows))


def test_every_example_in_the_docstrings_holds() -> None:
    outcome = doctest.testmod(metrics)
    assert outcome.failed == 0
    assert outcome.attempted >= 7


# --- perturbation accuracy


def test_micro_accuracy_is_sklearns_accuracy() -> None:
    truth, predicted = answers(0)
    assert perturbation_accuracy(truth, predicted) == pytest.approx(
        100 * accuracy_score(truth, predicted)
    )


def test_macro_accuracy_is_sklearns_mean_recall_of_the_classes_present() -> None:
    truth, predicted = answers(1)
    predicted[:5] = 99  # an answer that is no class of these rows has no recall of its own
    expected = recall_score(
        truth, predicted, labels=np.unique(truth), average="macro", zero_division=0
    )
    assert perturbation_accuracy(truth, predicted, average="macro") == pytest.approx(100 * expected)


def test_macro_accuracy_is_sklearns_balanced_accuracy() -> None:
    truth, predicted = answers(2)
    expected = 100 * balanced_accuracy_score(truth, predicted)
    assert perturbation_accuracy(truth, predicted, average="macro") == pytest.approx(expected)


def test_micro_and_macro_by_hand_on_six_sites() -> None:
    truth = [0, 0, 0, 0, 7, 1138]  # class 0 right in 3 of 4, 7 right, 1138 wrong
    predicted = [0, 0, 0, 7, 7, 0]
    assert perturbation_accuracy(truth, predicted) == pytest.approx(100 * 4 / 6)
    assert perturbation_accuracy(truth, predicted, average="macro") == pytest.approx(
        100 * (3 / 4 + 1 + 0) / 3
    )


@given(rows=ANSWERS, seed=st.integers(0, 2**31), average=st.sampled_from(["micro", "macro"]))
def test_accuracy_depends_neither_on_row_order_nor_on_the_names_of_classes(
    rows: list[tuple[int, int]], seed: int, average: str
) -> None:
    truth, predicted = np.array(rows).T
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(len(rows)), rng.permutation(1000)[:6]
    assert perturbation_accuracy(
        names[truth][order], names[predicted][order], average=average
    ) == pytest.approx(perturbation_accuracy(truth, predicted, average=average))


@given(rows=ANSWERS)
def test_micro_and_macro_agree_where_every_class_has_equally_many_sites(
    rows: list[tuple[int, int]],
) -> None:
    truth, predicted = np.repeat(np.arange(len(rows)), 2), np.array(rows).ravel()
    assert perturbation_accuracy(truth, predicted, average="macro") == pytest.approx(
        perturbation_accuracy(truth, predicted)
    )


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([], [], "no rows"),
        ([1, 2], [1], r"sirna_id \(2,\), predicted \(1,\)"),
        ([[1]], [[1]], r"sirna_id \(1, 1\)"),
    ],
)
def test_accuracy_refuses_columns_that_do_not_match(
    truth: list[int], predicted: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        perturbation_accuracy(truth, predicted)


def test_accuracy_names_an_unknown_average() -> None:
    with pytest.raises(ValueError, match="average is 'weighted', expected 'micro' or 'macro'"):
        perturbation_accuracy([0], [0], average="weighted")


# --- batch generalization


def test_generalization_of_one_run_is_the_ratio() -> None:
    assert batch_generalization(75.1, 91.1) == pytest.approx(82.437, abs=1e-3)


def test_generalization_is_the_ratio_of_means_and_not_the_mean_of_ratios() -> None:
    separated, stratified = [20.0, 60.0], [80.0, 80.0, 110.0]
    assert batch_generalization(separated, stratified) == pytest.approx(100 * 40 / 90)


def test_generalization_is_not_clipped_at_100() -> None:
    assert batch_generalization([60.0], [50.0]) == pytest.approx(120.0)


def test_generalization_of_nothing_learnt_is_zero() -> None:
    assert batch_generalization([0.0, 0.0], [50.0]) == 0.0


@pytest.mark.parametrize(
    ("separated", "stratified", "message"),
    [
        ([], [50.0], "separated holds no accuracy"),
        ([50.0], [], "stratified holds no accuracy"),
        ([50.0], [0.0, 0.0], "stratified is 0 % on average"),
        ([float("nan")], [50.0], "separated is"),
        ([50.0], [-1.0], "stratified is"),
    ],
)
def test_generalization_refuses_what_has_no_ratio(
    separated: list[float], stratified: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        batch_generalization(separated, stratified)


# --- batch classification accuracy


def test_batch_classification_is_sklearns_accuracy_over_experiments() -> None:
    truth, predicted = (np.array([f"SIM-{i:02d}" for i in column]) for column in answers(3))
    assert batch_classification_accuracy(truth, predicted, split="stratified") == pytest.approx(
        100 * accuracy_score(truth, predicted)
    )


def test_batch_classification_of_a_separated_run_is_an_error_that_says_why() -> None:
    with pytest.raises(ValueError, match="batch-separated training set has none of them"):
        batch_classification_accuracy(["A"], ["A"], split="separated")


# --- top k


def test_top_accuracy_is_sklearns_top_k_accuracy() -> None:
    rng = np.random.default_rng(4)
    truth, logits = rng.integers(0, 9, 300), rng.normal(size=(300, 9))
    top = np.argsort(-logits, axis=1)[:, :5]
    for best in (1, 3, 5):
        expected = top_k_accuracy_score(truth, logits, k=best, labels=np.arange(9))
        assert top_accuracy(truth, top, best) == pytest.approx(100 * expected)


@pytest.mark.parametrize("best", [0, 3])
def test_top_accuracy_refuses_more_answers_than_were_kept(best: int) -> None:
    with pytest.raises(ValueError, match=f"best is {best}, expected 1 to 2"):
        top_accuracy([0], [[0, 1]], best=best)


# --- wells


def kept(logits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    top = np.argsort(-logits, axis=1)[:, :k]
    return top, np.take_along_axis(logits, top, axis=1)


@pytest.mark.parametrize("k", [2, 4, 8])
def test_well_accuracy_is_the_argmax_of_dense_sums(k: int) -> None:
    rng = np.random.default_rng(k)
    logits = rng.normal(size=(120, 8))
    well = rng.permutation(np.repeat(np.arange(60), 2))
    truth = (well * 7) % 8
    top, top_logit = kept(logits, k)
    dense = np.repeat(top_logit[:, -1:], 8, axis=1)  # outside the top k: the smallest kept logit
    np.put_along_axis(dense, top, top_logit, axis=1)
    sums = np.array([dense[well == name].sum(axis=0) for name in range(60)])
    expected = 100 * np.mean(sums.argmax(axis=1) == np.arange(60) * 7 % 8)
    assert well_accuracy(well, truth, top, top_logit) == pytest.approx(expected)


def test_a_confident_site_decides_for_its_unsure_neighbour() -> None:
    well = ["w1", "w1", "w2", "w2"]
    top = [[3, 5], [5, 3], [1, 2], [2, 1]]
    logit = [[1.0, 0.9], [4.0, 0.0], [1.0, 0.9], [4.0, 0.0]]
    assert well_accuracy(well, [5, 5, 1, 1], top, logit) == 50.0


def test_a_class_outside_the_kept_ones_counts_as_the_smallest_kept_logit() -> None:
    # Class 4 is unseen by the second site, which gives it 1.0 and not 0: 3.0 + 1.0 > 1.5 + 2.0
    assert well_accuracy(["w", "w"], [4, 4], [[4, 6], [6, 7]], [[3.0, 1.5], [2.0, 1.0]]) == 100.0


def test_equal_sums_go_to_the_lowest_class() -> None:
    assert well_accuracy(["w", "w"], [2, 2], [[9, 2], [2, 9]], [[1.0, 0.0], [1.0, 0.0]]) == 100.0


def test_with_one_site_a_well_the_figure_is_the_accuracy_per_site() -> None:
    rng = np.random.default_rng(5)
    truth, logits = rng.integers(0, 6, 80), rng.normal(size=(80, 6))
    top, top_logit = kept(logits, 3)
    assert well_accuracy(np.arange(80), truth, top, top_logit) == perturbation_accuracy(
        truth, top[:, 0]
    )


@given(seed=st.integers(0, 2**31), shift=st.floats(-50, 50))
def test_well_accuracy_depends_on_neither_row_order_nor_a_sites_common_offset(
    seed: int, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    well = np.repeat(np.arange(12), 2)
    truth, (top, logit) = well % 5, kept(rng.normal(size=(24, 5)), 3)
    order, offset = rng.permutation(24), np.where(np.arange(24) % 2, shift, 0.0)[:, np.newaxis]
    moved = logit + offset
    assert well_accuracy(well[order], truth[order], top[order], moved[order]) == well_accuracy(
        well, truth, top, logit
    )


def test_well_accuracy_names_a_well_of_two_classes() -> None:
    with pytest.raises(ValueError, match="sirna_id gives well w several classes"):
        well_accuracy(["w", "w"], [1, 2], [[1], [2]], [[0.0], [0.0]])


def test_well_accuracy_refuses_a_logit_that_is_not_finite() -> None:
    with pytest.raises(ValueError, match="top_logit holds a value that is not finite"):
        well_accuracy(["w"], [1], [[1]], [[float("nan")]])


def test_well_accuracy_names_the_matrix_of_another_shape() -> None:
    with pytest.raises(
        ValueError, match=r"top_logit has shape \(1, 2\), top_sirna_id has \(1, 1\)"
    ):
        well_accuracy(["w"], [1], [[1]], [[0.0, 1.0]])


# --- groups


def test_accuracy_by_group_by_hand() -> None:
    group = ["RPE-01", "HUVEC-01", "RPE-01", "HUVEC-01", "RPE-01"]
    by_group = accuracy_by(group, [0, 1, 2, 3, 4], [0, 1, 2, 0, 0])
    assert list(by_group) == ["HUVEC-01", "RPE-01"]
    assert by_group["HUVEC-01"] == (50.0, 2)
    assert by_group["RPE-01"] == (pytest.approx(100 * 2 / 3), 3)


@given(rows=ANSWERS, seed=st.integers(0, 2**31))
def test_groups_weighted_by_their_sites_give_the_accuracy_of_all(
    rows: list[tuple[int, int]], seed: int
) -> None:
    truth, predicted = np.array(rows).T
    group = np.random.default_rng(seed).choice(["a", "b", "c"], len(rows))
    by_group = accuracy_by(group, truth, predicted).values()
    assert sum(each.sites for each in by_group) == len(rows)
    pooled = sum(each.accuracy * each.sites for each in by_group) / len(rows)
    assert pooled == pytest.approx(perturbation_accuracy(truth, predicted))
