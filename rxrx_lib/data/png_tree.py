"""The release's own form of the pixels: one 8-bit grey PNG for each channel of each site.

Shapes: N sites of the screen in the metadata's order, B sites asked for, C channels, H = W.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Rows = Sequence[int] | npt.NDArray[np.integer]

FOLDER = "images"
CHANNELS = (1, 2, 3, 4, 5, 6)
# The chunk that closes every PNG; a file cut just before it still decodes without complaint.
PNG_END = b"IEND\xaeB`\x82"


class ImageError(ValueError):
    """A picture or a packed store that cannot be used; the message names the file."""


@dataclass(frozen=True)
class PngTree:
    """The release's PNGs.

    Attributes
    ----------
    paths : tuple of str
        Each site's path up to the channel, as `site_paths` gives it.
    image_size : int
        H and W in pixels.
    """

    paths: tuple[str, ...]
    image_size: int

    @property
    def sites(self) -> int:
        """Number of sites N."""
        return len(self.paths)

    def read(self, rows: Rows, channels: Sequence[int] | None = None) -> Pixels:
        """Read sites; see `open_images`."""
        positions, wanted = asked_rows(rows, self.sites), asked_channels(channels)
        shape = (len(positions), len(wanted), self.image_size, self.image_size)
        pixels = np.empty(shape, np.uint8)
        for site, row in zip(pixels, positions, strict=True):
            for picture, channel in zip(site, wanted, strict=True):
                picture[:] = self._decode(channel_path(self.paths[row], channel))
        return pixels

    def _decode(self, path: Path) -> Pixels:
        picture = decode(path)
        if len(picture) != self.image_size:
            raise ImageError(size_fault(path, len(picture), self.image_size))
        return picture


def open_tree(table: pd.DataFrame, root: Path | str) -> PngTree:
    """Open the PNG tree; the first PNG that can be read tells the image size."""
    paths = site_paths(table, root)
    first_fault = None
    for path in paths:
        for channel in CHANNELS:
            try:
                return PngTree(tuple(paths), len(decode(channel_path(path, channel))))
            except ImageError as error:
                first_fault = first_fault or error
    raise first_fault or ImageError(f"{root} has no sites; expected at least one.")


def site_paths(table: pd.DataFrame, root: Path | str) -> list[str]:
    """Return each site's path up to the channel, such as `…/HUVEC-01/Plate1/B02_s1`."""
    columns = [table[column].astype(str) for column in ("experiment", "plate", "well", "site")]
    return [
        os.path.join(root, FOLDER, experiment, f"Plate{plate}", f"{well}_s{site}")
        for experiment, plate, well, site in zip(*columns, strict=True)
    ]


def channel_path(site_path: str, channel: int) -> Path:
    """Return the PNG of one channel (1 to 6) of a site from `site_paths`."""
    return Path(f"{site_path}_w{channel}.png")


def decode(path: Path) -> Pixels:
    """Decode one 8-bit grey, square PNG to uint8 (H, W).

    Raises
    ------
    ImageError
        If the file is missing, cut off or broken, or has another colour mode or shape.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path} is missing; expected an 8-bit grey PNG.") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error}); expected an 8-bit grey PNG.") from error
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            mode, pixels = picture.mode, np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{path} is truncated or no PNG ({error}); fetch it again.") from error
    if PNG_END not in data:
        raise ImageError(f"{path} is truncated (its last chunk is missing); fetch it again.")
    if mode != "L":
        raise ImageError(f"{path} has the colour mode {mode}; expected 8-bit grey (L).")
    if pixels.shape[0] != pixels.shape[1]:
        height, width = pixels.shape
        raise ImageError(f"{path} has {width} × {height} pixels; expected a square.")
    return pixels


def size_fault(path: Path, came: int, expected: int) -> str:
    """Return the sentence about a PNG of another size than the rest of its screen."""
    return f"{path} has {came} × {came} pixels; expected {expected} × {expected}."


def asked_rows(rows: Rows, sites: int) -> npt.NDArray[np.int64]:
    """Return `rows` as int64 (B,), or raise ValueError if it is no list of rows of the screen."""
    positions = np.asarray(rows)
    if positions.size == 0:
        return np.empty(0, np.int64)
    if positions.ndim != 1 or not np.issubdtype(positions.dtype, np.integer):
        raise ValueError(f"rows is {rows!r}; expected a list of integers.")
    outside = positions[(positions < 0) | (positions >= sites)]
    if outside.size:
        raise ValueError(f"rows holds {outside[0]}; expected positions 0 to {sites - 1}.")
    return positions.astype(np.int64)


def asked_channels(channels: Sequence[int] | None) -> tuple[int, ...]:
    """Return `channels`, all by default, or raise ValueError if one is not 1 to 6."""
    wanted = CHANNELS if channels is None else tuple(channels)
    if not wanted or not set(wanted) <= set(CHANNELS):
        raise ValueError(f"channels is {channels!r}; expected some of 1 to 6.")
    return wanted
