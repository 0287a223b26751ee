"""From a DataSpec to a screen on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rxrx_lib.data import metadata
from rxrx_lib.data.images import PackedImages
from rxrx_lib.data.simulator import ScreenSpec
from rxrx_lib.data.splits import separated, stratified
from rxrx_lib.study.screens import make_split, open_screen, prepare_screen, screen_folder
from rxrx_lib.study.spec import DataSpec, SplitSpec
from tests.study.tiny import RELEASE

SCREEN = ScreenSpec(
    seed=0,
    image_size=16,
    pixel_size=16.0,
    experiments=(("HUVEC", 1, 1),),
    treatments_per_plate=1,
    positive_controls=0,
    sites=1,
)
SIMULATED = DataSpec(name="simulated", screen=SCREEN)


def test_a_simulated_screen_is_made_once_whole_and_packed(tmp_path: Path) -> None:
    screen = open_screen(SIMULATED, tmp_path)
    assert screen.root == screen_folder(SIMULATED, tmp_path)
    assert isinstance(screen.images, PackedImages)
    assert screen.images.read([0]).shape == (1, 6, 16, 16)
    assert screen.classes == SCREEN.classes == screen.table["sirna_id"].max() + 1
    assert [path.name for path in tmp_path.iterdir()] == [screen.root.name]
    before = (screen.root / "metadata.csv").stat().st_mtime_ns
    assert prepare_screen(SIMULATED, tmp_path) == screen.root
    assert (screen.root / "metadata.csv").stat().st_mtime_ns == before


def test_the_release_is_read_where_it_lies(release: Path) -> None:
    screen = open_screen(RELEASE, release)
    assert screen.root == release / "rxrx1"
    assert screen.table.equals(metadata.load(release / "rxrx1"))


def test_a_release_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"rxrx1: the RxRx1 release is not there; download"):
        prepare_screen(RELEASE, tmp_path)


@pytest.mark.parametrize("unit", ["site", "well"])
def test_splits_are_those_of_the_data_package(release: Path, unit: str) -> None:
    table = open_screen(RELEASE, release).table
    asked = make_split(table, SplitSpec(name="stratified", unit=unit, seed=4))
    assert np.array_equal(asked.train, stratified(table, seed=4, unit=unit).train)
    assert np.array_equal(
        make_split(table, SplitSpec(name="separated")).test, separated(table).test
    )
