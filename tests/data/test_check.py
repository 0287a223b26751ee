"""What `check` lists for a screen with one fault of each kind, and with all of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rxrx_lib.data import images, metadata
from rxrx_lib.data.check import check
from tests.data.screens import png_path, write_screen


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound")
    write_screen(root, {"HUVEC-01": "train", "RPE-01": "test"}, image_size=8)
    return root


@pytest.fixture
def own(sound: Path, tmp_path: Path) -> Path:
    """A copy of the screen to spoil."""
    return Path(shutil.copytree(sound, tmp_path / "screen"))


def edit(root: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    table = change(metadata.read_text(root))
    table.to_csv(root / "metadata.csv", index=False)


def with_entry(column: str, row: int, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


def test_a_sound_screen_has_no_faults_packed_or_not(own: Path) -> None:
    assert check(own) == []
    images.pack(own)
    assert check(own, workers=3) == []


def test_a_folder_without_metadata_and_a_file_give_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        (line,) = check(root)
        assert line.startswith(f"{root}/metadata.csv is missing")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("cell_type", "HEK293"),
        ("plate", "5"),
        ("well", "A01"),
        ("sirna_id", "4000"),
        ("site_id", "HUVEC-01_1_B02_1"),
    ],
)
def test_a_wrong_entry_gives_one_line_and_no_faults_of_pictures(
    own: Path, column: str, value: str
) -> None:
    edit(own, with_entry(column, 3, value))
    (line,) = check(own)
    assert line.startswith("metadata.csv line 5 (site_id ")
    assert column in line


def test_a_missing_column_gives_one_line(own: Path) -> None:
    edit(own, lambda table: table.drop(columns="well_type"))
    assert check(own) == metadata.faults(metadata.read_text(own))
    assert len(check(own)) == 1


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (Path.unlink, "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:70]), "is truncated"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is truncated"),
        (lambda path: Image.new("L", (4, 4)).save(path), "has 4 × 4 pixels; expected 8 × 8"),
        (lambda path: Image.new("RGB", (8, 8)).save(path), "has the colour mode RGB"),
    ],
)
@pytest.mark.parametrize("row", [0, 7])
def test_a_wrong_picture_gives_one_line_naming_it_even_if_it_is_the_first(
    own: Path, spoil: Callable[[Path], object], expected: str, row: int
) -> None:
    path = png_path(own, metadata.load(own), row, 1)
    spoil(path)
    (line,) = check(own)
    assert line.startswith(f"{path} ")
    assert expected in line


def test_faults_of_the_table_do_not_hide_those_of_pictures(own: Path) -> None:
    table = metadata.load(own)
    missing = [png_path(own, table, row, 2) for row in (1, 3)]
    for path in missing:
        path.unlink()
    edit(own, with_entry("plate", 5, "5"))
    # Row 3 has its pictures where they should be: what is wrong with it is its class.
    edit(own, with_entry("sirna_id", 3, "x"))
    lines = check(own)
    assert [line.split(":")[0].split(" (")[0] for line in lines[:2]] == [
        "metadata.csv line 5",
        "metadata.csv line 7",
    ]
    assert lines[2:] == [f"{path} is missing; expected an 8-bit grey PNG." for path in missing]


def test_pixels_changed_inside_the_packed_store_are_found(own: Path) -> None:
    images.pack(own)
    path = png_path(own, metadata.load(own), 0, 1)
    manifest = (own / "packed" / "manifest.json").read_bytes()
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    images.pack(own)
    (own / "packed" / "manifest.json").write_bytes(manifest)
    (line,) = check(own)
    assert "images.b2nd" in line
    assert "its pixels differ" in line
