"""The words of the release's table: its columns, and the entries that each may have."""

from __future__ import annotations

COLUMNS = (
    "site_id",
    "well_id",
    "cell_type",
    "dataset",
    "experiment",
    "plate",
    "well",
    "site",
    "well_type",
    "sirna",
    "sirna_id",
)
CELL_TYPES = ("HUVEC", "RPE", "HEPG2", "U2OS")
WELL_TYPES = ("treatment", "positive_control", "negative_control")
# RxRx1-WILDS calls some of the release's test experiments val.
DATASETS = ("train", "val", "test")
PLATES = (1, 2, 3, 4)
SITES = (1, 2)
# The inner 14 × 22 wells of a 384-well plate: rows B to O, columns 02 to 23.
WELLS = tuple(f"{row}{column:02d}" for row in "BCDEFGHIJKLMNO" for column in range(2, 24))
# Treatments 0 to 1107, positive controls 1108 to 1137, EMPTY.
CLASSES = 1139
# Positive controls and EMPTY, by class: some wells that were to hold another siRNA are EMPTY,
# whatever their well_type says.
CONTROL_CLASSES = range(1108, CLASSES)
EMPTY = "EMPTY"
UNLABELLED = -1
# How experiments of simulated screens begin, so that none passes for the release's.
SIMULATED_PREFIX = "SIM-"
