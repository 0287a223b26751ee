"""What the data layer costs, as ratios within one run: reading, loading, moments, real size.

    python benchmarks/data.py [--image-size 512] [--sites 200] [--seconds 5]

One core. Files are warm in the page cache, so what is measured is decoding. The pictures are made
up, with about the entropy of the release's. OpenCV is compared with where it is installed:
pip install opencv-python-headless
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

from rxrx_lib.data import loader, metadata, packed_store, pixel_moments, png_tree, splits

MINIBATCH = 32
RELEASE = {"HUVEC": (16, 24), "RPE": (7, 11), "HEPG2": (7, 11), "U2OS": (3, 5)}
Pixels = np.ndarray


def main() -> None:
    """Measure and print a table a topic."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image-size", type=int, default=512, help="pixels a side")
    parser.add_argument("--sites", type=int, default=200, help="sites on disk, at most 2464")
    parser.add_argument("--seconds", type=float, default=5.0, help="time a row")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        real_size(Path(folder))
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        pixels_on_disk(Path(folder) / "screen", asked.image_size, asked.sites, asked.seconds)


def pixels_on_disk(root: Path, image_size: int, sites: int, seconds: float) -> None:
    """Compare the ways to read pixels, and what is built on the fastest."""
    table = write_screen(root, sites, image_size)
    tree = png_tree.open_tree(table, root)
    pngs = sum(path.stat().st_size for path in (root / "images").rglob("*.png"))
    lz4, zstd = packed(root, "lz4"), packed(root, "zstd")
    store = lz4.images
    paths = png_tree.site_paths(table, root)
    readers: dict[str, Callable[[np.ndarray], Pixels]] = {
        "six PNGs, Pillow": lambda rows: by_pillow(paths, rows),
        "six PNGs, this library": tree.read,
        "packed store, lz4": lz4.images.read,
        "packed store, zstd": zstd.images.read,
    }
    if importlib.util.find_spec("cv2") is not None:
        readers["six PNGs, OpenCV"] = lambda rows: by_opencv(paths, rows)
    rates = {name: random_rows_a_second(read, sites, seconds) for name, read in readers.items()}
    print(f"\n{sites} sites of six {image_size}-pixel channels; sites a second, random rows")
    reference = rates.get("six PNGs, OpenCV", rates["six PNGs, Pillow"])
    for name, rate in rates.items():
        print(f"  {name:<28}{rate:9.0f}   {rate / reference:6.2f} x the public reader")
    decoding = rates["six PNGs, this library"]
    for name, made in (("lz4", lz4), ("zstd", zstd)):
        print(f"  {name + ', bytes':<28}{'':9}   {made.bytes / pngs:6.2f} x the PNGs")
        rate = sites / made.seconds
        print(f"  {name + ', packing':<28}{rate:9.0f}   {rate / decoding:6.2f} x decoding the PNGs")
    reading = rates["packed store, lz4"]
    loaded = minibatches_a_second(store, sites, seconds)
    print(f"  {'loader to minibatches':<28}{loaded:9.0f}   {loaded / reading:6.2f} x reading")
    moments = passes_a_second(store, seconds) * sites
    print(f"  {'moments for normalising':<28}{moments:9.0f}   {moments / reading:6.2f} x reading")


class Packed(NamedTuple):
    """A packed store, and what packing cost."""

    images: packed_store.PackedImages
    seconds: float
    bytes: int


def packed(root: Path, codec: str) -> Packed:
    """Pack a screen's pictures in a folder of their own."""
    folder = root.with_name(f"{root.name}-{codec}")
    folder.mkdir()
    (folder / "images").symlink_to(root / "images", target_is_directory=True)
    shutil.copy(root / metadata.FILE_NAME, folder)
    start = time.perf_counter()
    packed_store.pack(folder, codec=codec)
    seconds = time.perf_counter() - start
    size = (folder / packed_store.STORE).stat().st_size
    return Packed(packed_store.open_packed(folder), seconds, size)


def random_rows_a_second(read: Callable[[np.ndarray], Pixels], sites: int, seconds: float) -> float:
    """Read minibatches of random rows for about so many seconds, after one pass to warm up."""
    draw = np.random.default_rng(0)
    read(np.arange(sites))
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        count += len(read(draw.integers(0, sites, MINIBATCH)))
    return count / (time.perf_counter() - start)


def minibatches_a_second(images: packed_store.PackedImages, sites: int, seconds: float) -> float:
    """Read whole epochs of shuffled minibatches through the loader, in this process."""
    start, count, epoch = time.perf_counter(), 0, 0
    while time.perf_counter() - start < seconds:
        plan = loader.shuffled(np.arange(sites), 1, MINIBATCH, seed=0, epoch=epoch)
        for _, pixels in loader.minibatches(images, plan):
            count += len(pixels)
        epoch += 1
    return count / (time.perf_counter() - start)


def passes_a_second(images: packed_store.PackedImages, seconds: float) -> float:
    """Pass over all pixels for their sums and squares."""
    start, passes = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        pixel_moments.measure(images)
        passes += 1
    return passes / (time.perf_counter() - start)


def by_pillow(paths: list[str], rows: np.ndarray) -> Pixels:
    """Read sites as public loaders do."""
    return np.stack(
        [
            np.stack([np.asarray(Image.open(f"{paths[row]}_w{c}.png")) for c in range(1, 7)])
            for row in rows
        ]
    )


def by_opencv(paths: list[str], rows: np.ndarray) -> Pixels:
    """Read sites as public loaders do."""
    import cv2

    cv2.setNumThreads(1)
    grey = cv2.IMREAD_GRAYSCALE
    return np.stack(
        [
            np.stack([cv2.imread(f"{paths[row]}_w{c}.png", grey) for c in range(1, 7)])
            for row in rows
        ]
    )


def real_size(root: Path) -> None:
    """Load, split and plan a table of 51 experiments with 1,139 classes, and smaller ones."""
    print("\nmetadata, seconds of processor time: load, stratified split, plan of an epoch")
    for experiments in (1, 6, 51):
        table = release_table(experiments)
        folder = root / str(experiments)
        metadata.write(table, folder)
        steps = [time.process_time()]
        loaded = metadata.load(folder)
        steps.append(time.process_time())
        split = splits.stratified(loaded)
        steps.append(time.process_time())
        loader.shuffled(split.train, 8, 64, seed=0, epoch=0)
        steps.append(time.process_time())
        spent = "  ".join(f"{b - a:5.2f}" for a, b in itertools.pairwise(steps))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  {len(table):>7} sites   {spent}   process so far {memory:.0f} MB")


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


def write_screen(root: Path, sites: int, image_size: int) -> pd.DataFrame:
    """Write the metadata and PNGs of a part of one experiment and return its table."""
    table = release_table(1).head(sites)
    metadata.write(table, root)
    draw = np.random.default_rng(0)
    for site in png_tree.site_paths(table, root):
        for channel in png_tree.CHANNELS:
            path = png_tree.channel_path(site, channel)
            os.makedirs(path.parent, exist_ok=True)
            Image.fromarray(picture(image_size, draw)).save(path)
    return table


def picture(image_size: int, draw: np.random.Generator) -> np.ndarray:
    """Draw one channel, uint8 (image_size, image_size): bright spots on a dark, noisy ground."""
    smooth = gaussian_filter(draw.normal(size=(image_size, image_size)), 4)
    spots = np.clip(smooth / smooth.std(), 0, None) * 12
    return np.clip(draw.poisson(2 + spots), 0, 255).astype(np.uint8)


def with_ids(table: pd.DataFrame) -> pd.DataFrame:
    """Add site_id and well_id."""
    well_id = table["experiment"] + "_" + table["plate"].astype(str) + "_" + table["well"]
    return table.assign(well_id=well_id, site_id=well_id + "_" + table["site"].astype(str))


if __name__ == "__main__":
    main()
