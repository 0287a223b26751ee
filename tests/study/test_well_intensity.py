"""The brightness of wells and the number of their cells."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data.images import Images, open_images
from rxrx_lib.study import well_intensity
from rxrx_lib.study.well_intensity import MEANS, cell_counts, well_intensities
from tests.data.screens import write_screen


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame, Images]:
    root = tmp_path_factory.mktemp("screen")
    table = write_screen(root, {"HUVEC-01": "train", "RPE-01": "test"}, plates=2)
    return root, table, open_images(root)


def test_a_wells_mean_is_that_of_all_its_sites(screen, monkeypatch: pytest.MonkeyPatch) -> None:
    _, table, images = screen
    whole = well_intensities(table, images, np.ones(len(table), bool))
    assert whole["well_id"].tolist() == table["well_id"].drop_duplicates().tolist()
    assert set(whole["sites"]) == {2}
    for number in (0, 5):
        well = whole.iloc[number]
        rows = np.flatnonzero(table["well_id"] == well["well_id"])
        means = images.read(rows).mean(axis=(0, 2, 3))
        assert well[list(MEANS)].to_numpy(float) == pytest.approx(means)
    monkeypatch.setattr(well_intensity, "BYTES_AT_ONCE", 1)
    pd.testing.assert_frame_equal(well_intensities(table, images, np.ones(len(table), bool)), whole)


def test_only_what_is_wanted_is_read(screen) -> None:
    _, table, images = screen
    wanted = (table["experiment"] == "RPE-01") & (table["site"] == 2)
    some = well_intensities(table, images, wanted.to_numpy())
    assert set(some["experiment"]) == {"RPE-01"}
    assert set(some["sites"]) == {1}
    assert well_intensities(table, images, np.zeros(len(table), bool)).empty


def test_cells_are_added_up_over_sites_where_a_truth_counts_them(screen, tmp_path: Path) -> None:
    root, table, _ = screen
    assert cell_counts(root, table) is None
    cells = {site_id: place for place, site_id in enumerate(table["site_id"])}
    (tmp_path / "truth.json").write_text(json.dumps({"cells": cells}))
    counted = cell_counts(tmp_path, table)
    assert counted is not None
    assert counted.iloc[:3].tolist() == [0 + 1, 2 + 3, 4 + 5]
    assert counted.index[0] == table["well_id"].iloc[0]
