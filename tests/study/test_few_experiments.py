"""Table 4: its runs, how long they train, and the same cell types trained together."""

from __future__ import annotations

import pandas as pd
import pytest

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import few_experiments as few
from rxrx_lib.study import paper
from rxrx_lib.study.catalogue import table1, table4
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.workload import workload
from tests.study.handmade import few_results, joint_results

TRAINED = {name: each for name, each in PROFILES.items() if each.replicates}
each_profile = pytest.mark.parametrize("plan", TRAINED.values(), ids=TRAINED)


@each_profile
def test_every_method_trains_on_the_same_few_experiments_of_each_cell_type(plan: Profile) -> None:
    specs = table4(plan)
    assert len({spec.id for spec in specs}) == len(specs) == 16 * plan.curve_replicates
    for cell_type in paper.CELL_TYPES:
        of_it = [spec for spec in specs if spec.split.cell_type == cell_type]
        assert {spec.method for spec in of_it} == set(METHODS)
        assert len({spec.split for spec in of_it}) == 1


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("paper", {"HUVEC": 3, "RPE": 3, "HEPG2": 3, "U2OS": 3}),
        ("demo", {"HUVEC": 3, "RPE": 3, "HEPG2": 3, "U2OS": 3}),
        ("smoke", {"HUVEC": 2, "RPE": 2, "HEPG2": 1, "U2OS": 1}),
    ],
)
def test_three_experiments_are_drawn_or_all_where_there_are_fewer(
    name: str, drawn: dict[str, int]
) -> None:
    assert few.drawn_experiments(PROFILES[name]) == drawn


def test_the_releases_design_gives_its_training_experiments() -> None:
    has = few.training_experiments(PROFILES["paper"])
    assert has == {"HUVEC": 16, "RPE": 7, "HEPG2": 7, "U2OS": 3}


def test_the_paper_profile_keeps_the_papers_epochs() -> None:
    assert {spec.recipe for spec in table4(PROFILES["paper"])} == {PROFILES["paper"].recipe}


def test_the_demo_gives_few_experiments_more_epochs_and_half_the_steps_of_all_of_them() -> None:
    plan = PROFILES["demo"]
    alone, joint = table4(plan)[0], few.joint_training(plan)[0]
    assert (alone.recipe.epochs, alone.recipe.warmup_epochs) == (72, 6)
    share = workload(alone, 0).steps / workload(joint, 0).steps
    assert 0.45 < share < 0.6


@each_profile
def test_training_together_is_table_1s(plan: Profile) -> None:
    assert {spec.id for spec in few.joint_training(plan)} <= {spec.id for spec in table1(plan)}


def test_a_run_stands_in_the_column_of_the_cell_type_that_it_trained_on() -> None:
    cells = {(cell.row, cell.column): cell for cell in few.table4_cells(few_results())}
    assert cells["baseline", "HUVEC"].value == 50.0
    assert cells["adabn", "U2OS"].value == 34.0
    assert cells["adabn", "U2OS_treatments"].value == 28.0
    assert few.table4_cells(pd.DataFrame([])) == []
    assert few.table4_cells(joint_results()) == []


def test_training_together_is_taken_apart_by_cell_type() -> None:
    found = few.together(joint_results())
    assert found["adabn", "U2OS"] == {"10/0": 25.0}
    assert len(found) == 2 * len(METHODS)


def test_steps_are_counted_on_the_page() -> None:
    has = {"HUVEC": 16, "U2OS": 1}
    huvec, u2os, all_of_them = few.step_claims(few_results(), joint_results(), has)
    assert huvec == (
        "HUVEC, 3 of 16 training experiments: Baseline 5 steps an epoch × 3 epochs = 15; "
        "AdaBN 4 steps an epoch × 3 epochs = 12."
    )
    assert u2os.startswith("U2OS, 1 of 1 training experiments, fewer than the paper's 3: ")
    assert all_of_them == (
        "All cell types together, separated split: Baseline 50 steps an epoch × 2 epochs = 100; "
        "AdaBN 50 steps an epoch × 2 epochs = 100."
    )


def test_cell_types_have_the_paper_s_spelling_in_sentences() -> None:
    of_hepg2 = few_results().replace({"trained_cell_type": {"U2OS": "HEPG2"}})
    lines = few.step_claims(of_hepg2, joint_results(), {"HUVEC": 16, "HEPG2": 1})
    assert lines[1].startswith("HepG2, 1 of 1")


def test_learning_curves_hold_what_was_measured_by_steps() -> None:
    curves = few.learning_curves(few_results())
    first = curves[(curves["cell_type"] == "HUVEC") & (curves["method"] == "adabn")]
    assert list(first["steps"]) == [4, 12]
    assert list(first["accuracy"]) == [20.0, 54.0]
    (line,) = few.last_third_claim(curves)
    # From 20 to 30 … 36 in U2OS and 50 … 56 in HUVEC: 10 to 36 more, 23 in the mean.
    assert line == (
        "In the last third of its steps a run's test accuracy changes by +10.0 to +36.0 points, "
        "+23.0 in the mean of 8 runs."
    )
    assert few.last_third_claim(curves.iloc[:0]) == []
