"""Accuracies that are not counted over sites, against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rxrx_lib.study.catalogue import separated_runs
from rxrx_lib.study.counted_otherwise import (
    FILE_NAME,
    by_cell_type,
    keep_by_cell_type,
    lacks_by_cell_type,
    table1_otherwise,
    table3_otherwise,
)
from rxrx_lib.study.derived import own_prediction, read_derived
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.runs import open_run
from tests.study.handmade import REPLICATES, row
from tests.study.stored import finish_with_predictions

DEMO = PROFILES["demo"]
COLUMNS = ("cell", "well", "type", "sirna", "named", "logit")
SITES = [
    # HUVEC: a treatment's well with one right site, a control's two wells, all right
    ("HUVEC", "a", "treatment", 0, 0, 5.0),
    ("HUVEC", "a", "treatment", 0, 1, 1.0),
    ("HUVEC", "b", "positive_control", 2, 2, 1.0),
    ("HUVEC", "b", "positive_control", 2, 2, 1.0),
    ("HUVEC", "c", "positive_control", 2, 2, 1.0),
    ("HUVEC", "c", "positive_control", 2, 2, 1.0),
    # U2OS: controls alone, half right; the surer site is wrong
    ("U2OS", "d", "negative_control", 3, 3, 1.0),
    ("U2OS", "d", "negative_control", 3, 1, 2.0),
]


def predictions() -> dict[str, np.ndarray]:
    """Return a run's predictions on the eight sites; one class of each site was kept."""
    some = dict(zip(COLUMNS, map(np.array, zip(*SITES, strict=True)), strict=True))
    n = len(SITES)
    second = np.where(some["named"] == 4, 0, 4)  # never right
    return {
        "split": np.asarray("separated"),
        "unit": np.asarray("experiment"),
        "classes": np.asarray(5),
        "experiments": np.asarray(2),
        "whole_wells": np.asarray(True),
        "site_id": np.array([f"s{k}" for k in range(n)]),
        "well_id": some["well"],
        "plate": np.ones(n, np.int64),
        "experiment": np.array([f"SIM-{name}-01" for name in some["cell"]]),
        "cell_type": some["cell"],
        "well_type": some["type"],
        "sirna_id": some["sirna"],
        "predicted_experiment": np.array([f"SIM-{name}-01" for name in some["cell"]]),
        "top_sirna_id": np.stack([some["named"], second], 1).astype(np.int16),
        "top_logit": np.stack([some["logit"], np.zeros(n)], 1).astype(np.float32),
        "side": np.full(n, "test"),
    }


def test_each_cell_type_is_counted_by_itself() -> None:
    assert by_cell_type(predictions()) == {
        "macro": {"HUVEC": 75.0, "U2OS": 50.0},  # of two classes and of one
        "wells": {"HUVEC": 100.0, "U2OS": 0.0},  # the surer site decides
        "treatments": {"HUVEC": 50.0},
    }


def test_only_sites_of_the_test_side_count() -> None:
    arrays = predictions()
    arrays["side"][:2] = "train"
    found = by_cell_type(arrays)
    assert found["macro"]["HUVEC"] == 100.0
    assert "HUVEC" not in found["treatments"]


@pytest.mark.parametrize("lost", ["logits", "wells"])
def test_without_logits_or_whole_wells_nothing_is_counted_over_wells(lost: str) -> None:
    arrays = predictions()
    if lost == "logits":
        del arrays["top_logit"]
    else:
        arrays["whole_wells"] = np.asarray(False)
    assert by_cell_type(arrays).keys() == {"macro", "treatments"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for spec in separated_runs(DEMO)[:8]:  # two replicates
        finish_with_predictions(spec, tmp_path, predictions())
    return tmp_path


def test_table_3_has_each_way_of_each_replicate(store: Path) -> None:
    found = {(c.row, c.column): c for c in table3_otherwise(separated_runs(DEMO), store)}
    assert len(found) == 4 * 5
    cell = found["adabn", "HUVEC_macro"]
    assert (cell.value, cell.n, cell.sd) == (75.0, 2, 0.0)
    assert ("adabn", "U2OS_treatments") not in found


def test_what_was_counted_is_kept_and_read_when_logits_are_gone(store: Path) -> None:
    specs = separated_runs(DEMO)
    for spec in [spec for spec in specs if lacks_by_cell_type(spec, store)]:
        keep_by_cell_type(spec, store)
        assert not lacks_by_cell_type(spec, store)
    before = {(c.row, c.column): c.value for c in table3_otherwise(specs, store)}
    folder = own_prediction(open_run(store, specs[0]), specs[0])
    assert read_derived(folder, FILE_NAME) == by_cell_type(predictions())
    arrays = predictions()
    del arrays["top_logit"]
    np.savez(folder / "predictions.npz", **arrays)
    assert {(c.row, c.column): c.value for c in table3_otherwise(specs, store)} == before


def test_an_empty_store_has_none(tmp_path: Path) -> None:
    assert table3_otherwise(separated_runs(DEMO), tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_generalization_is_a_ratio_of_means_counted_in_the_same_way() -> None:
    import pandas as pd

    made = {"separated": (30.0, 40.0), "stratified_by_site": (50.0, 90.0)}
    rows = [
        row("adabn", split, name, 99.0, accuracy_macro=macro, accuracy_wells=macro + 5)
        for split, values in made.items()
        for name, macro in zip(REPLICATES[:2], values, strict=True)
    ]
    results = pd.DataFrame(rows)
    by_site = results["split"] == "stratified_by_site"
    results.loc[by_site, "accuracy_wells"] = float("nan")  # wells are torn apart
    found = {(c.row, c.column): c for c in table1_otherwise(results)}
    assert found.keys() == {("adabn", "generalization_macro")}
    assert found["adabn", "generalization_macro"].value == pytest.approx(100 * 70 / 140)
    own = [100 * 30 / 50, 100 * 40 / 90]
    assert list(found["adabn", "generalization_macro"].replicates.values()) == pytest.approx(own)
