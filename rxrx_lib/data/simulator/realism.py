"""How a simulated screen compares with RxRx1, statistic by statistic.

Tolerances were written down before the first comparison, when a screen had 5 to 9 experiments of
a cell type, and stayed when the default became the release's own 24, 11, 11 and 5. They allow for
such few experiments, for pictures of less detail, and for heavy tails in HEPG2 and U2OS; a
statistic that misses its tolerance is reported, not hidden, and `not_compared` names the kinds
that a screen's pictures are too small or too coarse for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rxrx_lib.data.simulator import real_statistics as real

Floats = NDArray[np.float64]

HEAVY_TAILED = ("HEPG2", "U2OS")
COUNTED_VIEW = 256.0  # release pixels; the view of the real counts' variances
SPECTRUM_SIZE = 512  # pixels of the release's own size, as in the pictures of the real spectra
POWER_BAND = (16, 64)


class Comparison(NamedTuple):
    """One statistic: of a channel 1-6 or of all (0), allowed to be off by `tolerance`."""

    statistic: str
    cell_type: str
    channel: int
    real: float
    simulated: float
    tolerance: float


def realism(
    table: pd.DataFrame, images: NDArray[np.uint8], truth: Mapping[str, Any]
) -> pd.DataFrame:
    """Compare a simulated screen with the real statistics.

    Parameters
    ----------
    table : pandas.DataFrame
        The metadata of the screen.
    images : (N, 6, H, W) uint8 array
        Its pictures, in the order of `table`.
    truth : mapping
        Its truth.json.

    Returns
    -------
    pandas.DataFrame
        Columns statistic, cell_type, channel (0: all), real, simulated, tolerance, passes.
        Statistics whose name begins with "log" are natural logarithms, so a tolerance of 0.69
        is a factor of two. Variances of counts and their likeness between cell types are given
        only for views of 256 release pixels, power spectra only for pictures of 512 release
        pixels at full detail; see `not_compared`.
    """
    spec = truth["spec"]
    view = _view(spec)
    counts = table["site_id"].map(truth["cells"]).to_numpy(dtype=float)
    brightness = _brightness(table, images)
    found = [*_levels(brightness), *_between_experiments(brightness), *_cells(table, counts, view)]
    if view == COUNTED_VIEW:
        found += [*_count_variances(table, counts), *_shared_counts(table, counts)]
    found += _channel_correlations(table, images)
    if _shows_spectra(spec):
        found += _power_slopes(table, images)
    # A statistic that cannot be formed (one experiment, no EMPTY well) is no evidence.
    formed = [comparison for comparison in found if np.isfinite(comparison.simulated)]
    result = pd.DataFrame(formed, columns=list(Comparison._fields))
    result["passes"] = (result["simulated"] - result["real"]).abs() <= result["tolerance"]
    return result


def not_compared(spec: Mapping[str, Any]) -> list[str]:
    """Name the kinds of statistic that `realism` leaves out because of a screen's picture size.

    Parameters
    ----------
    spec : mapping
        The "spec" of the screen's truth.json.

    Returns
    -------
    list of str
        For each kind one sentence without a full stop: what it is, what the real figure was
        measured on, and what this screen's pictures are; empty if they can show all kinds.
    """
    missing = []
    if _view(spec) != COUNTED_VIEW:
        why = (
            f"the real cells were counted on {COUNTED_VIEW:g} × {COUNTED_VIEW:g} release pixels, "
            f"and a picture of this screen shows {_view(spec):g} × {_view(spec):g}"
        )
        missing += [
            f"how cell counts vary between experiments, siRNAs, wells and sites: {why}",
            f"how alike siRNAs change cell counts in different cell types: {why}",
        ]
    if not _shows_spectra(spec):
        size, pixel = spec["image_size"], spec["pixel_size"]
        missing.append(
            "how brightness is spread over coarse and fine detail (power spectra): the real "
            f"pictures have {SPECTRUM_SIZE} × {SPECTRUM_SIZE} pixels, and those of this screen "
            f"{size} × {size}, each {pixel:g} release pixels wide"
        )
    return missing


def _view(spec: Mapping[str, Any]) -> float:
    """Return the side of a picture in release pixels."""
    return float(spec["image_size"] * spec["pixel_size"])


def _shows_spectra(spec: Mapping[str, Any]) -> bool:
    return bool(spec["pixel_size"] == 1 and spec["image_size"] == SPECTRUM_SIZE)


def _brightness(table: pd.DataFrame, images: NDArray[np.uint8]) -> pd.DataFrame:
    """Return log mean (1-6) and log standard deviation (-1 to -6) of every experiment."""
    flat = images.reshape(len(images), 6, -1)
    total = flat.sum(axis=2, dtype=np.int64) / flat.shape[2]
    square = np.einsum("ncp,ncp->nc", flat, flat, dtype=np.int64, casting="safe") / flat.shape[2]
    deviation = np.sqrt(np.maximum(square - total**2, 0))
    channels = [*range(1, 7), *range(-1, -7, -1)]
    sites = pd.DataFrame(np.hstack([total, deviation]), columns=channels, index=table.index)
    by_experiment = sites.groupby([table["cell_type"], table["experiment"]], sort=False).mean()
    return by_experiment.apply(np.log)


def _levels(brightness: pd.DataFrame) -> Iterator[Comparison]:
    """Compare typical grey levels."""
    for cell_type, experiments in brightness.groupby(level="cell_type", sort=False):
        kind = str(cell_type)
        tolerance = 0.6 if kind in HEAVY_TAILED else 0.25
        for channel in range(1, 7):
            for name, figures, sign in (
                ("log mean", real.MEAN, 1),
                ("log standard deviation", real.DEVIATION, -1),
            ):
                level = float(experiments[sign * channel].mean())
                expected = float(np.log(figures[kind][channel - 1]))
                yield Comparison(name, kind, channel, expected, level, tolerance)


def _between_experiments(brightness: pd.DataFrame) -> Iterator[Comparison]:
    """Compare how experiments of a cell type differ."""
    by_type = brightness.groupby(level="cell_type", sort=False)
    for cell_type, sds in by_type.std().iterrows():
        kind = str(cell_type)
        for channel in range(1, 7):
            expected = float(np.log(real.SPREAD[kind][channel - 1]))
            spread = float(np.log(sds[channel])) if sds[channel] > 0 else np.nan
            name = "log sd of log mean between experiments"
            yield Comparison(name, kind, channel, expected, spread, 0.69)
    within = brightness - by_type.transform("mean")
    for channel, expected in enumerate(real.SLOPE, start=1):
        slope = _slope(within[channel].to_numpy(), within[-channel].to_numpy())
        name = "slope of log standard deviation on log mean"
        yield Comparison(name, "all", channel, expected, slope, 0.25)
    spectrum = np.linalg.svd(within[list(range(1, 7))].to_numpy(), compute_uv=False) ** 2
    share = float(spectrum[0] / spectrum.sum()) if spectrum.sum() > 0 else np.nan
    yield Comparison("share of first component", "all", 0, real.COMMON_SHARE, share, 0.15)


def _cells(table: pd.DataFrame, counts: Floats, view: float) -> Iterator[Comparison]:
    """Compare the numbers of cells."""
    for kind, of_kind in _by_cell_type(table):
        empty = counts[of_kind & (table["sirna"] == "EMPTY").to_numpy()]
        other = counts[of_kind & (table["well_type"] == "treatment").to_numpy()]
        if not other.size:
            continue
        tolerance = 0.35 if kind in HEAVY_TAILED else 0.15
        level = float(np.log(other.mean() * (512 / view) ** 2))
        expected = float(np.log(real.CELLS[kind]))
        yield Comparison("log cells per field", kind, 0, expected, level, tolerance)
        ratio = float(np.log1p(empty).mean() - np.log1p(other).mean()) if empty.size else np.nan
        yield Comparison("log EMPTY ratio", kind, 0, real.EMPTY_RATIO[kind], ratio, 0.2)


def _count_variances(table: pd.DataFrame, counts: Floats) -> Iterator[Comparison]:
    """Compare where log counts vary: experiments, siRNAs, the rest, and sites of one well."""
    log = pd.Series(np.log1p(counts), index=table.index)
    for kind, of_kind in _by_cell_type(table):
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


def _channel_correlations(table: pd.DataFrame, images: NDArray[np.uint8]) -> Iterator[Comparison]:
    """Compare correlations of pixels between channels, EMPTY wells of HEPG2."""
    empty = images[_untreated(table, "HEPG2")]
    if not len(empty):
        return
    each = np.array([np.corrcoef(picture.reshape(6, -1)) for picture in empty.astype(float)])
    mean = np.nanmean(each, axis=0)
    for (first, second), expected in real.CHANNEL_CORRELATION.items():
        name = f"pixel correlation w{first}-w{second}"
        simulated = float(mean[first - 1, second - 1])
        yield Comparison(name, "HEPG2", 0, expected, simulated, 0.15)


def _power_slopes(table: pd.DataFrame, images: NDArray[np.uint8]) -> Iterator[Comparison]:
    """Compare radial power spectra, EMPTY wells of HEPG2."""
    empty = images[_untreated(table, "HEPG2")].astype(float)
    if not len(empty):
        return
    size = images.shape[-1]
    power = np.mean(np.abs(np.fft.fft2(empty - empty.mean((2, 3), keepdims=True))) ** 2, axis=0)
    frequency = np.fft.fftfreq(size) * size
    radius = np.rint(np.hypot(frequency[:, None], frequency)).astype(int).ravel()
    rings = np.arange(POWER_BAND[0], POWER_BAND[1] + 1)
    sizes = np.bincount(radius)
    for channel, expected in enumerate(real.POWER_SLOPE, start=1):
        ring_power = np.bincount(radius, power[channel - 1].ravel()) / sizes
        slope = _slope(np.log(rings), np.log(ring_power[rings]))
        yield Comparison("slope of power spectrum", "HEPG2", channel, expected, slope, 0.7)


def _by_cell_type(table: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for kind in table["cell_type"].unique():
        yield str(kind), (table["cell_type"] == kind).to_numpy()


def _untreated(table: pd.DataFrame, cell_type: str) -> NDArray[np.bool_]:
    return ((table["cell_type"] == cell_type) & (table["sirna"] == "EMPTY")).to_numpy()


def _slope(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    square = float(x @ x)
    return float(x @ y) / square if square > 0 else np.nan
