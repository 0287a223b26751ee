"""Errata touch numbers that exist, are on their page, and hold by arithmetic where they can."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from rxrx_lib.study import paper
from rxrx_lib.study.errata import TOUCH_NO_NUMBER, TOUCHES, Kind, general_sentences, touching

PAGE = (Path(__file__).parents[2] / "book" / "appendices" / "errata.md").read_text()
PLACES = [
    (n.item, n.row, n.column) for n in paper.numbers() if n.item.startswith("table")
]  # tables 1 to 6
TEST_WELLS = {"HUVEC": 9854, "RPE": 4912, "HEPG2": 4925, "U2OS": 2452}
ROUNDING = 0.05


def places_of(erratum: int, *, words: str = "", kind: Kind | None = None) -> set[tuple]:
    return {
        place
        for touch in TOUCHES
        if touch.erratum == erratum and words in touch.note and kind in (None, touch.kind)
        for place in touch.places
    }


def value(item: str, row: str, column: str) -> float:
    return paper.lookup(item, row, column).value


def sd(item: str, row: str, column: str) -> float:
    found = paper.lookup(item, row, column).sd
    assert found is not None
    return found


def summed(method: str, weights: dict[str, int]) -> float:
    total = sum(weight * value("table3", method, cell) for cell, weight in weights.items())
    return total / sum(weights.values())


def test_every_erratum_of_the_page_touches_numbers_or_is_said_to_touch_none() -> None:
    listed = [
        int(number) for number in re.findall(r"^\* - \(erratum-\d+\)=\n    (\d+)$", PAGE, re.M)
    ]
    assert listed == list(range(1, len(listed) + 1))
    touched = {touch.erratum for touch in TOUCHES}
    assert touched | TOUCH_NO_NUMBER.keys() == set(listed)
    assert not touched & TOUCH_NO_NUMBER.keys()


def test_every_erratum_has_an_anchor_with_its_own_number() -> None:
    anchors = re.findall(r"^\* - \(erratum-(\d+)\)=\n    (\d+)$", PAGE, re.M)
    assert len(anchors) == len(re.findall(r"^\* - ", PAGE, re.M)) - 1  # the table's head
    assert all(anchor == number for anchor, number in anchors)


@pytest.mark.parametrize("touch", TOUCHES, ids=lambda touch: f"{touch.erratum}: {touch.note}")
def test_touched_numbers_are_in_the_papers_tables_each_once(touch) -> None:
    assert touch.places
    assert len(set(touch.places)) == len(touch.places)
    assert set(touch.places) <= set(PLACES)
    assert 5 < len(touch.note) < 80


def test_a_number_lists_its_errata_in_order_and_by_kind() -> None:
    place = ("table1", "baseline", "accuracy_separated")
    assert [touch.erratum for touch in touching(place)] == [2, 10, 15, 18, 19]
    assert [touch.erratum for touch in touching(place, Kind.AT_ODDS)] == [10, 18]
    assert touching(("table5", "plate_all", "accuracy"), Kind.AT_ODDS, Kind.UNCLEAR) == ()


def test_what_touches_many_numbers_is_said_once_with_its_count() -> None:
    lines = general_sentences()
    assert len(lines) == 3
    assert any("Erratum 15 touches 68 of them" in line for line in lines)


def test_erratum_2_touches_the_two_cell_types_with_an_experiment_too_many() -> None:
    in_columns = {p for p in PLACES if p[0] in ("table3", "table4") and p[2] in ("RPE", "HEPG2")}
    assert places_of(2, words="the text counts 5") == in_columns


def test_erratum_2_the_wrong_counts_weigh_table_3_to_table_1_for_the_baseline_alone() -> None:
    counts = {"HUVEC": 8, "RPE": 5, "HEPG2": 5, "U2OS": 2}
    equal = {
        ("table1", method, "accuracy_separated")
        for method in paper.METHODS
        if round(summed(method, counts), 1) == value("table1", method, "accuracy_separated")
        if round(summed(method, TEST_WELLS), 1) != value("table1", method, "accuracy_separated")
    }
    assert equal == places_of(2, words="adds up")


def test_erratum_9_touches_the_rows_of_table_3_that_do_not_add_up_to_table_1() -> None:
    apart = set()
    for method in paper.METHODS:
        printed = value("table1", method, "accuracy_separated")
        spreads = [
            TEST_WELLS[cell] / sum(TEST_WELLS.values()) * sd("table3", method, cell)
            for cell in TEST_WELLS
        ]
        spread = math.hypot(*spreads, sd("table1", method, "accuracy_separated"))
        if abs(summed(method, TEST_WELLS) - printed) > 2 * ROUNDING + spread:
            apart.add(method)
    assert apart == {row for _, row, _ in places_of(9)}
    assert places_of(9) == {
        *(("table1", method, "accuracy_separated") for method in apart),
        *(("table1", method, "generalization") for method in apart),
        *(("table3", method, cell) for method in apart for cell in TEST_WELLS),
    }


def test_erratum_9_a_sum_varies_no_more_than_its_parts_together() -> None:
    too_wide = set()
    for method in paper.METHODS:
        most = sum(
            wells * (sd("table3", method, cell) + ROUNDING) for cell, wells in TEST_WELLS.items()
        ) / sum(TEST_WELLS.values())
        if sd("table1", method, "accuracy_separated") - ROUNDING > most:
            too_wide.add(("table1", method, "accuracy_separated"))
    assert too_wide == places_of(9, words="wider than")


def test_erratum_9_gradient_reversals_generalization_would_not_lie_below_the_baselines() -> None:
    stratified = value("table1", "gradient_reversal", "accuracy_stratified")
    from_table3 = 100 * summed("gradient_reversal", TEST_WELLS) / stratified
    assert value("table1", "gradient_reversal", "generalization") < 80
    assert value("table1", "baseline", "generalization") < from_table3 < 83


def test_erratum_10_one_model_has_two_accuracies() -> None:
    found = {place: value(*place) for place in places_of(10, kind=Kind.AT_ODDS)}
    assert sorted(found.values()) == [75.1, 75.1, 75.2]
    without = {(n.item, n.row, n.column) for n in paper.numbers() if n.sd is None}
    no_ratio = {p for p in without if p[0] != "figure9" and p[2] != "generalization"}
    assert places_of(10, words="no ±") == no_ratio


def test_erratum_13_the_lines_are_what_51_experiments_of_4_cell_types_give() -> None:
    assert f"{100 * 4 / 51:.1f}" == "7.8"
    below = {p for p in PLACES if p[2] == "batch_classification" if value(*p) + ROUNDING < 100 / 51}
    assert below == places_of(13, words="below")


def test_erratum_18_touches_the_pairs_in_which_adabn_does_not_vary_less() -> None:
    pairs = [("table1", "accuracy_separated")]
    pairs += [(table, cell) for table in ("table3", "table4") for cell in TEST_WELLS]
    touched = {
        (item, method, column)
        for item, column in pairs
        if sd(item, "adabn", column) >= sd(item, "baseline", column)
        for method in ("baseline", "adabn")
    }
    assert touched == places_of(18)
    signs = [
        (a > b) - (a < b)
        for a, b in ((sd(i, "adabn", c), sd(i, "baseline", c)) for i, c in pairs[1:])
    ]
    counts = [signs.count(sign) for sign in (-1, 0, 1)]
    assert counts == [4, 1, 3]
    assert "smaller in four, as large in one, larger in three" in PAGE


def test_erratum_19_touches_all_that_is_printed_with_a_deviation() -> None:
    assert places_of(19) == {(n.item, n.row, n.column) for n in paper.numbers() if n.sd is not None}
