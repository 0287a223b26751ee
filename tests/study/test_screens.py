"""From a DataSpec to a screen on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rxrx_lib.data import metadata
from rxrx_lib.data.images import PackedImages
from rxrx_lib.data.simulator import ScreenSpec
from rxrx_lib.data.splits import separated, stratified
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.screens import (
    RELEASE_EXPERIMENTS,
    make_split,
    open_screen,
    prepare_screen,
    screen_folder,
)
from rxrx_lib.study.spec import DataSpec, SplitSpec
from tests.data.screens import screen_table
from tests.study.tiny import EXPERIMENTS, RELEASE, run_spec

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


def test_all_51_experiments_of_the_release_are_known() -> None:
    assert len(set(RELEASE_EXPERIMENTS)) == 51
    assert RELEASE_EXPERIMENTS[0] == "HUVEC-01"
    assert RELEASE_EXPERIMENTS[-1] == "U2OS-05"


def place_of_the_release(folder: Path, experiments: dict[str, str]) -> Path:
    root = folder / "rxrx1"
    metadata.write(screen_table(experiments, plates=1, treatments=1), root)
    return root


def test_a_simulated_screen_in_the_releases_place_is_refused(tmp_path: Path) -> None:
    root = place_of_the_release(tmp_path, EXPERIMENTS)
    prepare_screen(RELEASE, tmp_path)
    (root / "truth.json").write_text("{}")
    with pytest.raises(ValueError, match=r"rxrx1 holds truth\.json, so it is a simulated screen"):
        prepare_screen(RELEASE, tmp_path)


def test_experiments_with_a_simulated_screens_names_are_refused(tmp_path: Path) -> None:
    table = screen_table(EXPERIMENTS, plates=1, treatments=1)
    for column in ("experiment", "well_id", "site_id"):
        table[column] = table[column].str.replace("RPE-03", "SIM-RPE-03")
    metadata.write(table, tmp_path / "rxrx1")
    with pytest.raises(ValueError, match=r"holds the experiment SIM-RPE-03, so it is a simulated"):
        prepare_screen(RELEASE, tmp_path)


def test_a_part_of_the_release_is_refused(tmp_path: Path) -> None:
    some = {name: side for name, side in EXPERIMENTS.items() if name not in ("RPE-03", "U2OS-05")}
    place_of_the_release(tmp_path, some)
    with pytest.raises(
        ValueError,
        match=r"rxrx1/metadata\.csv lacks 2 of the release's 51 experiments, RPE-03 among them",
    ):
        prepare_screen(RELEASE, tmp_path)


def test_a_run_is_refused_its_screen_before_any_training(tmp_path: Path) -> None:
    root = place_of_the_release(tmp_path / "data", EXPERIMENTS)
    (root / "truth.json").write_text("{}")
    spec = run_spec()
    with pytest.raises(ValueError, match="it is a simulated screen"):
        run_one(spec, Runtime(data=tmp_path / "data", runs=tmp_path / "runs"))
    left = {path.name for path in (tmp_path / "runs" / spec.id).iterdir()}
    assert left == {"spec.json", "failure.json"}


@pytest.mark.parametrize("row", [0, -1], ids=["training", "test"])
def test_a_site_without_a_class_is_refused_on_either_side(row: int) -> None:
    table = screen_table()
    table.loc[table.index[row], "sirna_id"] = -1
    for spec in (SplitSpec(name="separated"), SplitSpec(name="stratified", unit="site")):
        with pytest.raises(ValueError, match="sirna_id is -1 in 1 of 120 rows"):
            make_split(table, spec)


@pytest.mark.parametrize("unit", ["site", "well"])
def test_splits_are_those_of_the_data_package(release: Path, unit: str) -> None:
    table = open_screen(RELEASE, release).table
    asked = make_split(table, SplitSpec(name="stratified", unit=unit, seed=4))
    assert np.array_equal(asked.train, stratified(table, seed=4, unit=unit).train)
    assert np.array_equal(
        make_split(table, SplitSpec(name="separated")).test, separated(table).test
    )
