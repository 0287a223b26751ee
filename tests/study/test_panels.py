"""The paper's panel and the simulated panels, word by word."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import panels, paper
from rxrx_lib.study.tables import Cell, cells, table1
from tests.study.handmade import control_results, table1_results

PM = panels.PLUS_MINUS


def test_an_empty_store_leaves_our_column_at_not_run() -> None:
    panel = panels.paper_panel("table1", {})
    assert set(panel["RxRx1, this code"]) == {panels.NOT_RUN}
    assert panel["paper"].iloc[0] == f"75.1{PM}0.2"
    assert len(panel) == len(paper.numbers("table1"))


def test_rows_that_are_no_methods_are_called_what_they_are() -> None:
    panel = panels.paper_panel("table5", {}, "normalisation")
    assert panel["normalisation"].iloc[-1] == "Self-standardization"
    assert "method" not in panel


def test_after_both_plus_minus_stands_a_standard_deviation() -> None:
    measured = Cell(
        row="baseline",
        column="accuracy_separated",
        value=74.0,
        replicates={"-1/0": 73.0, "-1/1": 74.0, "-1/2": 75.0},
    )
    panel = panels.paper_panel("table1", {("baseline", "accuracy_separated"): measured})
    assert panel["RxRx1, this code"].iloc[0] == f"74.0{PM}1.0 (n = 3)"


def test_simulated_cells_show_half_of_the_interval() -> None:
    panel = panels.simulated_panel(table1(table1_results()), panels.ACCURACY_COLUMNS)
    row = panel.set_index("method").loc["AdaBN"]
    assert row["separated"] == f"62.0{PM}5.0"  # t(0.975, 2) · 2 / √3 = 4.97
    own = np.array([60 / 80, 62 / 82, 64 / 84])
    half = 4.3026527 * 100 * own.std(ddof=1) / np.sqrt(3)
    assert row["generalization"] == f"75.6{PM}{half:.1f}"  # 62 / 82


def test_every_column_of_the_panels_is_one_that_tables_give() -> None:
    from rxrx_lib.study.tables import BESIDE_TABLE1, GENERALIZATIONS, TABLE1

    known = TABLE1.keys() | BESIDE_TABLE1.keys() | GENERALIZATIONS.keys()
    for columns in (panels.ACCURACY_COLUMNS, panels.TREATMENT_COLUMNS, panels.BATCH_COLUMNS):
        assert columns.keys() <= known
    assert not cells(table1_results(), {"nothing": ("separated", "nothing")})


def test_a_method_that_the_paper_lacks_has_no_difference_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = panels.paper_differences("table1", "accuracy_separated")
    monkeypatch.setitem(METHODS, "fifth", METHODS["adabn"])
    assert panels.paper_differences("table1", "accuracy_separated") == before
    assert before["adabn"] == pytest.approx(12.0)


def test_the_data_behind_a_figure_name_their_replicates() -> None:
    results = table1_results()
    data = panels.panel_data(panels.difference_figure_panels(results), results)
    adabn = data[(data["method"] == "AdaBN") & (data["panel"] == "Accuracy, batch-separated")]
    assert dict(zip(adabn["screen/training seed"], adabn["value"], strict=True)) == {
        "10/0": 20.0,
        "11/1": 12.0,
        "12/2": 4.0,
    }


def test_reference_lines_are_said_where_they_were_measured() -> None:
    results = table1_results().assign(line_uniform=2.0, line_cell_type=7.8)
    assert panels.line_words(results) == "uniform guess 1/E 2.0, cell type alone 7.8"


def test_the_table_has_a_row_a_control_with_luck_beside_what_was_measured() -> None:
    results = control_results(baseline=40.0, adabn=41.0)
    table = panels.control_panel(results).set_index("control")
    assert list(table.index) == ["No technical effects", "Shuffled labels", "No phenotypes"]
    assert table.loc["No technical effects", "AdaBN"].startswith("41.0")
    assert table.loc["No phenotypes", "Baseline"].startswith("3.0")
    assert table.loc["Shuffled labels", "AdaBN"] == ""
    assert table.loc["Shuffled labels", "same answers, names exchanged"].startswith("4.0")
    shuffled = results[results["labels"] == "shuffled"]
    assert list(panels.control_panel(shuffled)["control"]) == ["Shuffled labels"]
    assert panels.control_panel(pd.DataFrame([])).empty
