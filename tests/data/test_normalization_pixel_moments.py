"""Sums over pixels: exact however they are added up, kept beside the screen, never out of date."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rxrx_lib.data import images, metadata, pixel_moments
from rxrx_lib.data.pixel_moments import PixelMoments, measure, of_screen
from tests.data.screens import png_path, write_screen

EXPERIMENTS = {"HUVEC-01": "train", "RPE-01": "test"}


@dataclass
class HeldImages:
    """Pixels (N, C, H, W) in memory, read as a screen's are; it remembers what was asked for."""

    pixels: np.ndarray
    asked: list[list[int]] = field(default_factory=list)

    @property
    def sites(self) -> int:
        return len(self.pixels)

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(range(1, self.pixels.shape[1] + 1))

    @property
    def image_size(self) -> int:
        return self.pixels.shape[3]

    def read(self, rows: range) -> np.ndarray:
        self.asked.append(list(rows))
        return self.pixels[list(rows)]


def assert_moments_of(moments: PixelMoments, pixels: np.ndarray) -> None:
    """Compare with sums of the whole array in NumPy's integers."""
    x = pixels.astype(np.int64)
    assert moments.sums.dtype == moments.squares.dtype == np.int64
    np.testing.assert_array_equal(moments.sums, x.sum((2, 3)))
    np.testing.assert_array_equal(moments.squares, (x * x).sum((2, 3)))
    assert moments.pixels == pixels.shape[2] * pixels.shape[3]
    assert moments.channels == tuple(range(1, pixels.shape[1] + 1))


# The first example compiles the loop.
@settings(deadline=None)
@given(
    sites=st.integers(1, 9),
    channels=st.integers(1, 6),
    size=st.sampled_from([1, 7, 16, 256, 257, 300]),
    sites_at_once=st.integers(0, 10),
    workers=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_the_sums_are_exact_whatever_the_portions_and_threads(
    sites: int, channels: int, size: int, sites_at_once: int, workers: int, seed: int
) -> None:
    if size > 16:
        sites, channels = min(sites, 2), min(channels, 2)
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 256, (sites, channels, size, size), dtype=np.uint8)
    at_once = sites_at_once * channels * size**2
    assert_moments_of(measure(HeldImages(pixels), workers=workers, pixels_at_once=at_once), pixels)


@pytest.mark.parametrize("size", [512, 515])
def test_the_brightest_picture_of_the_release_s_size_is_summed_exactly(size: int) -> None:
    pixels = np.full((1, 2, size, size), 255, np.uint8)
    pixels[0, 1, ::2, 1::3] = 254
    assert_moments_of(measure(HeldImages(pixels)), pixels)


def test_each_site_is_read_once_and_no_more_at_a_time_than_asked() -> None:
    held = HeldImages(np.zeros((10, 2, 4, 4), np.uint8))
    measure(held, workers=2, pixels_at_once=3 * 2 * 4 * 4)
    assert sorted(held.asked) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("screen")
    write_screen(root, EXPERIMENTS, plates=1, image_size=8)
    return root


@pytest.fixture(params=["packed", "png"])
def own(screen: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the screen to spoil, in either form."""
    root = Path(shutil.copytree(screen, tmp_path / "screen"))
    if request.param == "packed":
        images.pack(root)
    return root


def moments_of(root: Path, workers: int = 1) -> PixelMoments:
    return of_screen(images.open_images(root), root, workers=workers)


def all_pixels(root: Path) -> np.ndarray:
    opened = images.open_images(root)
    return opened.read(range(opened.sites))


def set_a_pixel(root: Path, level: int) -> None:
    """Write one PNG anew, uncompressed, so that it always has the same size in bytes."""
    path = png_path(root, metadata.load(root), 3, 2)
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0] = level
    Image.fromarray(pixels).save(path, compress_level=0)
    pack_if_packed(root)


def pack_if_packed(root: Path) -> None:
    if (root / "packed").is_dir():
        images.pack(root)


def refuse_to_read(*_: object) -> None:
    raise AssertionError("pixels were read")


def test_a_screen_s_moments_are_those_of_its_pixels_in_threads_too(own: Path) -> None:
    assert_moments_of(moments_of(own, workers=3), all_pixels(own))


def test_pixels_are_read_once_for_all_even_if_the_screen_is_moved(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = all_pixels(own)
    moments_of(own)
    moved = Path(shutil.move(own, tmp_path / "elsewhere"))
    monkeypatch.setattr(images.PackedImages, "read", refuse_to_read)
    monkeypatch.setattr(images.PngTree, "read", refuse_to_read)
    assert_moments_of(moments_of(moved), pixels)


def test_other_pixels_are_measured_anew(own: Path) -> None:
    set_a_pixel(own, 10)
    before = moments_of(own)
    set_a_pixel(own, 11)
    after = moments_of(own)
    assert_moments_of(after, all_pixels(own))
    assert (after.sums - before.sums).sum() == 1


def test_another_order_of_the_rows_is_measured_anew(own: Path) -> None:
    before = moments_of(own)
    metadata.write(metadata.load(own)[::-1], own)
    pack_if_packed(own)
    after = moments_of(own)
    assert_moments_of(after, all_pixels(own))
    np.testing.assert_array_equal(after.sums, before.sums[::-1])


def test_a_damaged_file_is_made_anew(screen: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(screen, tmp_path / "screen"))
    images.pack(root)
    opened, expected = images.open_images(root), moments_of(root)
    path = root / "pixel_moments.npz"
    whole = path.read_bytes()
    for at in range(0, len(whole), 9):
        flipped = whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :]
        for damaged in (flipped, whole[:at]):
            path.write_bytes(damaged)
            moments = of_screen(opened, root)
            np.testing.assert_array_equal(moments.sums, expected.sums)
            np.testing.assert_array_equal(moments.squares, expected.squares)
    assert path.read_bytes() == whole  # mended after the last cut


def test_moments_that_cannot_be_kept_are_returned_with_a_warning(own: Path) -> None:
    (own / "pixel_moments.npz").mkdir()
    with pytest.warns(UserWarning, match=r"pixel_moments\.npz cannot be written .*make its folder"):
        moments = moments_of(own)
    assert_moments_of(moments, all_pixels(own))


def test_a_missing_picture_is_named_and_nothing_is_kept(screen: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(screen, tmp_path / "screen"))
    moments_of(root)
    path = png_path(root, metadata.load(root), 5, 4)
    path.unlink()
    before = (root / "pixel_moments.npz").read_bytes()
    with pytest.raises(images.ImageError, match=f"{path.name} is missing"):
        moments_of(root, workers=2)
    assert (root / "pixel_moments.npz").read_bytes() == before


def test_one_file_is_kept_and_nothing_else(own: Path) -> None:
    before = set(own.iterdir())
    moments_of(own)
    assert set(own.iterdir()) - before == {own / pixel_moments.FILE_NAME}
