"""Sites that a network was trained on, named in prediction: against answers counted by hand."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.study import catalogue, paper
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.results import gather
from rxrx_lib.study.training_sites import (
    METRIC,
    training_sites_claims,
    training_sites_panel,
    with_training_sites,
)
from tests.study.stored import finish_with_predictions, made_up_predictions

DEMO = PROFILES["demo"]
ONE = dataclasses.replace(DEMO, replicates=DEMO.replicates[:1])
FEW, MANY = catalogue.CATALOGUE["table5"](ONE)[:2]
LABELS = {
    each.normalization: paper.NORMALIZATIONS[each.normalization]
    for each in (FEW, MANY)
}  # fmt: skip
TRAINING, UNSEEN = 8, 4


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store of two runs that name 2 and 6 of 8 training sites, and 1 of 4 others."""
    for spec, right in ((FEW, 2), (MANY, 6)):
        arrays = made_up_predictions(spec, experiments=("HUVEC-01",), classes=3)
        assert len(arrays["side"]) == TRAINING + UNSEEN
        named = np.arange(TRAINING + UNSEEN) < right
        named[TRAINING] = True
        sirna = arrays["sirna_id"]
        arrays["side"] = np.where(np.arange(len(sirna)) < TRAINING, "train", "test")
        arrays["top_sirna_id"][:, 0] = np.where(named, sirna, (sirna + 1) % 3)
        finish_with_predictions(spec, tmp_path, arrays)
    return tmp_path


def widened(store: Path) -> pd.DataFrame:
    return with_training_sites(gather([FEW, MANY], store), store)


def test_training_sites_are_counted_apart_from_those_of_the_test_side(store: Path) -> None:
    assert list(widened(store)[METRIC]) == [25.0, 75.0]
    assert list(widened(store)["accuracy"]) == [25.0, 25.0]


def test_a_run_whose_answers_hold_no_training_site_has_no_value(tmp_path: Path) -> None:
    arrays = made_up_predictions(FEW)
    arrays["side"] = np.full(len(arrays["side"]), "test")
    finish_with_predictions(FEW, tmp_path, arrays)
    (value,) = with_training_sites(gather([FEW], tmp_path), tmp_path)[METRIC]
    assert math.isnan(value)
    assert len(with_training_sites(gather([MANY], tmp_path), tmp_path)) == 0


def test_the_panel_has_both_sides_of_a_method_beside_each_other(store: Path) -> None:
    panel = training_sites_panel(widened(store), LABELS)
    assert list(panel["normalisation"]) == list(LABELS.values())
    assert list(panel["Baseline, unseen"]) == ["25.0", "25.0"]
    assert list(panel["Baseline, trained on"]) == ["25.0", "75.0"]
    assert list(panel["AdaBN, trained on"]) == ["", ""]


def test_sentences_name_where_fewest_and_most_training_sites_are_named(store: Path) -> None:
    (line,) = training_sites_claims(widened(store), LABELS)
    few, many = LABELS.values()
    assert line == (
        "Baseline: of the sites that it was trained on it names fewest under "
        f"“{few}”, 25.0\N{NO-BREAK SPACE}%, and most under “{many}”, 75.0\N{NO-BREAK SPACE}%."
    )
    assert training_sites_claims(gather([FEW], store.parent / "empty"), LABELS) == []
