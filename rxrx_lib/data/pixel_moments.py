"""Every site's sum and sum of squares of grey levels, exact, from one pass over a screen's pixels.

The mean and the standard deviation of any pool of sites follow from these two numbers a channel.
Being integers, they do not depend on the order, the portions or the threads of the pass.
Shapes: N sites of the screen in the metadata's order, B sites of a portion, C channels, H = W.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rxrx_lib.data.images import Images
from rxrx_lib.data.kept_pixels import keep, pixels_identity, read_kept
from rxrx_lib.data.png_tree import Pixels

Integers = npt.NDArray[np.int64]

FILE_NAME = "pixel_moments.npz"
FORMAT = 1
PIXELS_AT_ONCE = 2**23
"""Grey levels, of all channels, that a thread holds at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelMoments:
    """What a screen's normalisation needs to know of its pixels.

    Attributes
    ----------
    sums, squares : int64 (N, C)
        Sum of the grey levels (0 to 255) of a site's channel, and of their squares.
    pixels : int
        Pixels H · W of a site's channel.
    channels : tuple of int
        The channels that the screen has, in the order of the columns.
    """

    sums: Integers
    squares: Integers
    pixels: int
    channels: tuple[int, ...]


def of_screen(images: Images, root: Path | str, *, workers: int = 1) -> PixelMoments:
    """Return a screen's moments, from the file beside it or else from a pass over all pixels.

    Parameters
    ----------
    images : PackedImages or PngTree
        The screen's pixels.
    root : path
        Its folder. `FILE_NAME` is kept there, and is made anew if it is of other pixels or damaged.
    workers : int
        Threads of the pass, as in `measure`.

    Returns
    -------
    PixelMoments

    Raises
    ------
    ImageError
        If a picture cannot be read.

    Warns
    -----
    UserWarning
        If the file cannot be written; the moments are returned all the same.
    """
    path = Path(root) / FILE_NAME
    identity = f"{FORMAT} {pixels_identity(images)}"
    kept = read_kept(path, identity, "sums", "squares")
    if kept is not None:
        pixels = images.image_size**2
        return PixelMoments(sums=kept[0], squares=kept[1], pixels=pixels, channels=images.channels)
    moments = measure(images, workers=workers)
    keep(path, identity, sums=moments.sums, squares=moments.squares)
    return moments


def measure(
    images: Images, *, workers: int = 1, pixels_at_once: int = PIXELS_AT_ONCE
) -> PixelMoments:
    """Read every site once and return the moments.

    Parameters
    ----------
    images : PackedImages or PngTree
        The screen's pixels.
    workers : int
        Threads that read and add.
    pixels_at_once : int
        Grey levels that each of them holds at a time, at least one site: the memory that the pass
        takes. It changes nothing else.

    Returns
    -------
    PixelMoments
        Of all N sites and all channels that the screen has.

    Raises
    ------
    ImageError
        If a picture cannot be read.
    """
    pixels = images.image_size**2
    portion = max(1, pixels_at_once // (pixels * len(images.channels)))

    def portion_moments(start: int) -> tuple[Integers, Integers]:
        return of_pixels(images.read(range(start, min(start + portion, images.sites))))

    _compiled()  # before several threads would
    with ThreadPoolExecutor(workers) as threads:
        parts = list(threads.map(portion_moments, range(0, images.sites, portion)))
    sums, squares = (np.concatenate(part) for part in zip(*parts, strict=True))
    return PixelMoments(sums=sums, squares=squares, pixels=pixels, channels=images.channels)


def of_pixels(pixels: Pixels) -> tuple[Integers, Integers]:
    """Return sums and sums of squares (B, C) of grey levels (B, C, H, W).

    The first call in a process takes a second longer: it compiles the loop.
    """
    sums, squares = np.empty((2, pixels.shape[0] * pixels.shape[1]), np.int64)
    _compiled()(pixels.reshape(len(sums), -1), sums, squares)
    return sums.reshape(pixels.shape[:2]), squares.reshape(pixels.shape[:2])


@cache
def _compiled() -> Any:
    """Return :func:`_add` for numba to compile, which every page would pay for importing.

    NumPy would turn the bytes to a wider type first, which takes longer than adding.
    """
    import numba

    return numba.njit(nogil=True)(_add)


def _add(pictures: Pixels, sums: Integers, squares: Integers) -> None:
    """Fill in the sum and the sum of squares (P,) of each of P pictures (P, H · W)."""
    for picture in range(len(pictures)):
        total, square = 0, 0
        for level in pictures[picture]:
            total += level
            square += level * level
        sums[picture], squares[picture] = total, square
