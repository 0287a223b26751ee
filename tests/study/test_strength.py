"""The strength of a batch effect and its parts: which runs, which numbers, which verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import (
    component_pictures,
    component_verdicts,
    components,
    strength,
    strength_panels,
)
from rxrx_lib.study.ablations import SELF
from rxrx_lib.study.catalogue import negative_controls, runs_for, table1
from rxrx_lib.study.channel_subsets import subset_runs
from rxrx_lib.study.components import ALL, ARMS, FACTOR, LABELS, OFF, UNCORRECTED
from rxrx_lib.study.figures import method_style
from rxrx_lib.study.profiles import COMPONENTS, PROFILES, Profile
from rxrx_lib.study.strength import PROBE
from rxrx_lib.study.strength_figures import component_figure, strength_figure
from rxrx_lib.study.training_sites import METRIC
from tests.study.handmade import component_results, strength_results

SPACE, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
SIMULATED = {
    name: each for name, each in PROFILES.items() if each.replicates and each.screen is not None
}
each_simulated = pytest.mark.parametrize("plan", SIMULATED.values(), ids=SIMULATED)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@each_simulated
def test_the_curve_has_every_method_at_every_factor_and_nothing_else_differs(
    plan: Profile,
) -> None:
    specs = strength.strength(plan)
    assert len({spec.id for spec in specs}) == len(specs)
    assert [(s.data.screen.technical, s.method) for s in specs] == [
        (factor, name) for factor in plan.strength_factors for name in METHODS
    ] * plan.curve_replicates
    assert {0.0, 1.0, FACTOR} <= set(plan.strength_factors)
    alike = {dataclasses.replace(s.data.screen, technical=1.0, seed=0) for s in specs}
    assert alike == {dataclasses.replace(plan.screen, seed=0)}


@each_simulated
def test_exactly_one_technical_effect_is_on_or_none_or_all(plan: Profile) -> None:
    seen = set()
    for spec in components.components(plan):
        screen = spec.data.screen
        on = [name for name in COMPONENTS if getattr(screen.effects, name)]
        if screen.technical == 0:
            seen.add(OFF)
        elif len(on) == len(COMPONENTS):
            seen.add(ALL)
        else:
            (name,) = on
            assert (getattr(screen.effects, name), screen.technical) == (1.0, FACTOR)
            seen.add(name)
    assert seen == {OFF, ALL, *plan.components}


@each_simulated
def test_every_screen_is_learnt_by_every_arm_in_the_same_way(plan: Profile) -> None:
    specs = components.components(plan)
    assert len({spec.id for spec in specs}) == len(specs)
    by_screen: dict[object, set] = {}
    for spec in specs:
        by_screen.setdefault(spec.data, set()).add((spec.method, spec.normalization))
        assert spec.recipe.epochs == (plan.strength_epochs or plan.recipe.epochs)
    wanted = {("baseline", "training_all"), ("baseline", SELF), ("adabn", SELF)}
    assert set(map(frozenset, by_screen.values())) == {frozenset(wanted)}


def test_a_profile_with_more_time_adds_reversal_to_every_effect() -> None:
    plan = dataclasses.replace(PROFILES["demo"], components_with_reversal=True)
    more = {s.method for s in components.components(plan)}
    assert more == set(METHODS)


def test_effects_that_are_switched_are_the_simulators_own_in_its_order() -> None:
    assert tuple(LABELS) == COMPONENTS


def test_the_release_has_no_such_runs_since_its_effects_cannot_be_switched() -> None:
    plan = PROFILES["paper"]
    assert strength.strength(plan) == components.components(plan) == []
    (note,) = strength.page_notes(plan)
    assert "cannot be switched off" in note
    assert component_pictures.component_pictures(None) == {}


def test_what_other_items_have_trained_already_is_not_trained_again() -> None:
    demo, smoke = PROFILES["demo"], PROFILES["smoke"]
    others = ["table1", "negative_controls", "figure9", "table5", "table6"]
    new = {
        name: {s.id for s in runs_for(["strength", "components"], plan)}
        - {s.id for s in runs_for(others, plan)}
        for name, plan in (("demo", demo), ("smoke", smoke))
    }
    assert {name: len(ids) for name, ids in new.items()} == {"demo": 44, "smoke": 14}
    all_six = subset_runs(demo)[-1]
    assert all_six in strength.strength(demo)
    calm = [s.id for s in negative_controls(smoke) if s.data.screen.technical == 0]
    assert {s.id for s in strength.strength(smoke)} & {s.id for s in table1(smoke)}
    assert {s.id for s in strength.strength(smoke)} & set(calm)


def test_the_page_says_for_how_long_its_runs_were_trained() -> None:
    assert "for 8 epochs, and the other runs of this profile for 12" in (
        strength.epochs_words(PROFILES["demo"])
    )
    assert strength.epochs_words(PROFILES["smoke"]).endswith("as the profile's others.")


def test_curves_are_by_method_and_factor_and_leave_single_effects_out() -> None:
    single = component_results({"blur": (9.0, 5.0, 1.0)})
    single = single[(single["technical"] > 0) & (single["normalization"] == SELF)]
    found = strength.curves(pd.concat([strength_results(), single]))
    assert found["baseline", 0.0] == {"10/0": 80.0, "11/1": 82.0}
    assert found["adabn", 2.0] == {"10/0": 70.0, "11/1": 73.0}
    assert strength.factors_of(found) == [0.0, 1.0, 2.0]


def test_sentences_say_how_far_methods_fall_and_how_they_differ_at_each_factor() -> None:
    lines = strength_panels.strength_claims(strength.curves(strength_results(replicates=1)))
    assert lines[0] == (
        f"Baseline: from 80.0{SPACE}% at the factor 0 to 40.0{SPACE}% at 2, {MINUS}40.0 points "
        "(one replicate, which says nothing of its own spread)."
    )
    assert "AdaBN minus baseline, points: +1.0 at 0, +15.0 at 1, +30.0 at 2 (one replicate" in (
        "\n".join(lines)
    )
    several = strength_panels.strength_claims(strength.curves(strength_results()))
    # 30 and 33: mean 31.5, t(0.975, 1) · 2.12 / √2 = 19.1.
    assert any("+31.5 (+12.4 to +50.6) at 2 (in brackets 95" in line for line in several)
    assert len(several) == 4 + 3
    assert strength_panels.strength_claims({}) == []


def test_methods_are_compared_in_what_a_probe_reads_of_the_cell_type_too() -> None:
    probe = strength.curves(strength_results(replicates=1), strength.PROBE)
    lines = strength_panels.cell_type_claims(probe)
    assert len(lines) == 3
    assert f"AdaBN minus baseline, points: {MINUS}20.0 at 0, {MINUS}20.0 at 1" in lines[1]
    assert strength_panels.cell_type_claims({}) == []


def test_the_table_and_the_ledger_have_a_place_for_each_method_and_factor() -> None:
    results = strength_results()
    table = strength_panels.strength_table(strength.curves(results)).set_index("method")
    assert list(table.columns) == ["factor 0", "factor 1", "factor 2"]
    assert table.loc["AdaBN", "factor 2"].startswith("71.5")
    cells = {(c.row, c.column): c for c in strength.strength_cells(results)}
    assert cells["baseline_2", "accuracy"].replicates == {"10/0": 40.0, "11/1": 40.0}
    assert cells["baseline_2", "accuracy_treatments"].value == 35.0
    assert cells["adabn_0", "cell_type_probe"].value == 79.0
    data = strength.strength_data(strength.curves(results), strength.curves(results, "nothing"))
    assert len(data) == 4 * 3 * 2
    assert data["cell_type_probe"].isna().all()


def test_a_loss_is_accuracy_without_any_effect_minus_accuracy_with_it_in_the_same_replicate() -> (
    None
):
    results = component_results({"blur": (30.0, 12.0, 3.0)})
    lost = components.losses(components.accuracies(results))
    assert list(lost) == ["blur"]
    assert lost["blur"] == {
        UNCORRECTED: {"10/0": 30.0, "11/1": 30.5},
        "baseline": {"10/0": 12.0, "11/1": 12.5},
        "adabn": {"10/0": 3.0, "11/1": 3.5},
    }


def test_shares_of_a_loss_add_up_to_it() -> None:
    found = components.accuracies(component_results({"blur": (30.0, 12.0, 3.0)}))
    lost = components.losses(found)["blur"]
    parts = components.shares(lost)
    assert parts["self"]["10/0"] == 18.0
    assert parts["adabn"]["10/0"] == 9.0
    assert parts["stays"]["10/0"] == 3.0
    for replicate, cost in lost[UNCORRECTED].items():
        assert sum(part[replicate] for part in parts.values()) == pytest.approx(cost)


def test_a_replicate_that_lacks_a_run_counts_where_both_are_there() -> None:
    results = component_results({"blur": (30.0, 12.0, 3.0)})
    calm = (results["technical"] == 0) & (results["replicate"] == "11/1")
    lacking = results[~(calm & (results["method"] == "adabn"))]
    lost = components.losses(components.accuracies(lacking))["blur"]
    assert list(lost["adabn"]) == ["10/0"]
    assert list(lost["baseline"]) == ["10/0", "11/1"]
    assert list(components.shares(lost)["adabn"]) == ["10/0"]
    without = results[results["technical"] > 0]
    assert components.losses(components.accuracies(without)) == {}


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ((30.0, 0.0, 0.0), component_verdicts.BY_SELF),
        ((30.0, 12.0, 0.0), component_verdicts.BY_ADABN),
        ((30.0, 12.0, 9.0), component_verdicts.IN_PART),
        ((30.0, 12.0, 11.0), component_verdicts.BY_NEITHER),
        ((0.0, 0.0, 0.0), component_verdicts.HARMLESS),
        ((30.0, 1.7, 0.0), component_verdicts.UNDECIDED),
        ((30.0, 12.0, 1.7), component_verdicts.UNDECIDED),
        ((1.7, 0.0, 0.0), component_verdicts.UNDECIDED),
    ],
)
def test_who_removes_an_effect_is_said_where_replicates_decide_it(
    losses: tuple[float, float, float], verdict: str
) -> None:
    results = component_results({"blur": losses}, replicates=3, spread=0.2)
    lost = components.losses(components.accuracies(results))["blur"]
    assert component_verdicts.outcome(lost) == verdict


def test_one_replicate_decides_nothing() -> None:
    results = component_results({"blur": (30.0, 12.0, 9.0)}, replicates=1)
    found = components.accuracies(results)
    table = component_verdicts.component_table(components.losses(found))
    assert table.to_numpy().tolist() == [
        ["focus", "+30.0", "+18.0", "+3.0", "+9.0", component_verdicts.UNDECIDED]
    ]
    lines = component_verdicts.component_claims(found)
    assert lines[0] == "Undecided (one replicate decides nothing): focus."
    assert not any("largest share" in line for line in lines)
    assert not any("With nothing against them" in line for line in lines)
    assert "After self-standardisation the most costly are, by the mean: focus (12.0 points)." in (
        lines
    )


def test_what_corrections_change_where_there_is_nothing_to_correct_is_told_of_both_quantities() -> (
    None
):
    accuracy = {
        (OFF, UNCORRECTED): {"10/0": 80.0, "11/1": 82.0},
        (OFF, "baseline"): {"10/0": 90.0, "11/1": 93.0},
        (OFF, "adabn"): {"10/0": 91.0, "11/1": 94.0},
    }
    probe = {(OFF, UNCORRECTED): {"10/0": 99.0}, (OFF, "baseline"): {"10/0": 72.0}}
    # 10 and 11: mean 10.5, t(0.975, 1) · 0.71 / √2 = 6.4.
    assert component_verdicts.calm_claims(accuracy, probe) == [
        "Self-standardisation against nothing: +10.5 points of siRNA accuracy "
        f"(95{SPACE}% interval +4.1 to +16.9, 2 replicates).",
        f"Self-standardisation against nothing: {MINUS}27.0 points of what a linear probe reads "
        "of the cell type (one replicate, which says nothing of its own spread).",
        "AdaBN on top of self-standardisation: +1.0 points of siRNA accuracy "
        f"(95{SPACE}% interval +1.0 to +1.0, 2 replicates).",
    ]


def test_without_effects_sites_trained_on_stand_beside_unseen_ones() -> None:
    results = component_results({"blur": (9.0, 5.0, 1.0)}, replicates=1)
    of_training = {"training_all": 50.0, "self": 97.0}
    results[METRIC] = results["normalization"].map(of_training)
    results[PROBE] = results["method"].map({"baseline": 72.0})
    table = component_verdicts.calm_table(results).set_index("correction")
    assert list(table.index) == [arm.label for arm in ARMS.values()]
    assert list(table["siRNA named"]) == ["80.0"] * 3
    assert list(table["siRNA named, sites trained on"]) == ["50.0", "97.0", "97.0"]
    assert list(table["cell type named, by a probe"]) == ["72.0", "72.0", ""]


def test_the_sum_of_single_losses_stands_against_the_loss_of_all_at_once() -> None:
    made = dict.fromkeys(COMPONENTS, (4.0, 2.0, 1.0)) | {ALL: (50.0, 40.0, 20.0)}
    found = components.accuracies(component_results(made, spread=0.0))
    assert component_verdicts.component_claims(found)[-3:] == [
        "With nothing against them the 9 effects cost 36.0 points if their single losses are "
        "added up, and 50.0 all at once.",
        "After self-standardisation the 9 effects cost 18.0 points if their single losses are "
        "added up, and 40.0 all at once.",
        "After self-standardisation and AdaBN the 9 effects cost 9.0 points if their single "
        "losses are added up, and 20.0 all at once.",
    ]


def test_the_ledger_keeps_accuracies_losses_and_shares() -> None:
    results = component_results({"blur": (30.0, 12.0, 3.0)})
    cells = {(c.row, c.column): c for c in components.component_cells(results)}
    assert cells["off", "accuracy_adabn"].value == 80.5
    assert cells["blur", "loss_uncorrected"].value == 30.25
    assert cells["blur", "share_self"].replicates == {"10/0": 18.0, "11/1": 18.0}
    assert cells["blur", "accuracy_treatments_baseline"].value == pytest.approx(68.25 - 5)
    data = components.component_data(components.accuracies(results))
    assert len(data) == 2 * 3 * 2
    assert set(data["effect on"]) == {"none", "focus"}


def test_the_largest_share_of_each_loss_is_named() -> None:
    made = {
        "gain_offset": (30.0, 2.0, 1.0),
        "gamma": (30.0, 20.0, 1.0),
        "blur": (30.0, 25.0, 20.0),
        "noise": (1.0, 0.0, 0.0),
    }
    found = components.accuracies(component_results(made))
    assert component_verdicts.component_claims(found)[-4] == (
        "By the largest share of each loss: self-standardisation gives back most of brightness "
        "and background; AdaBN gives back most of grey scale (gamma); most stays lost of focus; "
        "less than 2 points are lost to camera noise."
    )


def test_two_runs_of_one_arm_and_replicate_are_refused() -> None:
    twice = pd.concat([component_results({"blur": (9.0, 5.0, 1.0)})] * 2)
    with pytest.raises(ValueError, match="several runs of baseline, separated, replicate 10/0"):
        components.accuracies(twice)


def test_without_runs_there_is_nothing_to_say_and_nothing_breaks() -> None:
    nothing = pd.DataFrame([])
    assert strength.curves(nothing) == components.accuracies(nothing) == {}
    assert strength.strength_cells(nothing) == components.component_cells(nothing) == []
    assert component_verdicts.component_claims({}) == []
    assert component_verdicts.calm_claims({}, {}) == []
    assert len(component_verdicts.calm_table(nothing)) == 0
    assert len(component_verdicts.component_table({})) == len(components.component_data({})) == 0
    assert len(strength.strength_data({}, {})) == 0
    assert strength.reference_line(nothing, "accuracy") == {}
    assert strength.distinct_runs(nothing, nothing).empty
    strength_figure({"accuracy": ({}, {})}, simulated=False)
    component_figure({}, simulated=False)
    component_pictures.component_sheet({}, simulated=False)


def test_runs_that_both_items_need_are_counted_once() -> None:
    curve, single = strength_results(), component_results({})
    assert len(strength.distinct_runs(curve, curve)) == len(curve)
    assert len(strength.distinct_runs(curve, single)) == len(curve) + len(single)


def test_the_curve_is_drawn_through_the_means_with_every_replicate() -> None:
    results = strength_results()
    found = strength.curves(results)
    lines = {"most common class": 16.0}
    figure = strength_figure({"one": (found, lines), "two": (found, {})}, simulated=True)
    first = figure.axes[0]
    curves = {line.get_label(): line for line in first.lines}
    for method, record in METHODS.items():
        assert curves[record.label].get_marker() == method_style(method)["marker"]
    assert list(curves["AdaBN"].get_xdata()) == [0.0, 1.0, 2.0]
    np.testing.assert_allclose(curves["AdaBN"].get_ydata(), [82.0, 76.5, 71.5])
    dots = [line for line in first.lines if line.get_linestyle() == "None"]
    assert sum(len(line.get_xdata()) for line in dots) == 4 * 3 * 2
    assert [text.get_text() for text in first.texts] == ["most common class"]
    assert [text.get_text() for text in figure.texts] == ["SIMULATED"]
    assert strength_figure({"one": (found, {})}, simulated=False).texts == []


def test_each_effect_has_a_row_with_a_dot_for_each_arm() -> None:
    made = {"gain_offset": (30.0, 2.0, 1.0), "blur": (9.0, 5.0, 1.0), ALL: (50.0, 40.0, 20.0)}
    lost = components.losses(components.accuracies(component_results(made, replicates=1)))
    figure = component_figure(lost, simulated=True)
    (axis,) = figure.axes
    assert [text.get_text().replace("\n", " ") for text in axis.get_yticklabels()] == [
        "brightness and background",
        "focus",
        "all at once",
    ]
    dots = [line for line in axis.lines if line.get_linestyle() == "None"]
    assert [line.get_xdata()[0] for line in dots] == [
        loss for losses in made.values() for loss in losses
    ]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [arm.label for arm in ARMS.values()]
    assert [text.get_text() for text in figure.texts] == ["SIMULATED"]


def test_pictures_show_one_site_with_each_effect_alone() -> None:
    screen = PROFILES["smoke"].data(PROFILES["smoke"].replicates[0]).screen
    pictures = component_pictures.component_pictures(screen)
    assert list(pictures) == ["none", *LABELS.values()]
    same = [name for name, each in pictures.items() if np.array_equal(each, pictures["none"])]
    assert same == ["none", LABELS["knockdown"]]  # the well is untreated
    figure = component_pictures.component_sheet(pictures, simulated=True)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == 10
    assert all([text.get_text() for text in axis.texts] == ["SIMULATED"] for axis in shown)
