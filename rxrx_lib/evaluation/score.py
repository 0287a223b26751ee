"""From a run's predictions.npz alone to the numbers of its metrics.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from rxrx_lib.evaluation.answers import answered, of_treatments, side
from rxrx_lib.evaluation.experiment_purity import NEIGHBOURS, neighbour_purity, purity_chance
from rxrx_lib.evaluation.metrics import well_accuracy
from rxrx_lib.evaluation.predictions import Arrays, validate_predictions
from rxrx_lib.evaluation.probes import linear_probe, mlp_probe
from rxrx_lib.evaluation.reference_lines import cell_type_line, class_line, majority_line


def score(predictions: Arrays, seed: int = 0) -> dict[str, Any]:
    """Give every number that one run's predictions allow.

    Parameters
    ----------
    predictions
        The arrays of predictions.npz by name, as `validate_predictions` describes them.
    seed
        Of the multi-layer probe, 0 to 2**32 - 1.

    Returns
    -------
    dict
        Ready for JSON. All accuracies are per site of the test side and in percent, unless the
        name says otherwise; a number that does not apply to the run is absent.

        ``split``, ``unit``; ``classes`` (K, of the siRNA head), ``test_sites``, ``test_wells``,
        ``test_classes`` and ``test_experiments`` (those that occur), ``sites_by_cell_type`` (a
        dict, of test sites);
        ``accuracy`` (micro, all classes), ``accuracy_macro``, ``accuracy_treatments``,
        ``accuracy_controls`` (positive and EMPTY), ``accuracy_wells`` (per well, its sites' kept
        logits summed as in `well_accuracy`; absent where a test well has a site that is not on
        the test side), ``accuracy_top5`` (where five classes or all were kept);
        ``by_experiment`` and ``by_cell_type``, dicts; ``chance_accuracy`` (100/K) and
        ``majority_accuracy`` (the best constant answer); ``luck_mean`` and ``luck_sd``, and the
        same with ``_treatments``, of `exchanged_names`.
        ``accuracy_val`` and ``accuracy_id_test``: ``accuracy`` on a further side, where the split
        has it.

        Stratified runs: ``batch_classification_accuracy`` (the head that was trained along) and
        ``line_uniform`` (100/E, E the experiments that the head can name). With embeddings also
        ``batch_probe_linear``, ``batch_probe_mlp``, ``line_cell_type`` and ``line_class``; and
        ``batch_probe_linear_controls`` and ``batch_probe_mlp_controls``, fitted to and measured on
        controls alone, whose wells every stratified split keeps on one side.

        With embeddings, any split: ``cell_type_probe`` (linear, training side to test side)
        and ``line_cell_type_majority``, where training knows more than one cell type.

        With embeddings, splits by whole experiments: ``neighbour_purity`` and
        ``neighbour_purity_chance``, dicts by cell type, in percent: how many of a test site's
        nearest test sites of its cell type are of its own experiment, and how many would be by
        luck. Cell types with one test experiment, or too few test sites, are absent.

    Raises
    ------
    ValueError
        As `validate_predictions`.
    """
    arrays = {name: np.asarray(predictions[name]) for name in predictions}
    validate_predictions(arrays)
    test = side(arrays, "test")
    metrics = answered(arrays)
    if bool(arrays["whole_wells"]):
        metrics["accuracy_wells"] = well_accuracy(
            test["well_id"], test["sirna_id"], test["top_sirna_id"], test["top_logit"]
        )
    if "embedding" in arrays:
        train = side(arrays, "train")
        metrics |= _cell_type_probe(train, test)
        if str(arrays["unit"]) == "experiment":
            metrics |= _mixing(test)
        if str(arrays["split"]) == "stratified":
            metrics |= _experiment_probes(train, test, seed)
    return metrics


def _experiment_probes(train: Arrays, test: Arrays, seed: int) -> dict[str, Any]:
    known, asked = train["experiment"], test["experiment"]
    metrics = {
        "line_cell_type": cell_type_line(train["cell_type"], known, test["cell_type"], asked),
        "line_class": class_line(train["sirna_id"], known, test["sirna_id"], asked),
    }
    for ending, of_train, of_test in (
        ("", np.full(known.shape, True), np.full(asked.shape, True)),
        ("_controls", ~of_treatments(train), ~of_treatments(test)),
    ):
        if np.unique(known[of_train]).size > 1 and of_test.any():
            fitted = train["embedding"][of_train], known[of_train]
            measured = test["embedding"][of_test], asked[of_test]
            metrics[f"batch_probe_linear{ending}"] = linear_probe(*fitted, *measured)
            metrics[f"batch_probe_mlp{ending}"] = mlp_probe(*fitted, *measured, seed=seed)
    return metrics


def _cell_type_probe(train: Arrays, test: Arrays) -> dict[str, Any]:
    if np.unique(train["cell_type"]).size < 2:
        return {}
    return {
        "cell_type_probe": linear_probe(
            train["embedding"], train["cell_type"], test["embedding"], test["cell_type"]
        ),
        "line_cell_type_majority": majority_line(test["cell_type"]),
    }


def _mixing(test: Arrays) -> dict[str, Any]:
    purity, chance = {}, {}
    for name in np.unique(test["cell_type"]).tolist():
        rows = test["cell_type"] == name
        experiment = test["experiment"][rows]
        if np.unique(experiment).size > 1 and experiment.size > NEIGHBOURS:
            near = neighbour_purity(test["embedding"][rows], experiment)
            purity[name] = float(100 * near.mean())
            chance[name] = 100 * purity_chance(experiment)
    return {"neighbour_purity": purity, "neighbour_purity_chance": chance} if purity else {}
