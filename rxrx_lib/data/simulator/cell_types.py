"""The four cell types: how their cells look and how much their experiments differ.

Coarse aggregates by cell type, derived from RxRx1 (Recursion, CC BY-NC-SA 4.0) by way of the
pixel statistics in maciej-sypetkowski/kaggle-rcic-1st and published counts of nuclei. Shapes are
choices that look like the real pictures. Lengths are in release pixels (512 to a field).
"""

from __future__ import annotations

from dataclasses import dataclass

CHANNELS = ("nuclei", "ER", "actin", "nucleoli", "mitochondria", "Golgi")
Six = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class CellType:
    """Morphology, brightness and spread of one cell type.

    Parameters
    ----------
    cells_per_field : float
        Cells on 512 x 512 release pixels, treated wells.
    nucleus, nucleus_elongation : float
        Diameter of a nucleus (of the circle of equal area), and length over width.
    reach, elongation : float
        Radius to which a cell spreads where it has room, and length over width.
    clumping : float
        How unevenly cells lie: factor on the log density of a smooth random field.
    signal, background : six floats
        Grey levels per unit of stain and additive grey level of each channel.
    strength, strength_spread : float
        Mean of the experiments' factor on technical effects, and sd of its logarithm.
    gain_sd, background_sd : six floats
        Sd of log gain between experiments, and of the log background beyond what follows gain.
    density_sd : float
        Sd of the log number of cells between experiments.
    count_sd, well_sd, site_sd : float
        Sd of log number of cells between siRNAs, wells and the sites of a well.
    empty_count : float
        Log number of cells in EMPTY wells against treated ones.
    """

    cells_per_field: float
    nucleus: float
    nucleus_elongation: float
    reach: float
    elongation: float
    clumping: float
    signal: Six
    background: Six
    strength: float
    strength_spread: float
    gain_sd: Six
    background_sd: Six
    density_sd: float
    count_sd: float
    well_sd: float
    site_sd: float
    empty_count: float


CELL_TYPES: dict[str, CellType] = {
    "HUVEC": CellType(
        cells_per_field=54,
        nucleus=25,
        nucleus_elongation=1.35,
        reach=60,
        elongation=1.6,
        clumping=0.45,
        signal=(18.2, 28.5, 6.8, 12.3, 5.5, 5.1),
        background=(1.15, 0.90, 2.40, 1.00, 0.25, 2.75),
        strength=0.8,
        strength_spread=0.3,
        gain_sd=(0.13, 0.21, 0.09, 0.12, 0.24, 0.29),
        background_sd=(0.25, 0.25, 0.25, 0.2, 0.1, 0.1),
        density_sd=0.11,
        count_sd=0.35,
        well_sd=0.19,
        site_sd=0.19,
        empty_count=0.476,
    ),
    "RPE": CellType(
        cells_per_field=39,
        nucleus=27,
        nucleus_elongation=1.25,
        reach=66,
        elongation=1.3,
        clumping=0.5,
        signal=(12.0, 25.4, 15.8, 12.1, 7.9, 8.7),
        background=(0.60, 1.80, 3.06, 1.40, 0.40, 3.63),
        strength=0.8,
        strength_spread=0.3,
        gain_sd=(0.06, 0.06, 0.07, 0.06, 0.34, 0.19),
        background_sd=(0.15, 0.1, 0.2, 0.1, 0.1, 0.1),
        density_sd=0.10,
        count_sd=0.27,
        well_sd=0.08,
        site_sd=0.36,
        empty_count=0.475,
    ),
    "HEPG2": CellType(
        cells_per_field=95,
        nucleus=21.5,
        nucleus_elongation=1.3,
        reach=62,
        elongation=1.3,
        clumping=0.75,
        signal=(37.0, 23.5, 11.6, 14.7, 10.8, 9.8),
        background=(1.40, 0.30, 1.48, 1.12, 1.26, 2.01),
        strength=1.3,
        strength_spread=0.7,
        gain_sd=(0.68, 0.10, 0.42, 0.75, 0.95, 0.70),
        background_sd=(0.4, 0.4, 0.35, 0.3, 0.3, 0.2),
        density_sd=0.45,
        count_sd=0.28,
        well_sd=0.42,
        site_sd=0.32,
        empty_count=0.152,
    ),
    "U2OS": CellType(
        cells_per_field=84,
        nucleus=26,
        nucleus_elongation=1.3,
        reach=46,
        elongation=1.45,
        clumping=0.5,
        signal=(29.6, 17.5, 9.6, 9.8, 7.0, 11.2),
        background=(1.20, 3.40, 5.00, 3.00, 0.70, 6.00),
        strength=1.3,
        strength_spread=0.6,
        gain_sd=(0.20, 0.75, 0.15, 0.41, 0.80, 0.38),
        background_sd=(0.3, 0.3, 0.3, 0.3, 0.4, 0.1),
        density_sd=0.25,
        count_sd=0.44,
        well_sd=0.13,
        site_sd=0.28,
        empty_count=0.547,
    ),
}
