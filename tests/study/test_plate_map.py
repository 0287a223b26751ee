"""The plate and its interactive map: what they hold."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data.metadata import WELLS
from rxrx_lib.study import plate_map
from rxrx_lib.study.plate_explorer import plate_data, plate_explorer
from rxrx_lib.study.well_intensity import MEANS
from tests.data.screens import screen_table

EXPERIMENTS = {
    "HUVEC-01": "train",
    "HUVEC-02": "test",
    "U2OS-01": "train",
    "U2OS-02": "train",
    "RPE-01": "test",
}
TABLE = screen_table(EXPERIMENTS, positives=2)


def wells_of(table: pd.DataFrame, cells: float = 12.0) -> pd.DataFrame:
    wells = table[table["site"] == 1].drop(columns=["site", "site_id"]).assign(sites=2)
    levels = np.arange(len(wells) * 6).reshape(-1, 6) / 7
    wells[list(MEANS)] = levels
    return wells.assign(cells=cells).reset_index(drop=True)


WELLS_HERE = wells_of(TABLE)


def test_each_cell_type_is_shown_before_any_second_time() -> None:
    shown = plate_map.shown_experiments(TABLE)
    assert shown == ["HUVEC-01", "U2OS-01", "HUVEC-02", "RPE-01"]
    each = 4 * (1 + 2 + 1)
    assert plate_map.shown_experiments(TABLE, 2 * each) == ["HUVEC-01", "U2OS-01"]
    assert plate_map.shown_experiments(TABLE, 1) == ["HUVEC-01"]


def test_the_first_plate_is_in_reading_order_whatever_the_files_is() -> None:
    mixed = WELLS_HERE.iloc[:16].sample(frac=1, random_state=0)
    mixed = mixed.sort_values("experiment", kind="stable")
    plate = plate_map.first_plate(mixed)
    assert set(plate["plate"]) == {1}
    assert plate["well"].tolist() == ["B02", "B03", "B04", "B05"]


def test_numbers_that_nobody_knows_are_said_to_be_unknown() -> None:
    plate = plate_map.first_plate(WELLS_HERE)
    assert set(plate_map.plate_numbers(plate)["cells"]) == {"12"}
    unknown = plate_map.plate_numbers(plate.assign(cells=np.nan))
    assert set(unknown["cells"]) == {"not known"}
    assert "1 nuclei" in unknown
    notes = plate_map.map_notes(WELLS_HERE.assign(cells=np.nan), TABLE)
    assert "not known" in notes[-1]
    assert "simulator's own count" in plate_map.map_notes(WELLS_HERE, TABLE)[-1]


def embedded(page: str) -> dict:
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)
    return json.loads(text)


def test_the_map_holds_every_well_once_with_its_numbers() -> None:
    data = embedded(plate_explorer(WELLS_HERE, simulated=True).page)
    assert data["badge"] == "SIMULATED"
    assert [each["name"] for each in data["experiments"]] == list(EXPERIMENTS)
    assert [each["side"] for each in data["experiments"]][:2] == ["training", "test"]
    found = [
        (each["name"], int(plate), WELLS[well[0]], data["sirnas"][well[2]], well[3], *well[4:])
        for each in data["experiments"]
        for plate, packed in each["plates"].items()
        for well in packed
    ]
    columns = ["experiment", "plate", "well", "sirna", "cells", *MEANS]
    expected = WELLS_HERE[columns].round(2).itertuples(index=False, name=None)
    assert sorted(found) == sorted(expected)


def test_wells_without_a_label_have_no_sirna_in_common() -> None:
    unlabelled = TABLE["experiment"].eq("HUVEC-02") & TABLE["well_type"].eq("treatment")
    table = TABLE.assign(
        sirna=TABLE["sirna"].mask(unlabelled, ""),
        sirna_id=TABLE["sirna_id"].mask(unlabelled, -1),
    )
    data = plate_data(wells_of(table), simulated=False)
    assert "" not in data["sirnas"]
    (experiment,) = (each for each in data["experiments"] if each["name"] == "HUVEC-02")
    sirnas = [well[2] for plate in experiment["plates"].values() for well in plate]
    assert sirnas.count(-1) == 4
    assert {data["sirnas"][k] for k in sirnas if k >= 0} == {"EMPTY", "s1108", "s1109"}


def test_cells_that_nobody_counted_are_left_open() -> None:
    data = plate_data(WELLS_HERE.assign(cells=np.nan), simulated=False)
    assert data["badge"] is None
    assert data["experiments"][0]["plates"]["1"][0][3] is None


def test_names_cannot_leave_the_data() -> None:
    name = "</script><img src=x onerror=alert(1)>&amp;<!--"
    page = plate_explorer(WELLS_HERE.assign(sirna=name), simulated=True).page
    assert embedded(page)["sirnas"] == [name]
    assert "<img" not in page
    assert page.count("</script>") == 2


def test_a_page_with_whole_experiments_of_the_release_stays_small() -> None:
    table = screen_table(
        {f"{cell}-01": "train" for cell in ("HUVEC", "RPE", "HEPG2", "U2OS")},
        treatments=1108,
        positives=30,
    )
    wells = wells_of(table)
    assert len(wells) == 4928 <= plate_map.MOST_WELLS
    wells[list(MEANS)] = 123.456
    page = plate_explorer(wells.assign(cells=1234.0), simulated=True).page
    assert len(page.encode()) < 500_000


def test_the_map_brings_all_that_it_needs() -> None:
    page = plate_explorer(WELLS_HERE, simulated=True).page
    urls = set(re.findall(r"\w+://[^\s\"']+", page))
    assert urls == {"http://www.w3.org/2000/svg"}  # a name space, not an address to fetch
    assert re.search(r"\b(src|href)\s*=|@import|url\(|innerHTML|\beval\b", page) is None
    assert "<noscript>" in page


@pytest.mark.parametrize("sign", ["<", ">", "&"])
def test_no_sign_of_html_stands_in_the_data(sign: str) -> None:
    page = plate_explorer(WELLS_HERE.assign(sirna=f"a{sign}b"), simulated=True).page
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert sign not in text
