"""Tiny hand-made screens of every published variant: right by the rules, random in the pixels."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from rxrx_lib.data import metadata
from rxrx_lib.data.kaggle_labels import SIRNA

# Two training experiments and one test experiment of one cell type, one of each of another.
EXPERIMENTS = {
    "HUVEC-01": "train",
    "HUVEC-02": "train",
    "HUVEC-03": "test",
    "U2OS-01": "train",
    "U2OS-02": "test",
}
# Of the screen that fixtures share: see conftest.py.
TWO_EXPERIMENTS = {"HUVEC-01": "train", "RPE-01": "test"}
SIDE = 8


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


def kaggle_label(sirna_id: int, spelling: str) -> str:
    """Spell a class as Kaggle's files of 2019 do (`numbers`), or as those since (`names`)."""
    if spelling == "numbers":
        return str(sirna_id)
    return "UNTREATED" if sirna_id == 1138 else f"sirna_{SIRNA.index(sirna_id)}"


def write_kaggle_csvs(table: pd.DataFrame, root: Path, spelling: str = "numbers") -> None:
    """Write what Kaggle says of a screen: four files of wells, test treatments unlabelled."""
    wells = table.drop_duplicates("well_id").rename(columns={"well_id": "id_code"})
    wells["sirna"] = [kaggle_label(sirna_id, spelling) for sirna_id in wells["sirna_id"]]
    control = wells["well_type"] != "treatment"
    root.mkdir(parents=True, exist_ok=True)
    for side in ("train", "test"):
        of_side = wells["dataset"] == side
        columns = ["id_code", "experiment", "plate", "well", "sirna"]
        controls = wells.loc[of_side & control, [*columns, "well_type"]]
        controls.to_csv(root / f"{side}_controls.csv", index=False)
        treatments = wells.loc[of_side & ~control, columns if side == "train" else columns[:-1]]
        treatments.to_csv(root / f"{side}.csv", index=False)


def as_kaggle(root: Path, spelling: str = "numbers", within: str = "") -> pd.DataFrame:
    """Make a written screen one of Kaggle's, with its pictures in `within`; return its table."""
    table = metadata.load(root)
    write_kaggle_csvs(table, root, spelling)
    (root / "metadata.csv").unlink()
    (root / "images").rename(root / "pictures")
    for experiment, side in table[["experiment", "dataset"]].drop_duplicates().to_numpy():
        (root / within / side).mkdir(parents=True, exist_ok=True)
        (root / "pictures" / experiment).rename(root / within / side / experiment)
    shutil.rmtree(root / "pictures")
    return metadata.load(root)


def as_wilds(root: Path) -> pd.DataFrame:
    """Make a written screen one of RxRx1-WILDS: three channels in one PNG; return its table."""
    table = metadata.load(root)
    for row in range(len(table)):
        paths = [png_path(root, table, row, channel) for channel in range(1, 7)]
        picture = np.stack([np.asarray(Image.open(path)) for path in paths[:3]], axis=-1)
        Image.fromarray(picture).save(wilds_path(root, table, row))
        for path in paths:
            path.unlink()
    test = table.loc[table["dataset"] == "test", ["experiment", "cell_type"]]
    val = test.sort_values("experiment").drop_duplicates("cell_type")["experiment"]
    table["dataset"] = table["dataset"].mask(table["experiment"].isin(val), "val")
    metadata.write(table, root)
    return table


def wilds_path(root: Path, table: pd.DataFrame, row: int) -> Path:
    """Return where RxRx1-WILDS keeps a site."""
    path = png_path(root, table, row, 1)
    return path.with_name(path.name.replace("_w1", ""))


def decoded_by_pillow(root: Path) -> np.ndarray:
    """Return all pixels (N, 6, H, W) of a screen in the release's layout, by Pillow alone."""
    table = metadata.load(root)
    paths = [[png_path(root, table, row, c) for c in range(1, 7)] for row in range(len(table))]
    return np.stack([[np.asarray(Image.open(path)) for path in site] for site in paths])
