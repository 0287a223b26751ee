"""Nuclei are counted as a person would on an easy picture, and the same for any size of pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rxrx_lib.data import images, nuclei
from tests.data.screens import write_screen


def discs(side: int, radius: int, centres: list[tuple[int, int]], level: int = 150) -> np.ndarray:
    """Return a dim, noisy picture with light discs."""
    y, x = np.mgrid[:side, :side]
    picture = np.random.default_rng(0).integers(5, 25, (side, side))
    for row, column in centres:
        picture[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = level
    return picture.astype(np.uint8)


CENTRES = [(8, 8), (8, 30), (30, 9), (33, 33), (20, 20)]


def test_discs_are_counted() -> None:
    pictures = np.stack([discs(40, 3, CENTRES[:n]) for n in range(1, 6)])
    assert nuclei.count(pictures, pixel_size=4.0).tolist() == [1, 2, 3, 4, 5]


def test_fine_pixels_are_counted_as_coarse_ones_are() -> None:
    coarse = discs(40, 3, CENTRES)
    fine = coarse.repeat(4, 0).repeat(4, 1)
    grainy = fine + np.random.default_rng(1).integers(-5, 6, fine.shape)
    for picture in (fine, grainy.clip(0, 255).astype(np.uint8)):
        assert nuclei.count(picture[np.newaxis], pixel_size=1.0).tolist() == [5]


def test_edges_that_do_not_fill_a_block_are_left_out() -> None:
    whole = discs(32, 8, [(15, 15)])
    wider = np.pad(whole, ((0, 3), (0, 2)), constant_values=255)
    assert nuclei.count(whole[np.newaxis], pixel_size=1.0).tolist() == [1]
    assert nuclei.count(wider[np.newaxis], pixel_size=1.0).tolist() == [1]


def test_a_speck_is_no_nucleus_and_touching_discs_are_one() -> None:
    picture = discs(40, 3, CENTRES[:1])
    picture[30, 30] = 255  # 16 square release pixels
    picture[20, 20] = picture[21, 21] = picture[22, 22] = picture[23, 23] = 255  # joined: 64
    assert nuclei.count(picture[np.newaxis], pixel_size=4.0).tolist() == [2]
    touching = discs(40, 3, [(8, 8), (8, 14)])
    assert nuclei.count(touching[np.newaxis], pixel_size=4.0).tolist() == [1]


def test_a_picture_of_one_grey_level_has_no_nucleus() -> None:
    pictures = np.stack([np.full((8, 8), level, np.uint8) for level in (0, 7, 255)])
    assert nuclei.count(pictures, pixel_size=4.0).tolist() == [0, 0, 0]


def test_otsus_threshold_is_the_one_that_leaves_least_variance_within() -> None:
    random = np.random.default_rng(3)
    pictures = random.integers(0, 256, (6, 9, 9)).astype(np.uint8)
    pictures[1] //= 64  # few levels
    for picture, found in zip(pictures, nuclei.otsu_thresholds(pictures), strict=True):
        within = {
            t: (picture <= t).mean() * picture[picture <= t].var()
            + (picture > t).mean() * picture[picture > t].var()
            for t in range(256)
            if (picture <= t).any() and (picture > t).any()
        }
        assert within[int(found)] == pytest.approx(min(within.values()))


@pytest.mark.parametrize("packed", [True, False])
def test_a_screens_counts_are_kept_beside_it_and_made_anew_for_other_pixels(
    tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "screen"
    write_screen(root, {"HUVEC-01": "train", "RPE-01": "test"})
    if packed:
        images.pack(root)
    opened = images.open_images(root)
    pixels = opened.read(range(opened.sites), channels=(1,))[:, 0]
    monkeypatch.setattr(nuclei, "PIXELS_AT_ONCE", 3 * opened.image_size**2)
    first = nuclei.of_screen(opened, root, pixel_size=4.0, workers=2)
    np.testing.assert_array_equal(first, nuclei.count(pixels, 4.0))
    assert (root / nuclei.FILE_NAME).exists()

    monkeypatch.setattr(nuclei, "count", lambda *_: np.zeros(3, np.int64))
    np.testing.assert_array_equal(nuclei.of_screen(opened, root, pixel_size=4.0), first)
    assert not nuclei.of_screen(opened, root, pixel_size=5.5).any()  # other pixels, counted again
