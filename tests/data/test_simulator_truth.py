from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.stats import skew

from rxrx_lib.data.simulator import (
    ScreenSpec,
    TechnicalEffects,
    Truth,
    draw_truth,
    layout,
    technical,
)
from rxrx_lib.data.simulator.phenotypes import CELL_COUNT, NAMES
from rxrx_lib.data.simulator.technical import (
    BLEED_THROUGH,
    LEAST_GAIN,
    MOST_GAIN,
    ExperimentEffects,
)

SPEC = ScreenSpec(seed=4)

# Which parts of the truth each factor of TechnicalEffects moves.
MOVED = {
    "gain_offset": {"gain", "background", "plate_gain"},
    "gamma": {"gamma"},
    "bleed_through": {"bleed_through"},
    "blur": {"blur"},
    "illumination": {"haze", "unevenness"},
    "noise": {"noise"},
    "density": {"density"},
    "morphology": {"morphology"},
    "knockdown": {"knockdown"},
}


def differing(one: ExperimentEffects, other: ExperimentEffects) -> set[str]:
    return {
        item.name
        for item in fields(one)
        if not np.array_equal(getattr(one, item.name), getattr(other, item.name))
    }


def same_phenotypes(one: Truth, other: Truth) -> bool:
    return all(np.array_equal(one.phenotypes[k], other.phenotypes[k]) for k in one.phenotypes)


@pytest.mark.parametrize("factor", MOVED)
def test_each_factor_moves_its_own_effects_and_no_others(factor: str) -> None:
    off = draw_truth(replace(SPEC, effects=replace(TechnicalEffects(), **{factor: 0.0})))
    on = draw_truth(SPEC)
    assert same_phenotypes(on, off)
    for experiment in on.effects:
        moved = differing(on.effects[experiment], off.effects[experiment])
        assert moved == MOVED[factor]


def test_strength_moves_all_effects_but_plate_gain_and_density(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = draw_truth(SPEC).effects["SIM-HEPG2-02"]
    monkeypatch.setattr(technical, "_strength", lambda *_: 0.9 * drawn.strength)
    weaker = draw_truth(SPEC).effects["SIM-HEPG2-02"]
    every = {item.name for item in fields(ExperimentEffects)}
    assert differing(drawn, weaker) == every - {"plate_gain", "density"}
    np.testing.assert_allclose(np.log(weaker.gain), 0.9 * np.log(drawn.gain))


def test_factors_cover_all_effects_but_the_strength() -> None:
    moved = set().union(*MOVED.values())
    assert moved == {item.name for item in fields(ExperimentEffects)} - {"strength"}


def test_no_technical_factor_changes_layout_or_phenotypes() -> None:
    other = replace(SPEC, technical=3.0)
    assert layout(other).equals(layout(SPEC))
    assert same_phenotypes(draw_truth(other), draw_truth(SPEC))


def test_without_technical_effects_every_experiment_is_neutral() -> None:
    effects = draw_truth(replace(SPEC, technical=0.0)).effects.values()
    for one in effects:
        for name in ("gain", "background", "plate_gain", "gamma", "knockdown"):
            np.testing.assert_array_equal(getattr(one, name), 1.0)
        np.testing.assert_allclose(one.bleed_through, BLEED_THROUGH)
        np.testing.assert_array_equal(one.morphology, 0.0)
        assert one.density == 0.0
        assert one.noise > 0  # the camera's own noise stays
    first, *rest = effects
    assert all(differing(first, one) <= {"strength"} for one in rest)


def test_log_gain_is_proportional_to_the_factors() -> None:
    once = draw_truth(SPEC).effects
    twice = draw_truth(replace(SPEC, technical=2.0)).effects
    half = draw_truth(replace(SPEC, effects=TechnicalEffects(gain_offset=0.5))).effects
    for name, one in once.items():
        doubled = np.clip(2 * np.log(one.gain), LEAST_GAIN, MOST_GAIN)
        np.testing.assert_allclose(np.log(twice[name].gain), doubled, atol=1e-12)
        np.testing.assert_allclose(
            np.log(one.gain),
            np.clip(2 * np.log(half[name].gain), LEAST_GAIN, MOST_GAIN),
            atol=1e-12,
        )


def test_without_phenotypes_all_classes_are_alike() -> None:
    for drawn in draw_truth(replace(SPEC, phenotype=0.0)).phenotypes.values():
        np.testing.assert_array_equal(drawn, 0.0)


def test_empty_wells_only_have_more_cells() -> None:
    truth = draw_truth(SPEC)
    for experiment in truth.effects:
        empty = truth.phenotype(experiment, SPEC.classes - 1)
        assert empty[CELL_COUNT] > 0
        np.testing.assert_array_equal(np.delete(empty, CELL_COUNT), 0.0)


def test_sirnas_act_as_strongly_as_the_knock_down() -> None:
    truth = draw_truth(SPEC)
    for experiment, effects in truth.effects.items():
        drawn = truth.phenotypes[truth.cell_type[experiment]][3]
        np.testing.assert_allclose(truth.phenotype(experiment, 3), effects.knockdown * drawn)


def test_truth_does_not_depend_on_wells_pictures_or_other_experiments() -> None:
    truth = draw_truth(SPEC)
    others = replace(
        SPEC, wells_set=5, image_size=48, pixel_size=2.0, sites=1, experiments=(("RPE", 2, 0),)
    )
    other = draw_truth(others)
    assert same_phenotypes(other, truth)
    for experiment, effects in other.effects.items():
        assert differing(effects, truth.effects[experiment]) == set()


def test_count_effects_have_the_real_spread_skew_and_share() -> None:
    spec = ScreenSpec(seed=1, treatments_per_plate=277)
    counts = {k: v[: spec.treatments, CELL_COUNT] for k, v in draw_truth(spec).phenotypes.items()}
    assert np.std(counts["HUVEC"]) == pytest.approx(0.35, rel=0.15)
    assert skew(counts["HUVEC"]) < -1
    # Measured effects of real siRNAs correlate by .47 to .58 although they carry noise.
    assert 0.5 < np.corrcoef(counts["HUVEC"], counts["U2OS"])[0, 1] < 0.9


def test_positive_controls_are_stronger_than_treatments() -> None:
    spec = ScreenSpec(seed=1, treatments_per_plate=50, positive_controls=30)
    drawn = np.abs(np.delete(draw_truth(spec).phenotypes["RPE"], CELL_COUNT, axis=1)).mean(axis=1)
    assert np.median(drawn[200:230]) > 1.3 * np.median(drawn[:200])


def test_truth_json_holds_every_effect_and_phenotype() -> None:
    truth = draw_truth(SPEC)
    told = json.loads(json.dumps(truth.to_json()))
    assert told["spec"]["seed"] == 4
    assert told["spec"]["effects"]["blur"] == 1.0
    assert len(told["sirnas"]) == SPEC.classes
    for name, effects in truth.effects.items():
        for item in fields(effects):
            written = told["experiments"][name][item.name]
            np.testing.assert_allclose(written, getattr(effects, item.name), atol=1e-6)
    third = told["sirnas"]["sim-0003"]
    assert third["sirna_id"] == 2
    assert len(third["phenotype"]["RPE"]) == len(told["traits"]) == len(NAMES)
    np.testing.assert_allclose(third["phenotype"]["RPE"], truth.phenotypes["RPE"][2], atol=1e-6)


def test_sirnas_leave_the_average_cell_as_it_is() -> None:
    for effects in draw_truth(ScreenSpec(seed=4)).phenotypes.values():
        np.testing.assert_allclose(np.exp(effects[:-1]).mean(axis=0), 1.0, rtol=1e-9)


def test_the_phenotype_factor_multiplies_what_sirnas_do() -> None:
    whole, half = (draw_truth(ScreenSpec(seed=4, phenotype=factor)) for factor in (1.0, 0.5))
    for cell_type, effects in whole.phenotypes.items():
        np.testing.assert_allclose(half.phenotypes[cell_type], 0.5 * effects)
