"""The published forms of the pixels: folders of PNGs.

The release and Kaggle have one grey PNG for each channel of each site; RxRx1-WILDS has one in
colour for the first three channels. Kaggle keeps training and test experiments in two folders.

Shapes: N sites of the screen in the metadata's order, B sites asked for, C channels, H = W.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data.png_file import COLOUR, GREY, ImageError, Kind, Pixels, decode, size_fault

__all__ = [
    "CHANNELS",
    "FOLDER",
    "RELEASE",
    "WILDS",
    "ImageError",
    "Layout",
    "Pixels",
    "PngTree",
    "Rows",
    "asked_channels",
    "asked_place",
    "asked_rows",
    "channel_path",
    "decode",
    "find_layout",
    "find_sites",
    "fingerprint",
    "no_picture_at_all",
    "open_tree",
    "picture_folders",
    "site_paths",
    "size_fault",
]

Rows = Sequence[int] | npt.NDArray[np.integer]

FOLDER = "images"
CHANNELS = (1, 2, 3, 4, 5, 6)
# Kaggle's folders, named like the entries of `dataset`: in `images` or beside each other.
SIDES = ("train", "test")


@dataclass(frozen=True)
class Layout:
    """Which PNGs a site has: one in colour, or else one in grey for each channel.

    Attributes
    ----------
    kind : Kind
        What each holds.
    channels : tuple of int
        The channels that a site has.
    """

    kind: Kind
    channels: tuple[int, ...]

    def paths(self, site_path: str, channels: Sequence[int] | None = None) -> list[Path]:
        """Return the PNGs that hold the channels, all by default, of a site from `site_paths`."""
        if self.kind == COLOUR:
            return [Path(f"{site_path}.png")]
        return [channel_path(site_path, channel) for channel in channels or self.channels]

    def read(self, site_path: str, channels: Sequence[int]) -> list[tuple[Path, Pixels]]:
        """Return the PNG and the pixels (H, W) of each channel asked for."""
        if self.kind == COLOUR:
            (path,) = self.paths(site_path)
            picture = decode(path, COLOUR)
            return [(path, picture[self.channels.index(channel)]) for channel in channels]
        return [(path, decode(path)) for path in self.paths(site_path, channels)]


RELEASE = Layout(GREY, CHANNELS)
WILDS = Layout(COLOUR, CHANNELS[:3])


@dataclass(frozen=True)
class PngTree:
    """A screen's PNGs.

    Attributes
    ----------
    paths : tuple of str
        Each site's path up to the channel, as `site_paths` gives it.
    image_size : int
        H and W in pixels.
    layout : Layout
        Which PNGs each site has.
    """

    paths: tuple[str, ...]
    image_size: int
    layout: Layout = RELEASE

    @property
    def sites(self) -> int:
        """Number of sites N."""
        return len(self.paths)

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels that the screen has."""
        return self.layout.channels

    def read(
        self, rows: Rows, channels: Sequence[int] | None = None, out: Pixels | None = None
    ) -> Pixels:
        """Read sites; see `open_images`."""
        positions = asked_rows(rows, self.sites)
        wanted = asked_channels(channels, self.channels)
        shape = (len(positions), len(wanted), self.image_size, self.image_size)
        read = asked_place(out, shape)
        for site, row in zip(read, positions, strict=True):
            pictures = self.layout.read(self.paths[row], wanted)
            for place, (path, pixels) in zip(site, pictures, strict=True):
                if len(pixels) != self.image_size:
                    raise ImageError(size_fault(path, len(pixels), self.image_size))
                place[:] = pixels
        return read


def fingerprint(tree: PngTree, rows: Rows | range, channels: Sequence[int] | None = None) -> str:
    """Return what changes whenever the PNGs of some sites may change.

    They are known by name, size and time of change, since reading them all would cost as much as
    what is to be saved by it: a PNG that another replaces with the very size and time of the first
    is taken for it. A missing one has neither. The screen may be moved.

    Parameters
    ----------
    tree : PngTree
        A screen's PNGs.
    rows : int (B,)
        Positions of the sites.
    channels : sequence of int, optional
        Whose PNGs; all by default.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for row in rows:
        # Experiment, plate and well_site name a site inside the screen.
        name = "/".join(tree.paths[row].split(os.sep)[-3:])
        for path in tree.layout.paths(tree.paths[row], channels):
            try:
                found = path.stat()
                line = f"{name} {path.name} {found.st_size} {found.st_mtime_ns}\n"
            except FileNotFoundError:
                line = f"{name} {path.name}\n"
            digest.update(line.encode())
    return digest.hexdigest()


def open_tree(table: pd.DataFrame, root: Path | str) -> PngTree:
    """Open the PNGs; the first that can be read tells the image size."""
    sites = find_sites(table, root)
    layout = find_layout(sites)
    first_fault = None
    for site in sites:
        for path in layout.paths(site):
            try:
                return PngTree(tuple(sites), decode(path, layout.kind).shape[-1], layout)
            except ImageError as error:
                first_fault = first_fault or error
    if first_fault is None:
        raise ImageError(f"{root} has no sites; expected at least one.")
    there = any(path.exists() for site in sites for path in layout.paths(site))
    raise first_fault if there else ImageError(no_picture_at_all(sites[0], layout))


def no_picture_at_all(site_path: str, layout: Layout) -> str:
    """Return the sentence about a screen without any picture, given its first site."""
    experiment = Path(site_path).parents[1]
    deeper = sorted(experiment.parent.glob(f"*/{experiment.name}"))
    where = f"; {deeper[0]} is there, so move it up to {experiment.parent}" if deeper else ""
    return (
        f"{layout.paths(site_path)[0]} is missing, and so is every other picture of the screen; "
        f"expected {layout.kind.name} PNGs{where}."
    )


def find_layout(sites: Sequence[str]) -> Layout:
    """Return the layout of the first PNG that is there, or else the release's."""
    for site in sites:
        for layout in (RELEASE, WILDS):
            if any(path.exists() for path in layout.paths(site)):
                return layout
    return RELEASE


def site_paths(table: pd.DataFrame, root: Path | str) -> list[str]:
    """Return each site's path up to the channel, such as `…/HUVEC-01/Plate1/B02_s1`.

    In the release's layout, whatever lies in `root`; `find_sites` looks.
    """
    return _site_paths(table, [os.path.join(root, FOLDER)] * len(table))


def find_sites(table: pd.DataFrame, root: Path | str) -> list[str]:
    """Return each site's path up to the channel, in the folders that there are."""
    folders = picture_folders(root)
    if len(folders) == 1:
        return site_paths(table, root)
    of_side = {folder.name: str(folder) for folder in folders}
    # What RxRx1-WILDS calls val is the release's and Kaggle's test.
    return _site_paths(table, [of_side.get(side, of_side["test"]) for side in table["dataset"]])


def picture_folders(root: Path | str) -> list[Path]:
    """Return where the experiments lie: in `images`, or in Kaggle's two folders."""
    images = Path(root, FOLDER)
    parent = images if images.is_dir() else Path(root)
    sides = [parent / side for side in SIDES]
    return sides if any(side.is_dir() for side in sides) else [images]


def channel_path(site_path: str, channel: int) -> Path:
    """Return the grey PNG of one channel (1 to 6) of a site from `site_paths`."""
    return Path(f"{site_path}_w{channel}.png")


def _site_paths(table: pd.DataFrame, folders: Sequence[str]) -> list[str]:
    columns = [table[column].astype(str) for column in ("experiment", "plate", "well", "site")]
    return [
        os.path.join(folder, experiment, f"Plate{plate}", f"{well}_s{site}")
        for folder, experiment, plate, well, site in zip(folders, *columns, strict=True)
    ]


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


def asked_channels(
    channels: Sequence[int] | None, held: tuple[int, ...] = CHANNELS
) -> tuple[int, ...]:
    """Return `channels`, all by default, or raise ValueError if one is not among those held."""
    wanted = held if channels is None else tuple(channels)
    if not wanted or not set(wanted) <= set(held):
        run = held == tuple(range(held[0], held[-1] + 1))
        had = f"{held[0]} to {held[-1]}" if run else ", ".join(map(str, held))
        raise ValueError(
            f"channels is {channels!r}; expected some of {had}, the channels of this screen."
        )
    return wanted


def asked_place(out: Pixels | None, shape: tuple[int, ...]) -> Pixels:
    """Return where to put what is read: `out`, or a new array; ValueError if it does not fit."""
    if out is None:
        return np.empty(shape, np.uint8)
    expected = f"expected a writeable uint8 {shape} in C order"
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out is {type(out).__name__}; {expected}.")
    if out.dtype != np.uint8 or out.shape != shape:
        raise ValueError(f"out is {out.dtype} {out.shape}; {expected}.")
    if not (out.flags.writeable and out.flags.c_contiguous):
        how = "strided" if out.flags.writeable else "read-only"
        raise ValueError(f"out is {how}; {expected}.")
    return out
