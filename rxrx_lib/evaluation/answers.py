"""What a run's predicted classes alone tell: the numbers that need neither logits nor embeddings.

They can be computed again wherever the predicted classes are kept, so that metrics can be checked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.evaluation.metrics import (
    accuracy_by,
    batch_classification_accuracy,
    perturbation_accuracy,
    top_accuracy,
)
from rxrx_lib.evaluation.predictions import COLUMNS, MATRICES, Arrays
from rxrx_lib.evaluation.reference_lines import exchanged_names, majority_line, uniform_line

TOP = 5


def answered(arrays: Arrays) -> dict[str, Any]:
    """Give the numbers that predicted classes and experiments alone allow.

    Parameters
    ----------
    arrays
        As :func:`rxrx_lib.evaluation.predictions.validate_predictions` describes them; logits and
        embeddings may lack, and of the best classes all but the first.

    Returns
    -------
    dict
        The numbers of :func:`rxrx_lib.evaluation.score.score`, but ``accuracy_wells`` and those of
        probes and the lines beside them; ``accuracy_top5`` where enough classes were kept.
    """
    test = side(arrays, "test")
    metrics = _counts(arrays, test) | _accuracies(test, int(arrays["classes"]))
    metrics |= _further_sides(arrays)
    if str(arrays["split"]) == "stratified":
        metrics |= _experiment_head(test, int(arrays["experiments"]))
    return metrics


def side(arrays: Arrays, name: str) -> dict[str, NDArray[Any]]:
    """Return the rows of one side of the split."""
    rows = arrays["side"] == name
    return {key: arrays[key][rows] for key in (*COLUMNS, *MATRICES) if key in arrays}


def of_treatments(rows: Arrays) -> NDArray[np.bool_]:
    """Tell which rows are of treatment wells."""
    return np.asarray(rows["well_type"] == "treatment")


def _counts(arrays: Arrays, test: Arrays) -> dict[str, Any]:
    cell_types, sites = np.unique(test["cell_type"], return_counts=True)
    return {
        "split": str(arrays["split"]),
        "unit": str(arrays["unit"]),
        "classes": int(arrays["classes"]),
        "test_sites": int(test["site_id"].size),
        "test_wells": int(np.unique(test["well_id"]).size),
        "test_classes": int(np.unique(test["sirna_id"]).size),
        "test_experiments": int(np.unique(test["experiment"]).size),
        "sites_by_cell_type": dict(zip(cell_types.tolist(), sites.tolist(), strict=True)),
    }


def _accuracies(test: Arrays, classes: int) -> dict[str, Any]:
    truth, top = test["sirna_id"], test["top_sirna_id"]
    predicted = top[:, 0]
    metrics: dict[str, Any] = {
        "accuracy": perturbation_accuracy(truth, predicted),
        "accuracy_macro": perturbation_accuracy(truth, predicted, average="macro"),
        "chance_accuracy": uniform_line(classes),
        "majority_accuracy": majority_line(truth),
    }
    treatment = of_treatments(test)
    for name, rows in (("accuracy_treatments", treatment), ("accuracy_controls", ~treatment)):
        if rows.any():
            metrics[name] = perturbation_accuracy(truth[rows], predicted[rows])
    for ending, rows in (("", np.full(truth.shape, True)), ("_treatments", treatment)):
        if rows.any():
            luck = exchanged_names(truth[rows], predicted[rows])
            metrics[f"luck_mean{ending}"], metrics[f"luck_sd{ending}"] = luck
    best = min(TOP, classes)
    if top.shape[1] >= best:
        metrics["accuracy_top5"] = top_accuracy(truth, top, best)
    for group in ("experiment", "cell_type"):
        by_group = accuracy_by(test[group], truth, predicted)
        metrics[f"by_{group}"] = {name: each.accuracy for name, each in by_group.items()}
    return metrics


def _further_sides(arrays: Arrays) -> dict[str, Any]:
    found = {}
    for name in ("val", "id_test"):
        rows = side(arrays, name)
        if rows["site_id"].size:
            accuracy = perturbation_accuracy(rows["sirna_id"], rows["top_sirna_id"][:, 0])
            found[f"accuracy_{name}"] = accuracy
    return found


def _experiment_head(test: Arrays, experiments: int) -> dict[str, Any]:
    experiment = test["experiment"]
    return {
        "batch_classification_accuracy": batch_classification_accuracy(
            experiment, test["predicted_experiment"], split="stratified"
        ),
        "line_uniform": uniform_line(experiments),
    }
