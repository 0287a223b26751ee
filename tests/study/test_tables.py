"""From a frame of results, made by hand, to cells, differences and sentences' numbers."""

from __future__ import annotations

import math
import statistics

import pandas as pd
import pytest

from rxrx_lib.study.tables import (
    BESIDE_TABLE1,
    Cell,
    cells,
    differences,
    mean_cell,
    per_experiment,
    ratio_cell,
    replicate_values,
    table1,
)
from tests.study.handmade import table1_results

EMPTY = pd.DataFrame([])


def test_a_cell_is_the_mean_over_replicates_with_their_sample_deviation() -> None:
    cell = table1(table1_results())["baseline", "accuracy_separated"]
    assert cell.value == pytest.approx(50.0)
    assert cell.sd == pytest.approx(10.0)
    assert cell.n == 3
    assert cell.replicates == {"10/0": 40.0, "11/1": 50.0, "12/2": 60.0}
    assert cell.interval.mean - cell.interval.low == pytest.approx(4.3026527 * 10 / math.sqrt(3))


def test_each_column_shows_its_own_split_and_metric() -> None:
    table = table1(table1_results())
    row = {column: cell.value for (method, column), cell in table.items() if method == "adabn"}
    assert row == pytest.approx(
        {
            "accuracy_separated": 62.0,
            "accuracy_stratified": 82.0,
            "accuracy_stratified_by_well": 63.0,
            "batch_classification": 60.0,
            "generalization": 100 * 62 / 82,
            "generalization_by_well": 100 * 62 / 63,
        }
    )


def test_generalization_is_the_ratio_of_means_and_not_the_mean_of_ratios() -> None:
    cell = table1(table1_results())["gradient_reversal", "generalization"]
    assert cell.value == pytest.approx(100 * 48 / 80)
    own = [100 * 39 / 70, 100 * 48 / 80, 100 * 57 / 90]
    assert cell.value != pytest.approx(sum(own) / 3, abs=0.01)
    assert list(cell.replicates.values()) == pytest.approx(own)
    assert cell.sd == pytest.approx(statistics.stdev(own))


def test_a_ratios_spread_is_that_of_replicates_which_both_accuracies_have() -> None:
    over = mean_cell("adabn", "", {"0/0": 40.0, "0/1": 50.0, "0/2": 60.0})
    under = mean_cell("adabn", "", {"0/1": 100.0, "0/2": 0.0, "0/3": 50.0})
    cell = ratio_cell("adabn", "generalization", over, under)
    assert cell.value == 100.0
    assert cell.replicates == {"0/1": 50.0}


def test_generalization_to_a_ceiling_of_zero_is_left_out() -> None:
    results = table1_results()
    results.loc[results["split"] == "stratified_by_site", "accuracy"] = 0.0
    table = table1(results)
    assert ("baseline", "generalization") not in table
    assert ("baseline", "generalization_by_well") in table


def test_one_replicate_has_no_deviation() -> None:
    cell = table1(table1_results(replicates=1))["baseline", "accuracy_separated"]
    assert (cell.value, cell.n) == (40.0, 1)
    assert math.isnan(cell.sd)


def test_cells_come_method_by_method_and_only_where_there_is_a_number() -> None:
    found = cells(table1_results(), BESIDE_TABLE1)
    assert [(cell.row, cell.column) for cell in found[:4]] == [
        ("baseline", "batch_probe_linear"),
        ("baseline", "batch_classification_by_well"),
        ("baseline", "batch_probe_linear_by_well"),
        ("gradient_reversal", "batch_probe_linear"),
    ]
    assert len(found) == 12
    assert found[0].value == pytest.approx(31.0)


def test_a_run_without_the_metric_is_left_out_of_the_mean() -> None:
    results = table1_results()
    lost = (results["replicate"] == "12/2") & (results["split"] == "stratified_by_site")
    results.loc[lost, "batch_probe_linear"] = float("nan")
    values = replicate_values(results, "baseline", "stratified_by_site", "batch_probe_linear")
    assert values == {"10/0": 30.0, "11/1": 31.0}


def test_differences_are_paired_by_replicate_whatever_the_order_of_runs() -> None:
    results = table1_results().sample(frac=1, random_state=0)
    found = differences(results, "separated", "accuracy")
    assert list(found) == ["gradient_reversal", "adabn", "adabn_gradient_reversal"]
    assert found["adabn"] == {"10/0": 20.0, "11/1": 12.0, "12/2": 4.0}
    assert found["gradient_reversal"] == {"10/0": -1.0, "11/1": -2.0, "12/2": -3.0}


def test_differences_refuse_replicates_that_only_one_side_has() -> None:
    results = table1_results()
    lost = (results["replicate"] == "11/1") & (results["method"] == "baseline")
    with pytest.raises(ValueError, match="only a has replicate 11/1"):
        differences(results[~lost], "separated", "accuracy")


def test_differences_in_each_experiment_are_those_of_the_separated_split() -> None:
    found = per_experiment(table1_results(), "adabn")
    assert list(found.columns) == ["replicate", "experiment", "cell_type", "difference"]
    assert found.to_dict("records")[:2] == [
        {"replicate": "10/0", "experiment": "SIM-HUVEC-07", "cell_type": "HUVEC", "difference": 20},
        {"replicate": "10/0", "experiment": "SIM-U2OS-04", "cell_type": "U2OS", "difference": 21},
    ]
    assert found["difference"].tolist() == [20.0, 21.0, 12.0, 13.0, 4.0, 5.0]


def test_replicates_that_lack_one_of_the_two_methods_give_no_difference() -> None:
    results = table1_results()
    lost = (results["replicate"] == "11/1") & (results["method"] == "adabn")
    found = per_experiment(results[~lost], "adabn")
    assert found["replicate"].tolist() == ["10/0", "10/0", "12/2", "12/2"]


def test_without_results_there_are_no_cells() -> None:
    assert table1(EMPTY) == {}
    assert cells(EMPTY, BESIDE_TABLE1) == []
    assert differences(EMPTY, "separated", "accuracy") == {}
    assert per_experiment(EMPTY, "adabn").empty


def test_equal_replicates_have_no_spread() -> None:
    cell = Cell(row="adabn", column="x", value=5.0, replicates={"a": 5.0, "b": 5.0})
    assert (cell.sd, cell.interval.low, cell.interval.high) == (0.0, 5.0, 5.0)


def test_results_of_several_items_are_refused_rather_than_mixed() -> None:
    results = table1_results()
    control = results.head(1).assign(technical=0.0, accuracy=99.0)
    with pytest.raises(ValueError, match=r"several runs of baseline, separated, replicate 10/0"):
        table1(pd.concat([results, control], ignore_index=True))
