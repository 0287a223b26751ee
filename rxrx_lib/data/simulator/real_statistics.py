"""What `realism` compares with: coarse aggregates of RxRx1 by cell type.

Derived from RxRx1 (Recursion, CC BY-NC-SA 4.0): pixel statistics by way of
maciej-sypetkowski/kaggle-rcic-1st, counts of nuclei aggregated from those of each site in
microsoft/batch-effects-normalization, and twelve pictures of HEPG2-08 (see NOTICE). Grey levels run
from 0 to 255.
"""

from __future__ import annotations

# Geometric means over experiments of the mean and of the standard deviation, channels 1-6.
MEAN = {
    "HUVEC": (4.18, 15.31, 7.03, 8.16, 2.69, 6.14),
    "RPE": (2.66, 12.46, 12.40, 7.04, 4.09, 8.63),
    "HEPG2": (7.13, 14.75, 10.64, 11.08, 7.16, 9.36),
    "U2OS": (8.20, 15.67, 11.94, 10.48, 5.08, 13.87),
}
DEVIATION = {
    "HUVEC": (5.06, 12.82, 3.64, 6.70, 2.86, 3.12),
    "RPE": (3.48, 11.54, 7.71, 5.98, 4.07, 4.82),
    "HEPG2": (9.38, 11.76, 6.47, 8.33, 5.78, 5.70),
    "U2OS": (10.38, 11.12, 5.56, 6.85, 4.95, 7.24),
}
# Sd of log mean between the experiments of a cell type, channels 1-6.
SPREAD = {
    "HUVEC": (0.27, 0.28, 0.19, 0.25, 0.32, 0.36),
    "RPE": (0.18, 0.21, 0.18, 0.11, 0.42, 0.27),
    "HEPG2": (0.90, 0.39, 0.60, 0.78, 0.95, 0.68),
    "U2OS": (0.36, 0.72, 0.38, 0.60, 0.98, 0.50),
}
# Slope of log standard deviation on log mean within cell types, channels 1-6.
SLOPE = (0.66, 0.72, 0.83, 0.79, 0.82, 0.95)
# Share of the first principal component in log means within cell types.
COMMON_SHARE = 0.70

# Cells on 512 x 512 pixels, and log ratio of EMPTY wells to the average well.
CELLS = {"HUVEC": 54.0, "RPE": 39.6, "HEPG2": 94.8, "U2OS": 84.0}
EMPTY_RATIO = {"HUVEC": 0.48, "RPE": 0.48, "HEPG2": 0.15, "U2OS": 0.55}
# Variances of log(1 + cells on 256 x 256 pixels).
COUNT_VARIANCE = {
    "experiment": {"HUVEC": 0.012, "RPE": 0.010, "HEPG2": 0.220, "U2OS": 0.053},
    "sirna": {"HUVEC": 0.099, "RPE": 0.058, "HEPG2": 0.051, "U2OS": 0.169},
    "residual": {"HUVEC": 0.106, "RPE": 0.145, "HEPG2": 0.255, "U2OS": 0.136},
    "site": {"HUVEC": 0.075, "RPE": 0.142, "HEPG2": 0.115, "U2OS": 0.118},
}
COUNT_CORRELATION = 0.54  # of siRNAs' effects on cell count, mean over pairs of cell types

# Of two untreated HEPG2 wells, 512 x 512 pixels; pairs of channels that come from one site.
CHANNEL_CORRELATION = {
    (1, 2): 0.29,
    (1, 3): 0.34,
    (1, 4): 0.44,
    (2, 3): 0.80,
    (2, 4): 0.97,
    (3, 4): 0.83,
    (5, 6): 0.96,
}
# Slopes of log power on log k, channels 1-6, for k of so many cycles a field;
# means of the two wells.
POWER_SLOPE = {
    (4, 32): (-2.0, -2.2, -2.4, -2.6, -2.1, -2.3),
    (16, 64): (-4.0, -3.1, -3.2, -2.8, -3.6, -3.4),
    (64, 200): (-4.0, -3.4, -3.4, -3.6, -4.0, -3.8),
}
# Nuclei of these wells, found by Otsu's threshold and a watershed: geometric mean of the median
# diameters (22.6 and 18.2 release pixels), and standard deviation of the areas over their mean.
NUCLEUS_DIAMETER = 20.3
NUCLEUS_AREA_VARIATION = 0.44
