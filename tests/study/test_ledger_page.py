"""The ledger's two tables: every number once, the paper's and the measured ones apart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rxrx_lib.study import ledger_page, pages, paper
from rxrx_lib.study.ablations import QUANTITIES
from rxrx_lib.study.counted_otherwise import BY_CELL_TYPE, BY_WELL, WAYS
from rxrx_lib.study.errata import Kind, touching
from rxrx_lib.study.ledger_page import (
    Counted,
    counted_columns,
    measured_data,
    measured_table,
    paper_data,
    paper_table,
    summary,
)
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.tables import BESIDE_TABLE1, GENERALIZATIONS, TABLE1, Cell

DEMO = PROFILES["demo"]


def cell(row: str, column: str, *values: float) -> Cell:
    replicates = {f"{k}/{k}": value for k, value in enumerate(values)}
    return Cell(row=row, column=column, value=sum(values) / len(values), replicates=replicates)


FOUND = {
    ("table1", "adabn", "accuracy_separated"): cell("adabn", "accuracy_separated", 60.0, 62.0),
    ("table1", "adabn", "macro_separated"): cell("adabn", "macro_separated", 50.0, 52.0),
    ("table1", "adabn", "generalization"): Cell(
        row="adabn", column="generalization", value=80.0, replicates={"0/0": 79.0, "0/1": 83.0}
    ),
    ("table2", "resnet50", "baseline"): cell("resnet50", "baseline", 40.0),
    ("figure9", "channels_12345", "gain"): cell("channels_12345", "gain", 1.0),
}


def test_the_papers_72_numbers_stand_there_once_and_wait() -> None:
    table = paper_table({})
    assert len(table) == 72
    assert not table.duplicated(["table", "row", "column"]).any()
    assert set(table["RxRx1, this code"]) == {"not run here"}
    printed = [n for n in paper.numbers() if n.item != "figure9"]
    values = [float(words.split("\N{NO-BREAK SPACE}")[0]) for words in table["paper"]]
    assert values == [number.value for number in printed]
    assert ["±" in words for words in table["paper"]] == [n.sd is not None for n in printed]


def test_no_simulated_number_gets_into_the_papers_table() -> None:
    # the same places, measured on a screen, are of another table
    assert "61.0" not in paper_table({}).to_csv()
    assert "simulated" not in " ".join(paper_data({}).columns)


def test_what_was_measured_on_rxrx1_stands_beside_the_papers_number() -> None:
    table = paper_table(FOUND).set_index(["table", "row", "column"])["RxRx1, this code"]
    place = ("Table 1", "AdaBN", "Accuracy, separated")
    assert table[place].replace("\N{NO-BREAK SPACE}", " ") == "61.0 ± 1.4 (n = 2)"
    assert (table == "not run here").sum() == 72 - 3
    assert summary(FOUND)[0].endswith("3 of them have been measured on RxRx1 so far.")


def test_each_remark_links_to_its_erratum_and_numbers_at_odds_are_marked() -> None:
    remarks = paper_table({})["remarks"]
    places = [(n.item, n.row, n.column) for n in paper.numbers() if n.item != "figure9"]
    for place, words in zip(places, remarks, strict=True):
        linked = re.findall(r"\{ref\}`erratum (\d+) <erratum-(\d+)>`", words)
        assert all(shown == target for shown, target in linked)
        beside = touching(place, Kind.AT_ODDS, Kind.UNCLEAR)
        assert {int(n) for n, _ in linked} == {touch.erratum for touch in beside}
        assert (ledger_page.AT_ODDS in words) == bool(touching(place, Kind.AT_ODDS))
        assert all(touch.note in words for touch in beside)
    at_odds = sum(ledger_page.AT_ODDS in words for words in remarks)
    assert any(line.startswith(f"{at_odds} of them are marked") for line in summary({}))


def test_the_papers_file_has_ids_numbers_and_every_erratum() -> None:
    data = paper_data(FOUND).set_index(["item", "row", "column"])
    first = data.loc[("table1", "adabn", "accuracy_separated")]
    assert (first["paper"], first["paper_sd"], first["paper_n"]) == (87.1, 0.2, 5)
    assert (first["rxrx1"], first["rxrx1_n"]) == (61.0, 2)
    assert first["errata"] == "15 18 19"
    assert first["at_odds"]
    assert data["paper"].notna().all()
    assert (data["errata"] != "").all()  # what is said once of many is in the file for each


def test_measured_numbers_are_shown_in_every_way_of_counting_with_deviation_and_count() -> None:
    table = measured_table(FOUND, DEMO)
    assert list(table.columns[3:]) == [*ledger_page.COUNTED_OVER.values(), "n"]
    words = [[w.replace("\N{NO-BREAK SPACE}", " ") for w in row] for row in table.to_numpy()]
    assert words == [
        ["Table 1", "AdaBN", "Accuracy, separated", "61.0 ± 1.4", "51.0 ± 1.4", "–", "–", "2"],
        ["Table 1", "AdaBN", "Batch generalization, by site", "80.0 ± 2.8", "–", "–", "–", "2"],
        ["Table 2", words[2][1], "Baseline", "40.0", "–", "–", "–", "1"],
    ]
    assert words[2][1] == "resnet_small (sibling of ResNet-50)"  # named as what it is


def test_the_measured_file_says_of_which_profile_it_is() -> None:
    data = measured_data(FOUND, DEMO)
    assert set(data["profile"]) == {"demo"}
    assert list(data["sites"]) == [61.0, 80.0, 40.0]
    assert list(data["sites_n"]) == [2, 2, 1]
    assert list(data["classes"].fillna(0)) == [51.0, 0, 0]
    assert "paper" not in data


def test_nothing_measured_gives_empty_tables() -> None:
    assert measured_table({}, DEMO).empty
    assert measured_data({}, DEMO).empty


def test_every_column_that_the_page_asks_for_is_one_that_the_ledger_can_have() -> None:
    ratios = {f"{name}_{way}" for name in GENERALIZATIONS for way in WAYS}
    known = {*TABLE1, *BESIDE_TABLE1, *GENERALIZATIONS, *BY_WELL, *ratios}
    assert columns("table1") <= known
    assert columns("table3") == {*paper.COLUMN_LABELS["table3"], *BY_CELL_TYPE}
    endings = set(QUANTITIES)
    for item in ("table2", "table4", "table5", "table6"):
        assert columns(item) == {
            f"{column}{ending}" for column in paper.COLUMN_LABELS[item] for ending in endings
        }


def columns(item: str) -> set[str]:
    return {name for counted in counted_columns(item) for name in counted if name is not None}


def test_every_number_of_the_paper_has_its_place_in_the_measured_table() -> None:
    for item in ledger_page.TABLES:
        sites = [counted.sites for counted in counted_columns(item)]
        assert set(paper.COLUMN_LABELS[item]) <= set(sites)
        assert set(sites) == set(ledger_page.MEASURED_LABELS[item])


def test_accuracies_alone_are_counted_in_other_ways() -> None:
    (batch, *_) = (c for c in counted_columns("table1") if c.sites == "batch_classification")
    assert batch == Counted("batch_classification")


def test_in_jupyter_remarks_are_words_without_marks_of_the_book() -> None:
    shown = pages.table(paper_table({}), caption="c", name="n", style="ledger")
    assert ":class: ledger" in shown.myst
    assert "erratum 9" in shown.page
    assert 'class="dataframe ledger"' in shown.page
    assert not re.search(r"\{ref\}|<erratum|&lt;|\{\.", shown.page)


def test_the_box_is_hidden_until_its_script_runs_and_names_itself() -> None:
    page = ledger_page.search_box(["numbers", 'rows "here"']).page
    assert re.match(r'<div class="ledger-search" data-names="[^"]+" hidden>', page)
    assert '<label for="ledger-words">' in page
    assert 'role="status" aria-live="polite"' in page


def test_the_script_is_small_and_of_our_own() -> None:
    text = Path(ledger_page.SCRIPT).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
    assert not re.search(r"https?:|import|fetch|innerHTML", text)


@pytest.mark.parametrize("name", ["ledger_search.js", "plate_explorer.js"])
def test_scripts_are_part_of_the_package(name: str) -> None:
    settings = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    (listed,) = re.findall(r"^rxrx_lib = \[(.*)\]$", settings, re.M)
    assert any(Path(f"study/{name}").match(pattern) for pattern in re.findall(r'"(.+?)"', listed))
