"""What a run's predictions.npz holds, and whether a file is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

SCALARS = ("split", "unit", "classes", "experiments", "whole_wells")
SPLIT_UNITS = {
    "separated": ("experiment",),
    "stratified": ("site", "well"),
    "wilds_official": ("site",),
    "wilds_mixed_to_test": ("site",),
    "few_experiments": ("experiment",),
    "held_out_training": ("experiment",),
}
"""Split to what may stay on one side."""
SIDES = ("train", "val", "id_test", "test")
COLUMNS = (
    "site_id",
    "well_id",
    "plate",
    "experiment",
    "cell_type",
    "well_type",
    "sirna_id",
    "side",
    "predicted_experiment",
)
MATRICES = ("top_sirna_id", "top_logit", "embedding")


def validate_predictions(predictions: Arrays) -> None:
    """Raise a ValueError that names the array at fault, if one is.

    Parameters
    ----------
    predictions
        Scalars ``split`` and ``unit`` (as in `SPLIT_UNITS`), ``classes`` (K), ``experiments`` (E,
        of the experiment head) and ``whole_wells`` (whether every test well has all its sites on
        the test side). Columns (N,) as in `COLUMNS`: ``side`` is one of `SIDES`, ``sirna_id`` a
        whole number from 0 to K - 1.
        ``top_sirna_id`` and ``top_logit``, (N, k), best class first. Optional: ``embedding``
        (N, D), and then there are rows of both sides.

    Raises
    ------
    ValueError
        For an array that is missing, has another shape or holds a value that it may not.
    """
    needed = (*SCALARS, *COLUMNS, "top_sirna_id", "top_logit")
    missing = [name for name in needed if name not in predictions]
    if missing:
        raise ValueError(f"predictions lack {', '.join(missing)}; predict the run again")
    _validate_scalars(predictions)
    _validate_shapes(predictions)
    _validate_values(predictions)


def _validate_scalars(predictions: Arrays) -> None:
    for name in SCALARS:
        if np.shape(predictions[name]) != ():
            raise ValueError(
                f"{name} has shape {np.shape(predictions[name])}, expected a single value"
            )
    split, unit = str(predictions["split"]), str(predictions["unit"])
    if split not in SPLIT_UNITS:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLIT_UNITS)}")
    if unit not in SPLIT_UNITS[split]:
        raise ValueError(
            f"unit is {unit!r}, expected {' or '.join(SPLIT_UNITS[split])} for split {split!r}"
        )
    if int(predictions["classes"]) < 1:
        raise ValueError(f"classes is {predictions['classes']}, expected at least 1")
    occurring = np.unique(predictions["experiment"]).size
    if int(predictions["experiments"]) < occurring:
        raise ValueError(
            f"experiments is {predictions['experiments']}, expected at least {occurring}, as many "
            "as occur in experiment"
        )
    if predictions["whole_wells"].dtype != np.bool_:
        raise ValueError(f"whole_wells is {predictions['whole_wells']}, expected true or false")


def _validate_shapes(predictions: Arrays) -> None:
    rows = np.size(predictions["site_id"])
    for name in COLUMNS:
        if np.shape(predictions[name]) != (rows,):
            raise ValueError(
                f"{name} has shape {np.shape(predictions[name])}, expected ({rows},) as site_id"
            )
    for name in MATRICES:
        if name not in predictions:
            continue
        shape = np.shape(predictions[name])
        if len(shape) != 2 or shape[0] != rows or shape[1] == 0:
            raise ValueError(f"{name} has shape {shape}, expected {rows} rows and a column or more")
    if np.shape(predictions["top_logit"]) != np.shape(predictions["top_sirna_id"]):
        raise ValueError(
            f"top_logit has shape {np.shape(predictions['top_logit'])}, expected "
            f"{np.shape(predictions['top_sirna_id'])} as top_sirna_id"
        )


def _validate_values(predictions: Arrays) -> None:
    sides = set(np.unique(predictions["side"]).tolist())
    expected = {"train", "test"} if "embedding" in predictions else {"test"}
    if not expected <= sides <= set(SIDES):
        raise ValueError(
            f"side holds {sorted(sides)}, expected rows of {' and '.join(sorted(expected))}"
        )
    if np.unique(predictions["site_id"]).size != np.size(predictions["site_id"]):
        raise ValueError("site_id names a site twice, expected one row a site")
    classes = int(predictions["classes"])
    for name in ("sirna_id", "top_sirna_id"):
        if np.asarray(predictions[name]).dtype.kind not in "iu":
            raise ValueError(f"{name} does not hold whole numbers, expected class numbers")
        low, high = int(np.min(predictions[name])), int(np.max(predictions[name]))
        if low < 0 or high >= classes:
            raise ValueError(f"{name} runs from {low} to {high}, expected 0 to {classes - 1}")
    for name in ("top_logit", "embedding"):
        if name in predictions and not np.isfinite(predictions[name]).all():
            raise ValueError(f"{name} holds a value that is not finite; the training diverged")
    if (np.diff(predictions["top_logit"], axis=1) > 0).any():
        raise ValueError("top_logit rises along a row, expected the best class first")
