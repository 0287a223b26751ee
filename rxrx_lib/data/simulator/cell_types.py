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
        signal=(12.2, 23.5, 4.2, 10.4, 4.9, 4.8),
        background=(0.98, 0.80, 0.82, 0.52, 0.40, 1.63),
        strength=0.8,
        strength_spread=0.3,
        gain_sd=(0.22, 0.22, 0.21, 0.23, 0.34, 0.41),
        background_sd=(0.25, 0.25, 0.1, 0.2, 0.1, 0.1),
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
        signal=(8.6, 22.1, 8.3, 9.9, 6.0, 6.9),
        background=(0.62, 0.86, 1.37, 0.59, 0.69, 2.57),
        strength=0.8,
        strength_spread=0.3,
        gain_sd=(0.14, 0.20, 0.15, 0.09, 0.40, 0.22),
        background_sd=(0.15, 0.1, 0.1, 0.1, 0.1, 0.1),
        density_sd=0.10,
        count_sd=0.27,
        well_sd=0.08,
        site_sd=0.36,
        empty_count=0.475,
    ),
    "HEPG2": CellType(
        cells_per_field=95,
        nucleus=20.5,
        nucleus_elongation=1.3,
        reach=48,
        elongation=1.25,
        clumping=0.9,
        signal=(33.0, 24.5, 6.6, 14.8, 9.8, 7.9),
        background=(2.16, 1.50, 0.80, 1.25, 1.90, 1.69),
        strength=1.3,
        strength_spread=0.7,
        gain_sd=(0.73, 0.19, 0.51, 0.61, 0.77, 0.60),
        background_sd=(0.4, 0.4, 0.2, 0.3, 0.3, 0.2),
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
        signal=(18.2, 16.5, 5.6, 8.3, 6.0, 8.0),
        background=(0.83, 1.18, 1.93, 0.85, 0.52, 3.19),
        strength=1.3,
        strength_spread=0.6,
        gain_sd=(0.26, 0.57, 0.21, 0.45, 0.64, 0.45),
        background_sd=(0.3, 0.3, 0.3, 0.3, 0.4, 0.1),
        density_sd=0.25,
        count_sd=0.44,
        well_sd=0.13,
        site_sd=0.28,
        empty_count=0.547,
    ),
}
