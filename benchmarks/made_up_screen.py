"""Screens to measure on: the release's design, and pictures with about the release's entropy."""

from __future__ import annotations

import itertools
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

from rxrx_lib.data import metadata, png_tree

RELEASE = {"HUVEC": (16, 24), "RPE": (7, 11), "HEPG2": (7, 11), "U2OS": (3, 5)}
FIELDS = 6
DISTINCT = 96


class Look(NamedTuple):
    """How a made-up channel looks, in grey levels, and sizes in pixels at 512 a side.

    Fitted to the bytes, the entropy and the compressibility of channels 1 to 4 of a site of the
    release.
    """

    level: float
    contrast: float
    texture: float
    noise: float
    floor: float


# Channels 5 and 6 like the first, which brings the mean to the release's.
LOOKS = (
    Look(2.7, 2.1, 0.05, 0.09, 0.97),
    Look(14.47, 1.02, 0.33, 0.15, 2.27),
    Look(7.39, 0.67, 0.16, 0.12, 1.73),
    Look(7.61, 0.86, 0.24, 0.12, 1.17),
    Look(2.7, 2.1, 0.05, 0.09, 0.97),
    Look(2.7, 2.1, 0.05, 0.09, 0.97),
)


def release_table(experiments: int) -> pd.DataFrame:
    """Return the metadata of the first experiments of a screen of the release's design."""
    names = [
        (cell_type, "train" if number < train else "test", f"SIM-{cell_type}-{number + 1:02d}")
        for cell_type, (train, total) in RELEASE.items()
        for number in range(total)
    ][:experiments]
    classes = plate_classes()
    rows = [
        (*name, plate, well, site, *classes[plate - 1][place])
        for name in names
        for plate in metadata.PLATES
        for place, well in enumerate(metadata.WELLS)
        for site in metadata.SITES
    ]
    return with_ids(pd.DataFrame(rows, columns=list(metadata.COLUMNS[2:])))


def plate_classes() -> list[list[tuple[str, str, int]]]:
    """Return well type, siRNA and class of each plate's 308 wells."""
    controls = [("positive_control", f"sim-{1108 + i:04d}", 1108 + i) for i in range(30)]
    empty = ("negative_control", "EMPTY", 1138)
    return [
        [empty, *controls]
        + [("treatment", f"sim-{c:04d}", c) for c in range(277 * plate, 277 * (plate + 1))]
        for plate in range(4)
    ]


def with_ids(table: pd.DataFrame) -> pd.DataFrame:
    """Add site_id and well_id."""
    well_id = table["experiment"] + "_" + table["plate"].astype(str) + "_" + table["well"]
    return table.assign(well_id=well_id, site_id=well_id + "_" + table["site"].astype(str))


def write_screen(
    root: Path, sites: int, image_size: int, given: list[list[Path]] | None = None
) -> pd.DataFrame:
    """Write the metadata and PNGs of a part of one experiment and return its table.

    Where PNGs are given, one list a site, the sites are copies of those in turn.
    """
    table = release_table(1).head(sites)
    metadata.write(table, root)
    made = itertools.cycle(given) if given else None
    pictures = picture_files(image_size)
    for site in png_tree.site_paths(table, root):
        pngs = None if made is None else itertools.cycle(next(made))
        for channel in png_tree.CHANNELS:
            path = png_tree.channel_path(site, channel)
            os.makedirs(path.parent, exist_ok=True)
            if pngs is None:
                Image.fromarray(next(pictures)).save(path)
            else:
                shutil.copyfile(next(pngs), path)
    return table


def write_large_screen(root: Path, sites: int, image_size: int) -> None:
    """Write about so many sites, as many of each of 51 experiments, with a few distinct PNGs."""
    whole = release_table(51)
    table = whole.groupby("experiment", sort=False).head(-(-sites // 51)).reset_index(drop=True)
    metadata.write(table, root)
    # A file has at most 65,000 names.
    originals = []
    for number, pixels in enumerate(itertools.islice(picture_files(image_size), DISTINCT)):
        originals.append(root / f"{number}.png")
        Image.fromarray(pixels).save(originals[-1])
    names = itertools.cycle(originals)
    for site in png_tree.site_paths(table, root):
        os.makedirs(os.path.dirname(site), exist_ok=True)
        for channel in png_tree.CHANNELS:
            os.link(next(names), png_tree.channel_path(site, channel))


def given_sites(folder: Path) -> list[list[Path]]:
    """Return the PNGs of each site in a folder: `…_w1.png` and its other channels."""
    sites = defaultdict(list)
    for path in sorted(folder.rglob("*_w[1-6].png")):
        sites[path.with_name(path.name[:-7])].append(path)
    if not sites:
        raise SystemExit(f"{folder} has no PNG whose name ends in _w1.png to _w6.png.")
    return list(sites.values())


def picture_files(image_size: int) -> Iterator[np.ndarray]:
    """Draw channels 1 to 6 of one site after the other, uint8 (image_size, image_size)."""
    draw = np.random.default_rng(0)
    scale = image_size / 512
    # Light and texture are drawn a few times and moved about, since smoothing takes long.
    cells = [field(draw, image_size, 10 * scale) for _ in range(FIELDS)]
    textures = [field(draw, image_size, 2 * scale) for _ in range(FIELDS)]
    for look in itertools.cycle(LOOKS):
        smooth, rough = (moved(draw, fields) for fields in (cells, textures))
        cell = np.exp(look.contrast * smooth)
        light = look.floor + look.level * cell / cell.mean() * (1 + look.texture * rough).clip(0)
        seen = light + look.noise * np.sqrt(light) * draw.normal(size=light.shape)
        yield np.rint(seen).clip(0, 255).astype(np.uint8)


def field(draw: np.random.Generator, image_size: int, width: float) -> np.ndarray:
    """Draw a smooth random field of variance 1 that has no edges."""
    smooth = gaussian_filter(draw.normal(size=(image_size, image_size)), width, mode="wrap")
    return smooth / smooth.std()


def moved(draw: np.random.Generator, fields: list[np.ndarray]) -> np.ndarray:
    """Return one of the fields, moved by a random distance."""
    one = fields[draw.integers(len(fields))]
    return np.roll(one, draw.integers(0, len(one), 2), axis=(0, 1))


def entropy_bits(pixels: np.ndarray) -> float:
    """Return the entropy of a picture's grey levels, in bits a pixel."""
    share = np.bincount(pixels.ravel(), minlength=256) / pixels.size
    return float(-(share[share > 0] * np.log2(share[share > 0])).sum())
