"""Which sites a sheet shows."""

from __future__ import annotations

import pandas as pd
import pytest

from rxrx_lib.study import site_choice
from tests.data.screens import screen_table

TABLE = screen_table()


def looked_up(grid: site_choice.Grid, table: pd.DataFrame, column: str) -> list[list[str]]:
    return [table[column].iloc[list(line)].tolist() for line in grid.sites]


def test_rows_are_sirnas_and_columns_experiments() -> None:
    grid = site_choice.across_experiments(TABLE, sirnas=3, experiments=2)
    assert grid.column_names == ("HUVEC-01", "HUVEC-02")
    assert grid.row_names == ("s0000", "s0001", "s0002")
    assert looked_up(grid, TABLE, "experiment") == [["HUVEC-01", "HUVEC-02"]] * 3
    assert looked_up(grid, TABLE, "sirna") == [[name] * 2 for name in grid.row_names]
    assert looked_up(grid, TABLE, "site") == [[1, 1]] * 3


def test_an_sirna_that_an_experiment_lacks_is_passed_over() -> None:
    gone = (TABLE["experiment"] == "HUVEC-02") & (TABLE["sirna"] == "s0000")
    table = TABLE[~gone]
    grid = site_choice.across_experiments(table, sirnas=5, experiments=5)
    assert grid.row_names == ("s0001", "s0002", "s0003")
    assert grid.column_names == ("HUVEC-01", "HUVEC-02", "HUVEC-03")
    assert looked_up(grid, table, "sirna") == [[name] * 3 for name in grid.row_names]


def test_cell_types_stand_in_their_order_below_empty() -> None:
    table = screen_table({"U2OS-01": "train", "RPE-02": "train", "RPE-01": "test"})
    grid = site_choice.across_cell_types(table, sirnas=2)
    assert grid.column_names == ("RPE", "U2OS")
    assert grid.row_names == ("EMPTY", "s0000", "s0001")
    assert looked_up(grid, table, "experiment") == [["RPE-01", "U2OS-01"]] * 3
    assert looked_up(grid, table, "sirna") == [[name] * 2 for name in grid.row_names]


def test_one_plate_shows_empty_and_its_treatments() -> None:
    table = screen_table(treatments=12)
    grid = site_choice.same_plate(table, sirnas=2)
    assert grid.column_names == ("EMPTY", "s0000", "s0004")
    (plates,) = looked_up(grid, table, "plate")
    assert set(plates) == {1}


def test_sites_without_a_label_are_never_shown() -> None:
    table = TABLE.assign(sirna_id=TABLE["sirna_id"].mask(TABLE["experiment"] == "HUVEC-01", -1))
    grid = site_choice.across_experiments(table, sirnas=1, experiments=5)
    assert grid.column_names == ("HUVEC-02", "HUVEC-03")
    with pytest.raises(ValueError, match="no siRNA has a labelled site in each experiment"):
        site_choice.across_experiments(TABLE.assign(sirna_id=-1), sirnas=1, experiments=5)


def test_the_shown_cell_type_is_the_papers_where_there_is_one() -> None:
    assert site_choice.shown_cell_type(TABLE) == "HUVEC"
    assert site_choice.shown_cell_type(TABLE[TABLE["cell_type"] == "U2OS"]) == "U2OS"
    row = site_choice.untreated_site(TABLE)
    assert TABLE.iloc[row][["cell_type", "sirna", "site"]].tolist() == ["HUVEC", "EMPTY", 1]
