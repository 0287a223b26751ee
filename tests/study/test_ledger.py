"""Every number of the paper is in the ledger, whatever has been run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rxrx_lib.study import ledger as ledger_module
from rxrx_lib.study import paper
from rxrx_lib.study.catalogue import separated_runs
from rxrx_lib.study.ledger import ledger, remeasured, written
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.runs import open_run
from tests.study.handmade import (
    component_results,
    control_results,
    few_results,
    normalization_results,
    strength_results,
    subset_results,
    table1_results,
    tradeoff_results,
    variant_results,
)
from tests.study.stored import finish_with_predictions, made_up_predictions

HEAD = "item,row,column,paper,rxrx1,rxrx1_sd,rxrx1_n,simulated,simulated_sd,simulated_n,data"
MEASURED = ["rxrx1", "rxrx1_sd", "rxrx1_n", "simulated", "simulated_sd", "simulated_n"]
DEMO = PROFILES["demo"]


def as_csv(rows: pd.DataFrame) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(rows, "csv"))))


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pd.DataFrame:
    """Return the ledger of a store with the hand-made results under the demo profile."""
    normalized = normalization_results()
    made = {
        "table1": table1_results(),
        "negative_controls": control_results(baseline=40.0, adabn=41.0),
        "reversal_tradeoff": tradeoff_results(),
        "table2": variant_results(),
        "table4": few_results(),
        "table5": normalized[normalized["method"] == "baseline"],
        "table6": normalized[normalized["method"] == "adabn"],
        "figure9": subset_results(),
        "strength": strength_results(),
        "components": component_results({"blur": (30.0, 12.0, 3.0)}),
    }

    def gather(specs: list[Any], store: Path) -> pd.DataFrame:
        names = {tuple(s.id for s in runs(DEMO)): n for n, runs in ledger_module.CATALOGUE.items()}
        name = names.get(tuple(spec.id for spec in specs))
        return made[name] if name in made else pd.DataFrame([])

    monkeypatch.setattr(ledger_module, "gather", gather)
    return ledger(tmp_path, DEMO)


def test_an_empty_store_gives_the_papers_numbers_and_nothing_measured(tmp_path: Path) -> None:
    rows = ledger(tmp_path, DEMO)
    places = [(n.item, n.row, n.column, n.value) for n in paper.numbers()]
    assert sorted(rows[["item", "row", "column", "paper"]].itertuples(index=False, name=None)) == (
        sorted(places)
    )
    assert rows[MEASURED].isna().all(axis=None)
    assert set(rows["data"]) == {""}
    assert not list(tmp_path.iterdir())


def test_none_of_the_72_accuracies_is_measured_in_an_empty_store(tmp_path: Path) -> None:
    assert remeasured(ledger(tmp_path, DEMO)) == (0, 72)


def test_simulated_numbers_count_as_nothing_measured_on_rxrx1(filled: pd.DataFrame) -> None:
    assert filled["simulated"].notna().sum() > 20
    assert remeasured(filled) == (0, 72)


def test_accuracies_measured_on_rxrx1_are_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        ledger_module,
        "gather",
        lambda specs, store: (
            table1_results()
            if specs == ledger_module.CATALOGUE["table1"](PROFILES["paper"])
            else pd.DataFrame([])
        ),
    )
    rows = ledger(tmp_path, PROFILES["paper"])
    assert remeasured(rows) == (16, 72)
    assert rows["simulated"].isna().all()
    assert set(rows["data"]) == {"", "rxrx1"}


def test_csv_has_exactly_the_promised_head_and_empty_fields(tmp_path: Path) -> None:
    text = written(ledger(tmp_path, DEMO), "csv")
    assert text.splitlines()[0] == HEAD
    rows = as_csv(ledger(tmp_path, DEMO))
    assert {row[name] for row in rows for name in MEASURED} == {""}
    (first,) = (
        r
        for r in rows
        if (r["item"], r["row"], r["column"]) == ("table1", "adabn", "accuracy_separated")
    )
    assert first["paper"] == "87.1"


def test_paper_and_simulation_stand_in_columns_of_their_own(filled: pd.DataFrame) -> None:
    by_place = {(r["item"], r["row"], r["column"]): r for r in as_csv(filled)}
    assert by_place["table1", "baseline", "accuracy_separated"] == {
        "item": "table1",
        "row": "baseline",
        "column": "accuracy_separated",
        "paper": "75.1",
        "rxrx1": "",
        "rxrx1_sd": "",
        "rxrx1_n": "",
        "simulated": "50",
        "simulated_sd": "10",
        "simulated_n": "3",
        "data": "simulated demo",
    }
    ratio = by_place["table1", "baseline", "generalization"]
    assert (ratio["simulated"], ratio["simulated_sd"], ratio["simulated_n"]) == (
        "62.5",
        "12.5",
        "3",
    )
    beside = by_place["table1", "baseline", "batch_probe_linear"]
    assert (beside["paper"], beside["simulated"]) == ("", "31")
    curve = by_place["reversal_tradeoff", "gradient_reversal_10", "batch_probe_linear"]
    assert (curve["simulated"], curve["simulated_n"]) == ("30", "2")
    few = by_place["table4", "adabn", "U2OS"]
    assert (few["paper"], few["simulated"], few["simulated_n"]) == ("44", "34", "1")
    variant = by_place["table2", "resnet50", "adabn"]
    assert (variant["paper"], variant["simulated"], variant["simulated_n"]) == ("83.9", "46", "2")
    beside = by_place["table6", "plate_all", "accuracy_wells"]
    assert (beside["paper"], beside["simulated"]) == ("", "53")
    subset = by_place["figure9", "channels_12345", "gain"]
    assert (subset["paper"], subset["simulated"], subset["simulated_n"]) == ("2", "1", "1")
    strong = by_place["strength", "adabn_2", "accuracy"]
    assert (strong["paper"], strong["simulated"], strong["simulated_n"]) == ("", "71.5", "2")
    part = by_place["components", "blur", "share_self"]
    assert (part["paper"], part["simulated"], part["simulated_n"]) == ("", "18", "2")
    control = by_place["negative_controls", "technical_off", "adabn"]
    assert (control["paper"], control["simulated"]) == ("", "41")


def test_numbers_of_some_items_are_those_of_all(filled: pd.DataFrame, tmp_path: Path) -> None:
    everything = ledger_module.measured(tmp_path, DEMO)
    some = ledger_module.measured(tmp_path, DEMO, ["table2", "figure9"])
    assert some == {
        place: cell for place, cell in everything.items() if place[0] in ("table2", "figure9")
    }
    assert {item for item, _, _ in some} == {"table2", "figure9"}


def test_every_place_is_there_once(filled: pd.DataFrame) -> None:
    assert not filled.duplicated(["item", "row", "column"]).any()


def test_all_forms_hold_the_same_numbers(filled: pd.DataFrame) -> None:
    from_csv = as_csv(filled)
    from_json = json.loads(written(filled, "json"))
    lines = written(filled, "md").splitlines()
    assert len(from_csv) == len(from_json) == len(lines) - 2 == len(filled)
    assert lines[0] == "| " + HEAD.replace(",", " | ") + " |"
    for row, record, line in zip(from_csv, from_json, lines[2:], strict=True):
        words = [word.strip() for word in line.strip("|").split("|")]
        assert words == list(row.values())
        for name in ("paper", *MEASURED):
            assert (row[name] == "") is (record[name] is None)
            if row[name]:
                assert float(row[name]) == pytest.approx(record[name], rel=1e-3)


def test_a_smaller_task_on_rxrx1_has_rows_of_its_own_beside_no_number_of_the_paper(
    tmp_path: Path,
) -> None:
    controls = PROFILES["controls"]
    spec = separated_runs(controls)[0]
    finish_with_predictions(spec, tmp_path, made_up_predictions(spec))
    rows = ledger(tmp_path, controls)
    own = rows[rows["item"].str.startswith("controls/")]
    assert set(own["data"]) == {"rxrx1 controls"}
    assert own["paper"].isna().all()
    assert own["simulated"].isna().all()
    places = zip(own["item"], own["row"], own["column"], strict=True)
    value = dict(zip(places, own["rxrx1"], strict=True))
    accuracy = open_run(tmp_path, spec).metrics()["accuracy"]
    assert value["controls/table1", spec.method, "accuracy_separated"] == pytest.approx(accuracy)
    assert rows.drop(own.index)["rxrx1"].isna().all()
    assert remeasured(rows) == (0, remeasured(rows)[1])
