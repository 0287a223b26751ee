"""Tables 2, 5 and 6: which runs they take, which row a run belongs to, what the ledger keeps."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from rxrx_lib.models.architectures import SIBLINGS
from rxrx_lib.study import ablations, paper
from rxrx_lib.study.catalogue import items_of, table1, table2, table5, table6
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.spec import RunSpec
from tests.study.handmade import normalization_results, variant_results

WITH_TABLE2 = [each for each in PROFILES.values() if each.replicates and "table2" in items_of(each)]
each_profile = pytest.mark.parametrize("plan", WITH_TABLE2, ids=lambda plan: plan.name)


def test_rows_and_columns_are_those_that_the_paper_prints() -> None:
    assert list(ablations.VARIANTS) == list(paper.ROW_LABELS["table2"])
    assert list(ablations.COMPARED) == list(paper.COLUMN_LABELS["table2"])
    rows = list(ablations.by_normalization(normalization_results()))
    assert rows == list(paper.ROW_LABELS["table5"]) == list(paper.ROW_LABELS["table6"])


@each_profile
def test_each_row_of_table_2_changes_one_thing_of_table_1s_run(plan: Profile) -> None:
    specs, known = table2(plan), {spec.id for spec in table1(plan)}
    assert len({spec.id for spec in specs}) == len(specs) == 12 * plan.curve_replicates
    changed = [(set(changes(spec, plan)), spec.id in known) for spec in specs]
    assert [shared for what, shared in changed if not what] == [True] * 2 * plan.curve_replicates
    assert {frozenset(what) for what, _ in changed} == {
        frozenset(),
        frozenset({"mixing"}),
        frozenset({"backbone"}),
    }


def changes(spec: RunSpec, plan: Profile) -> list[str]:
    found = ["mixing"] * (spec.recipe.mixing != plan.recipe.mixing)
    found += ["backbone"] * (spec.network.backbone != plan.network.backbone)
    recipe = dataclasses.replace(spec.recipe, mixing=plan.recipe.mixing)
    network = dataclasses.replace(spec.network, backbone=plan.network.backbone)
    assert (recipe, network, spec.split.name) == (plan.recipe, plan.network, "separated")
    return found


@each_profile
def test_a_run_of_table_2_knows_its_row(plan: Profile) -> None:
    specs = table2(dataclasses.replace(plan, curve_replicates=1))
    rows = [ablations.variant_of(spec) for spec in specs]
    assert rows == [row for row in paper.ROW_LABELS["table2"] for _ in ablations.COMPARED]
    both = ablations.Variant("none", "resnet50")
    with pytest.raises(ValueError, match="is no run of Table 2; expected one of default, no_cutm"):
        ablations.variant_of(ablations.with_variant(specs[0], both))


def test_the_release_takes_the_papers_backbones_and_a_small_screen_their_siblings() -> None:
    for name, backbones in (("paper", set(SIBLINGS)), ("demo", set(SIBLINGS.values()))):
        assert {spec.network.backbone for spec in table2(PROFILES[name])} == backbones


@each_profile
def test_tables_5_and_6_are_six_normalisations_of_one_method_each(plan: Profile) -> None:
    known = {spec.id for spec in table1(plan)}
    for method, specs in (("baseline", table5(plan)), ("adabn", table6(plan))):
        assert len(specs) == 6 * plan.curve_replicates
        assert {spec.method for spec in specs} == {method}
        names = {spec.normalization for spec in specs}
        assert names == set(paper.NORMALIZATIONS)
        assert {s.normalization for s in specs if s.id in known} == {"self"}


def test_the_demo_trains_20_runs_more_for_these_tables() -> None:
    plan = PROFILES["demo"]
    known = {spec.id for spec in table1(plan)}
    specs = {spec.id for spec in [*table2(plan), *table5(plan), *table6(plan)]}
    assert len(specs - known) == 20


def test_a_sibling_stands_in_the_row_of_its_backbone() -> None:
    found = ablations.accuracies(ablations.by_variant(variant_results()))
    assert found["resnet50", "baseline"] == {"10/0": 37.0, "11/1": 41.0}
    assert found["densenet121", "adabn"] == {"10/0": 40.0, "11/1": 44.0}


def test_cells_are_means_over_replicates_and_the_ledger_keeps_more_than_the_paper_prints() -> None:
    cells = {(c.row, c.column): c for c in ablations.table2_cells(variant_results())}
    assert cells["no_cutmix", "adabn"].value == 50.0  # 48 and 52
    assert cells["no_cutmix", "adabn"].n == 2
    assert cells["no_cutmix", "adabn_macro"].value == 45.0
    assert cells["no_cutmix", "adabn_treatments"].value == 44.0
    assert cells["no_cutmix", "adabn_wells"].value == 53.0
    results = normalization_results()
    of_table5 = results[results["method"] == "baseline"]
    cells = {(c.row, c.column): c for c in ablations.normalization_cells(of_table5)}
    assert cells["self", "accuracy"].value == 42.0
    assert cells["plate_all", "accuracy"].value == 41.0
    assert cells["plate_all", "accuracy_macro"].value == 36.0


def test_two_runs_of_one_row_and_replicate_are_refused() -> None:
    twice = pd.concat([normalization_results()] * 2)
    with pytest.raises(ValueError, match="several runs of baseline, separated, replicate 10/0"):
        ablations.accuracies(ablations.by_normalization(twice))


def test_without_runs_there_are_no_cells() -> None:
    assert ablations.table2_cells(pd.DataFrame([])) == []
    assert ablations.normalization_cells(pd.DataFrame([])) == []


def test_rows_of_small_networks_are_called_by_their_own_names() -> None:
    small = ablations.variant_labels(PROFILES["demo"])
    assert small["resnet101"] == "resnet_small_deep (sibling of ResNet-101)"
    assert small["mixup"] == paper.ROW_LABELS["table2"]["mixup"]
    assert ablations.variant_labels(PROFILES["paper"]) == paper.ROW_LABELS["table2"]
