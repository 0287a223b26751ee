"""What corrected embeddings and simple features reach: measured once a run, and kept.

Each time the same classifier is fitted to the training side, a multinomial logistic regression
(:func:`rxrx_lib.evaluation.probes.linear_answers`), so that rivals differ in what they are given
and in nothing else. Classes of the test side are read to count hits, and for nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rxrx_lib.data.simulator.write import TRUTH_FILE
from rxrx_lib.evaluation.corrections import CORRECTIONS
from rxrx_lib.study import rival_features
from rxrx_lib.study.derived import own_prediction, write_derived
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.kept import arrays_of
from rxrx_lib.study.predictions import done_run
from rxrx_lib.study.provenance import provenance, this_attempt
from rxrx_lib.study.rival_files import EMBEDDINGS, FILE, FORMAT
from rxrx_lib.study.screens import Screen, make_split, open_screen
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.training.attempts import Attempts

Arrays = Mapping[str, npt.NDArray[Any]]
Accuracies = dict[str, dict[str, float]]
"""Rival to metric to percent."""
NEEDED = ("side", "experiment", "sirna_id", "well_type", "embedding")


def measure_done(spec: RunSpec, runtime: Runtime) -> None:
    """Measure the rivals of one done run of the baseline, and keep their accuracies.

    Raises
    ------
    NotKept
        If the store has not the run's embeddings.
    """
    run = done_run(spec, runtime.runs)
    attempts = Attempts(this_attempt("cpu"))
    arrays = arrays_of(own_prediction(run, spec), NEEDED)
    screen = open_screen(spec.data, runtime.data)
    sites = rival_features.of_screen(screen, spec.data)
    split = make_split(screen.table, spec.split)
    content = {
        "format": FORMAT,
        "seen": sites_seen(screen.table["experiment"].to_numpy(dtype=str), split.test),
        "rivals": of_embeddings(arrays) | of_features(screen, sites, split.train, split.test),
        "counted": count_correlation(screen, sites),
        "provenance": provenance(attempts.so_far(), screen.root, spec.data),
    }
    write_derived(own_prediction(run, spec), FILE, content)


def of_embeddings(arrays: Arrays) -> Accuracies:
    """Return what a fresh linear probe of the siRNA reads of embeddings under each correction.

    Parameters
    ----------
    arrays
        Of predictions.npz: :data:`NEEDED`. A correction is fitted by experiment, on all its sites.
    """
    train, test = arrays["side"] == "train", arrays["side"] == "test"
    sirna, treatment = arrays["sirna_id"], arrays["well_type"] == "treatment"
    found = {}
    for name, rival in EMBEDDINGS.items():
        x = CORRECTIONS[name](arrays["embedding"], arrays["experiment"])
        answers = fitted_answers(x[train], sirna[train], x[test])
        found[rival] = hits(answers, sirna[test], treatment[test])
    return found


def of_features(
    screen: Screen,
    sites: rival_features.SiteFeatures,
    train: npt.NDArray[np.int64],
    test: npt.NDArray[np.int64],
) -> Accuracies:
    """Return what is reached without a network.

    Parameters
    ----------
    screen
        It is open.
    sites
        Its features, as :func:`rxrx_lib.study.rival_features.of_screen` gives them.
    train, test
        Rows of the two sides.
    """
    sirna = screen.table["sirna_id"].to_numpy(dtype=np.int64)
    treatment = (screen.table["well_type"] == "treatment").to_numpy(dtype=bool)
    found = {
        name: hits(fitted_answers(x[train], sirna[train], x[test]), sirna[test], treatment[test])
        for name, x in rival_features.by_predictor(sites, train).items()
    }
    known, counts = np.unique(sirna[train], return_counts=True)
    commonest = np.full(len(test), known[counts.argmax()])
    return found | {"commonest": hits(commonest, sirna[test], treatment[test])}


def fitted_answers(
    train_x: npt.NDArray[Any], train_y: npt.NDArray[Any], test_x: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return the classes that a logistic regression gives the test rows."""
    from rxrx_lib.evaluation.probes import linear_answers  # which loads scikit-learn

    return linear_answers(train_x, train_y, test_x)


def hits(
    answers: npt.NDArray[Any], sirna: npt.NDArray[Any], treatment: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Return the percent of right answers, of all test sites and of the treatments', if any."""
    right = answers == sirna
    found = {"accuracy": float(100 * right.mean())}
    if treatment.any():
        found["accuracy_treatments"] = float(100 * right[treatment].mean())
    return found


def sites_seen(experiment: npt.NDArray[np.str_], test: npt.NDArray[np.int64]) -> float:
    """Return how many sites a test site's experiment has, mean over the test sites."""
    _, which, counts = np.unique(experiment, return_inverse=True, return_counts=True)
    return float(counts[which[test]].mean())


def count_correlation(screen: Screen, sites: rival_features.SiteFeatures) -> float | None:
    """Return the correlation of the counts of nuclei with the number of cells that were drawn.

    Returns
    -------
    float or None
        None for a screen without a truth.
    """
    path = screen.root / TRUTH_FILE
    if not path.exists():
        return None
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    drawn = screen.table["site_id"].map(cells).to_numpy(dtype=np.float64)
    return float(np.corrcoef(drawn, sites.nuclei[:, 0])[0, 1])
