"""Pixels: the PNG tree and the packed store return the same ones, and say what is wrong."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rxrx_lib.data import images, metadata
from rxrx_lib.data.check import check
from tests.data.screens import png_path, screen_table

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "hepg2-08_plate1_b02"


@pytest.fixture(scope="module")
def packed(screen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("packed") / "screen"
    shutil.copytree(screen, root)
    images.pack(root)
    shutil.rmtree(root / "images")
    return root


@pytest.mark.parametrize("form", ["screen", "packed"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_read_returns_the_rows_and_channels_asked_for_in_that_order(
    form: str, pixels: np.ndarray, request: pytest.FixtureRequest, data: st.DataObject
) -> None:
    opened = images.open_images(request.getfixturevalue(form))
    rows = data.draw(st.lists(st.integers(0, len(pixels) - 1), max_size=6))
    channels = data.draw(st.none() | st.lists(st.integers(1, 6), min_size=1, max_size=6))
    came = opened.read(rows, channels)
    wanted = range(6) if channels is None else [channel - 1 for channel in channels]
    assert came.dtype == np.uint8
    np.testing.assert_array_equal(came, pixels[np.array(rows, int)][:, list(wanted)])


@pytest.mark.parametrize("form", ["screen", "packed"])
def test_sites_and_image_size_are_the_screen_s(
    form: str, pixels: np.ndarray, request: pytest.FixtureRequest
) -> None:
    opened = images.open_images(request.getfixturevalue(form))
    assert (opened.sites, opened.image_size) == (len(pixels), 8)


@pytest.mark.parametrize("form", ["screen", "packed"])
def test_rows_and_channels_out_of_range_are_refused(
    form: str, request: pytest.FixtureRequest
) -> None:
    opened = images.open_images(request.getfixturevalue(form))
    for rows in ([-1], [opened.sites], [0.5], [[0, 1]]):
        with pytest.raises(ValueError, match="rows"):
            opened.read(rows)
    for channels in ([0], [7], []):
        with pytest.raises(ValueError, match="expected some of 1 to 6"):
            opened.read([0], channels)


@pytest.mark.parametrize("form", ["screen", "packed"])
@pytest.mark.parametrize("channels", [None, [6, 1]])
def test_read_fills_the_array_given_and_returns_it(
    form: str, channels: list[int] | None, request: pytest.FixtureRequest
) -> None:
    opened = images.open_images(request.getfixturevalue(form))
    pool = np.zeros((3, 2, 6 if channels is None else 2, 8, 8), np.uint8)
    assert np.shares_memory(opened.read([5, 2], channels, out=pool[1]), pool[1])
    np.testing.assert_array_equal(pool[1], opened.read([5, 2], channels))
    assert not pool[[0, 2]].any()


@pytest.mark.parametrize("form", ["screen", "packed"])
@pytest.mark.parametrize(
    ("out", "came"),
    [
        (np.zeros((1, 6, 8, 8), np.uint8), r"uint8 \(1, 6, 8, 8\)"),
        (np.zeros((2, 6, 8, 8), np.int8), r"int8 \(2, 6, 8, 8\)"),
        (np.zeros((2, 6, 8, 16), np.uint8)[..., ::2], "strided"),
        (np.frombuffer(bytes(2 * 6 * 8 * 8), np.uint8).reshape(2, 6, 8, 8), "read-only"),
        ([0], "list"),
    ],
)
def test_an_array_that_does_not_fit_what_is_read_is_refused(
    form: str, out: np.ndarray, came: str, request: pytest.FixtureRequest
) -> None:
    opened = images.open_images(request.getfixturevalue(form))
    with pytest.raises(ValueError, match=rf"^out is {came}; expected a .*uint8 \(2, 6, 8, 8\)"):
        opened.read([0, 1], out=out)


def _read_in_another_process(opened: images.Images) -> bytes:
    return opened.read([3, 0]).tobytes()


@pytest.mark.parametrize("form", ["screen", "packed"])
def test_an_opened_screen_can_be_sent_to_other_processes(
    form: str, pixels: np.ndarray, request: pytest.FixtureRequest
) -> None:
    opened = images.open_images(request.getfixturevalue(form))
    expected = opened.read([3, 0]).tobytes()
    assert pickle.loads(pickle.dumps(opened)).read([3, 0]).tobytes() == expected
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as processes:
        assert list(processes.map(_read_in_another_process, [opened] * 4)) == [expected] * 4
    assert expected == pixels[[3, 0]].tobytes()


def test_a_store_packed_from_other_metadata_is_refused_until_packed_again(own: Path) -> None:
    images.pack(own)
    table = metadata.load(own)
    metadata.write(table[::-1], own)
    with pytest.raises(images.ImageError, match=r"packed from other metadata.*pack it again"):
        images.open_images(own)
    assert [line for line in check(own) if "pack it again" in line] == check(own)
    images.pack(own)
    reopened = images.open_images(own)
    np.testing.assert_array_equal(
        reopened.read([0])[0, 0], np.asarray(Image.open(png_path(own, table, len(table) - 1, 1)))
    )


def test_packing_again_is_seen_by_a_process_that_has_read_before(own: Path) -> None:
    images.pack(own)
    images.open_images(own).read([0])
    path = png_path(own, metadata.load(own), 0, 2)
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(path)
    images.pack(own)
    assert (images.open_images(own).read([0], [2]) == 77).all()


@pytest.mark.parametrize("name", ["manifest.json", "*.blosc2"])
def test_a_damaged_store_is_named(own: Path, name: str) -> None:
    images.pack(own)
    (damaged,) = (own / "packed").glob(name)
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(images.ImageError, match=rf"{damaged.name} cannot.*pack it again"):
        images.open_images(own)


@pytest.mark.parametrize("shape", [None, 5, [], [40, 6, 8]])
def test_a_manifest_without_a_shape_is_named(own: Path, shape: object) -> None:
    images.pack(own)
    path = own / "packed" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shape": shape}))
    with pytest.raises(images.ImageError, match=r"manifest\.json.*pack it again"):
        images.open_images(own)


def spoiled(path: Path, how: str) -> None:
    pixels = np.zeros((8, 8), np.uint8)
    if how == "missing":
        path.unlink()
    elif how == "size":
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(path)
    elif how == "oblong":
        Image.fromarray(np.zeros((8, 9), np.uint8)).save(path)
    elif how == "colour":
        Image.fromarray(np.stack([pixels] * 3, -1)).save(path)
    elif how == "sixteen bits":
        Image.fromarray(pixels.astype(np.uint16)).save(path)
    elif how == "text":
        path.write_text("no picture")


@pytest.mark.parametrize(
    ("how", "came"),
    [
        ("missing", "is missing; expected an 8-bit grey PNG"),
        ("size", "has 9 × 9 pixels; expected 8 × 8"),
        ("oblong", "has 9 × 8 pixels; expected a square"),
        ("colour", "has 8-bit colour pixels; expected 8-bit grey"),
        ("sixteen bits", "has 16-bit grey pixels; expected 8-bit grey"),
        ("text", "is truncated or no PNG"),
    ],
)
def test_a_wrong_png_is_named_when_its_channel_is_read_and_only_then(
    own: Path, pixels: np.ndarray, how: str, came: str
) -> None:
    path = png_path(own, metadata.load(own), 4, 5)
    spoiled(path, how)
    opened = images.open_images(own)
    np.testing.assert_array_equal(opened.read([4], [1, 6]), pixels[[4]][:, [0, 5]])
    with pytest.raises(images.ImageError, match=f"{path.name} .*{came}"):
        opened.read([4])


def test_a_png_cut_off_at_any_byte_is_refused(own: Path) -> None:
    path = png_path(own, metadata.load(own), 0, 1)
    whole = path.read_bytes()
    opened = images.open_images(own)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(images.ImageError, match="truncated"):
            opened.read([0], [1])


def test_the_size_comes_from_the_first_png_that_can_be_read(own: Path) -> None:
    table = metadata.load(own)
    png_path(own, table, 0, 1).unlink()
    png_path(own, table, 0, 2).write_bytes(b"")
    assert images.open_images(own).image_size == 8
    shutil.rmtree(own / "images")
    with pytest.raises(images.ImageError, match=r"B02_s1_w1\.png is missing"):
        images.open_images(own)


@pytest.mark.real
@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the real RxRx1 channels are not here")
def test_four_real_channels_decode_exactly_and_check_reports_the_two_absent(tmp_path: Path) -> None:
    table = screen_table({"HEPG2-08": "test"}, treatments=0, positives=0, plates=1).iloc[:1]
    assert table["site_id"].tolist() == ["HEPG2-08_1_B02_1"]
    assert table["sirna_id"].tolist() == [1138]
    metadata.write(table, tmp_path)
    png_path(tmp_path, table, 0, 1).parent.mkdir(parents=True)
    for channel in range(1, 5):
        shutil.copy(REFERENCE / f"w{channel}.png", png_path(tmp_path, table, 0, channel))
    opened = images.open_images(tmp_path)
    decoded = [np.asarray(Image.open(REFERENCE / f"w{channel}.png")) for channel in range(1, 5)]
    np.testing.assert_array_equal(opened.read([0], channels=[1, 2, 3, 4])[0], decoded)
    assert opened.image_size == 512
    with pytest.raises(images.ImageError, match=r"B02_s1_w5\.png is missing"):
        opened.read([0])
    w5, w6 = check(tmp_path)
    assert "B02_s1_w5.png is missing" in w5
    assert "B02_s1_w6.png is missing" in w6
