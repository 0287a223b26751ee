"""How the simulator compares with RxRx1 where a screen's own pictures are too small or too coarse.

The real cells were counted on 256 x 256 release pixels, and the real pictures that were measured
have 512 x 512. So cells and pictures of just these sizes are made here, from the screen's own
truth: the same experiments and siRNAs, seen through another window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rxrx_lib.data.simulator import real_statistics as real
from rxrx_lib.data.simulator.cells import Cells
from rxrx_lib.data.simulator.layout import EMPTY, layout
from rxrx_lib.data.simulator.realism import Comparison, Floats, by_cell_type, judged, slope
from rxrx_lib.data.simulator.render import Site, render_cells, site_cells
from rxrx_lib.data.simulator.spec import ScreenSpec
from rxrx_lib.data.simulator.truth import Truth, draw_truth

COUNTED_VIEW = 256  # release pixels
FIELD = 512  # release pixels
POWER_BANDS = ((4, 32), (16, 64), (64, 200))  # cycles a field
MEASURED = "HEPG2"  # untreated, as in the real pictures that were measured


def realism_detail(spec: ScreenSpec) -> pd.DataFrame:
    """Compare counts of cells, and pictures at full detail, with the real statistics.

    Parameters
    ----------
    spec : ScreenSpec
        The screen; its picture size is not used.

    Returns
    -------
    pandas.DataFrame
        As of `realism`: how counts vary and how alike siRNAs change them in different cell types;
        and of one untreated HEPG2 field an experiment, correlations between channels, power
        spectra, and the size of nuclei.
    """
    window = replace(spec, image_size=COUNTED_VIEW, pixel_size=1.0)
    truth, table = draw_truth(window), layout(window)
    counts = [site_cells(truth, site).in_view(COUNTED_VIEW) for site in _sites(table)]
    found = [*compare_counts(table, np.array(counts, dtype=float))]
    fields = untreated_fields(spec)
    if fields:
        cells, pictures = zip(*fields, strict=True)
        found += [*compare_nuclei(cells), *compare_pictures(np.stack(pictures))]
    return judged(found)


def untreated_fields(
    spec: ScreenSpec, cell_type: str = MEASURED, most: int | None = None
) -> list[tuple[Cells, NDArray[np.uint8]]]:
    """Render one untreated field of every experiment of a cell type, as the release shows it.

    Parameters
    ----------
    spec : ScreenSpec
        The screen; its picture size is not used.
    cell_type : str
        Which cells.
    most : int, optional
        How many experiments at most; all by default.

    Returns
    -------
    list of (Cells, (6, 512, 512) uint8 array)
        The first planned EMPTY well of each experiment; empty if the screen has not the cell type.
    """
    truth, table = full_detail(spec)
    empty = table[(table["cell_type"] == cell_type) & (table["sirna"] == EMPTY)]
    fields = []
    for site in _sites(empty.drop_duplicates("experiment")[:most]):
        cells = site_cells(truth, site)
        fields.append((cells, render_cells(truth, site, cells)))
    return fields


def full_detail(spec: ScreenSpec) -> tuple[Truth, pd.DataFrame]:
    """Return truth and layout of a screen whose pictures are whole fields of the release's size."""
    field = replace(spec, image_size=FIELD, pixel_size=1.0)
    return draw_truth(field), layout(field)


def compare_counts(table: pd.DataFrame, counts: Floats) -> Iterator[Comparison]:
    """Compare how counts of cells (N,), on 256 x 256 release pixels, vary."""
    yield from _count_variances(table, counts)
    yield from _shared_counts(table, counts)


def compare_nuclei(fields: Sequence[Cells]) -> Iterator[Comparison]:
    """Compare the size of the nuclei whose centres lie in untreated HEPG2 fields."""
    areas = np.concatenate([_nuclear_areas(cells) for cells in fields])
    diameter = float(np.log(2 * np.sqrt(np.median(areas) / np.pi)))
    expected = float(np.log(real.NUCLEUS_DIAMETER))
    yield Comparison("log median diameter of nuclei", MEASURED, 0, expected, diameter, 0.15)
    variation = float(areas.std() / areas.mean())
    name = "coefficient of variation of nuclear area"
    yield Comparison(name, MEASURED, 0, real.NUCLEUS_AREA_VARIATION, variation, 0.15)


def compare_pictures(pictures: NDArray[np.uint8]) -> Iterator[Comparison]:
    """Compare channels and detail of untreated HEPG2 fields, (fields, 6, 512, 512)."""
    grey = pictures.astype(float)
    yield from _channel_correlations(grey)
    yield from _power_slopes(grey)


def _count_variances(table: pd.DataFrame, counts: Floats) -> Iterator[Comparison]:
    """Compare where log counts vary: experiments, siRNAs, the rest, and sites of one well."""
    log = pd.Series(np.log1p(counts), index=table.index)
    for kind, of_kind in by_cell_type(table):
        chosen = of_kind & (table["well_type"] == "treatment").to_numpy()
        some, value = table[chosen], log[chosen]
        experiment = value.groupby(some["experiment"])
        centred = value - experiment.transform("mean")
        sirna = centred.groupby(some["sirna"])
        residual = (centred - sirna.transform("mean")).var()
        variance = {
            "experiment": experiment.mean().var(),
            "sirna": sirna.mean().var() - residual / sirna.size().mean(),
            "residual": residual,
            "site": value.groupby(some["well_id"]).var().mean(),
        }
        for part, simulated in variance.items():
            expected = real.COUNT_VARIANCE[part][kind]
            name, tolerance = f"log variance of log count: {part}", 0.5
            if part in ("experiment", "sirna"):  # few of them, so a factor of three
                tolerance = 1.1
            level = float(np.log(simulated)) if simulated > 0 else np.nan
            yield Comparison(name, kind, 0, float(np.log(expected)), level, tolerance)


def _shared_counts(table: pd.DataFrame, counts: Floats) -> Iterator[Comparison]:
    """Compare how far siRNAs act alike on the counts of different cell types."""
    chosen = (table["well_type"] == "treatment").to_numpy()
    some = table[chosen].assign(log=np.log1p(counts[chosen]))
    effects = some.pivot_table(index="sirna", columns="cell_type", values="log", aggfunc="mean")
    correlation = effects.corr().to_numpy()
    pairs = correlation[np.triu_indices(len(correlation), 1)]
    mean = float(pairs.mean()) if len(pairs) else np.nan
    name = "correlation of count effects between cell types"
    yield Comparison(name, "all", 0, real.COUNT_CORRELATION, mean, 0.25)


def _channel_correlations(pictures: Floats) -> Iterator[Comparison]:
    """Compare correlations of pixels between channels, the typical field's."""
    with np.errstate(invalid="ignore"):  # a channel without contrast correlates with none
        each = np.array([np.corrcoef(picture.reshape(6, -1)) for picture in pictures])
    typical = pd.DataFrame(each.reshape(len(each), -1)).median().to_numpy().reshape(6, 6)
    for (first, second), expected in real.CHANNEL_CORRELATION.items():
        name = f"pixel correlation w{first}-w{second}"
        simulated = float(typical[first - 1, second - 1])
        yield Comparison(name, MEASURED, 0, expected, simulated, 0.15)


def _power_slopes(pictures: Floats) -> Iterator[Comparison]:
    """Compare radial power spectra, the typical field's: what is coarse and what is fine detail."""
    size = pictures.shape[-1]
    centred = pictures - pictures.mean((2, 3), keepdims=True)
    power = np.abs(np.fft.fft2(centred)) ** 2
    frequency = np.fft.fftfreq(size) * size
    radius = np.rint(np.hypot(frequency[:, None], frequency)).astype(int).ravel()
    sizes = np.bincount(radius)
    for channel in range(1, 7):
        of_channel = [of[channel - 1].ravel() for of in power]
        of_fields = [np.bincount(radius, of) / sizes for of in of_channel if of.any()]
        for lowest, highest in POWER_BANDS:
            rings = np.arange(lowest, highest + 1)
            each = [slope(np.log(rings), np.log(of_rings[rings])) for of_rings in of_fields]
            fitted = float(np.median(each)) if each else np.nan
            name = f"slope of power spectrum, {lowest} to {highest} cycles a field"
            expected = real.POWER_SLOPE[lowest, highest][channel - 1]
            yield Comparison(name, MEASURED, channel, expected, fitted, 0.7)


def _nuclear_areas(cells: Cells) -> Floats:
    """Return the areas, in square release pixels, of the nuclei whose centres are in the field."""
    inside = (cells.x >= 0) & (cells.x < FIELD) & (cells.y >= 0) & (cells.y < FIELD)
    return np.asarray(np.pi * cells.nucleus[inside].prod(axis=1), dtype=np.float64)


def _sites(table: pd.DataFrame) -> list[Site]:
    columns = list(Site._fields)
    return [Site(**dict(zip(columns, row, strict=True))) for row in table[columns].to_numpy()]
