"""Both sides of generalization on the same experiments, against numbers counted by hand."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import panels
from rxrx_lib.study.catalogue import table1 as table1_runs
from rxrx_lib.study.derived import own_prediction, write_derived
from rxrx_lib.study.findings import FINDINGS, finding
from rxrx_lib.study.ledger import ledger
from rxrx_lib.study.profiles import BY_SITE, BY_WELL, PROFILES, SEPARATED
from rxrx_lib.study.results import gather
from rxrx_lib.study.runs import Run
from rxrx_lib.study.same_experiment_claims import (
    ALL_EXPERIMENTS,
    SEEN_SITES,
    of_generalization,
    restated,
    same_experiment_claims,
    same_experiment_lines,
    same_well_claims,
)
from rxrx_lib.study.same_experiments import (
    GENERALIZATIONS,
    SAME_EXPERIMENTS,
    SECOND_WELLS,
    same_experiment_cells,
    with_same_experiments,
)
from rxrx_lib.study.second_wells import FILE, packed
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, table1
from rxrx_lib.study.verdicts import NOT_RUN, SUPPORTED, UNDECIDED
from tests.study.stored import finish_with_predictions

DEMO = PROFILES["demo"]
ONE = dataclasses.replace(DEMO, replicates=DEMO.replicates[:1])
RUNS = {
    spec.split: spec
    for spec in table1_runs(ONE)
    if spec.method == "baseline"
}  # fmt: skip

# The right ones of ten sites of each of two experiments; the first five are of treatments.
# HUVEC-02 is held out. A stratified run's test side is the even sites.
RIGHT = "1111100000", "1010111110"
SECOND = "1100011111", "1110011111"


def arrays(spec: RunSpec, right: tuple[str, str]) -> dict[str, Any]:
    """Return what predictions.npz holds of twenty sites."""
    sites = [(name, number) for name in ("HUVEC-01", "HUVEC-02") for number in range(10)]
    experiment = np.array([name for name, _ in sites])
    number = np.array([each for _, each in sites])
    sirna = number % 4
    correct = np.array([digit == "1" for word in right for digit in word])
    test = experiment == "HUVEC-02" if spec.split == SEPARATED else number % 2 == 0
    names = [f"{name}_1_B{each:02d}" for name, each in sites]
    return {
        "split": np.asarray(spec.split.name),
        "unit": np.asarray(spec.split.unit),
        "classes": np.asarray(5),
        "experiments": np.asarray(2),
        "whole_wells": np.asarray(True),
        "site_id": np.array([f"{name}_1" for name in names]),
        "well_id": np.array(names),
        "plate": np.ones(20, np.int64),
        "experiment": experiment,
        "cell_type": np.full(20, "HUVEC"),
        "well_type": np.where(number < 5, "treatment", "positive_control"),
        "sirna_id": sirna,
        "predicted_experiment": experiment,
        "top_sirna_id": np.where(correct, sirna, sirna + 1)[:, None].astype(np.int16),
        "top_logit": np.ones((20, 1), np.float32),
        "side": np.where(test, "test", "train"),
    }


def write_second(run: Run, spec: RunSpec, right: tuple[str, str]) -> None:
    of_second = arrays(spec, right) | {"side": np.full(20, "test")}
    digest = run.provenance()["sha256"]["weights.pt"]
    content = packed(of_second, digest, spec.method, {})
    write_derived(own_prediction(run, spec), FILE, content)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store of the baseline's three runs, one replicate."""
    for spec in RUNS.values():
        run = finish_with_predictions(spec, tmp_path, arrays(spec, RIGHT))
        if spec.split == BY_SITE:
            write_second(run, spec, SECOND)
    return tmp_path


def test_accuracies_are_counted_on_the_test_experiments_sites_alone(store: Path) -> None:
    results = gather(list(RUNS.values()), store)
    widened = with_same_experiments(results, store).set_index("split")
    assert widened["accuracy"].to_dict() == pytest.approx(
        {"separated": 70.0, "stratified_by_site": 80.0, "stratified_by_well": 80.0}
    )
    by_site = widened.loc["stratified_by_site"]
    assert by_site["accuracy_test_experiments"] == pytest.approx(100.0)  # sites 0, 2, 4, 6, 8
    assert by_site["accuracy_second_wells"] == pytest.approx(100 * 15 / 20)
    assert by_site["accuracy_second_wells_treatments"] == pytest.approx(100 * 5 / 10)
    assert by_site["accuracy_second_wells_test_experiments"] == pytest.approx(80.0)
    assert by_site["accuracy_second_wells_test_experiments_treatments"] == pytest.approx(60.0)
    by_well = widened.loc["stratified_by_well"]
    assert by_well["accuracy_test_experiments"] == pytest.approx(100.0)
    assert math.isnan(by_well["accuracy_second_wells"])
    assert math.isnan(widened.loc["separated", "accuracy_test_experiments"])


def test_generalization_divides_by_the_accuracy_on_the_same_experiments(store: Path) -> None:
    results = gather(list(RUNS.values()), store)
    found = same_experiment_cells(results, store)
    assert {column for _, column in found} == SAME_EXPERIMENTS.keys() | GENERALIZATIONS.keys()
    value = {column: cell.value for (_, column), cell in found.items()}
    assert value["generalization_test_experiments"] == pytest.approx(70.0)
    assert value["generalization_second_wells"] == pytest.approx(100 * 70 / 80)
    assert table1(results)["baseline", "generalization"].value == pytest.approx(100 * 70 / 80)


def test_a_ratio_is_one_of_means_over_replicates(tmp_path: Path) -> None:
    two = [DEMO.run("baseline", s, r) for r in DEMO.replicates[:2] for s in (SEPARATED, BY_SITE)]
    other = ("0000000000", "1000000011")
    for spec, right in zip(two, (RIGHT, RIGHT, other, other), strict=True):
        finish_with_predictions(spec, tmp_path, arrays(spec, right))
    found = same_experiment_cells(gather(two, tmp_path), tmp_path)
    seen = found["baseline", "stratified_test_experiments"]
    assert list(seen.replicates.values()) == pytest.approx([100.0, 40.0])
    ratio = found["baseline", "generalization_test_experiments"]
    assert ratio.value == pytest.approx(100 * (70 + 30) / (100 + 40))
    assert list(ratio.replicates.values()) == pytest.approx([100 * 70 / 100, 100 * 30 / 40])
    assert ("baseline", "second_wells") not in found


def test_without_answers_or_without_a_separated_run_there_is_no_number(store: Path) -> None:
    seen = [RUNS[BY_SITE], RUNS[BY_WELL]]
    alone = same_experiment_cells(gather(seen, store), store)
    assert {column for _, column in alone} == {"second_wells", "treatments_second_wells"}
    empty = pd.DataFrame([])
    assert with_same_experiments(empty, store).empty
    assert same_experiment_cells(empty, store) == {}
    (own_prediction(Run(store / RUNS[BY_WELL].id), RUNS[BY_WELL]) / "predictions.npz").unlink()
    widened = with_same_experiments(gather([RUNS[SEPARATED], RUNS[BY_SITE]], store), store)
    assert "accuracy_test_experiments" in widened


def test_the_ledger_keeps_them_beside_table_1(store: Path) -> None:
    rows = ledger(store, ONE).set_index(["item", "row", "column"])
    row = rows.loc[("table1", "baseline", "generalization_second_wells")]
    assert row["simulated"] == pytest.approx(87.5)
    assert math.isnan(row["paper"])


def test_of_the_release_a_cell_says_that_there_are_no_second_wells() -> None:
    table = {("adabn", "second_wells"): Cell(row="adabn", column="", value=50.0, replicates={})}
    for columns in (panels.SAME_EXPERIMENT_COLUMNS, panels.GENERALIZATION_COLUMNS):
        known = SAME_EXPERIMENTS.keys() | GENERALIZATIONS.keys()
        assert columns.keys() <= known | {"accuracy_separated", "generalization"}
        panel = panels.simulated_panel({}, columns, SECOND_WELLS)
        for column, label in columns.items():
            word = panels.NOT_POSSIBLE if column in SECOND_WELLS else ""
            assert set(panel[label]) == {word}
    panel = panels.simulated_panel(table, panels.SAME_EXPERIMENT_COLUMNS, SECOND_WELLS)
    assert panel.iloc[2, -1] == "50.0"


def made_cells(values: dict[tuple[str, str], list[float]]) -> dict[tuple[str, str], Cell]:
    return {
        (row, column): Cell(
            row=row,
            column=column,
            value=float(np.mean(some)),
            replicates={f"r{number}": each for number, each in enumerate(some)},
        )
        for (row, column), some in values.items()
    }


def baseline_cells() -> dict[tuple[str, str], Cell]:
    """Return cells of experiments that differ: the baseline loses 10 % on the same ones alone."""
    return made_cells(
        {
            ("baseline", "accuracy_separated"): [45.0, 54.0, 63.0],
            ("baseline", "accuracy_stratified"): [40.0, 70.0, 55.0],
            ("baseline", "stratified_test_experiments"): [50.0, 60.0, 70.1],
        }
    )


def test_the_findings_that_compare_with_seen_experiments_are_found_by_their_numbers() -> None:
    assert [each.id for each in of_generalization()] == [
        "seen_above_unseen",
        "baseline_loses",
        "adabn_raises_generalization",
        "reversal_no_generalization",
        "both_keep_generalization",
    ]


@pytest.mark.parametrize("each", of_generalization(), ids=lambda each: each.id)
def test_a_restated_finding_differs_in_the_seen_sites_alone(each: Any) -> None:
    again = restated(each, "stratified_test_experiments")
    assert dataclasses.replace(again, effects=each.effects) == each
    for before, after in zip(each.effects, again.effects, strict=True):
        assert before.of is after.of
        names = [place[2] for place in before.places]
        assert [place[2] for place in after.places] == [
            name.replace("accuracy_stratified", "stratified_test_experiments") for name in names
        ]
    assert each in FINDINGS


def test_a_finding_can_be_undecided_on_all_and_supported_on_the_same_experiments() -> None:
    found = same_experiment_lines(baseline_cells(), DEMO)
    assert list(found) == [ALL_EXPERIMENTS, "the test experiments alone"]  # no second wells
    place = of_generalization().index(finding("baseline_loses"))
    before, after = (lines[place] for lines in found.values())
    assert (before.verdict, after.verdict) == (UNDECIDED, SUPPORTED)
    mean = np.mean([100 * 45 / 50, 100 * 54 / 60, 100 * 63 / 70.1]) - 100
    assert after.parts[0].value == pytest.approx(mean)
    assert {line.verdict for line in found[ALL_EXPERIMENTS]} == {UNDECIDED, NOT_RUN}
    assert same_experiment_claims(found) == [
        "Against the test experiments alone, 4 of 5 statements that hold unseen experiments "
        "against seen ones have the verdict that they have against all experiments.",
        "“The baseline generalizes poorly to unseen experiments”: undecided against all "
        "experiments, supported against the test experiments alone.",
    ]


def test_nothing_is_said_of_nothing() -> None:
    assert same_experiment_lines({}, DEMO) == {}
    assert same_experiment_claims({}) == []
    assert same_well_claims(pd.DataFrame([])) == []
    assert set(SEEN_SITES.values()) <= {"accuracy_stratified"} | SAME_EXPERIMENTS.keys()


def test_a_trained_neighbour_is_worth_what_the_same_networks_lose_without_it(store: Path) -> None:
    widened = with_same_experiments(gather(list(RUNS.values()), store), store)
    assert same_well_claims(widened) == [
        "Baseline, treatments in the test experiments: \N{MINUS SIGN}40.0 points on second wells "
        "against test sites whose neighbour in the well was trained on (n = 1)."
    ]
    assert METHODS["baseline"].label == "Baseline"
