"""The list of findings: whole, well-formed, and what the paper's own numbers say of some."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest

from rxrx_lib.study import paper
from rxrx_lib.study.catalogue import CATALOGUE
from rxrx_lib.study.effects import CHANCE, SD
from rxrx_lib.study.finding import KIND_WORDS, Finding
from rxrx_lib.study.findings import FINDINGS, finding, items
from rxrx_lib.study.judging import PrintedPart, printed_line
from rxrx_lib.study.prediction_statistics import ALL, COLUMNS
from rxrx_lib.study.tables import BESIDE_TABLE1, TABLE1
from rxrx_lib.study.verdicts import (
    CONSISTENT,
    INCONSISTENT,
    KINDS,
    NOT_PRINTED,
    WITHIN_SPREAD,
)

each_finding = pytest.mark.parametrize("each", FINDINGS, ids=lambda each: each.id)

# Columns of items that print nothing in the paper, or more than it does.
OWN_COLUMNS = {
    "figure6": {"purity", "chance", "purity_RPE", "purity_HEPG2", "purity_U2OS"},
    "figure7": {
        "ks_within",
        "ks_across",
        "ks_same",
        "ks_different",
    },
    "figure8": {f"channel_{number}" for number in range(1, 7)},
    "figure9": {"accuracy"},
    "figure10": {"epochs_to_90_percent"},
    "table1": {*TABLE1, *BESIDE_TABLE1},
    "test_time_statistics": {*COLUMNS},
}


def test_no_id_stands_twice() -> None:
    assert [name for name, n in Counter(each.id for each in FINDINGS).items() if n > 1] == []


def test_findings_of_a_topic_stand_together() -> None:
    topics = [topic for topic, _ in groupby(each.topic for each in FINDINGS)]
    assert len(topics) == len(set(topics))


@each_finding
def test_every_item_is_in_the_catalogue(each: Finding) -> None:
    assert each.items <= CATALOGUE.keys()


@each_finding
def test_every_number_stands_where_the_ledger_has_one(each: Finding) -> None:
    for effect in (*each.effects, *each.in_paper):
        for item, row, column in (place for place in effect.places if place != CHANCE):
            if item == "figure8":
                rows = {"baseline_retrained", *(f"{name}_masked" for name in paper.METHODS)}
            elif item == "figure9":
                rows = {row} if set(row.removeprefix("channels_")) <= set("123456") else set()
            elif item == "test_time_statistics":
                rows = {way.row for way in ALL}
            else:
                rows = set(paper.ROW_LABELS.get(item, paper.METHODS))
            assert row in rows
            own = OWN_COLUMNS.get(item, set())
            assert column.removesuffix(SD) in own | paper.COLUMN_LABELS.get(item, {}).keys()


@each_finding
def test_direction_metric_margin_and_replicates_are_written_down(each: Finding) -> None:
    assert each.kind in KINDS
    assert each.margin > 0
    assert each.replicates >= 2
    assert each.statement.endswith(".")
    assert each.where
    assert each.metric
    assert bool(each.effects) or bool(each.untestable)
    assert len({effect.label for effect in each.effects}) == len(each.effects)
    assert str(each.margin).rstrip("0").rstrip(".") in each.criterion


def test_every_kind_is_said_in_words() -> None:
    assert KIND_WORDS.keys() == set(KINDS)


def test_two_points_are_the_smallest_effect_unless_stated() -> None:
    other = {each.id: (each.margin, each.unit) for each in FINDINGS if each.margin != 2}
    assert all(margin == 5 or unit != "points" or margin == 0.1 for margin, unit in other.values())
    assert len(other) < len(FINDINGS) / 4


def test_a_finding_is_looked_up_by_its_id() -> None:
    assert finding("cutmix_helps").topic == "Augmentation and depth"
    with pytest.raises(ValueError, match=r"finding is 'all'; choose one of visible_batch_effects,"):
        finding("all")


def test_items_are_those_of_the_catalogue_in_its_order() -> None:
    assert [item for item in CATALOGUE if item in items()] == items()
    assert {"table1", "test_time_statistics"} <= set(items())
    assert "reversal_tradeoff" not in items()


@pytest.mark.parametrize(
    ("name", "verdict", "values"),
    [
        ("adabn_raises_separated", CONSISTENT, [87.1 - 75.1]),
        ("adabn_keeps_stratified", CONSISTENT, [91.1 - 91.1]),
        ("methods_alike_on_seen", WITHIN_SPREAD, [-2.0, 0.0, -0.9]),
        ("adabn_raises_generalization", CONSISTENT, [100 * 87.1 / 91.1 - 100 * 75.1 / 91.1]),
        ("reversal_to_chance", CONSISTENT, [1.8 - 100 / 51]),
        ("baseline_thirty_times", CONSISTENT, [59.2 * 51 / 100 - 30]),
        ("adabn_varies_less", WITHIN_SPREAD, [0.2 - 0.2]),
        ("adabn_mixes", NOT_PRINTED, []),
        ("u2os_hardest", CONSISTENT, [26.1 - 76.2, 24.3 - 74.0, 68.2 - 86.2, 66.9 - 85.6]),
        ("adabn_helps_harder_more", CONSISTENT, [(68.2 - 26.1) - (92.1 - 84.2)]),
        ("few_adabn_helps_hardest_most", CONSISTENT, [(44.0 - 2.8) - (56.1 - 39.2)]),
        ("mixup_beats_cutmix_for_baseline", WITHIN_SPREAD, [75.6 - 75.2]),
        ("mixup_not_for_adabn", CONSISTENT, [83.9 - 87.1]),
        ("deeper_resnet_better", WITHIN_SPREAD, [71.9 - 71.7, 84.6 - 83.9]),
        ("without_channel_6_better", CONSISTENT, [2.0]),
        ("four_without_channel_6_better", NOT_PRINTED, []),
        ("self_fourteen_points", WITHIN_SPREAD, [75.1 - 60.8 - 14]),
    ],
)
def test_the_papers_own_line_is_what_one_computes_by_hand(
    name: str, verdict: str, values: list[float]
) -> None:
    line = printed_line(finding(name))
    assert line.verdict == verdict
    found = [p.value for p in line.parts if isinstance(p, PrintedPart) and p.value is not None]
    assert found == pytest.approx(values)


def test_the_paper_contradicts_itself_nowhere() -> None:
    lines = [printed_line(each) for each in FINDINGS]
    assert all(line.verdict != INCONSISTENT for line in lines)


def test_a_channel_s_share_of_all_shapley_values_differs_in_percent_of_their_sum() -> None:
    adabn_2 = next(
        effect for effect in finding("shapley_alike").effects if effect.label == "AdaBN, channel 2"
    )
    own, base = [10.0, 5.0, 5.0, 10.0, 10.0, 10.0], [8.0, 8.0, 8.0, 4.0, 8.0, 4.0]
    # 5 of 50 points are 10 %, and 8 of 40 are 20 %.
    assert adabn_2.of(*own, *base) == pytest.approx(-10.0)
