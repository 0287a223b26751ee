"""From a DataSpec to a screen on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data import metadata
from rxrx_lib.data.images import PackedImages, pack
from rxrx_lib.data.simulator import ScreenSpec
from rxrx_lib.data.splits import Split, separated, stratified
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.screens import (
    RELEASE_EXPERIMENTS,
    make_split,
    open_screen,
    prepare_screen,
    screen_folder,
)
from rxrx_lib.study.spec import DataSpec, SplitSpec
from tests.data.screens import as_kaggle, as_wilds, screen_table, write_screen
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
CONTROLS = DataSpec(name="rxrx1_controls", simulator_version=0, downsample=4)


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


def test_kaggle_s_sirnas_are_called_by_their_class_where_they_have_a_label(tmp_path: Path) -> None:
    write_screen(tmp_path / "rxrx1", EXPERIMENTS, plates=2)
    as_kaggle(tmp_path / "rxrx1", "names")
    table = open_screen(RELEASE, tmp_path).table
    expected = {
        (True, "train"): {"class 0", "class 1", "class 2", "class 3"},
        (True, "test"): {""},
        (False, "train"): {"class 1108", "EMPTY"},
        (False, "test"): {"class 1108", "EMPTY"},
    }
    found = table.groupby([table["well_type"] == "treatment", "dataset"])["sirna"]
    assert {key: set(names) for key, names in found} == expected


@pytest.mark.parametrize("packed", [False, True])
def test_pictures_of_three_channels_in_the_releases_place_are_refused(
    tmp_path: Path, packed: bool
) -> None:
    write_screen(tmp_path / "rxrx1", EXPERIMENTS, plates=1, treatments=1, positives=0)
    as_wilds(tmp_path / "rxrx1")
    if packed:
        pack(tmp_path / "rxrx1")
    with pytest.raises(
        ValueError, match=r"rxrx1 has pictures of 3 channels, as RxRx1-WILDS does; "
    ):
        open_screen(RELEASE, tmp_path)


def test_a_release_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"rxrx1 --what images"):
        prepare_screen(RELEASE, tmp_path)


def test_the_control_wells_are_taken_out_of_the_release_once(tmp_path: Path) -> None:
    write_screen(tmp_path / "rxrx1", EXPERIMENTS, plates=1)
    screen = open_screen(CONTROLS, tmp_path)
    assert screen.classes == 31  # EMPTY is the last class
    assert (screen.images.sites, screen.images.image_size) == (51 * 2 * 2, 4)
    (tmp_path / "rxrx1").rename(tmp_path / "elsewhere")
    assert open_screen(CONTROLS, tmp_path).table.equals(screen.table)


def test_control_wells_of_a_simulated_screen_are_not_the_releases(tmp_path: Path) -> None:
    root = place_of_the_release(tmp_path, EXPERIMENTS)
    (root / "truth.json").write_text("{}")
    with pytest.raises(ValueError, match="so it is a simulated screen"):
        open_screen(CONTROLS, tmp_path)


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


@pytest.mark.parametrize(
    ("less", "came"),
    [
        ({"downsample": 4}, "has one pixel for 4 × 4"),
        ({"channels": [1, 2, 4]}, "lacks the channels 3, 5, 6"),
    ],
)
def test_smaller_pictures_are_not_taken_for_the_screen_s_own(
    tmp_path: Path, less: dict[str, Any], came: str
) -> None:
    root = prepare_screen(SIMULATED, tmp_path)
    pack(root, **less)
    sentence = rf"manifest\.json {came}, so its pictures are not .*: pack the screen again"
    with pytest.raises(ValueError, match=sentence):
        open_screen(SIMULATED, tmp_path)
    metadata.write(screen_table(EXPERIMENTS, plates=1, treatments=1), tmp_path / "rxrx1")
    prepare_screen(RELEASE, tmp_path)
    write_screen(tmp_path / "rxrx1", EXPERIMENTS, plates=1, treatments=1, image_size=8)
    pack(tmp_path / "rxrx1", **less)
    with pytest.raises(ValueError, match=came):
        prepare_screen(RELEASE, tmp_path)
    pack(tmp_path / "rxrx1")
    assert open_screen(RELEASE, tmp_path).images.channels == (1, 2, 3, 4, 5, 6)


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


WILDS_OFFICIAL = SplitSpec(name="wilds_official", unit="site")
WILDS_MIXED = SplitSpec(name="wilds_mixed_to_test", unit="site")


def columns_of(table: pd.DataFrame, split: Split, column: str) -> dict[str, set[object]]:
    """Return what each side of a split has in a column."""
    return {side: set(table[column].iloc[rows]) for side, rows in split.sides.items()}


def test_wilds_official_trains_on_first_sites_and_holds_out_sites_and_experiments(
    release: Path,
) -> None:
    table = open_screen(RELEASE, release).table
    split = make_split(table, WILDS_OFFICIAL)
    assert (split.name, split.unit) == (WILDS_OFFICIAL.name, WILDS_OFFICIAL.unit)
    experiments, sites = (columns_of(table, split, name) for name in ("experiment", "site"))
    assert experiments["train"] == experiments["id_test"]
    assert {side: len(names) for side, names in experiments.items()} == {
        "train": 33,
        "val": 4,
        "id_test": 33,
        "test": 14,
    }
    assert len(set.union(*experiments.values())) == 51
    assert sites == {"train": {1}, "id_test": {2}, "val": {1, 2}, "test": {1, 2}}


def test_wilds_mixed_to_test_trains_on_the_test_experiments_other_site(release: Path) -> None:
    table = open_screen(RELEASE, release).table
    split = make_split(table, WILDS_MIXED)
    assert (split.name, split.unit) == (WILDS_MIXED.name, WILDS_MIXED.unit)
    experiments, sites = (columns_of(table, split, name) for name in ("experiment", "site"))
    assert experiments["test"] < experiments["train"]
    assert not experiments["val"] & (experiments["train"] | experiments["test"])
    assert sites == {"train": {1}, "val": {1, 2}, "test": {2}}
    official = make_split(table, WILDS_OFFICIAL)
    assert len(split.train) == len(official.train)


@pytest.mark.parametrize("n", [1, 3])
def test_few_experiments_are_so_many_of_one_cell_type(release: Path, n: int) -> None:
    table = open_screen(RELEASE, release).table
    spec = SplitSpec(name="few_experiments", cell_type="RPE", n=n, seed=1)
    split = make_split(table, spec)
    assert (split.name, split.unit) == (spec.name, spec.unit)
    experiments = columns_of(table, split, "experiment")
    assert columns_of(table, split, "cell_type") == {"train": {"RPE"}, "test": {"RPE"}}
    assert len(experiments["train"]) == n
    assert experiments["test"] == {f"RPE-{number:02d}" for number in range(8, 12)}
    other = make_split(table, dataclasses.replace(spec, seed=2))
    assert columns_of(table, other, "experiment")["train"] != experiments["train"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SplitSpec(name="few_experiments", cell_type="HELA", n=1), "cell_type is 'HELA'"),
        (SplitSpec(name="few_experiments", cell_type="RPE", n=8), "n is 8; expected 1 to 7"),
    ],
)
def test_what_the_screen_does_not_have_is_refused(
    release: Path, spec: SplitSpec, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_split(open_screen(RELEASE, release).table, spec)


def test_a_screen_without_test_experiments_is_refused_before_training() -> None:
    table = screen_table({"HUVEC-01": "train", "HUVEC-02": "train"})
    with pytest.raises(ValueError, match="split has no test site; give the screen test experim"):
        make_split(table, SplitSpec(name="separated"))


@pytest.mark.parametrize("unit", ["site", "well"])
def test_splits_are_those_of_the_data_package(release: Path, unit: str) -> None:
    table = open_screen(RELEASE, release).table
    asked = make_split(table, SplitSpec(name="stratified", unit=unit, seed=4))
    assert np.array_equal(asked.train, stratified(table, seed=4, unit=unit).train)
    assert np.array_equal(
        make_split(table, SplitSpec(name="separated")).test, separated(table).test
    )
