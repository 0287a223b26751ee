"""Findings against synthetic cells and synthetic run stores."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from rxrx_lib.study import judging, paper, runs
from rxrx_lib.study.catalogue import runs_for
from rxrx_lib.study.effects import chance_of_experiment
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.findings import FINDINGS, finding
from rxrx_lib.study.judging import (
    Part,
    least_favourable,
    measured_line,
    measured_lines,
    part_table,
    printed_line,
)
from rxrx_lib.study.kept import arrays_of
from rxrx_lib.study.paper import METHODS
from rxrx_lib.study.profiles import PROFILES, SEPARATED, Profile
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.study.tables import Cell
from rxrx_lib.study.verdicts import (
    CONTRADICTED,
    NOT_RUN,
    NOT_TESTABLE,
    SUPPORTED,
    UNDECIDED,
)
from rxrx_lib.study.well_draws import well_draws
from tests.study.invented_runs import write_run, write_store
from tests.study.stored import predict

DEMO = PROFILES["demo"]
RAISES = finding("adabn_raises_separated")
KEEPS = finding("adabn_keeps_stratified")


def cells(
    item: str, column: str, values: dict[str, list[float]]
) -> dict[tuple[str, str, str], Cell]:
    """Return a column's cells by row, replicates named by their number."""
    return {
        (item, row, column): Cell(
            row=row,
            column=column,
            value=float(np.mean(numbers)),
            replicates={f"r{i}": number for i, number in enumerate(numbers)},
        )
        for row, numbers in values.items()
    }


def verdict(each: Finding, base: list[float], effect: list[float]) -> str:
    column = each.effects[0].places[0][2]
    other = [a + b for a, b in zip(base, effect, strict=True)]
    made = cells("table1", column, {"baseline": base, "adabn": other})
    return measured_line(each, made, 2.0).verdict


@pytest.mark.parametrize(
    ("effect", "raises", "keeps"),
    [
        ([0.1, -0.1, 0.0], UNDECIDED, SUPPORTED),  # no effect
        ([20.0, -15.0, 4.0], UNDECIDED, UNDECIDED),  # noisy
        ([10.0, 11.0, 12.0], SUPPORTED, SUPPORTED),  # strong
        ([-10.0, -11.0, -12.0], CONTRADICTED, CONTRADICTED),  # reversed
        ([10.0], UNDECIDED, UNDECIDED),  # one replicate
    ],
)
def test_verdicts_on_cells_whose_screens_differ_far_more_than_the_methods(
    effect: list[float], raises: str, keeps: str
) -> None:
    base = [30.0, 60.0, 45.0][: len(effect)]
    assert verdict(RAISES, base, effect) == raises
    assert verdict(KEEPS, base, effect) == keeps


@pytest.mark.parametrize("each", FINDINGS, ids=lambda each: each.id)
def test_without_cells_a_finding_is_not_run_yet_and_nothing_crashes(each: Finding) -> None:
    line = measured_line(each, {}, 2.0)
    assert line.verdict == (NOT_TESTABLE if each.untestable else NOT_RUN)
    on_release = measured_line(each, {}, 2.0, simulated=False)
    assert on_release.verdict == (NOT_RUN if each.effects else NOT_TESTABLE)


def test_what_a_simulator_cannot_decide_can_be_decided_on_the_release() -> None:
    each = finding("u2os_hardest")
    made: dict[tuple[str, str, str], Cell] = {}
    for kind, level in (("HUVEC", 80.0), ("RPE", 70.0), ("HEPG2", 72.0), ("U2OS", 20.0)):
        values = [level, level + 1, level - 1]
        made |= cells("table3", kind, dict.fromkeys(METHODS, values))
    assert measured_line(each, made, 2.0).verdict == NOT_TESTABLE
    line = measured_line(each, made, 2.0, simulated=False)
    assert line.verdict == SUPPORTED
    assert [part.value for part in line.parts] == [-50.0] * 4


def test_one_absent_part_leaves_a_statement_of_several_not_run_and_one_counter_example_fells_it(
) -> None:  # fmt: skip
    each = finding("cutmix_helps")
    made: dict[tuple[str, str, str], Cell] = {}
    made |= cells("table2", "baseline", {"default": [50.0, 51.0], "no_cutmix": [40.0, 41.0]})
    assert measured_line(each, made, 2.0).verdict == NOT_RUN
    worse = cells("table2", "adabn", {"default": [50.0, 51.0], "no_cutmix": [60.0, 61.0]})
    assert measured_line(each, made | worse, 2.0).verdict == CONTRADICTED
    better = cells("table2", "adabn", {"default": [50.0, 51.0], "no_cutmix": [45.0, 46.0]})
    assert measured_line(each, made | better, 2.0).verdict == SUPPORTED


def test_harder_cell_types_are_those_where_both_methods_do_badly() -> None:
    """A baseline that is low by luck alone does not make its cell type the hardest."""
    each = finding("adabn_helps_harder_more")
    made: dict[tuple[str, str, str], Cell] = {}
    columns = {"HUVEC": (90, 95), "RPE": (70, 75), "HEPG2": (40, 90), "U2OS": (45, 55)}
    for kind, (baseline, adabn) in columns.items():
        made |= cells("table3", kind, {"baseline": [baseline, baseline], "adabn": [adabn, adabn]})
    assert measured_line(each, made, 2.0).parts[0].value == (55 - 45) - (95 - 90)


def test_shares_of_shapley_values_do_not_see_a_higher_accuracy() -> None:
    each = finding("shapley_alike")
    values = np.array([10.0, 12.0, 8.0, 14.0, 6.0, 4.0])
    made: dict[tuple[str, str, str], Cell] = {}
    for method in METHODS:
        scale = 1.5 if method == "adabn" else 1.0
        for number, share in enumerate(scale * values, start=1):
            made |= cells("figure8", f"channel_{number}", {f"{method}_masked": [share, share]})
    line = measured_line(each, made, 2.0)
    assert line.verdict == SUPPORTED
    assert [part.value for part in line.parts] == pytest.approx([0.0] * 18)


def test_channels_are_compared_with_the_nearest_of_the_others() -> None:
    made: dict[tuple[str, str, str], Cell] = {}
    for number, share in enumerate([9.0, 12.0, 8.0, 14.0, 6.0, 4.0], start=1):
        made |= cells("figure8", f"channel_{number}", {"baseline_retrained": [share]})
    parts = [
        measured_line(finding(name), made, 2.0, simulated=False).parts[0].value
        for name in ("channels_2_and_4_most", "channel_6_least")
    ]
    assert parts == [12.0 - 9.0, 4.0 - 6.0]


def right_of_200(spec: RunSpec, effect: dict[int, int]) -> int:
    """Return the right answers of a run: AdaBN's effect by training seed, on the same sites."""
    base = 80 + 20 * spec.seed
    return base + (effect[spec.seed] if spec.method == "adabn" else 0)


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        ({0: 0, 1: 1, 2: -1}, UNDECIDED),
        ({0: 40, 1: -30, 2: 8}, UNDECIDED),
        ({0: 20, 1: 22, 2: 24}, SUPPORTED),
        ({0: -20, 1: -22, 2: -24}, CONTRADICTED),
    ],
    ids=["no effect", "noisy", "strong", "reversed"],
)
def test_verdicts_on_run_stores(tmp_path: Path, effect: dict[int, int], expected: str) -> None:
    write_store(tmp_path, DEMO, lambda spec: right_of_200(spec, effect))
    line, keeps = measured_lines([RAISES, KEEPS], tmp_path, DEMO)
    assert line.verdict == expected
    (part,) = line.parts
    assert isinstance(part, Part)
    assert part.found.n == 3
    assert part.value == pytest.approx(sum(effect.values()) / 3 / 2)
    assert part.wells is not None
    low, high = part.wells
    assert low <= part.value <= high
    assert keeps.parts[0].value == part.value


def test_one_replicate_in_the_store_is_undecided_however_sure_its_wells_are(
    tmp_path: Path,
) -> None:
    alone: Profile = dataclasses.replace(DEMO, replicates=DEMO.replicates[:1])
    write_store(tmp_path, alone, lambda spec: right_of_200(spec, {0: 100}))
    (line,) = measured_lines([RAISES], tmp_path, alone)
    (part,) = line.parts
    assert isinstance(part, Part)
    assert line.verdict == UNDECIDED
    assert part.wells is not None
    assert part.wells[0] > 40


def test_an_empty_store_runs_nothing_and_says_so(tmp_path: Path) -> None:
    for profile in ("smoke", "demo", "paper"):
        found = {line.verdict for line in measured_lines(FINDINGS, tmp_path, PROFILES[profile])}
        assert found == {NOT_RUN, NOT_TESTABLE}
    assert not list(tmp_path.iterdir())


def test_wells_are_drawn_for_accuracies_and_for_ratios_of_them(tmp_path: Path) -> None:
    write_store(tmp_path, DEMO, lambda spec: right_of_200(spec, {0: 20, 1: 22, 2: 24}))
    lines = measured_lines(
        [finding("adabn_raises_generalization"), finding("both_methods_remove")], tmp_path, DEMO
    )
    ratio, probe = (line.parts[0] for line in lines)
    assert isinstance(ratio, Part)
    assert isinstance(probe, Part)
    assert ratio.wells is not None
    assert probe.wells is None  # a probe's answers are not kept


def test_draws_of_the_store_are_those_of_its_sites(tmp_path: Path) -> None:
    write_store(tmp_path, DEMO, lambda spec: right_of_200(spec, {0: 20, 1: 22, 2: 24}))
    draws = well_draws(tmp_path, DEMO, draws=400)
    replicate = "10/0"
    base, adabn = (
        draws[("table1", name, "accuracy_separated"), replicate] for name in ("baseline", "adabn")
    )
    assert base.mean() == pytest.approx(40.0, abs=0.6)
    assert base.std() == pytest.approx(100 * math.sqrt(0.4 * 0.6 / 200), rel=0.2)
    assert (adabn - base).std() == pytest.approx(100 * math.sqrt(0.1 * 0.9 / 200), rel=0.2)
    head = draws[("table1", "baseline", "batch_classification"), replicate]
    assert head.mean() == pytest.approx(10.0, abs=0.5)
    by_type = [draws[("table3", "baseline", kind), replicate] for kind in ("HUVEC", "U2OS")]
    np.testing.assert_allclose(0.75 * by_type[0] + 0.25 * by_type[1], base)
    assert (("table3", "baseline", "RPE"), replicate) not in draws
    place = ("table1", "adabn", "accuracy_separated")
    assert {place} == {each for each, _ in well_draws(tmp_path, DEMO, {place}, draws=3)}


def test_wells_are_drawn_of_every_accuracy_that_an_ablation_prints(tmp_path: Path) -> None:
    """AdaBN names 20 more of 200 sites than the baseline; U2OS stands on every fourth."""
    one = dataclasses.replace(DEMO, replicates=DEMO.replicates[:1])
    specs = runs_for(("table2", "table4", "table5", "table6"), one)
    for spec in specs:
        write_run(tmp_path, spec, 100 if spec.method.startswith("adabn") else 80)
    draws = well_draws(tmp_path, one, draws=300)
    places = {place for place, _ in draws if place[0] in ("table2", "table4", "table5", "table6")}
    assert places == {
        (number.item, number.row, number.column)
        for item in ("table2", "table4", "table5", "table6")
        for number in paper.numbers(item)
    }
    for (item, row, column), base in (
        (("table2", "mixup", "baseline"), 40.0),
        (("table4", "adabn_gradient_reversal", "U2OS"), 50.0),
        (("table5", "plate_all", "accuracy"), 40.0),
        (("table6", "plate_all", "accuracy"), 50.0),
    ):
        assert draws[(item, row, column), "10/0"].mean() == pytest.approx(base, abs=0.8)
    (line,) = measured_lines([finding("few_adabn_helps_every_cell_type")], tmp_path, one)
    for part in line.parts:
        assert isinstance(part, Part)
        assert part.wells is not None
        assert part.found.mean == pytest.approx(10.0)
        assert part.wells[0] < part.found.mean < part.wells[1]


def test_wells_are_drawn_of_other_ways_of_predicting(tmp_path: Path) -> None:
    spec = DEMO.run("adabn", SEPARATED, DEMO.replicates[0])
    write_run(tmp_path, spec, 100)
    run = runs.open_run(tmp_path, spec)
    arrays = arrays_of(run.prediction(PredictSpec(statistics="experiment")))
    wrong = (arrays["top_sirna_id"] + 1) % 8
    way = PredictSpec(statistics="training", embeddings=False)
    predict(run, way, arrays | {"top_sirna_id": wrong}, weights_sha256=weights(run))
    draws = well_draws(tmp_path, DEMO, draws=50)
    by_own, by_training = (
        draws[("test_time_statistics", f"adabn by {word}", "all_sites"), "10/0"]
        for word in ("experiment", "training")
    )
    assert by_own.mean() == pytest.approx(50.0, abs=2.0)
    assert by_own.tolist() == draws[("table1", "adabn", "accuracy_separated"), "10/0"].tolist()
    assert by_training.tolist() == [0.0] * 50
    assert (("test_time_statistics", "adabn by plate", "all_sites"), "10/0") not in draws


def weights(run: runs.Run) -> str:
    digest: str = run.provenance()["sha256"]["weights.pt"]
    return digest


def test_what_cannot_be_tested_here_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path, DEMO, lambda spec: 80)
    asked: list[set[tuple[str, str, str]]] = []

    def spy(store: Path, profile: Profile, places: set[tuple[str, str, str]]) -> dict[str, None]:
        asked.append(places)
        return {}

    monkeypatch.setattr(judging, "well_draws", spy)
    measured_lines([finding("u2os_hardest"), RAISES], tmp_path, DEMO)
    assert asked == [
        {("table1", name, "accuracy_separated") for name in ("baseline", "adabn")},
    ]


def test_the_least_favourable_part_is_the_one_that_speaks_least_for_the_kind() -> None:
    made: dict[tuple[str, str, str], Cell] = {}
    for column, gain in (("baseline", 4.0), ("adabn", -1.0)):
        rows = {"default": [50.0 + gain] * 2, "no_cutmix": [50.0] * 2}
        made |= cells("table2", column, rows)
    each = finding("cutmix_helps")
    parts = [p for p in measured_line(each, made, 2.0).parts if isinstance(p, Part)]
    for kind, value in (
        ("increase", -1.0),
        ("no_decrease", -1.0),
        ("decrease", 4.0),
        ("no_increase", 4.0),
        ("unchanged", 4.0),
    ):
        assert least_favourable(dataclasses.replace(each, kind=kind), parts).value == value


def test_every_measured_part_is_a_row_of_numbers() -> None:
    made = cells(
        "table1", "accuracy_separated", {"baseline": [1.0, 2.0, 3.0], "adabn": [5.0, 7.0, 9.0]}
    )
    some = [RAISES, KEEPS, finding("u2os_hardest")]
    table = part_table(some, [measured_line(each, made, 2.0) for each in some])
    assert list(table["finding"]) == ["adabn_raises_separated"]
    row = table.iloc[0]
    assert (row["n"], row["mean"], row["verdict"]) == (3, 5.0, SUPPORTED)
    assert (row["low95"], row["high95"]) == pytest.approx(
        (5 - 4.302653 / 3**0.5, 5 + 4.302653 / 3**0.5)
    )
    assert math.isnan(row["wells_low95"])
    assert part_table([RAISES], [measured_line(RAISES, {}, 2.0)]).empty
    assert part_table([RAISES], [printed_line(RAISES)]).empty


def test_chance_is_that_of_the_profile(tmp_path: Path) -> None:
    write_store(tmp_path, DEMO, lambda spec: 80)
    (line,) = measured_lines([finding("reversal_to_chance")], tmp_path, DEMO)
    assert line.parts[0].value == pytest.approx(10.0 - chance_of_experiment(DEMO))
