"""Tiny hand-made screens in the release's layout: right by the rules, random in the pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from rxrx_lib.data import metadata

# Two training experiments and one test experiment of one cell type, one of each of another.
EXPERIMENTS = {
    "HUVEC-01": "train",
    "HUVEC-02": "train",
    "HUVEC-03": "test",
    "U2OS-01": "train",
    "U2OS-02": "test",
}


def screen_table(
    experiments: Mapping[str, str] = EXPERIMENTS,
    *,
    treatments: int = 4,
    positives: int = 1,
    plates: int = 4,
) -> pd.DataFrame:
    """Return the metadata of a screen.

    Each treatment has one well an experiment; each positive control has one on every plate, and
    EMPTY has B02 on every plate. `experiments` maps a name (cell type, number) to its side.
    """
    rows = []
    for experiment, dataset in experiments.items():
        for plate in range(1, plates + 1):
            contents = [("negative_control", 1138)]
            contents += [("positive_control", 1108 + k) for k in range(positives)]
            contents += [("treatment", k) for k in range(plate - 1, treatments, plates)]
            for well, (well_type, sirna_id) in zip(metadata.WELLS, contents, strict=False):
                well_id = f"{experiment}_{plate}_{well}"
                sirna = "EMPTY" if sirna_id == 1138 else f"s{sirna_id:04d}"
                before = (well_id, experiment.split("-")[0], dataset, experiment, plate, well)
                after = (well_type, sirna, sirna_id)
                rows += [(f"{well_id}_{site}", *before, site, *after) for site in (1, 2)]
    return pd.DataFrame(rows, columns=list(metadata.COLUMNS))


def write_screen(
    root: Path,
    experiments: Mapping[str, str] = EXPERIMENTS,
    *,
    treatments: int = 4,
    positives: int = 1,
    plates: int = 4,
    image_size: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Write `screen_table` with random PNGs under `root` and return it."""
    table = screen_table(experiments, treatments=treatments, positives=positives, plates=plates)
    metadata.write(table, root)
    draw = np.random.default_rng(seed)
    for row in range(len(table)):
        for channel in range(1, 7):
            path = png_path(root, table, row, channel)
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = draw.integers(0, 256, (image_size, image_size), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    return table


def png_path(root: Path, table: pd.DataFrame, row: int, channel: int) -> Path:
    """Return where the release keeps one channel of one site."""
    of = table.iloc[row]
    folder = root / "images" / of["experiment"] / f"Plate{of['plate']}"
    return folder / f"{of['well']}_s{of['site']}_w{channel}.png"
