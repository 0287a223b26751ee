"""Sites a second read from the PNG tree and from the packed store, on one core.

Both are read in minibatches of random rows, warm from the page cache, so what is measured is
decoding. The pictures are made up: smooth bright spots on a dark, noisy ground, which compress
about as well as the release's.

    python benchmarks/reading.py --image-size 64 --sites 400
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

from rxrx_lib.data import metadata, packed_store, png_tree
from rxrx_lib.data.images import Images

MINIBATCH = 32


def main() -> None:
    """Write a screen, read it both ways, and print the two speeds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image-size", type=int, default=64, help="pixels (release: 512)")
    parser.add_argument("--sites", type=int, default=400, help="sites on disk, at most 2464")
    parser.add_argument("--seconds", type=float, default=5.0, help="time to read each way")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        table = write_screen(root, arguments.sites, arguments.image_size)
        tree = png_tree.open_tree(table, root)
        packed_store.pack(root)
        speeds = [
            sites_per_second(opened, arguments.seconds)
            for opened in (tree, packed_store.open_packed(root))
        ]
        size_of_tree = sum(path.stat().st_size for path in (root / "images").rglob("*.png"))
        size_of_store = (root / packed_store.STORE).stat().st_size
    print(f"{arguments.sites} sites of six {arguments.image_size}-pixel channels")
    print(f"PNG tree      {speeds[0]:8.0f} sites/s")
    print(f"packed store  {speeds[1]:8.0f} sites/s, {speeds[1] / speeds[0]:.1f} times as fast")
    print(f"              {size_of_store / size_of_tree:.2f} times the size of the PNGs")


def sites_per_second(opened: Images, seconds: float) -> float:
    """Read minibatches of random rows for about so many seconds, after one pass to warm up."""
    draw = np.random.default_rng(0)
    opened.read(range(opened.sites))
    start, read = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        read += len(opened.read(draw.integers(0, opened.sites, MINIBATCH)))
    return read / (time.perf_counter() - start)


def write_screen(root: Path, sites: int, image_size: int) -> pd.DataFrame:
    """Write the metadata and PNGs of one made-up experiment and return its table."""
    table = one_experiment().head(sites)
    metadata.write(table, root)
    draw = np.random.default_rng(0)
    for site in png_tree.site_paths(table, root):
        for channel in png_tree.CHANNELS:
            path = png_tree.channel_path(site, channel)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(image_size, draw)).save(path)
    return table


def picture(image_size: int, draw: np.random.Generator) -> np.ndarray:
    """Draw one channel, uint8 (image_size, image_size)."""
    smooth = gaussian_filter(draw.normal(size=(image_size, image_size)), 4)
    spots = np.clip(smooth / smooth.std(), 0, None) * 12
    return np.clip(draw.poisson(2 + spots), 0, 255).astype(np.uint8)


def one_experiment() -> pd.DataFrame:
    """Return the metadata of 4 plates of EMPTY wells, two sites each."""
    rows = [
        ("HUVEC", "train", "SIM-HUVEC-01", plate, well, site, "negative_control", "EMPTY", 1138)
        for plate in metadata.PLATES
        for well in metadata.WELLS
        for site in metadata.SITES
    ]
    table = pd.DataFrame(rows, columns=list(metadata.COLUMNS[2:]))
    table["well_id"] = table["experiment"] + "_" + table["plate"].astype(str) + "_" + table["well"]
    table["site_id"] = table["well_id"] + "_" + table["site"].astype(str)
    return table


if __name__ == "__main__":
    main()
