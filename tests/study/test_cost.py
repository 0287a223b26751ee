"""Computed costs against formulas by hand, and against speeds that others measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
import torchvision

from rxrx_lib import cli
from rxrx_lib.study import cost, cost_panels, cost_plan
from rxrx_lib.study.catalogue import CATALOGUE, evaluations, table1
from rxrx_lib.study.gpus import GIB, GPUS, PUBLISHED, Gpu, Range, gpu, seconds
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.workload import RELEASE_DESIGN, Workload, workload

PAPER, SMOKE = PROFILES["paper"], PROFILES["smoke"]
SITES = 4 * 308 * 2
"""Of a whole experiment of the release."""
HAND_MADE = Gpu(
    label="hand-made", memory=1, bandwidth=100, half=10, single=1, bf16=True, source="this test"
)


def of(method: str, split: str) -> RunSpec:
    """Return the paper's run of a method on a split, such as ``by site``."""
    return next(s for s in table1(PAPER) if (s.method, str(s.split)) == (method, split))


def test_the_releases_design_has_its_classes_and_experiments() -> None:
    assert RELEASE_DESIGN.classes == 1139
    assert sum(train + test for _, train, test in RELEASE_DESIGN.experiments) == 51


def test_a_baseline_trains_on_shuffled_minibatches_and_predicts_every_site_once() -> None:
    steps = 100 * (33 * SITES // 512)
    assert workload(of("baseline", "separated"), 10) == Workload(
        steps=steps, trained=512 * steps, predicted=51 * SITES, evaluated=9 * 18 * SITES
    )


def test_adabn_trains_on_whole_groups_and_measures_each_experiment_before_it_predicts_it() -> None:
    steps = 100 * (33 * (SITES // 64) // 8)
    assert workload(of("adabn", "separated"), 10) == Workload(
        steps=steps, trained=512 * steps, predicted=2 * 51 * SITES, evaluated=9 * 2 * 18 * SITES
    )


def test_on_the_stratified_split_every_experiment_is_measured_for_its_test_sites() -> None:
    found = workload(of("adabn", "by site"), 10)
    assert found.evaluated == 9 * (18 * SITES + 51 * SITES)  # the tenth is the prediction's own
    assert found.forwarded == found.predicted + found.evaluated


def test_without_evaluations_only_the_last_prediction_is_counted() -> None:
    assert workload(of("adabn", "by well"), 0).forwarded == 2 * 51 * SITES


@pytest.mark.parametrize("backbone", ["resnet50", "densenet161"])
def test_counted_operations_are_twice_the_published_multiplications(backbone: str) -> None:
    published = torchvision.models.get_model_weights(backbone)["IMAGENET1K_V1"].meta["_ops"]
    assert cost.plain_site(backbone).forward_flops / 2e9 == pytest.approx(published, rel=2e-3)


@pytest.mark.parametrize("each", PUBLISHED, ids=lambda each: f"{each.gpu}-{each.backbone}")
def test_speeds_that_others_measured_lie_in_the_computed_range(each) -> None:
    site = cost.plain_site(each.backbone)
    work = (
        (site.training_flops, site.training_bytes)
        if each.training
        else (site.forward_flops, site.forward_bytes)
    )
    fast, slow = seconds(*work, GPUS[each.gpu], "fp16")
    assert 1 / slow < each.sites_a_second < 1 / fast


def test_time_lies_between_the_longer_of_two_and_their_sum() -> None:
    assert seconds(9e12, 45e9, HAND_MADE, "bf16") == pytest.approx((2.0, 3.6 + 0.75))
    assert seconds(9e11, 540e9, HAND_MADE, "fp32") == pytest.approx((6.0, 3.6 + 9.0))


def test_times_of_other_precisions_are_not_computed() -> None:
    with pytest.raises(ValueError, match="precision is 'fp64'; times are computed of bf16"):
        seconds(1, 1, HAND_MADE, "fp64")


def test_a_gpu_without_bfloat16_computes_in_float32() -> None:
    assert GPUS["v100-32"].precision("bf16") == "fp32"
    assert GPUS["a100-80"].precision("bf16") == "bf16"
    assert GPUS["v100-32"].precision("fp32") == "fp32"


def test_every_gpu_names_its_source_and_an_unknown_one_lists_the_known() -> None:
    assert all("data sheet" in on.source or "white paper" in on.source for on in GPUS.values())
    with pytest.raises(ValueError, match="gpu is 'abacus'; choose one of v100-32, t4"):
        gpu("abacus")


def test_on_the_cards_that_it_fits_the_papers_network_waits_for_memory_not_for_arithmetic() -> None:
    flops, moved = cost.run_cost(of("baseline", "separated"), 0, "bf16")
    for on in GPUS.values():
        if on.memory >= 80:
            assert seconds(flops, 0, on, "bf16").low < seconds(0, moved, on, "bf16").low


def test_a_runs_cost_is_its_sites_times_a_sites_cost() -> None:
    spec = table1(SMOKE)[2]
    work, (site, _) = workload(spec, 1), cost.counted(spec, "fp32")
    assert cost.run_cost(spec, 1, "fp32") == (
        work.trained * site.training_flops + work.forwarded * site.forward_flops,
        work.trained * site.training_bytes + work.forwarded * site.forward_bytes,
    )


def test_memory_is_state_minibatch_and_what_goes_through_the_network() -> None:
    spec = table1(SMOKE)[2]
    recipe, (site, weights) = spec.recipe, cost.counted(spec, "bf16")
    minibatch = recipe.groups * recipe.group_size * 6 * 32 * 32 * 8
    one, both = (cost.memory(spec, "bf16", groups_at_once=n) for n in (1, 2))
    assert one == 14 * weights + minibatch + recipe.group_size * site.peak_bytes
    assert both - one == recipe.group_size * site.peak_bytes
    shared = cost.memory(spec, "bf16", groups_at_once=1, processes=2)
    assert one - shared == minibatch / 2


def test_groups_that_fit_divide_those_of_a_process() -> None:
    spec = table1(SMOKE)[2]
    spec = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, groups=6))
    five = cost.memory(spec, "fp32", groups_at_once=5) / cost.USABLE / GIB
    on = dataclasses.replace(HAND_MADE, memory=five)
    assert cost.groups_that_fit(spec, on) == 3
    assert cost.groups_that_fit(spec, dataclasses.replace(on, memory=0)) == 0
    assert cost.groups_that_fit(spec, on, processes=3) == 2


def test_the_largest_group_fits_and_one_site_more_does_not() -> None:
    spec = table1(SMOKE)[2]
    on = dataclasses.replace(HAND_MADE, memory=0.1)
    sites = cost.largest_group(spec, on)

    def fits(group: int) -> bool:
        recipe = dataclasses.replace(spec.recipe, groups=1, group_size=group)
        alone = dataclasses.replace(spec, recipe=recipe)
        return cost.groups_that_fit(alone, on) == 1

    assert sites > 2
    assert fits(sites)
    assert not fits(sites + 1)


def test_hours_of_an_item_are_the_sum_of_its_runs_and_shared_runs_count_once() -> None:
    specs = table1(SMOKE)[:4]
    panel = cost_panels.hours_panel(
        {"one": specs, "two": specs[2:], "none": []}, {spec.id: 1 for spec in specs}
    )
    assert panel["item"].unique().tolist() == ["one", "two", "all"]
    one, every = (
        panel[panel["item"] == name].drop(columns="item").to_numpy().tolist()
        for name in ("one", "all")
    )
    assert one == every


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (Range(0.0, 0.0), "0"),
        (Range(0.01234, 0.5), "0.012 to 0.50"),
        (Range(8.96, 21.4), "9.0 to 21"),
        (Range(996, 1004), "1,000"),
        (Range(12_345, 98_765), "12,000 to 99,000"),
    ],
)
def test_ranges_are_written_with_two_digits(span: Range, words: str) -> None:
    assert cost_panels._span(span) == words


def test_every_item_of_the_catalogue_that_the_paper_needs_has_its_hours() -> None:
    items = {name: runs(PAPER)[:1] for name, runs in CATALOGUE.items()}
    panel = cost_panels.hours_panel(items, evaluations(PAPER))
    assert set(panel["item"]) - {"all"} == {name for name, specs in items.items() if specs}
    marked = panel[panel["GPU"].str.endswith(cost_panels.TOO_LARGE)]
    assert len(marked) == len(panel) * 6 / 8  # a group of 64 sites fits 80 GB alone


def test_a_plan_says_that_it_is_computed_and_on_what_it_rests() -> None:
    items = {"table1": table1(PAPER)[:1]}
    lines = cost_plan.plan_lines(PAPER, items, [], Path("none"), None)
    assert lines[0].startswith("COMPUTED, NOT MEASURED, for A100 SXM4, 80 GB in bf16")
    assert "fits, with --groups-at-once 1 on one GPU." in "\n".join(lines)
    assert lines[-len(cost_panels.assumptions()) - 1] == "It rests on these assumptions:"
    other = cost_plan.plan_lines(PAPER, items, [], Path("none"), GPUS["t4"])
    assert other[0].startswith("COMPUTED, NOT MEASURED, for T4, 16 GB in fp32")
    assert "does not fit." in "\n".join(other)


def test_done_runs_give_the_measure_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = table1(SMOKE)[:3]
    done = [{"id": spec.id, "seconds": 100.0, "hardware": "a core"} for spec in specs[:2]]
    monkeypatch.setattr(cost_plan, "gather", lambda *_: pd.DataFrame(done))
    every = evaluations(SMOKE)
    work = [cost.run_cost(spec, every.get(spec.id, 0), "fp32").flops for spec in specs]
    left = 200 * work[2] / (work[0] + work[1])
    assert cost_plan.plan_lines(SMOKE, {"table1": specs}, specs[:2], Path("none"), None) == [
        "MEASURED: 2 runs took 100 s each in the mean (100 to 100 s) on a core.",
        f"1 more would take {cost_plan.duration(left)} at that speed in one process, and a "
        "share of it in several.",
    ]
    (line,) = cost_plan.plan_lines(SMOKE, {"table1": specs[:2]}, specs[:2], Path("none"), None)
    assert line.startswith("MEASURED: 2 runs")


def test_nothing_is_computed_for_a_laptop_where_nothing_was_measured() -> None:
    items = {"table1": table1(SMOKE)[:1]}
    (line,) = cost_plan.plan_lines(SMOKE, items, [], Path("none"), None)
    assert "nothing is measured" in line


def test_rxrx_plan_prints_the_cost_under_the_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", "--profile", "smoke", "--only", "table1", "--methods", "adabn"]
    words += ["--runs", str(tmp_path)]
    assert cli.main(words) == 0
    runs = capsys.readouterr().out
    assert cli.main([*words, "--cost"]) == 0
    assert "nothing is measured" in capsys.readouterr().out.removeprefix(runs)
    assert cli.main([*words, "--cost", "--gpu", "l4"]) == 0
    assert capsys.readouterr().out.removeprefix(runs).startswith("COMPUTED, NOT MEASURED, for L4")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpu", "abacus", "--cost"], "gpu is 'abacus'; choose one of v100-32"),
        (["--gpu", "l4"], "--gpu is l4 without --cost; give both."),
    ],
)
def test_a_gpu_that_is_not_known_or_not_used_is_wrong_usage(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["plan", "--profile", "smoke", *words]) == 2
    assert said in capsys.readouterr().err
