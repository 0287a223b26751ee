"""What can be known of a site without a network: where it stands, how bright it is, how crowded.

Shapes: N sites of the screen in the metadata's order, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data import nuclei, pixel_moments
from rxrx_lib.evaluation.corrections import standardised
from rxrx_lib.study.screens import Screen
from rxrx_lib.study.spec import DataSpec

Features = npt.NDArray[np.float32]


class SiteFeatures(NamedTuple):
    """The same of every site of a screen."""

    position: Features
    """Indicators of row, column, well and plate, (N, F)."""
    nuclei: Features
    """Number of nuclei, (N, 1)."""
    intensity: Features
    """Mean grey level of each channel, (N, C)."""
    experiment: npt.NDArray[np.str_]
    """(N,)."""


def of_screen(screen: Screen, data: DataSpec, *, workers: int = 1) -> SiteFeatures:
    """Return the features of a screen, from what is kept beside it or from passes over all pixels.

    Parameters
    ----------
    screen
        It is open.
    data
        What it is: its pixels' size is that of the design.
    workers
        Threads of a pass.
    """
    pixel_size = data.downsample if data.screen is None else data.screen.pixel_size
    moments = pixel_moments.of_screen(screen.images, screen.root, workers=workers)
    counts = nuclei.of_screen(
        screen.images, screen.root, pixel_size=float(pixel_size), workers=workers
    )
    return SiteFeatures(
        position(screen.table),
        counts[:, np.newaxis].astype(np.float32),
        (moments.sums / moments.pixels).astype(np.float32),
        screen.table["experiment"].to_numpy(dtype=str),
    )


def position(table: pd.DataFrame) -> Features:
    """Return where each site's well stands: indicators of its row, column, well and plate, (N, F).

    Neither experiment nor site is among them.
    """
    well = table["well"].astype(str)
    names = [well.str[0], well.str[1:], well, table["plate"].astype(str)]
    return np.concatenate([_indicators(each) for each in names], axis=1)


def by_predictor(sites: SiteFeatures, train: npt.NDArray[np.int64]) -> Mapping[str, Features]:
    """Return the features of each predictor without a network, (N, F) each.

    Parameters
    ----------
    sites
        The screen's.
    train
        Rows of the training side, whose mean the squares are taken around.
    """
    count, intensity = sites.nuclei, sites.intensity
    count_within, intensity_within = (
        standardised(each, sites.experiment) for each in (count, intensity)
    )
    both_within = np.concatenate([count_within, intensity_within], axis=1)
    return {
        "position": sites.position,
        "cell_count": quadratic(count, train),
        "cell_count_standardised": quadratic(count_within, train),
        "intensity": quadratic(intensity, train),
        "intensity_standardised": quadratic(intensity_within, train),
        "both_standardised": quadratic(both_within, train),
    }


def quadratic(values: Features, train: npt.NDArray[np.int64]) -> Features:
    """Return features with their squares and products, so that a class may lie between others.

    A linear classifier of these has the boundaries of one Gaussian a class. Features are first
    centred and divided by their spread over the training rows; a constant one is 0.

    Parameters
    ----------
    values
        (N, F).
    train
        Row positions of the training side.

    Returns
    -------
    float32 (N, F + F (F + 1) / 2)
    """
    mean = values[train].mean(0, dtype=np.float64)
    spread = values[train].std(0, dtype=np.float64)
    factor = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    x = (values - mean) * factor
    one, other = np.triu_indices(values.shape[1])
    return np.concatenate([x, x[:, one] * x[:, other]], axis=1).astype(np.float32)


def _indicators(names: pd.Series[str]) -> Features:
    found, which = np.unique(names.to_numpy(dtype=str), return_inverse=True)
    return np.eye(len(found), dtype=np.float32)[which]
