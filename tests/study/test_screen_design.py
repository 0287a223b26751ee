"""The design in counts: the release's, and those of a table."""

from __future__ import annotations

import pandas as pd

from rxrx_lib.study import screen_design
from rxrx_lib.study.screen_design import RELEASE, counts, counts_panel, design_claims
from rxrx_lib.study.screens import RELEASE_EXPERIMENTS
from tests.data.screens import screen_table

TABLE = screen_table(treatments=8, positives=2)


def test_the_releases_counts_add_up_to_what_the_paper_prints() -> None:
    assert RELEASE["experiments"].sum() == len(RELEASE_EXPERIMENTS) == 51
    assert RELEASE["sites"].sum() == 125_510
    assert (RELEASE["sites"] == 2 * RELEASE["wells"]).all()
    by_side = RELEASE.groupby("dataset").sum(numeric_only=True)
    assert by_side.loc["train"].tolist() == [33, 40_612, 81_224]
    assert by_side.loc["test"].tolist() == [18, 22_143, 44_286]


def test_counts_are_by_cell_type_and_side() -> None:
    found = counts(TABLE).set_index(["cell_type", "dataset"])
    wells = 4 * (2 + 2 + 1)
    assert found.loc[("HUVEC", "train")].tolist() == [2, 2 * wells, 4 * wells]
    assert found.loc[("U2OS", "test")].tolist() == [1, wells, 2 * wells]


def test_the_panel_closes_with_each_sides_sum() -> None:
    panel = counts_panel(RELEASE)
    assert panel.iloc[0].tolist() == ["HUVEC, training", "16", "19,671", "39,342"]
    assert panel.iloc[-2:].to_numpy().tolist() == [
        ["all, training", "33", "40,612", "81,224"],
        ["all, test", "18", "22,143", "44,286"],
    ]


def test_a_table_is_the_releases_only_with_its_counts() -> None:
    assert "are not those of the release" in screen_design.release_claim(TABLE)


def test_rules_that_hold_are_said_to_hold_everywhere() -> None:
    assert design_claims(TABLE) == [
        "EMPTY stands at B02 on 20 of 20 plates; no other well is EMPTY.",
        "Positive controls (2 in all, on 2 positions): the full set stands on 20 of 20 plates.",
        "Treatments (8 in all, in 5 experiments): 40 of 40 pairs of treatment and experiment have "
        "exactly one well.",
        "Treatments that share a plate in HUVEC-01 keep together: on 20 of 20 plates all belong "
        "to one such group.",
    ]


def test_each_broken_rule_is_counted() -> None:
    table = TABLE.copy()
    plate = (table["experiment"] == "HUVEC-02") & (table["plate"] == 1)
    treated = plate & (table["sirna"] == "s0000")
    table.loc[treated, ["well_type", "sirna", "sirna_id"]] = ["negative_control", "EMPTY", 1138]
    table.loc[plate & (table["sirna"] == "s0004"), ["sirna", "sirna_id"]] = ["s0005", 5]
    table = table[~(plate & ((table["sirna"] == "s1108") | (table["well"] == "B02")))]
    empty, positive, treatment, groups = design_claims(table)
    assert empty == "EMPTY stands at B02 on 19 of 20 plates; EMPTY wells elsewhere: 1."
    assert positive.endswith("on 19 of 20 plates.")
    assert "37 of 40 pairs" in treatment
    assert "on 20 of 20 plates" in groups


def test_groups_that_mix_are_counted() -> None:
    table = TABLE.copy()
    names = table["sirna"].copy()
    where = table["experiment"] == "U2OS-01"
    table.loc[where & (names == "s0000"), "sirna"] = "s0001"
    table.loc[where & (names == "s0001"), "sirna"] = "s0000"
    assert "on 18 of 20 plates" in design_claims(table)[-1]


def test_a_screen_without_controls_or_labels_is_described_as_far_as_it_goes() -> None:
    bare = screen_table(positives=0)
    assert len(design_claims(bare)) == 3
    unlabelled = bare.assign(sirna_id=bare["sirna_id"].mask(bare["dataset"] == "test", -1))
    assert "in 3 experiments" in design_claims(unlabelled)[1]
    assert isinstance(counts(unlabelled), pd.DataFrame)
