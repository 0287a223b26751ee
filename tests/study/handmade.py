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


def variant_results(replicates: int = 2) -> pd.DataFrame:
    """Return runs of Table 2's six rows on small networks.

    The baseline has 40 and 44 in the first row, AdaBN 10 points more; each later row has one point
    less for the baseline and two less for AdaBN.
    """
    return _falling(
        [
            {"mixing": mixing, "backbone": backbone, "normalization": "self"}
            for mixing, backbone in (
                ("cutmix", "densenet_small"),
                ("none", "densenet_small"),
                ("mixup", "densenet_small"),
                ("cutmix", "resnet_small"),
                ("cutmix", "resnet_small_deep"),
                ("cutmix", "densenet_small_shallow"),
            )
        ],
        replicates,
    )


def normalization_results(replicates: int = 2) -> pd.DataFrame:
    """Return runs of four rows of Tables 5 and 6, falling in the same way from the first, self."""
    names = ("self", "plate_all", "plate_controls", "experiment_all")
    shared = {"mixing": "cutmix", "backbone": "densenet_small"}
    return _falling([shared | {"normalization": name} for name in names], replicates)


def _falling(settings: list[dict[str, str]], replicates: int) -> pd.DataFrame:
    rows = []
    for number, setting in enumerate(settings):
        for replicate, base in list(zip(REPLICATES, (40.0, 44.0, 45.0), strict=True))[:replicates]:
            for method, accuracy in (
                ("baseline", base - number),
                ("adabn", base + 10 - 2 * number),
            ):
                beside = {"accuracy_macro": accuracy - 5, "majority_accuracy": 16.0}
                beside |= {"accuracy_treatments": accuracy - 6, "accuracy_wells": accuracy + 3}
                more = {"hardware": "a machine", **beside, **setting}
                rows.append(row(method, "separated", replicate, accuracy, **more))
    return pd.DataFrame(rows)


def few_results(replicates: int = 1) -> pd.DataFrame:
    """Return Table 4's runs on a screen whose U2OS has a single training experiment."""
    rows = []
    for cell_type, n, base in (("HUVEC", 3, 50.0), ("U2OS", 1, 30.0)):
        for number, method in enumerate(METHODS):
            for replicate in REPLICATES[:replicates]:
                accuracy = base + 2 * number
                history = {
                    "epoch": [0.0, 1.0, 2.0],
                    "test_accuracy": [20.0, float("nan"), accuracy],
                }
                few = {"trained_cell_type": cell_type, "trained_experiments": n, "epochs": 3}
                few |= {"epoch_steps": 5 if number < 2 else 4, "history": history}
                few |= {"majority_accuracy": 16.0, "accuracy_treatments": accuracy - 6}
                split = f"{n} of {cell_type}"
                rows.append(row(method, split, replicate, accuracy, **few))
    return pd.DataFrame(rows)


def joint_results() -> pd.DataFrame:
    """Return separated runs of every method: 60 % in HUVEC, 25 % in U2OS."""
    shared = {"trained_cell_type": "", "trained_experiments": 0, "epochs": 2, "epoch_steps": 50}
    by_cell_type = {"HUVEC": 60.0, "U2OS": 25.0}
    return pd.DataFrame(
        row(method, "separated", REPLICATES[0], 50.0, **shared, by_cell_type=by_cell_type)
        for method in METHODS
    )


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


def strength_results(replicates: int = 2) -> pd.DataFrame:
    """Return the strength curve at the factors 0, 1 and 2.

    The baseline has 80, 60 and 40 in the first replicate, AdaBN 81, 75 and 70, the other two lie
    between; a further replicate adds 2, 3 and 3 points to AdaBN, and 2, 0 and 0 to the others.
    """
    made = {
        "baseline": (80.0, 60.0, 40.0),
        "gradient_reversal": (80.0, 61.0, 42.0),
        "adabn": (81.0, 75.0, 70.0),
        "adabn_gradient_reversal": (80.0, 74.0, 68.0),
    }
    rows = []
    for number, replicate in enumerate(REPLICATES[:replicates]):
        for method, values in made.items():
            more = (2, 3, 3) if method == "adabn" else (2, 0, 0)
            for factor, accuracy, add in zip((0.0, 1.0, 2.0), values, more, strict=True):
                probe = 79.0 if method == "adabn" else 99.0
                rows.append(
                    _effect_row(method, "self", replicate, accuracy + add * number)
                    | {"technical": factor, "effects": "all", "cell_type_probe": probe}
                    | {"id": f"{method}-{factor}-{replicate}"}
                )
    return pd.DataFrame(rows)


def component_results(
    lost: dict[str, tuple[float, float, float]], replicates: int = 2, spread: float = 0.5
) -> pd.DataFrame:
    """Return the runs of single technical effects; without any, 80 % are right.

    Parameters
    ----------
    lost
        Effect to the points that it costs with nothing against it, with self-standardisation, and
        with AdaBN; each further replicate has one point more without effects, and loses ``spread``
        more points with one.
    """
    arms = (("baseline", "training_all"), ("baseline", "self"), ("adabn", "self"))
    rows = []
    for number, replicate in enumerate(REPLICATES[:replicates]):
        for effect, points in {"off": (0.0, 0.0, 0.0), **lost}.items():
            for (method, normalization), loss in zip(arms, points, strict=True):
                on = effect != "off"
                accuracy = 80.0 + number - loss - spread * number * on
                rows.append(
                    _effect_row(method, normalization, replicate, accuracy)
                    | {"technical": 2.0 * on, "effects": effect if on else "all"}
                    | {"id": f"{method}-{normalization}-{effect}-{replicate}"}
                )
    return pd.DataFrame(rows)


def _effect_row(method: str, normalization: str, replicate: str, accuracy: float) -> dict:
    beside = {"accuracy_treatments": accuracy - 5, "accuracy_macro": accuracy - 3}
    beside |= {"accuracy_wells": accuracy + 3, "majority_accuracy": 16.0}
    return row(method, "separated", replicate, accuracy, normalization=normalization, **beside)
