"""How settings are chosen: alike for every method, and never by a test experiment."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from rxrx_lib.data.images import Images
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import execute
from rxrx_lib.study.catalogue import CATALOGUE, ON_REQUEST, runs_for
from rxrx_lib.study.choice_tables import candidate_table, choice_report, choice_table, verdict
from rxrx_lib.study.choosing import Candidate, Choice, candidates, choices, choosing, gain
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.screens import open_screen
from rxrx_lib.study.spec import SplitSpec
from rxrx_lib.training.recipe import UNSAID
from tests.study.tiny import run_spec

TRAINED = {name: each for name, each in PROFILES.items() if each.replicates}
SIMULATED = {name: each for name, each in TRAINED.items() if each.screen is not None}
each_profile = pytest.mark.parametrize("plan", TRAINED.values(), ids=TRAINED)


def of_method(plan: Profile, name: str) -> list[Candidate]:
    return [each for each in candidates(plan) if each.method == name]


@each_profile
def test_every_method_has_the_same_number_of_candidates_and_of_trainings(plan: Profile) -> None:
    assert {len(of_method(plan, name)) for name in METHODS} == {6}
    assert {len(each.specs) for each in candidates(plan)} == {3}
    assert len({spec.id for spec in choosing(plan)}) == len(choosing(plan)) == 6 * 3 * len(METHODS)


@each_profile
def test_only_what_the_paper_leaves_unsaid_is_varied(plan: Profile) -> None:
    for each in candidates(plan):
        assert set(each.setting) <= set(UNSAID)
        for spec in each.specs:
            assert spec.recipe == dataclasses.replace(plan.recipe, **each.setting)
            assert spec.network == plan.network


@each_profile
def test_the_profiles_recipe_is_one_candidate_of_every_method(plan: Profile) -> None:
    for name in METHODS:
        assert sum(each.recipe for each in of_method(plan, name)) == 1


@each_profile
def test_candidates_are_judged_on_held_out_training_experiments_alike(plan: Profile) -> None:
    judged = {
        tuple((spec.data, spec.split, spec.seed) for spec in each.specs)
        for each in candidates(plan)
    }
    assert len(judged) == 1
    assert {spec.split.name for spec in choosing(plan)} == {"held_out_training"}


@pytest.mark.parametrize("plan", SIMULATED.values(), ids=SIMULATED)
def test_simulated_screens_to_choose_by_are_none_that_a_result_is_reported_from(
    plan: Profile,
) -> None:
    seeds = {spec.data.screen.seed for spec in choosing(plan) if spec.data.screen is not None}
    reported = {
        spec.data.screen.seed for spec in runs_for(CATALOGUE, plan) if spec.data.screen is not None
    }
    assert max(seeds) < 10 <= min(reported)


def test_the_release_is_one_screen_of_which_each_replicate_holds_out_other_experiments() -> None:
    specs = candidates(PROFILES["paper"])[0].specs
    assert {spec.data.name for spec in specs} == {"rxrx1"}
    assert len({spec.split.seed for spec in specs}) == 3


def test_choosing_runs_where_it_is_named_and_not_with_all_others() -> None:
    plan = PROFILES["smoke"]
    assert "choosing" in ON_REQUEST.keys() - CATALOGUE.keys()
    assert runs_for(["choosing"], plan) == choosing(plan)
    assert not {spec.id for spec in choosing(plan)} & {s.id for s in runs_for(CATALOGUE, plan)}


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="method is 'magic'; choose one of baseline, gradient_rev"):
        candidates(PROFILES["smoke"], ["magic"])


def made(name: str, accuracy: list[list[float]]) -> Choice:
    """Return a choice of the demo's baseline or another method, with accuracies made up."""
    tried = of_method(PROFILES["demo"], name)
    values = tuple(map(tuple, accuracy))
    return Choice(tried=tuple(tried), accuracy=values, treatments=values)


RECIPE = next(at for at, each in enumerate(of_method(PROFILES["demo"], "baseline")) if each.recipe)


def accuracies(best: int, of_best: list[float]) -> list[list[float]]:
    rows = [[30.0, 30.0, 30.0] for _ in range(6)]
    rows[RECIPE] = [40.0, 42.0, 44.0]
    rows[best] = of_best
    return rows


def test_the_best_has_the_highest_mean_and_is_compared_with_the_recipe_within_replicates() -> None:
    choice = made("baseline", accuracies(3, [41.0, 43.0, 45.5]))
    assert choice.best == 3
    found = gain(choice, 3)
    assert found is not None
    assert (found.mean, found.n) == (pytest.approx(7 / 6), 3)
    words = verdict(choice)
    assert "the best of 6 candidates is weight_decay = 1e-05, mixing_alpha = 0.3" in words
    # mean 7/6, standard deviation sqrt(1/12), t quantile 4.303 over three replicates
    assert "+1.2 points over the profile's recipe (95\N{NO-BREAK SPACE}% interval +0.4" in words
    assert words.endswith("to be told from it by these replicates.")
    assert "not to be told" not in words


def test_a_best_one_within_the_replicates_spread_is_said_not_to_be_told_from_the_recipe() -> None:
    assert "not to be told from it" in verdict(made("baseline", accuracies(3, [35.0, 43.0, 60.0])))


def test_of_equal_candidates_the_recipe_is_the_best() -> None:
    choice = made("baseline", [[40.0, 41.0, 42.0]] * 6)
    assert choice.tried[choice.best].recipe
    assert verdict(choice) == "Baseline: the profile's recipe is the best of 6 candidates."


def test_a_recipe_that_is_no_candidate_is_said_to_be_none() -> None:
    choice = made("baseline", accuracies(3, [50.0, 50.0, 50.0]))
    strange = tuple(dataclasses.replace(each, recipe=False) for each in choice.tried)
    choice = dataclasses.replace(choice, tried=strange)
    assert gain(choice, 3) is None
    assert verdict(choice).endswith("; the profile's recipe is none of them.")


def test_results_are_found_by_the_runs_own_names() -> None:
    tried = candidates(PROFILES["demo"], ["adabn"])
    rows = [
        {"id": spec.id, "accuracy": 10.0 * at + number, "accuracy_treatments": 1.0 * at}
        for at, each in enumerate(tried)
        for number, spec in enumerate(each.specs)
    ]
    shuffled = pd.DataFrame(rows).sample(frac=1, random_state=0)
    found = choices(tried, shuffled)["adabn"]
    assert found.accuracy == tuple((10.0 * at, 10.0 * at + 1, 10.0 * at + 2) for at in range(6))
    assert found.treatments == tuple((1.0 * at,) * 3 for at in range(6))


def test_the_table_marks_one_best_and_one_recipe_a_method_and_gives_mean_and_interval() -> None:
    table = choice_table({"baseline": made("baseline", accuracies(3, [41.0, 43.0, 45.5]))})
    assert len(table) == 6
    assert list(table["note"]) == ["", "recipe", "", "best", "", ""]
    assert table["minus recipe"][RECIPE] == "+0.0\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.0"
    assert table["minus recipe"][3] == "+1.2\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.7"
    assert table["accuracy"][RECIPE] == "42.0\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}5.0"


@each_profile
def test_the_report_says_what_it_was_measured_on(plan: Profile) -> None:
    results = pd.DataFrame(
        [{"seconds": 2.0, "code": "rxrx_lib 0", "hardware": "a core", "date": "2026-01-02"}] * 18
    )
    tried = [each for each in candidates(plan) if each.method == "baseline"]
    values = ((50.0, 50.0, 50.0),) * 6
    choice = Choice(tried=tuple(tried), accuracy=values, treatments=values)
    text = choice_report(plan, {"baseline": choice}, results)
    assert text.startswith("RxRx1" if plan.screen is None else "SIMULATED")
    assert "18 runs" in text
    assert (
        "screen 0, seed 0; screen 0, seed 1" if plan.screen is None else "screens 0, 1, 2" in text
    )
    assert "rxrx_lib 0; a core; 2026-01-02" in text


def test_the_table_of_candidates_has_the_values_and_how_many_combinations() -> None:
    table = candidate_table()
    assert list(table["method"]) == [each.label for each in METHODS.values()]
    assert set(table["candidates"]) == {"6"}
    assert table["tried"][0] == "weight_decay 1e-05, 0.0001, 0.001 × mixing_alpha 1, 0.3"
    assert table["tried"][1] == "reversal_coefficient 0.1, 0.3, 1 × weight_decay 0.0001, 0.001"


class Recording:
    """Pictures that remember which rows were read."""

    def __init__(self, images: Images) -> None:
        self.images = images
        self.rows: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.images, name)

    def read(self, rows: Any, *args: Any, **settings: Any) -> Any:
        self.rows.update(int(row) for row in rows)
        return self.images.read(rows, *args, **settings)


@pytest.mark.parametrize("method", ["baseline", "adabn_gradient_reversal"])
def test_no_picture_of_a_test_experiment_is_read(
    method: str, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = run_spec(method, SplitSpec(name="held_out_training"), epochs=2)
    screen = open_screen(spec.data, release)
    images = Recording(screen.images)
    watched = screen._replace(images=cast(Images, images))
    monkeypatch.setattr(execute, "open_screen", lambda data, folder: watched)
    execute.run_one(spec, execute.Runtime(data=release, runs=tmp_path))
    read = screen.table.iloc[sorted(images.rows)]
    assert set(read["dataset"]) == {"train"}
    assert read["experiment"].nunique() == 33
