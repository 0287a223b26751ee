"""How bright each well of a screen is: the mean grey level of its sites, channel by channel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data.images import CHANNELS, Images
from rxrx_lib.data.simulator.write import TRUTH_FILE

BYTES_AT_ONCE = 64 * 2**20
MEANS = tuple(f"mean_{channel}" for channel in CHANNELS)
"""Names of the columns that hold the channels' means."""


def well_intensities(
    table: pd.DataFrame, images: Images, wanted: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    """Return the wanted wells, one a row, with each channel's mean grey level over their sites.

    Parameters
    ----------
    table
        The screen's sites.
    images
        Their pictures.
    wanted
        Which of the table's rows to read, (N,).

    Returns
    -------
    DataFrame
        The metadata's columns of a well, ``sites`` (how many were read) and :data:`MEANS`.
    """
    rows = np.flatnonzero(wanted)
    step = max(1, BYTES_AT_ONCE // (len(CHANNELS) * images.image_size**2))
    parts = [
        images.read(rows[start : start + step]).mean(axis=(2, 3))
        for start in range(0, len(rows), step)
    ]
    means = np.concatenate(parts) if parts else np.empty((0, len(CHANNELS)))
    sites = table.iloc[rows].reset_index(drop=True)
    sites[list(MEANS)] = means
    of_wells = sites.groupby("well_id", sort=False)
    wells = sites.drop_duplicates("well_id").drop(columns=["site_id", "site", *MEANS])
    found = of_wells[list(MEANS)].mean().join(of_wells.size().rename("sites"))
    return wells.merge(found, left_on="well_id", right_index=True).reset_index(drop=True)


def cell_counts(root: Path, table: pd.DataFrame) -> pd.Series[int] | None:
    """Return the number of cells of each well, added up over its sites, where a truth tells it.

    Returns
    -------
    Series or None
        By ``well_id``; None for a screen without ``truth.json``, as the release is.
    """
    path = root / TRUTH_FILE
    if not path.exists():
        return None
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return table["site_id"].map(cells).groupby(table["well_id"], sort=False).sum()
