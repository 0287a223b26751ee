"""What pages say of what made them, and how tables and numbers are shown."""

from __future__ import annotations

import base64
import re

import pandas as pd
import pytest

from rxrx_lib.study import pages, results
from rxrx_lib.study.profiles import PROFILES
from tests.study.handmade import table1_results

HERE = {"rxrx_lib": "0.1.0", "commit": "a" * 40, "modified": False}
OTHER = "rxrx_lib 0.1.0, commit bbbbbbbbbb"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.setattr(pages, "code_version", lambda: HERE)
    return table1_results().assign(
        code=results.code_words(HERE), hardware="a GPU", date="2026-01-02"
    )


def test_a_page_names_the_code_machine_and_day_of_its_runs(measured: pd.DataFrame) -> None:
    line = pages.banner(PROFILES["demo"], measured).myst
    assert "rxrx_lib 0.1.0, commit aaaaaaaaaa · a GPU · 2026-01-02" in line
    assert "SIMULATED" in line
    assert "page by" not in line


def test_a_page_without_runs_says_so() -> None:
    shown = pages.banner(PROFILES["paper"], pd.DataFrame([]))
    assert "RxRx1" in shown.myst
    assert "· no runs ·" in shown.myst


def test_runs_by_other_code_than_the_pages_are_told_apart(measured: pd.DataFrame) -> None:
    measured.loc[0, "code"] = OTHER
    line = pages.banner(PROFILES["demo"], measured).myst
    assert f"runs by rxrx_lib 0.1.0, commit aaaaaaaaaa; {OTHER}; page by rxrx_lib" in line


def test_uncommitted_changes_are_said() -> None:
    assert results.code_words(HERE | {"modified": True}).endswith("with uncommitted changes")
    assert results.code_words({"rxrx_lib": "0.1.0"}) == "rxrx_lib 0.1.0"


def test_a_page_on_the_release_is_not_marked_simulated(measured: pd.DataFrame) -> None:
    shown = pages.banner(PROFILES["paper"], measured)
    assert "SIMULATED" not in shown.myst + shown.page
    assert "RxRx1" in shown.myst


def test_a_table_has_a_caption_and_a_name() -> None:
    frame = pd.DataFrame([("AdaBN", "62.0")], columns=["method", "separated"])
    assert pages.table(frame, caption="SIMULATED. Accuracy.", name="here").myst.split("\n")[:5] == [
        ":::{table} SIMULATED. Accuracy.",
        ":name: here",
        "",
        "| method | separated |",
        "| --- | --- |",
    ]


def test_the_numbers_behind_a_figure_can_be_saved_as_csv() -> None:
    frame = pd.DataFrame([("10/0", 1.23456)], columns=["replicate", "value"])
    shown = pages.data_behind(frame, "numbers.csv").myst
    (link,) = re.findall(r'download="numbers.csv" href="data:text/csv;base64,([^"]+)"', shown)
    assert base64.b64decode(link).decode() == "replicate,value\n10/0,1.235\n"


def test_a_table_may_have_a_class_for_style_sheet_and_scripts() -> None:
    frame = pd.DataFrame([("AdaBN", "62.0")], columns=["method", "separated"])
    shown = pages.table(frame, caption="c", name="here", style="long")
    assert shown.myst.split("\n")[:3] == [":::{table} c", ":name: here", ":class: long"]
    assert 'class="dataframe long"' in shown.page


def test_links_and_classes_of_the_book_are_plain_words_in_jupyter() -> None:
    frame = pd.DataFrame([("[✗]{.verdict .against} {ref}`erratum 9 <erratum-9>`: why",)])
    shown = pages.table(frame, caption="c", name="here")
    assert "{ref}`erratum 9 <erratum-9>`" in shown.myst
    assert "<td>✗ erratum 9: why</td>" in shown.page


def test_several_tables_can_be_saved_as_csv() -> None:
    frame = pd.DataFrame({"value": [1.25, None]})
    shown = pages.csv_links({"a.csv": frame, "b.csv": frame})
    for text in (shown.myst, shown.page):
        assert re.findall(r'download="(.+?)"', text) == ["a.csv", "b.csv"]
        (first, _) = re.findall(r"base64,(.+?)\"", text)
        assert base64.b64decode(first).decode() == 'value\n1.25\n""\n'


def test_an_absent_number_behind_a_figure_is_an_empty_cell_and_no_nan() -> None:
    shown = pages.data_behind(pd.DataFrame({"a": [1.0, float("nan")]}), "a.csv")
    rows = [line for line in shown.myst.split("\n") if line.startswith("|")]
    assert rows[2:] == ["| 1.00 |", "|  |"]
