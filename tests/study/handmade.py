"""Results as `gather` gives them, written by hand."""

from __future__ import annotations

import pandas as pd

from rxrx_lib.evaluation.shapley import SUBSETS
from rxrx_lib.models.methods import METHODS

REPLICATES = ("10/0", "11/1", "12/2")
SPLITS = ("separated", "stratified_by_site", "stratified_by_well")

# Accuracy by method and split, one value a replicate.
ACCURACY = {
    "baseline": ([40.0, 50.0, 60.0], [80.0, 80.0, 80.0], [50.0, 55.0, 60.0]),
    "gradient_reversal": ([39.0, 48.0, 57.0], [70.0, 80.0, 90.0], [50.0, 50.0, 50.0]),
    "adabn": ([60.0, 62.0, 64.0], [80.0, 82.0, 84.0], [60.0, 62.0, 67.0]),
    "adabn_gradient_reversal": ([41.0, 49.0, 60.0], [80.0, 81.0, 82.0], [60.0, 60.0, 60.0]),
}


def row(method: str, split: str, replicate: str, accuracy: float, **more: object) -> dict:
    screen_seed, seed = replicate.split("/")
    return {
        "id": f"{method}-{split}-{replicate}",
        "method": method,
        "split": split,
        "labels": "true",
        "channels": "123456",
        "data": "simulated",
        "screen_seed": int(screen_seed),
        "seed": int(seed),
        "technical": 1.0,
        "phenotype": 1.0,
        "replicate": replicate,
        "seconds": 1.0,
        "accuracy": accuracy,
    } | more


def table1_results(replicates: int = 3) -> pd.DataFrame:
    """Return the results of Table 1's runs, so many replicates of them."""
    rows = []
    for number, replicate in enumerate(REPLICATES[:replicates]):
        for split, name in enumerate(SPLITS):
            for method in METHODS:
                accuracy = ACCURACY[method][split][number]
                more: dict[str, object] = {
                    "by_experiment": {
                        "SIM-HUVEC-07": accuracy - 1,
                        "SIM-U2OS-04": accuracy + (2 if method == "adabn" else 1),
                    }
                }
                if name != "separated":
                    more["batch_classification_accuracy"] = 50.0 + 10 * number
                    more["batch_probe_linear"] = 30.0 + number
                rows.append(row(method, name, replicate, accuracy, **more))
    return pd.DataFrame(rows)


def control_results(
    *,
    baseline: float,
    adabn: float,
    shuffled: float = 3.0,
    without_phenotypes: float = 3.0,
    treatments: float = 1.0,
) -> pd.DataFrame:
    """Return the negative controls' results, three replicates; 4 % are reached by luck."""
    rows = []
    for replicate in REPLICATES:
        beside = {
            "majority_accuracy": 4.0,
            "luck_mean": 4.0,
            "luck_sd": 1.5,
            "accuracy_treatments": treatments,
            "luck_mean_treatments": 2.0,
            "luck_sd_treatments": 0.5,
        }
        for method, accuracy in (("baseline", baseline), ("adabn", adabn)):
            rows.append(row(method, "separated", replicate, accuracy, **beside, technical=0.0))
        rows.append(row("baseline", "separated", replicate, shuffled, **beside, labels="shuffled"))
        rows.append(
            row("baseline", "separated", replicate, without_phenotypes, **beside, phenotype=0.0)
        )
    return pd.DataFrame(rows)


def tradeoff_results() -> pd.DataFrame:
    """Return the trade-off's results: two replicates, coefficients 0, 1 and 10."""
    rows = []
    made = {0.0: ([50.0, 52.0], 60.0, 70.0), 1.0: ([51.0, 55.0], 10.0, 55.0)}
    made[10.0] = ([20.0, 22.0], 20.0, 30.0)
    for coefficient, (accuracy, head, probe) in made.items():
        names = ("gradient_reversal", "adabn_gradient_reversal")
        for method in names if coefficient else ("baseline", "adabn"):
            for replicate, value in zip(REPLICATES[:2], accuracy, strict=True):
                setting = {"reversal_coefficient": coefficient}
                held_out = {"accuracy_treatments": value - 5, "majority_accuracy": 17.0}
                rows.append(
                    row(method, "held_out_training", replicate, value, **setting, **held_out)
                )
                readings = {
                    "batch_classification_accuracy": head,
                    "batch_probe_linear": probe,
                    "batch_probe_mlp": probe,
                    "cell_type_probe": 90.0,
                    "line_uniform": 2.0,
                    "line_cell_type": 8.0,
                }
                rows.append(
                    row(method, "stratified_by_site", replicate, value + 9, **setting, **readings)
                )
    return pd.DataFrame(rows)


def subset_accuracy(subset: tuple[int, ...]) -> float:
    """Return an accuracy in which channels 2 and 4 show the same, and channel 6 costs a point."""
    alike = 30.0 if {2, 4} & set(subset) else 0.0
    return 10.0 + alike + 5.0 * (1 in subset) - 1.0 * (6 in subset)


def subset_results(replicates: int = 1) -> pd.DataFrame:
    """Return the results of the 63 channel subsets; a replicate adds a point to all."""
    rows = []
    for number, replicate in enumerate(REPLICATES[:replicates]):
        for subset in SUBSETS:
            accuracy = subset_accuracy(subset) + number
            more = {"channels": "".join(map(str, subset)), "accuracy_treatments": accuracy - 2}
            rows.append(row("baseline", "separated", replicate, accuracy, **more))
    return pd.DataFrame(rows)
