"""What `check` lists for a screen with one fault of each kind, and with all of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rxrx_lib.data import embeddings, images, metadata
from rxrx_lib.data.check import check
from rxrx_lib.data.variants import read_csv
from tests.data.screens import png_path


def edit(root: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    table = change(read_csv(root / "metadata.csv"))
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
        # Values that other rows may have, so that only the site_id tells that they are wrong.
        ("experiment", "RPE-01"),
        ("experiment", "HUVEC-99"),
        ("plate", "2"),
        ("well", "B04"),
        ("well", "O23"),
        ("site", "1"),
        ("sirna_id", "5"),
        ("well_type", "treatment"),
    ],
)
def test_a_wrong_entry_gives_one_line_and_no_faults_of_pictures(
    own: Path, column: str, value: str
) -> None:
    edit(own, with_entry(column, 3, value))
    (line,) = check(own)
    assert line.startswith("metadata.csv line 5 (site_id ")
    assert column in line


def test_a_wrong_entry_gives_one_line_though_the_store_was_packed_before_it(own: Path) -> None:
    images.pack(own)
    edit(own, with_entry("plate", 3, "2"))
    (line,) = check(own)
    assert line.startswith("metadata.csv line 5 (site_id ")


@pytest.mark.parametrize("lacking", [3, 5, 9])
def test_a_row_cut_short_gives_one_line_and_no_faults_of_pictures(own: Path, lacking: int) -> None:
    def cut(table: pd.DataFrame) -> pd.DataFrame:
        table.iloc[-1, -lacking:] = ""
        return table

    edit(own, cut)
    (line,) = check(own)
    assert "and all after it are empty" in line


def test_a_missing_column_gives_one_line(own: Path) -> None:
    edit(own, lambda table: table.drop(columns="well_type"))
    assert check(own) == metadata.faults(read_csv(own / "metadata.csv"))
    assert len(check(own)) == 1


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (Path.unlink, "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:70]), "is truncated"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is truncated"),
        (lambda path: Image.new("L", (4, 4)).save(path), "has 4 × 4 pixels; expected 8 × 8"),
        (lambda path: Image.new("RGB", (8, 8)).save(path), "has 8-bit colour pixels"),
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


def test_a_missing_column_of_ids_does_not_hide_the_faults_of_pictures(own: Path) -> None:
    path = png_path(own, metadata.load(own), 3, 1)
    path.unlink()
    edit(own, lambda table: table.drop(columns="site_id"))
    column, picture = check(own)
    assert "column site_id is missing" in column
    assert picture.startswith(f"{path} is missing")


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
    manifest = own / "packed" / "manifest.json"
    content = json.loads(manifest.read_text())["content_hash"]
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    images.pack(own)
    described = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(described | {"content_hash": content}))
    (line,) = check(own)
    assert line.startswith(f"{manifest} ")
    assert "its pixels differ" in line


def test_a_picture_replaced_after_packing_gives_one_line_until_packed_again(own: Path) -> None:
    images.pack(own)
    path = png_path(own, metadata.load(own), 5, 4)
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    (line,) = check(own, workers=2)
    assert line.startswith(f"{own / 'packed' / 'manifest.json'} ")
    assert "packed from other pictures than those in images" in line
    assert "pack it again" in line
    images.pack(own)
    assert check(own) == []


def test_pictures_swapped_after_packing_are_found(own: Path) -> None:
    images.pack(own)
    table = metadata.load(own)
    one, other = png_path(own, table, 0, 1), png_path(own, table, 40, 1)
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)
    (line,) = check(own)
    assert "packed from other pictures" in line


def test_a_missing_picture_gives_one_line_though_the_store_still_has_it(own: Path) -> None:
    images.pack(own)
    path = png_path(own, metadata.load(own), 5, 4)
    path.unlink()
    assert check(own) == [f"{path} is missing; expected an 8-bit grey PNG."]


def test_a_screen_without_pngs_is_checked_by_its_packed_store(own: Path) -> None:
    images.pack(own)
    shutil.rmtree(own / "images")
    assert check(own) == []


def test_a_damaged_store_of_a_screen_without_pngs_gives_one_line(own: Path) -> None:
    images.pack(own)
    shutil.rmtree(own / "images")
    (store,) = (own / "packed").glob("*.blosc2")
    store.write_bytes(store.read_bytes()[:100])
    (line,) = check(own)
    assert line.startswith(f"{store} cannot be used")


def test_a_screen_with_neither_pngs_nor_packed_store_gives_one_line(own: Path) -> None:
    shutil.rmtree(own / "images")
    (line,) = check(own)
    assert line == (
        f"{own / 'images'} is missing; expected the screen's PNGs there, or its packed store in "
        f"{own / 'packed'}."
    )


def test_embeddings_are_checked_where_they_are_and_need_no_pictures(own: Path) -> None:
    table = metadata.load(own)
    embeddings.write(table, np.zeros((len(table), 128)), own)
    assert check(own) == []
    shutil.rmtree(own / "images")
    assert check(own) == []
    file = own / "embeddings.csv"
    file.write_text(file.read_text().replace("HUVEC-01_1_B02_2,", "HUVEC-99_1_B02_2,"))
    (line,) = check(own)
    assert line.startswith(
        f"{file} line 3: site_id is 'HUVEC-99_1_B02_2', which metadata.csv lacks"
    )


def folders_of_plates(root: Path) -> list[Path]:
    return sorted(root.glob("images/*/Plate*"))


def test_sites_of_a_plate_without_any_picture_are_one_fault_and_one_site_alone_is_named(
    own: Path,
) -> None:
    first, second, *_ = folders_of_plates(own)
    for path in first.glob("B0[34]_*"):
        path.unlink()
    for path in second.glob("B03_s2_*"):
        path.unlink()
    several, *files = check(own)
    assert several == (
        f"{first} has no picture of 4 of 6 sites, B03_s1 for one; expected 8-bit grey PNGs of each."
    )
    assert files == [
        f"{second / f'B03_s2_w{channel}.png'} is missing; expected an 8-bit grey PNG."
        for channel in range(1, 7)
    ]


def test_a_screen_without_any_picture_is_one_line_that_finds_them_one_folder_deeper(
    own: Path,
) -> None:
    (own / "images").rename(own / "moved")
    (own / "images").mkdir()
    (own / "moved").rename(own / "images" / "images")
    first = own / "images" / "HUVEC-01" / "Plate1" / "B02_s1_w1.png"
    expected = (
        f"{first} is missing, and so is every other picture of the screen; expected 8-bit grey "
        f"PNGs; {own / 'images' / 'images' / 'HUVEC-01'} is there, so move it up to "
        f"{own / 'images'}."
    )
    assert check(own) == [expected]
    for use in (images.open_images, images.pack):
        with pytest.raises(images.ImageError) as caught:
            use(own)
        assert str(caught.value) == expected
    shutil.rmtree(own / "images" / "images")
    (line,) = check(own)
    assert line.endswith("and so is every other picture of the screen; expected 8-bit grey PNGs.")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Z99_s1_w1.png", "is named after the well Z99; expected rows B to O and columns 02 to 23"),
        ("B2_s1_w1.png", "is named after the well B2; expected rows B to O"),
        ("B02_s3_w1.png", "is named after the site 3; expected 1 or 2."),
        ("B02_s1_w7.png", "is named after the channel 7; expected 1 to 6."),
        ("B02_s1_w01.png", "is named after the channel 01; expected 1 to 6."),
        ("B02_s3.png", "is named after the site 3; expected 1 or 2."),
        ("B02_s1_w1 (1).png", "is named like no picture; expected a name such as B02_s1_w1.png."),
        ("B02_s1_w1.PNG", "is named like no picture; expected a name such as B02_s1_w1.png."),
    ],
)
def test_a_name_of_no_picture_is_told_apart_from_a_missing_picture(
    own: Path, name: str, fault: str
) -> None:
    (plate, *_) = folders_of_plates(own)
    (plate / "B02_s1_w1.png").rename(plate / name)
    missing, misnamed = check(own)
    assert missing == f"{plate / 'B02_s1_w1.png'} is missing; expected an 8-bit grey PNG."
    assert misnamed.startswith(f"{plate / name} {fault}")


def test_files_beside_the_pictures_and_pictures_of_unlisted_sites_are_no_faults(own: Path) -> None:
    (plate, *_) = folders_of_plates(own)
    for name in ("._B02_s1_w1.png", ".DS_Store", "Thumbs.db", "O23_s2_w6.png", "O23_s2.png"):
        (plate / name).write_text("")
    assert check(own) == []
