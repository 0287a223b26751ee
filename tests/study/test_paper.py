from __future__ import annotations

import doctest
from collections import Counter

import pytest

from rxrx_lib.study import paper
from rxrx_lib.study.paper import COLUMN_LABELS, ROW_LABELS, lookup, numbers

TABLES = [f"table{i}" for i in range(1, 7)]
CELL_TYPES = ("HUVEC", "RPE", "HEPG2", "U2OS")
# Wells of the release's test side: how often each cell type counts in Table 1.
TEST_WELLS = {"HUVEC": 9854, "RPE": 4912, "HEPG2": 4925, "U2OS": 2452}


def value(item: str, row: str, column: str = "accuracy") -> float:
    return lookup(item, row, column).value


def test_every_example_in_the_docstrings_holds() -> None:
    outcome = doctest.testmod(paper)
    assert outcome.failed == 0
    assert outcome.attempted >= 1


def test_the_tables_print_72_accuracies() -> None:
    counts = Counter(number.item for number in numbers())
    assert [counts[table] for table in TABLES] == [4 * 4, 12, 16, 16, 6, 6]
    assert sum(counts[table] for table in TABLES) == 72


def test_every_place_holds_one_number() -> None:
    places = [(number.item, number.row, number.column) for number in numbers()]
    assert len(set(places)) == len(places)
    assert set(places) == {
        (item, row, column)
        for item, rows in ROW_LABELS.items()
        for row in rows
        for column in COLUMN_LABELS[item]
    }


def test_numbers_of_an_item_are_in_reading_order() -> None:
    assert [number.value for number in numbers("table1")[:5]] == [75.1, 91.1, 82.4, 59.2, 71.2]
    assert numbers() == tuple(number for item in ROW_LABELS for number in numbers(item))


def test_all_accuracies_are_percentages_with_one_decimal() -> None:
    for table in TABLES:
        for number in numbers(table):
            assert number.unit == "percent"
            assert 0 < number.value < 100
            assert number.value == round(number.value, 1)


@pytest.mark.parametrize("method", ROW_LABELS["table1"])
def test_the_generalization_column_is_the_ratio_of_the_first_two(method: str) -> None:
    ratio = value("table1", method, "accuracy_separated") / value(
        "table1", method, "accuracy_stratified"
    )
    assert value("table1", method, "generalization") == pytest.approx(100 * ratio, abs=0.1)


@pytest.mark.parametrize(
    ("method", "mean"),
    [
        ("baseline", 74.83),
        ("gradient_reversal", 73.77),
        ("adabn", 87.05),
        ("adabn_gradient_reversal", 86.80),
    ],
)
def test_table_3_averages_to_the_known_values_over_the_test_wells(method: str, mean: float) -> None:
    total = sum(value("table3", method, cell) * wells for cell, wells in TEST_WELLS.items())
    assert total / sum(TEST_WELLS.values()) == pytest.approx(mean, abs=0.006)


@pytest.mark.parametrize(
    ("row", "mean"),
    [
        ("baseline", 28.225),
        ("gradient_reversal", 28.875),
        ("adabn", 52.85),
        ("adabn_gradient_reversal", 52.90),
    ],
)
def test_table_4_averages_to_the_known_values_over_the_cell_types(row: str, mean: float) -> None:
    assert sum(value("table4", row, cell) for cell in CELL_TYPES) / 4 == pytest.approx(mean)


def test_adabn_gains_more_in_the_harder_cell_types_as_the_caption_of_table_3_says() -> None:
    gains = [
        round(value("table3", "adabn", cell) - value("table3", "baseline", cell), 1)
        for cell in CELL_TYPES
    ]
    assert gains == [7.9, 8.2, 10.0, 42.1]


def test_batch_classification_lies_as_far_above_chance_as_the_text_says() -> None:
    chance = 100 / 51
    times = {
        method: value("table1", method, "batch_classification") / chance
        for method in ROW_LABELS["table1"]
    }
    assert round(times["baseline"]) == 30
    assert round(times["adabn"]) == 8
    assert times["gradient_reversal"] < 1 < times["adabn_gradient_reversal"] < 1.2


def test_the_default_model_has_one_accuracy_in_all_tables() -> None:
    adabn = value("table1", "adabn", "accuracy_separated")
    assert value("table2", "default", "adabn") == value("table6", "self") == adabn
    baseline = lookup("table1", "baseline", "accuracy_separated")
    assert (value("table5", "self"), lookup("table5", "self", "accuracy").sd) == (
        baseline.value,
        baseline.sd,
    )
    # Table 2 prints 75.2 for the same model, without a standard deviation.
    assert value("table2", "default", "baseline") == pytest.approx(baseline.value, abs=baseline.sd)


def test_adabn_improves_every_row_of_table_2_and_mixup_helps_the_baseline_only() -> None:
    for row in ROW_LABELS["table2"]:
        assert value("table2", row, "adabn") > value("table2", row, "baseline")
    assert value("table2", "mixup", "baseline") > value("table2", "default", "baseline")
    assert value("table2", "mixup", "adabn") < value("table2", "default", "adabn")


@pytest.mark.parametrize("table", ["table5", "table6"])
def test_self_standardization_is_best(table: str) -> None:
    others = [number.value for number in numbers(table) if number.row != "self"]
    assert value(table, "self") > max(others)


def test_self_standardization_gains_more_than_14_points_on_the_baseline() -> None:
    assert 14 < value("table5", "self") - value("table5", "training_all") < 15


def test_deviations_and_runs_are_given_where_the_paper_prints_them() -> None:
    with_sd = Counter(number.item for number in numbers() if number.sd is not None)
    assert with_sd == {"table1": 12, "table3": 16, "table4": 16, "table5": 6}
    assert all(number.n == (5 if number.item == "table1" else None) for number in numbers())
    assert lookup("table3", "adabn", "RPE").sd == 0.0


def test_the_one_figure_with_a_number_in_the_text_is_a_difference() -> None:
    (number,) = numbers("figure9")
    assert (number.value, number.unit) == (2.0, "percentage points")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("table7", "baseline", "accuracy"), "item is 'table7', expected one of table1, table2"),
        (("table1", "combat", "generalization"), "row is 'combat', expected one of baseline"),
        (("table3", "adabn", "HepG2"), "column is 'HepG2', expected one of HUVEC, RPE, HEPG2"),
    ],
)
def test_a_place_that_the_paper_lacks_lists_the_known_ones(
    place: tuple[str, str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        lookup(*place)


def test_an_unknown_item_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="item is 'figure1', expected one of table1"):
        numbers("figure1")
