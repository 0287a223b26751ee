from __future__ import annotations

import doctest
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from rxrx_lib.data.splits import stratified
from rxrx_lib.evaluation import reference_lines
from rxrx_lib.evaluation.reference_lines import (
    cell_type_line,
    class_line,
    commonest_training_line,
    exchanged_names,
    majority_line,
    uniform_line,
)
from tests.data.screens import screen_table

# Experiments of the release, and how many of them train.
SIZES = {"HUVEC": (24, 16), "RPE": (11, 7), "HEPG2": (11, 7), "U2OS": (5, 3)}
RELEASE = {
    f"{cell}-{n:02d}": "train" if n <= train else "test"
    for cell, (experiments, train) in SIZES.items()
    for n in range(1, experiments + 1)
}
CONTROLS = {"positive_control", "negative_control"}


def equal_experiments(experiments: dict[str, int], sites: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Cell types and experiments of a screen with so many equal experiments a cell type."""
    names = [(cell, f"{cell}-{i}") for cell, count in experiments.items() for i in range(count)]
    cell_type, experiment = np.repeat(np.array(names), sites, axis=0).T
    return cell_type, experiment


def test_every_example_in_the_docstrings_holds() -> None:
    outcome = doctest.testmod(reference_lines)
    assert outcome.failed == 0
    assert outcome.attempted >= 4


def test_the_uniform_line_of_rxrx1_is_the_papers_chance_level() -> None:
    assert uniform_line(51) == pytest.approx(1.9608, abs=1e-4)
    assert uniform_line(1139) == pytest.approx(0.0878, abs=1e-4)


def test_the_uniform_line_needs_a_category() -> None:
    with pytest.raises(ValueError, match="categories is 0"):
        uniform_line(0)


def test_the_majority_line_is_sklearns_most_frequent_dummy() -> None:
    label = np.random.default_rng(0).integers(0, 5, 77)
    dummy = DummyClassifier(strategy="most_frequent").fit(label.reshape(-1, 1), label)
    assert majority_line(label) == pytest.approx(100 * dummy.score(label.reshape(-1, 1), label))


def test_the_commonest_training_class_is_answered_whatever_the_test_classes_are() -> None:
    draw = np.random.default_rng(1)
    train, test = draw.integers(0, 5, 77), draw.integers(0, 7, 50)
    dummy = DummyClassifier(strategy="most_frequent").fit(train.reshape(-1, 1), train)
    expected = 100 * dummy.score(test.reshape(-1, 1), test)
    assert commonest_training_line(train, test) == pytest.approx(expected)
    assert commonest_training_line(["b", "a"], ["a", "a", "b"]) == pytest.approx(100 * 2 / 3)
    assert commonest_training_line(["a"], ["b"]) == 0.0
    with pytest.raises(ValueError, match="train: no rows"):
        commonest_training_line([], ["a"])


def test_with_equal_experiments_the_cell_type_line_is_cell_types_over_experiments() -> None:
    screen = equal_experiments({"HUVEC": 24, "RPE": 11, "HEPG2": 11, "U2OS": 5})
    assert cell_type_line(*screen, *screen) == pytest.approx(100 * 4 / 51)


def test_with_one_cell_type_and_equal_experiments_both_lines_agree() -> None:
    screen = equal_experiments({"HUVEC": 7})
    assert cell_type_line(*screen, *screen) == pytest.approx(uniform_line(7))


def test_the_cell_type_line_answers_with_the_largest_training_experiment() -> None:
    train = ["RPE"] * 3, ["R1", "R2", "R2"]
    test = ["RPE"] * 4, ["R1", "R1", "R1", "R2"]
    assert cell_type_line(*train, *test) == 25.0


def test_equal_favourites_are_drawn_and_their_expected_accuracy_is_given() -> None:
    train = [0, 0, 0, 0], ["A", "B", "A", "B"]
    assert class_line(*train, [0, 0, 0, 0], ["A", "B", "B", "C"]) == pytest.approx(100 * 3 / 4 / 2)


def test_a_class_never_trained_gets_the_answer_of_all_training_rows() -> None:
    train = [0, 0, 1], ["A", "A", "B"]
    assert class_line(*train, [5, 5], ["A", "B"]) == 50.0


def test_the_class_line_falls_below_one_over_e_when_wells_are_kept_apart() -> None:
    # Six treatments, one well in each of three experiments; every class tests another experiment.
    sirna = np.repeat(np.arange(6), 3)
    experiment = np.tile(np.array(["A", "B", "C"]), 6)
    test = np.arange(18) % 3 == sirna % 3
    line = class_line(sirna[~test], experiment[~test], sirna[test], experiment[test])
    assert line == 0.0
    assert line < uniform_line(3)


def test_the_class_line_is_one_over_e_where_training_and_test_hold_the_same_pairs() -> None:
    sirna, experiment = np.repeat(np.arange(6), 3), np.tile(np.array(["A", "B", "C"]), 6)
    assert class_line(sirna, experiment, sirna, experiment) == pytest.approx(uniform_line(3))


def class_line_of_split(experiments: dict[str, str], unit: str, well_types: set[str]) -> float:
    """The line of some wells of a screen, under the split that this project makes."""
    table = screen_table(experiments, treatments=12, positives=2)
    split = stratified(table, unit=unit)
    train, test = (
        rows[rows["well_type"].isin(well_types)]
        for rows in (table.iloc[split.train], table.iloc[split.test])
    )
    return class_line(train["sirna_id"], train["experiment"], test["sirna_id"], test["experiment"])


@pytest.mark.parametrize("unit", ["site", "well"])
def test_in_the_shape_of_rxrx1_the_class_line_is_below_one_over_e_under_either_unit(
    unit: str,
) -> None:
    assert class_line_of_split(RELEASE, unit, {"treatment"}) == 0.0
    assert 0 < class_line_of_split(RELEASE, unit, CONTROLS) < uniform_line(51)
    assert 0 < class_line_of_split(RELEASE, unit, CONTROLS | {"treatment"}) < uniform_line(51)


def test_at_a_training_share_of_one_half_the_class_line_by_site_is_one_over_e() -> None:
    halves = {f"RPE-{n:02d}": "train" if n <= 3 else "test" for n in range(1, 7)}
    for well_types in ({"treatment"}, CONTROLS, CONTROLS | {"treatment"}):
        line = class_line_of_split(halves, "site", well_types)
        assert line == pytest.approx(uniform_line(6))
    assert class_line_of_split(halves, "well", {"treatment"}) == 0.0


@given(seed=st.integers(0, 2**31))
def test_the_line_is_the_accuracy_of_the_best_guess_averaged_over_draws_among_ties(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    known, experiment = rng.integers(0, 3, 15), rng.choice(["A", "B", "C", "D"], 15)
    asked, truth = rng.integers(0, 3, 9), rng.choice(["A", "B", "C", "D", "E"], 9)
    hits = []
    for value, answer in zip(asked, truth, strict=True):
        seen = list(experiment[known == value]) or list(experiment)
        most = max(seen.count(name) for name in set(seen))
        tied = [name for name in set(seen) if seen.count(name) == most]
        hits.append(tied.count(answer) / len(tied))
    assert class_line(known, experiment, asked, truth) == pytest.approx(100 * np.mean(hits))


def test_a_line_refuses_columns_of_different_lengths() -> None:
    with pytest.raises(ValueError, match=r"train_known \(2,\), train_experiment \(1,\)"):
        cell_type_line(["a", "b"], ["A"], ["a"], ["A"])


def after_all_exchanges(truth: np.ndarray, answer: np.ndarray) -> list[float]:
    """Return the accuracy after each exchange of names among equally common classes."""
    classes, sizes = np.unique(truth, return_counts=True)
    groups = [classes[sizes == size].tolist() for size in np.unique(sizes)]
    accuracies = []
    for orders in itertools.product(*(itertools.permutations(group) for group in groups)):
        pairs = zip(groups, orders, strict=True)
        names = {old: new for group, order in pairs for old, new in zip(group, order, strict=True)}
        renamed = np.array([names.get(name, -1) for name in answer])
        accuracies.append(100 * float((renamed == truth).mean()))
    return accuracies


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31))
def test_luck_is_the_mean_and_deviation_over_all_exchanges_of_names(seed: int) -> None:
    draw = np.random.default_rng(seed)
    truth = np.repeat(draw.permutation(5), draw.integers(1, 3, 5))
    kinds = draw.integers(0, 6, truth.size)  # a class that the test side lacks may be named too
    answer = np.where(draw.random(truth.size) < 0.6, truth, kinds)
    luck = exchanged_names(truth, answer)
    accuracies = after_all_exchanges(truth, answer)
    assert luck.mean == pytest.approx(np.mean(accuracies))
    assert luck.sd == pytest.approx(np.std(accuracies), abs=1e-9)


def test_where_names_are_exchanged_for_real_accuracy_lies_within_three_deviations_of_luck() -> None:
    """Kinds of picture are told apart without a fault, and their names are drawn."""
    draw = np.random.default_rng(0)
    truth = np.repeat(np.arange(12), 8)
    off = []
    for _ in range(200):
        answer = draw.permutation(12)[truth]
        luck = exchanged_names(truth, answer)
        off.append((100 * (answer == truth).mean() - luck.mean) / luck.sd)
    assert abs(np.mean(off)) < 0.25
    assert np.mean(np.abs(off) <= 3) > 0.95


def test_answers_that_rest_on_the_classes_lie_far_above_luck() -> None:
    truth = np.repeat(np.arange(12), 8)
    luck = exchanged_names(truth, truth)
    assert luck.mean + 3 * luck.sd < 100
