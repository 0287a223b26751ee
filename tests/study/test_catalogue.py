"""Which runs the study consists of."""

from __future__ import annotations

import dataclasses

import pytest

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.catalogue import (
    CATALOGUE,
    evaluations,
    negative_controls,
    runs_for,
    separated_runs,
    table1,
)
from rxrx_lib.study.profiles import PROFILES, Profile, Replicate, profile

TRAINED = {name: each for name, each in PROFILES.items() if each.replicates}
each_profile = pytest.mark.parametrize("plan", TRAINED.values(), ids=TRAINED)


@each_profile
def test_table_1_is_every_method_on_three_splits_in_every_replicate(plan: Profile) -> None:
    specs = table1(plan)
    assert len({spec.id for spec in specs}) == len(specs) == 4 * 3 * len(plan.replicates)
    splits = {(spec.split.name, spec.split.unit) for spec in specs}
    assert splits == {("separated", "experiment"), ("stratified", "site"), ("stratified", "well")}


def test_only_the_embeddings_need_no_run() -> None:
    assert PROFILES.keys() - TRAINED.keys() == {"embeddings"}
    assert runs_for(CATALOGUE, PROFILES["embeddings"]) == []


def test_table_1_of_the_demo_is_36_runs() -> None:
    assert len(table1(PROFILES["demo"])) == 36


@each_profile
def test_replicates_are_the_same_for_every_method_so_that_differences_are_paired(
    plan: Profile,
) -> None:
    pairs = {
        method: {
            (spec.data, spec.seed, spec.split) for spec in table1(plan) if spec.method == method
        }
        for method in METHODS
    }
    assert len({frozenset(pair) for pair in pairs.values()}) == 1


@each_profile
def test_only_the_method_tells_two_runs_of_a_replicate_and_split_apart(plan: Profile) -> None:
    for spec in table1(plan):
        assert dataclasses.replace(spec, method="baseline") in table1(plan)


@each_profile
def test_runs_are_measured_in_training_where_a_page_draws_their_curve_and_nowhere_else(
    plan: Profile,
) -> None:
    plain, few = separated_runs(plan), CATALOGUE["table4"](plan)
    found = evaluations(plan)
    assert found.keys() == {spec.id for spec in [*plain, *few]}
    assert {found[spec.id] for spec in plain} == {plan.evaluate_every}
    assert {found[spec.id] for spec in few} == {
        plan.few_experiments_evaluate_every or plan.evaluate_every
    }
    assert evaluations(dataclasses.replace(plan, evaluate_every=0)) == {}


def test_what_is_reported_comes_from_screens_that_nothing_was_tuned_on() -> None:
    for name in ("smoke", "demo", "study"):
        assert all(spec.data.screen.seed >= 10 for spec in runs_for(CATALOGUE, PROFILES[name]))


def test_the_study_repeats_what_claims_rest_on_five_times_and_all_else_three_times() -> None:
    plan = PROFILES["study"]
    counted = {
        item: len({(spec.data.screen.seed, spec.seed) for spec in specs_of(plan)})
        for item, specs_of in CATALOGUE.items()
    }
    assert counted["table1"] == counted["figure10"] == 5
    assert min(counted.values()) == 3


def test_the_studys_first_replicates_are_the_demos_and_none_of_its_runs_is() -> None:
    study, demo = PROFILES["study"], PROFILES["demo"]
    assert study.replicates[:3] == demo.replicates
    assert study.screen == demo.screen
    ids = [{spec.id for spec in runs_for(CATALOGUE, plan)} for plan in (study, demo)]
    assert not ids[0] & ids[1]


def test_negative_controls_switch_one_thing_off_each() -> None:
    plan = PROFILES["demo"]
    seen = [
        (s.method, s.data.screen.technical, s.data.screen.phenotype, s.labels)
        for s in negative_controls(plan)
    ]
    each = [
        ("baseline", 0.0, 1.0, "true"),
        ("adabn", 0.0, 1.0, "true"),
        ("baseline", 1.0, 1.0, "shuffled"),
        ("baseline", 1.0, 0.0, "true"),
    ]
    assert seen == each * plan.control_replicates
    assert len(negative_controls(PROFILES["study"])) == 4 * 5


def test_the_release_has_no_negative_controls_since_its_effects_cannot_be_switched_off() -> None:
    plan = PROFILES["paper"]
    assert negative_controls(plan) == []
    with pytest.raises(ValueError, match="technical: profile 'paper' uses the release"):
        plan.data(Replicate(screen_seed=0, seed=0), technical=0.0)


def test_a_run_that_two_items_need_is_listed_once_in_order() -> None:
    plan = PROFILES["smoke"]
    assert runs_for(["table1", "table1"], plan) == table1(plan)
    both = runs_for(["negative_controls", "table1"], plan)
    assert both == negative_controls(plan) + table1(plan)


def test_an_unknown_item_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"item is 'table9'; choose one of table1, .*, choosing"):
        runs_for(["table9"], PROFILES["smoke"])


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="profile is 'huge'; choose one of smoke, demo, study"):
        profile("huge")


def test_the_papers_profile_is_the_papers_size() -> None:
    plan = PROFILES["paper"]
    assert (plan.network.backbone, plan.network.embedding) == ("densenet161", 1024)
    assert (plan.recipe.epochs, plan.recipe.minibatch, len(plan.replicates)) == (100, 512, 5)


@each_profile
def test_simulated_groups_fit_every_training_experiment(plan: Profile) -> None:
    """An experiment with fewer sites than a group would stop AdaBN's plan."""
    if plan.screen is not None:
        wells = plan.screen.treatments_per_plate + plan.screen.positive_controls + 1
        smallest = 4 * wells * plan.screen.sites // 2  # of the stratified splits' smallest share
        assert plan.recipe.group_size <= smallest
