"""Effects are paired by replicate, and the paper's own come with the spread of its numbers."""

from __future__ import annotations

import math

import pytest

from rxrx_lib.study.effects import (
    CHANCE,
    SD,
    Effect,
    above_chance,
    chance_of_experiment,
    difference,
    per_replicate,
    printed,
    value,
)
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.tables import Cell

A, B = ("table1", "adabn", "accuracy_separated"), ("table1", "baseline", "accuracy_separated")


def cell(place: tuple[str, str, str], **replicates: float) -> Cell:
    mean = sum(replicates.values()) / len(replicates) if replicates else 0.0
    return Cell(row=place[1], column=place[2], value=mean, replicates=replicates)


def test_replicates_are_paired_by_name_and_those_that_one_cell_lacks_are_left_out() -> None:
    cells = {A: cell(A, x=60.0, y=70.0, z=1.0), B: cell(B, y=50.0, x=55.0)}
    assert per_replicate(difference(A, B), cells, 2.0) == {"x": 5.0, "y": 20.0}


def test_an_absent_cell_and_a_ratio_of_means_give_no_replicate() -> None:
    assert per_replicate(difference(A, B), {A: cell(A, x=60.0)}, 2.0) == {}
    assert per_replicate(value(A), {}, 2.0) == {}
    assert per_replicate(value(A), {A: cell(A)}, 2.0) == {}


def test_chance_is_the_same_in_every_replicate() -> None:
    assert per_replicate(above_chance(A), {A: cell(A, x=5.0, y=3.0)}, 2.0) == {"x": 3.0, "y": 1.0}


def test_a_ratio_to_nothing_leaves_its_replicate_out() -> None:
    ratio = Effect(label="", places=(A, B), of=lambda a, b: a / b)
    cells = {A: cell(A, x=4.0, y=4.0), B: cell(B, x=2.0, y=0.0)}
    assert per_replicate(ratio, cells, 2.0) == {"x": 2.0}


def test_chance_counts_the_experiments_of_the_screen() -> None:
    assert chance_of_experiment(PROFILES["paper"]) == pytest.approx(100 / 51)
    assert chance_of_experiment(PROFILES["smoke"]) == pytest.approx(100 / 10)


def test_the_papers_difference_and_its_spread_by_hand() -> None:
    found = printed(difference(A, B))
    assert found is not None
    assert found.value == pytest.approx(87.1 - 75.1)
    assert found.spread == pytest.approx(2 * math.sqrt(0.2**2 + 0.2**2) + 2 * 0.05)


def test_a_ratio_has_the_spread_of_the_rule_of_small_errors() -> None:
    stratified = ("table1", "baseline", "accuracy_stratified")
    found = printed(Effect(label="", places=(B, stratified), of=lambda a, b: 100 * a / b))
    assert found is not None
    ratio = 100 * 75.1 / 91.1
    relative = math.hypot(0.2 / 75.1, 0.1 / 91.1)
    rounding = 0.05 * (ratio / 75.1 + ratio / 91.1)
    assert found == pytest.approx((ratio, 2 * ratio * relative + rounding))


def test_chance_is_not_rounded_in_print() -> None:
    found = printed(above_chance(("table1", "gradient_reversal", "batch_classification")))
    assert found == pytest.approx((1.8 - 100 / 51, 2 * 0.1 + 0.05))


def test_a_table_without_deviations_borrows_those_of_table_1() -> None:
    found = printed(difference(("table2", "resnet101", "adabn"), ("table2", "resnet50", "adabn")))
    assert found == pytest.approx((0.7, 2 * math.sqrt(2) * 0.2 + 0.1))
    gain = printed(Effect(label="", places=(("figure9", "channels_12345", "gain"),), of=float))
    assert gain == pytest.approx((2.0, 2 * math.sqrt(2) * 0.2 + 0.05))


def test_a_printed_deviation_is_itself_uncertain() -> None:
    found = printed(value((B[0], B[1], B[2] + SD)))
    assert found == pytest.approx((0.2, 2 * 0.2 / math.sqrt(8) + 0.05))


@pytest.mark.parametrize(
    "place",
    [
        ("figure6", "adabn", "purity"),
        ("table1", "adabn", "batch_probe_linear"),
        ("table2", "resnet18", "adabn"),
        ("table2", "default", "adabn" + SD),
    ],
)
def test_what_the_paper_does_not_print_has_no_value(place: tuple[str, str, str]) -> None:
    assert printed(value(place)) is None
    assert printed(Effect(label="", places=(A, place))) is None
    assert printed(value(CHANCE)) is not None
