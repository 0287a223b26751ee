"""The release's control wells as a screen of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from rxrx_lib.data import metadata
from rxrx_lib.data.controls import control_wells, pack_controls
from rxrx_lib.data.images import open_images
from rxrx_lib.data.png_tree import ImageError
from tests.data.screens import png_path, screen_table, write_screen

EXPERIMENTS = {"HUVEC-01": "train", "RPE-08": "test"}


def test_control_wells_are_those_of_the_31_classes_counted_anew() -> None:
    table = screen_table(EXPERIMENTS, positives=30, plates=2)
    table.loc[table["sirna_id"] == 2, ["sirna", "sirna_id"]] = "EMPTY", 1138  # it got no siRNA
    found = control_wells(table)
    assert set(found["sirna_id"]) == set(range(31))
    assert found.index.tolist() == table.index[table["sirna_id"] >= 1108].tolist()
    assert (found.loc[found["sirna"] == "EMPTY", "sirna_id"] == 30).all()
    others = [name for name in metadata.COLUMNS if name != "sirna_id"]
    assert found[others].equals(table.loc[found.index, others])


def test_pictures_of_controls_alone_make_the_screen_and_shrink_to_means_of_blocks(
    tmp_path: Path,
) -> None:
    table = write_screen(tmp_path / "rxrx1", EXPERIMENTS, positives=2, plates=2)
    full = open_images(tmp_path / "rxrx1").read(range(len(table)))
    for row in np.flatnonzero(table["well_type"] == "treatment"):  # as a download leaves them
        for channel in range(1, 7):
            png_path(tmp_path / "rxrx1", table, row, channel).unlink()
    pack_controls(tmp_path / "rxrx1", tmp_path / "controls", downsample=4)
    shutil.rmtree(tmp_path / "rxrx1")
    found = metadata.load(tmp_path / "controls")
    pictures = open_images(tmp_path / "controls").read(range(len(found)))
    kept = full[table["site_id"].isin(found["site_id"])]
    means = kept.reshape(*kept.shape[:2], 4, 4, 4, 4).mean((3, 5))
    assert np.array_equal(pictures, np.rint(means).astype(np.uint8))


def test_a_control_s_picture_that_is_not_there_is_named(tmp_path: Path) -> None:
    table = write_screen(tmp_path / "rxrx1", EXPERIMENTS, plates=2)
    lost = png_path(tmp_path / "rxrx1", table, 0, 3)
    lost.unlink()
    with pytest.raises(ImageError, match=lost.name):
        pack_controls(tmp_path / "rxrx1", tmp_path / "controls", downsample=2)
