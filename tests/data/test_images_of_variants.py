"""Pictures as Kaggle and RxRx1-WILDS keep them: the same pixels, the same one-line faults."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rxrx_lib.data import images, metadata
from rxrx_lib.data.check import check
from tests.data.screens import as_kaggle, as_wilds, png_path, wilds_path, write_screen

EXPERIMENTS = {"HUVEC-01": "train", "HUVEC-02": "test", "HUVEC-03": "test"}
KAGGLE = {"beside": ("numbers", ""), "within images": ("names", "images")}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, np.ndarray, Path]:
    root = tmp_path_factory.mktemp("release")
    table = write_screen(root, EXPERIMENTS, image_size=8)
    return table, images.open_images(root).read(range(len(table))), root


@pytest.fixture(params=KAGGLE)
def kaggle(
    request: pytest.FixtureRequest, release: tuple[pd.DataFrame, np.ndarray, Path], tmp_path: Path
) -> Path:
    root = Path(shutil.copytree(release[2], tmp_path / "screen"))
    as_kaggle(root, *KAGGLE[request.param])
    return root


@pytest.fixture
def wilds(release: tuple[pd.DataFrame, np.ndarray, Path], tmp_path: Path) -> Path:
    root = Path(shutil.copytree(release[2], tmp_path / "screen"))
    as_wilds(root)
    return root


def same_site(table: pd.DataFrame, release: pd.DataFrame) -> list[int]:
    rows = {site: row for row, site in enumerate(release["site_id"])}
    return [rows[site] for site in table["site_id"]]


def test_kaggle_s_pictures_are_read_packed_and_checked(
    kaggle: Path, release: tuple[pd.DataFrame, np.ndarray, Path]
) -> None:
    table = metadata.load(kaggle)
    pixels = release[1][same_site(table, release[0])]
    assert check(kaggle) == []
    opened = images.open_images(kaggle)
    assert (opened.channels, opened.image_size) == ((1, 2, 3, 4, 5, 6), 8)
    np.testing.assert_array_equal(opened.read(range(len(table))), pixels)
    images.pack(kaggle)
    assert isinstance(images.open_images(kaggle), images.PackedImages)
    np.testing.assert_array_equal(
        images.open_images(kaggle).read([7, 2], [6, 1]), pixels[[7, 2]][:, [5, 0]]
    )
    assert check(kaggle, workers=2) == []


def test_a_missing_picture_of_kaggle_s_is_named(kaggle: Path) -> None:
    (path,) = kaggle.rglob("test/HUVEC-03/Plate2/B02_s2_w4.png")
    path.unlink()
    assert check(kaggle) == [f"{path} is missing; expected an 8-bit grey PNG."]
    row = metadata.load(kaggle)["site_id"].tolist().index("HUVEC-03_2_B02_2")
    with pytest.raises(images.ImageError, match=r"B02_s2_w4\.png is missing"):
        images.open_images(kaggle).read([row])


def test_a_wrong_well_of_kaggle_s_is_no_missing_picture(kaggle: Path) -> None:
    path = kaggle / "train.csv"
    path.write_text(path.read_text().replace(",B04,", ",P04,", 1))
    (line,) = check(kaggle)
    assert line.startswith(
        "train.csv line 2 (id_code HUVEC-01_1_B04): well is 'P04'; expected rows"
    )


def test_a_store_is_refused_when_any_of_kaggle_s_files_has_changed(kaggle: Path) -> None:
    images.pack(kaggle)
    path = kaggle / "test_controls.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    with pytest.raises(images.ImageError, match=r"packed from other metadata.*pack it again"):
        images.open_images(kaggle)


def test_kaggle_s_screen_without_pictures_says_where_they_belong(kaggle: Path) -> None:
    for folder in ("train", "test", "images"):
        shutil.rmtree(kaggle / folder, ignore_errors=True)
    (line,) = check(kaggle)
    assert line == (
        f"{kaggle / 'images'} is missing; expected the screen's PNGs there, or in train and test "
        f"beside it, or its packed store in {kaggle / 'packed'}."
    )


def test_the_release_s_metadata_may_stand_beside_kaggle_s_pictures(
    kaggle: Path, release: tuple[pd.DataFrame, np.ndarray, Path]
) -> None:
    metadata.write(release[0], kaggle)
    np.testing.assert_array_equal(images.open_images(kaggle).read([0, 40]), release[1][[0, 40]])
    assert check(kaggle) == []


def test_wilds_s_pictures_are_read_packed_and_checked(
    wilds: Path, release: tuple[pd.DataFrame, np.ndarray, Path]
) -> None:
    pixels = release[1][:, :3]
    for packed in (False, True):
        if packed:
            images.pack(wilds)
        assert check(wilds) == []
        opened = pickle.loads(pickle.dumps(images.open_images(wilds)))
        assert isinstance(opened, images.PackedImages) == packed
        assert (opened.channels, opened.image_size, opened.sites) == ((1, 2, 3), 8, len(pixels))
        np.testing.assert_array_equal(opened.read(range(len(pixels))), pixels)
        np.testing.assert_array_equal(opened.read([5, 5], [3, 1]), pixels[[5, 5]][:, [2, 0]])
        with pytest.raises(ValueError, match=r"channels is \[4\]; expected some of 1 to 3"):
            opened.read([0], [4])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (Path.unlink, "is missing; expected an 8-bit colour PNG"),
        (lambda path: Image.new("L", (8, 8)).save(path), "has 8-bit grey pixels"),
        (lambda path: Image.new("RGB", (9, 9)).save(path), "has 9 × 9 pixels; expected 8 × 8"),
        (lambda path: path.write_bytes(path.read_bytes()[:50]), "is truncated"),
    ],
)
def test_a_wrong_picture_of_wilds_s_gives_one_line(
    wilds: Path, spoil: object, sentence: str
) -> None:
    path = wilds_path(wilds, metadata.load(wilds), 6)
    assert callable(spoil)
    spoil(path)
    (line,) = check(wilds)
    assert line.startswith(f"{path} ")
    assert sentence in line
    with pytest.raises(images.ImageError, match=f"{path.name} {sentence}"):
        images.open_images(wilds).read([6])


def test_one_release_picture_among_wilds_s_does_not_hide_what_is_missing(wilds: Path) -> None:
    table = metadata.load(wilds)
    Image.new("L", (8, 8)).save(png_path(wilds, table, len(table) - 1, 1))
    assert check(wilds) == []


@pytest.mark.parametrize("variant", ["release", "wilds"])
def test_a_damaged_store_without_pictures_is_to_be_fetched_again_and_else_packed(
    variant: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if variant == "release":
        root = Path(shutil.copytree(request.getfixturevalue("release")[2], tmp_path / "own"))
    else:
        root = request.getfixturevalue("wilds")
    images.pack(root)
    (store,) = (root / "packed").glob("*.blosc2")
    store.write_bytes(store.read_bytes()[:100])
    (line,) = check(root)
    assert line.endswith("expected the screen's packed store: pack it again.")
    shutil.rmtree(root / "images")
    (line,) = check(root)
    assert line.startswith(f"{store} cannot be used")
    assert line.endswith("expected the screen's packed store: fetch it again.")
