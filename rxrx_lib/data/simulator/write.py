"""Render a whole screen to disk in the release's layout, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from rxrx_lib.data import metadata, png_file, png_tree
from rxrx_lib.data.simulator.layout import layout
from rxrx_lib.data.simulator.render import Site, render_cells, site_cells
from rxrx_lib.data.simulator.spec import ScreenSpec
from rxrx_lib.data.simulator.truth import Truth, draw_truth

TRUTH_FILE = "truth.json"


def simulate(spec: ScreenSpec, root: Path | str, workers: int = 1) -> Path:
    """Write a simulated screen: metadata.csv, the tree of PNGs and truth.json.

    The screen appears under its name by one rename when it is complete; a failure or Ctrl-C
    leaves nothing behind. The files are the same, byte by byte, for any number of workers.

    Parameters
    ----------
    spec : ScreenSpec
        What to simulate.
    root : Path or str
        The folder to create. It may exist if it is empty and can be replaced, which the current
        folder and a mount point cannot; a link to a folder stands for that folder.
    workers : int
        Processes that render; 1 renders in this one.

    Returns
    -------
    Path
        `root`.

    Raises
    ------
    ValueError
        If `root` holds something already or cannot be replaced, or `workers` is less than 1.
    """
    target = Path(root).resolve()
    _refuse_occupied(target)
    _refuse_irreplaceable(target)
    if workers < 1:
        raise ValueError(f"workers is {workers}; expected 1 or more")
    table = layout(spec)
    with _folder_that_becomes(target) as folder:
        metadata.write(table, folder)
        cells = _write_images(spec, table, folder, workers)
        truth = draw_truth(spec).to_json()
        truth["cells"] = {site_id: cells[site_id] for site_id in table["site_id"]}
        (folder / TRUTH_FILE).write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return Path(root)


def _refuse_occupied(root: Path) -> None:
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise ValueError(
            f"{root} exists already and is not an empty folder; "
            "name a folder that does not exist, or remove this one first"
        )


def _refuse_irreplaceable(root: Path) -> None:
    """Refuse before all the rendering what the renaming at its end could not replace."""
    if root == Path.cwd() or root.is_mount():
        raise ValueError(
            f"{root} is the current folder or a mount point, which cannot be replaced; "
            f"name a folder that does not exist, such as {root / 'screen'}"
        )


@contextmanager
def _folder_that_becomes(root: Path) -> Iterator[Path]:
    """Lend a folder beside `root`, renamed to `root` at the end and removed after an error."""
    root.parent.mkdir(parents=True, exist_ok=True)
    folder = root.with_name(f".{uuid.uuid4().hex}.{root.name}")
    folder.mkdir()
    try:
        yield folder
        os.replace(folder, root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_images(
    spec: ScreenSpec, table: pd.DataFrame, folder: Path, workers: int
) -> dict[str, int]:
    """Write all PNGs, plate by plate, and return the number of cells seen at each site."""
    plates = [plate for _, plate in table.groupby(["experiment", "plate"], sort=False)]
    write = partial(_write_plate, spec, folder)
    if workers == 1:
        return _merged(map(write, plates))
    pool = ProcessPoolExecutor(
        min(workers, len(plates)), mp_context=get_context("spawn"), initializer=_ignore_interrupts
    )
    try:
        tasks = [pool.submit(write, plate) for plate in plates]
        return _merged(task.result() for task in as_completed(tasks))
    finally:
        # Waiting matters: a worker still writing would undo the removal of the folder.
        pool.shutdown(wait=True, cancel_futures=True)


def _merged(counts: Iterator[dict[str, int]]) -> dict[str, int]:
    return {site_id: cells for plate in counts for site_id, cells in plate.items()}


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent process, which stops the workers and tidies up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_plate(spec: ScreenSpec, folder: Path, plate: pd.DataFrame) -> dict[str, int]:
    """Write the PNGs of one plate and return the number of cells seen at each site."""
    truth = _truth(spec)
    seen = {}
    paths = png_tree.site_paths(plate, folder)
    os.makedirs(os.path.dirname(paths[0]))
    for path, row in zip(paths, plate.to_dict("records"), strict=True):
        site = Site(**{name: row[name] for name in Site._fields})
        cells = site_cells(truth, site)
        picture = render_cells(truth, site, cells)
        for channel, pixels in zip(png_tree.CHANNELS, picture, strict=True):
            png_tree.channel_path(path, channel).write_bytes(png_file.encode(pixels))
        seen[row["site_id"]] = cells.in_view(spec.image_size * spec.pixel_size)
    return seen


@lru_cache(maxsize=1)
def _truth(spec: ScreenSpec) -> Truth:
    """Draw the truth once for all plates that a process writes."""
    return draw_truth(spec)
