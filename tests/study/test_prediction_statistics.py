"""What a prediction is normalised by: the ways, their table, sentences and figure."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import ledger as ledger_module
from rxrx_lib.study import prediction_statistics as words
from rxrx_lib.study.catalogue import CATALOGUE, table1
from rxrx_lib.study.claims import PERCENT
from rxrx_lib.study.panels import PLUS_MINUS
from rxrx_lib.study.prediction_figures import statistics_figure
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.spec import PredictSpec
from rxrx_lib.training.pools import STATISTICS
from tests.data.screens import screen_table
from tests.study.handmade import REPLICATES, row
from tests.study.tiny import run_spec

# Accuracy on treatments by method and statistics, one value a replicate.
TREATMENTS = {
    ("adabn", "experiment"): (60.0, 62.0, 64.0),
    ("adabn", "plate"): (50.0, 51.0, 52.0),
    ("adabn", "empty"): (59.0, 63.0, 64.0),
    ("baseline", "training"): (40.0, 42.0, 44.0),
    ("baseline", "experiment"): (50.0, 52.5, 53.5),
}


def results(replicates: int = 3) -> pd.DataFrame:
    rows = [
        row(
            method,
            "separated",
            replicate,
            value + 10,
            id=f"{method}-{replicate}",
            statistics=statistics,
            accuracy_treatments=value,
            chance_accuracy=5.0,
            seconds=2.0,
            code="rxrx_lib 0",
        )
        for (method, statistics), found in TREATMENTS.items()
        for replicate, value in zip(REPLICATES[:replicates], found, strict=False)
    ]
    return pd.DataFrame(rows)


SIZES = dict.fromkeys(STATISTICS, 48.0) | {"plate": 12.0, "training": 0.0}


def test_every_way_of_predicting_is_on_the_page_and_has_a_name() -> None:
    assert words.LABELS.keys() == STATISTICS.keys()
    assert set(words.WAYS["adabn"]) == STATISTICS.keys()


def test_the_page_asks_for_the_ways_of_a_runs_method_without_embeddings() -> None:
    asked = words.asked(run_spec("baseline"))
    assert asked == [
        PredictSpec(statistics=name, embeddings=False) for name in ("training", "experiment")
    ]
    assert words.asked(run_spec("gradient_reversal")) == []


@pytest.mark.parametrize("name", [name for name, each in PROFILES.items() if each.replicates])
def test_its_runs_are_table_1s_own_so_that_nothing_is_trained_for_it(name: str) -> None:
    specs = CATALOGUE["test_time_statistics"](PROFILES[name])
    assert set(specs) <= set(table1(PROFILES[name]))
    assert len(specs) == 2 * len(PROFILES[name].replicates)
    assert {(spec.split.name, spec.method) for spec in specs} == {
        ("separated", "adabn"),
        ("separated", "baseline"),
    }


def test_the_table_has_a_row_a_way_with_means_intervals_and_paired_differences() -> None:
    table = words.table(results(), SIZES)
    assert table["weights"].tolist() == ["AdaBN", "", "", "Baseline", ""]
    assert table["normalised by"].tolist() == [
        "whole experiment (its own)",
        "the site's plate",
        "EMPTY wells",
        "training, running statistics (its own)",
        "whole experiment",
    ]
    assert table["sites"].tolist() == ["48", "12", "48", "", "48"]
    assert table["minus its own"].tolist() == ["", "−11.0", "+0.0", "", "+10.0"]
    assert table["treatments"].iloc[1] == f"51.0{PLUS_MINUS}2.5"  # t(0.975, 2) · 1 / √3 = 2.48
    assert table["all sites"].iloc[1] == f"61.0{PLUS_MINUS}2.5"
    pd.testing.assert_frame_equal(words.table(results()), table.drop(columns="sites"))


def test_sentences_say_above_below_or_neither_as_the_paired_interval_does() -> None:
    plate, empty, baseline, count = words.claims(results())
    assert plate.startswith("AdaBN's weights, normalised by the site's plate, lie below whole exp")
    assert f"−11.0 points on treatments (95{PERCENT} interval −13.5 to −8.5, 3 repl" in plate
    assert "EMPTY wells, cannot be told from whole experiment: +0.0 points" in empty
    assert baseline.startswith("Baseline's weights, normalised by whole experiment, lie above trai")
    assert count.startswith("These are 3 comparisons")


def test_one_replicate_says_nothing_of_its_spread() -> None:
    assert words.claims(results(1))[0] == (
        "AdaBN's weights, normalised by the site's plate: −10.0 points on treatments against whole "
        "experiment, from one replicate."
    )
    assert words.table(results(1), SIZES)["treatments"].tolist()[0] == "60.0"


def test_the_sentence_on_the_making_counts_what_was_made_after_the_training() -> None:
    assert words.made_claim(results()) == (
        "15 predictions with the weights of 6 runs; 9 of them made after the training, in 18 s, by "
        "rxrx_lib 0."
    )


def test_an_empty_store_gives_no_cell_and_no_sentence() -> None:
    assert words.cells(pd.DataFrame()) == []
    assert words.claims(pd.DataFrame()) == []


def test_pool_sizes_are_means_over_test_sites() -> None:
    table = screen_table({"RPE-01": "train", "RPE-02": "test", "U2OS-01": "test"}, treatments=8)
    table = table[(table["experiment"] != "U2OS-01") | (table["plate"] <= 2)]
    table = table.reset_index(drop=True)
    sizes = words.pool_sizes(table, 4)
    test = table[table["dataset"] == "test"]
    for statistics, keys, kinds in (
        ("experiment", ["experiment"], set(table["well_type"])),
        ("plate", ["experiment", "plate"], set(table["well_type"])),
        ("controls", ["experiment"], {"positive_control", "negative_control"}),
        ("empty", ["experiment"], {"negative_control"}),
    ):
        counts = test.groupby(keys)["well_type"].transform(lambda kind, k=kinds: kind.isin(k).sum())
        assert sizes[statistics] == pytest.approx(counts.astype(float).mean()), statistics
    assert sizes["training"] == 0
    assert 3 <= sizes["minibatch"] <= 5


def test_the_figure_has_a_row_a_way_and_is_marked_where_it_is_simulated() -> None:
    drawn = statistics_figure(results(), simulated=True)
    names = [
        [label.get_text().replace("\n", " ") for label in axis.get_yticklabels()]
        for axis in drawn.axes
    ]
    assert names[1] == ["training, running statistics (its own)", "whole experiment"]
    assert len(names[0]) == len(STATISTICS)
    assert [axis.get_title(loc="left").split("'")[0] for axis in drawn.axes] == [
        METHODS[method].label for method in words.WAYS
    ]
    assert "SIMULATED" in [text.get_text() for text in drawn.texts]
    assert not statistics_figure(results(), simulated=False).texts


def test_the_numbers_behind_the_figure_are_every_replicates() -> None:
    data = words.figure_data(results())
    assert len(data) == 15
    chosen = data[(data["weights"] == "AdaBN") & (data["normalised by"] == "the site's plate")]
    assert dict(zip(chosen["screen/training seed"], chosen["percent"], strict=True)) == dict(
        zip(REPLICATES, TREATMENTS["adabn", "plate"], strict=True)
    )


def test_the_ledger_has_a_row_a_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        ledger_module,
        "gather_predictions",
        lambda specs, asked, store: (
            results() if specs[0].data.name == "simulated" else pd.DataFrame()
        ),
    )
    rows = ledger_module.ledger(tmp_path, dataclasses.replace(PROFILES["demo"]))
    here = rows[rows["item"] == "test_time_statistics"].set_index(["row", "column"])
    assert here.loc[("adabn by plate", "treatments"), "simulated"] == 51.0
    assert here.loc[("baseline by experiment", "all_sites"), "simulated"] == pytest.approx(62.0)
    assert here["paper"].isna().all()
    assert np.array_equal(here["simulated_n"], [3] * 10)
