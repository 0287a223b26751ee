"""Table 3: accuracy by cell type, and whether it adds up."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import cell_types, ledger, paper
from rxrx_lib.study.catalogue import CATALOGUE, table1
from rxrx_lib.study.cell_type_figures import figure_panels
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.spec import RunSpec
from tests.study.handmade import REPLICATES, row

SITES = {"HEPG2": 20, "HUVEC": 40, "RPE": 20, "U2OS": 20}
GAIN = {"HUVEC": 4.0, "RPE": 10.0, "HEPG2": 20.0, "U2OS": -10.0}
BASE = {"HUVEC": 80.0, "RPE": 60.0, "HEPG2": 40.0, "U2OS": 30.0}


def results(replicates: int = 3, *, counted: bool = True) -> pd.DataFrame:
    """Return separated runs whose cell types differ; only AdaBN differs from the baseline."""
    rows = []
    for number, replicate in enumerate(REPLICATES[:replicates]):
        for method in METHODS:
            gain = GAIN if method == "adabn" else dict.fromkeys(GAIN, 0.0)
            by = {name: BASE[name] + gain[name] + number for name in SITES}
            total = sum(SITES[name] * by[name] for name in SITES) / 100
            more = {"by_cell_type": by, "chance_accuracy": 5.0}
            if counted:
                more["sites_by_cell_type"] = SITES
            rows.append(row(method, "separated", replicate, total, **more))
    return pd.DataFrame(rows)


@pytest.mark.parametrize("item", ["table3", "figure6", "figure10"])
def test_nothing_is_trained_that_table_1_has_not_trained(item: str) -> None:
    for name in ("smoke", "demo", "paper"):
        plan = PROFILES[name]
        specs = CATALOGUE[item](plan)
        assert {spec.id for spec in specs} <= {spec.id for spec in table1(plan)}
        assert len(specs) == 4 * len(plan.replicates)
        assert {spec.split.name for spec in specs} == {"separated"}


def test_the_cells_have_the_papers_rows_and_columns() -> None:
    cells = {(c.row, c.column): c for c in cell_types.table3_cells(results())}
    assert cells.keys() == {(n.row, n.column) for n in paper.numbers("table3")}
    assert cells["adabn", "HEPG2"].value == 61.0
    assert list(cells["adabn", "HEPG2"].replicates.values()) == [60.0, 61.0, 62.0]


def test_the_ledger_places_them_beside_the_papers_numbers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def gather(specs: list[RunSpec], store: Path) -> pd.DataFrame:
        same = [spec.id for spec in specs] == [s.id for s in CATALOGUE["table3"](PROFILES["demo"])]
        return results() if same else pd.DataFrame([])

    monkeypatch.setattr(ledger, "gather", gather)
    rows = ledger.ledger(tmp_path, PROFILES["demo"]).set_index(["item", "row", "column"])
    place = rows.loc["table3", "adabn", "HEPG2"]
    assert (place["paper"], place["simulated"], place["simulated_n"]) == (86.2, 61.0, 3)
    assert rows.loc["table3"]["simulated"].notna().sum() == 16


def test_the_release_weights_are_its_test_wells() -> None:
    wells = cell_types.RELEASE_TEST_WELLS
    assert 2 * sum(wells.values()) == 44286  # the paper's test images
    share = cell_types.weights(wells)
    assert sum(share.values()) == pytest.approx(1)
    assert list(share) == ["HUVEC", "RPE", "HEPG2", "U2OS"]
    assert share["HUVEC"] == 9854 / 22143


def test_the_papers_rows_add_up_to_its_table_1_but_for_two() -> None:
    sums = cell_types.paper_sums().set_index("method")
    assert list(sums["Table 3, weighted"]) == ["74.8", "73.8", "87.1", "86.8"]
    assert list(sums["Table 1"]) == ["75.1", "71.2", "87.1", "86.2"]
    assert sums.loc["Gradient reversal", "difference"] == "+2.6"
    verdicts = [words.split()[0].strip(":,") for words in sums["do they agree?"]]
    assert verdicts == ["within", "no", "yes", "no"]


@pytest.mark.parametrize(
    ("apart", "spread", "verdict"),
    [(0.1, 0.0, "yes"), (0.11, 0.0, "no"), (0.3, 0.2, "within"), (0.31, 0.2, "no")],
)
def test_a_difference_is_judged_by_rounding_and_then_by_the_spread(
    apart: float, spread: float, verdict: str
) -> None:
    assert cell_types._agreement(apart, spread).startswith(verdict)


def test_our_runs_add_up_exactly() -> None:
    sums = cell_types.measured_sums(results())
    assert list(sums["cell types, weighted"]) == list(sums["accuracy over all sites"])
    assert set(sums["largest deviation of a run"]) == {"0"}
    spoilt = results()
    spoilt.loc[0, "accuracy"] += 3.0
    assert cell_types.measured_sums(spoilt)["largest deviation of a run"][0] == "3"


def test_the_weights_are_shown_for_the_release_and_for_the_simulated_screens() -> None:
    table = cell_types.weight_table(results()).set_index("screen")
    assert list(table.loc["RxRx1"]) == ["44.5", "22.2", "22.2", "11.1"]
    assert list(table.loc["here, SIMULATED"]) == ["40.0", "20.0", "20.0", "20.0"]


def test_runs_that_kept_no_counts_have_no_sum_and_only_the_releases_weights() -> None:
    old = results(counted=False)
    assert cell_types.measured_sums(old).empty
    assert list(cell_types.weight_table(old)["screen"]) == ["RxRx1"]
    assert len(cell_types.table3_cells(old)) == 16


def test_gains_go_from_the_baselines_easiest_cell_type_to_its_hardest() -> None:
    claims = cell_types.gain_claims(results())
    assert [claim.split(",")[0] for claim in claims] == ["HUVEC", "RPE", "HEPG2", "U2OS"]
    assert "AdaBN lies above the baseline: +20.0 points" in claims[2]
    assert "AdaBN lies below the baseline: \N{MINUS SIGN}10.0 points" in claims[3]


def test_only_directions_are_held_against_the_paper() -> None:
    claims = cell_types.direction_claims(results())
    assert claims[0] == "HUVEC: AdaBN goes up from the baseline in the paper, up here."
    assert claims[3] == "U2OS: AdaBN goes up from the baseline in the paper, down here."
    (alone, *_) = cell_types.direction_claims(results(replicates=1))
    assert alone.endswith("undecided here.")


def test_the_figure_has_a_panel_a_cell_type_with_the_chance_level() -> None:
    panels = figure_panels(results())
    assert [panel.title for panel in panels] == ["HUVEC", "RPE", "HEPG2", "U2OS"]
    assert panels[0].values["adabn"] == [84.0, 85.0, 86.0]
    assert panels[0].lines == {"1/K": 5.0}


def test_no_runs_give_no_cells_and_no_sentences() -> None:
    empty = pd.DataFrame([])
    assert cell_types.table3_cells(empty) == []
    assert cell_types.gain_claims(empty) == cell_types.direction_claims(empty) == []
    assert cell_types.measured_sums(empty).empty
    assert figure_panels(empty) == []
