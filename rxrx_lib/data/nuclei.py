"""How many nuclei a site shows: pieces of the stained picture that are lighter than the rest.

A simple count, the same for the release and for simulated screens: the nuclear channel in blocks
of about `BLOCK` release pixels, Otsu's threshold [otsu1979threshold]_ for each site, pieces that
touch counted as one, specks left out. Shapes: N sites of the screen, B sites of a portion, H = W.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from rxrx_lib.data.images import Images
from rxrx_lib.data.kept_pixels import keep, pixels_identity, read_kept

Levels = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]

FILE_NAME = "nuclei.npz"
FORMAT = 1
CHANNEL = 1
"""The nuclear stain."""
BLOCK = 4.0
"""Release pixels a side of what is looked at as one pixel, or more where a screen has no finer."""
LEAST_AREA = 60.0
"""Square release pixels below which a piece is a speck; a nucleus has several hundred. Of five such
areas it followed best the cells drawn on development screens; no class was looked at."""
PIXELS_AT_ONCE = 2**23
"""Grey levels that a thread holds at a time."""


def of_screen(images: Images, root: Path | str, *, pixel_size: float, workers: int = 1) -> Counts:
    """Return each site's number of nuclei, from the file beside the screen or from all pixels.

    Parameters
    ----------
    images : PackedImages or PngTree
        The screen's pixels.
    root : path
        Its folder. `FILE_NAME` is kept there, and is made anew if it is of other pixels or damaged.
    pixel_size : float
        Release pixels a side of a pixel; 1 for the release.
    workers : int
        Threads of the pass.

    Returns
    -------
    int64 (N,)

    Raises
    ------
    ImageError
        If a picture cannot be read.

    Warns
    -----
    UserWarning
        If the file cannot be written; the counts are returned all the same.
    """
    path = Path(root) / FILE_NAME
    identity = f"{FORMAT} {pixel_size!r} {pixels_identity(images)}"
    kept = read_kept(path, identity, "nuclei")
    if kept is not None:
        return kept[0]
    portion = max(1, PIXELS_AT_ONCE // images.image_size**2)

    def portion_counts(start: int) -> Counts:
        rows = range(start, min(start + portion, images.sites))
        return count(images.read(rows, channels=(CHANNEL,))[:, 0], pixel_size)

    with ThreadPoolExecutor(workers) as threads:
        parts = list(threads.map(portion_counts, range(0, images.sites, portion)))
    nuclei = np.concatenate(parts)
    keep(path, identity, nuclei=nuclei)
    return nuclei


def count(pixels: Levels, pixel_size: float) -> Counts:
    """Count the nuclei of pictures of the nuclear stain.

    Parameters
    ----------
    pixels : uint8 (B, H, W)
        Grey levels.
    pixel_size : float
        Release pixels a side of a pixel, above 0.

    Returns
    -------
    int64 (B,)
        Pieces of at least `LEAST_AREA` that lie above the site's threshold, diagonals joined;
        0 for a picture of one grey level.
    """
    side = max(1, round(BLOCK / pixel_size))
    blocks = _block_means(pixels, side)
    light = blocks > otsu_thresholds(blocks)[:, np.newaxis, np.newaxis]
    least = LEAST_AREA / (side * pixel_size) ** 2
    return np.array([_pieces(site, least) for site in light], dtype=np.int64)


def otsu_thresholds(pixels: Levels) -> Counts:
    """Return the grey level (B,) that parts each picture's pixels with most variance between.

    Light is what lies above it. Of equally good levels the lowest is taken; a picture of one grey
    level has it as threshold.
    """
    flat = pixels.reshape(len(pixels), -1).astype(np.int64)
    shifted = flat + 256 * np.arange(len(flat))[:, np.newaxis]
    histogram = np.bincount(shifted.ravel(), minlength=256 * len(flat)).reshape(-1, 256)
    dark = histogram.cumsum(1).astype(np.float64)
    total = (histogram * np.arange(256)).cumsum(1).astype(np.float64)
    light = dark[:, -1:] - dark
    apart = dark * total[:, -1:] - dark[:, -1:] * total  # the means' difference, times both counts
    between = np.divide(
        apart**2, dark * light, out=np.full_like(dark, -1.0), where=dark * light > 0
    )
    found = between.argmax(1)
    constant = histogram.max(1) == flat.shape[1]
    thresholds: Counts = np.where(constant, histogram.argmax(1), found).astype(np.int64)
    return thresholds


def _block_means(pixels: Levels, side: int) -> Levels:
    """Return rounded means of whole blocks; what is left at the far edges is left out."""
    if side == 1:
        return pixels
    height, width = (length // side for length in pixels.shape[1:])
    whole = pixels[:, : height * side, : width * side]
    means = whole.reshape(len(pixels), height, side, width, side).mean((2, 4))
    rounded: Levels = np.rint(means).astype(np.uint8)
    return rounded


def _pieces(light: npt.NDArray[np.bool_], least: float) -> int:
    names, found = label(light, structure=np.ones((3, 3)))
    if not found:
        return 0
    areas: npt.NDArray[Any] = np.bincount(names.ravel())[1:]
    return int(np.count_nonzero(areas >= least))
