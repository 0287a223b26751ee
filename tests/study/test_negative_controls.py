"""Verdicts hold up to their bounds and fail beyond."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from rxrx_lib.study.negative_controls import (
    Verdict,
    negative_control_cells,
    verdicts,
)
from tests.study.handmade import REPLICATES, control_results

# By luck 4 % with a deviation of 1.5, three deviations of the mean of three replicates above it.
HIGHEST = 4 + 3 * 1.5 / math.sqrt(3)


def judged(among: str = "all", **values: float) -> dict[str, Verdict]:
    results = control_results(**({"baseline": 50.0, "adabn": 50.0} | values))
    return {v.control: v for v in verdicts(results) if v.among == among}


def test_all_three_controls_are_judged() -> None:
    assert list(judged()) == ["technical_off", "labels_shuffled", "phenotypes_off"]
    assert all(verdict.holds for verdict in judged().values())


@pytest.mark.parametrize(
    ("adabn", "holds"), [(53.0, True), (47.0, True), (53.01, False), (46.99, False)]
)
def test_adabn_may_lie_three_points_from_the_baseline_without_technical_effects(
    adabn: float, holds: bool
) -> None:
    verdict = judged(adabn=adabn)["technical_off"]
    assert verdict.found.mean == pytest.approx(adabn - 50)
    assert verdict.found.n == len(REPLICATES)
    assert verdict.holds is holds


@pytest.mark.parametrize(
    ("control", "word"), [("labels_shuffled", "shuffled"), ("phenotypes_off", "without_phenotypes")]
)
@pytest.mark.parametrize(
    ("accuracy", "holds"), [(0.0, True), (HIGHEST - 0.01, True), (HIGHEST + 0.01, False)]
)
def test_nothing_to_learn_may_give_three_deviations_above_luck(
    control: str, word: str, accuracy: float, holds: bool
) -> None:
    verdict = judged(**{word: accuracy})[control]
    assert verdict.high == pytest.approx(HIGHEST)
    assert verdict.holds is holds
    assert verdict.expected == 4.0


def test_a_leak_among_treatments_shows_though_all_sites_look_like_chance() -> None:
    leaking = {"shuffled": 4.0, "treatments": 12.0}
    assert judged(**leaking)["labels_shuffled"].holds
    verdict = judged("treatments", **leaking)["labels_shuffled"]
    assert verdict.high == pytest.approx(2 + 3 * 0.5 / math.sqrt(3))
    assert not verdict.holds


def test_only_controls_that_were_run_are_judged() -> None:
    results = control_results(baseline=50.0, adabn=50.0)
    shuffled = results[results["labels"] == "shuffled"]
    assert {verdict.control for verdict in verdicts(shuffled)} == {"labels_shuffled"}
    assert verdicts(pd.DataFrame([])) == []


def test_cells_keep_the_replicates_and_the_line() -> None:
    found = {
        (c.row, c.column): c
        for c in negative_control_cells(control_results(baseline=40.0, adabn=41.0))
    }
    assert found["technical_off", "adabn"].value == 41.0
    assert found["phenotypes_off", "baseline"].value == 3.0
    assert found["labels_shuffled", "luck_line"].value == 4.0
    assert all(tuple(cell.replicates) == REPLICATES for cell in found.values())
    assert negative_control_cells(pd.DataFrame([])) == []


def test_where_no_two_classes_are_equally_common_there_is_no_verdict_on_luck() -> None:
    results = control_results(baseline=50.0, adabn=50.0).assign(luck_sd=0.0)
    assert [v.control for v in verdicts(results) if v.among == "all"] == ["technical_off"]


@pytest.mark.parametrize(("named", "holds"), [(0.0, True), (0.5, False)])
def test_where_no_treatment_is_ever_named_none_may_be_right(named: float, holds: bool) -> None:
    results = control_results(baseline=50.0, adabn=50.0, treatments=named)
    never = results.assign(luck_mean_treatments=0.0, luck_sd_treatments=0.0)
    judged = [v for v in verdicts(never) if v.among == "treatments"]
    assert len(judged) == 2
    assert all(verdict.holds is holds for verdict in judged)
