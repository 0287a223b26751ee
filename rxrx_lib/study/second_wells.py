"""What is kept of a run's answers on a second, independent set of wells of the same experiments.

A simulated screen can be rendered again with other wells: the same experiments and siRNAs, another
layout and other cells. No picture of them was ever trained on, not even another site of the same
well. The release has no such set.

A run keeps the answers beside its predictions, in the form of
:mod:`rxrx_lib.study.reduction`, so that every accuracy can be counted from them:

    runs/<id>/predictions/<hash>/derived/second_wells.npz

They are no way of predicting of their own: their sites bear the names of the first set's, and are
others. Weights that were trained anew, or a method that is normalised otherwise now, make them
void.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from rxrx_lib.evaluation.predictions import Arrays
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.derived import read_derived
from rxrx_lib.study.reduction import packed_answers, packed_sites, restored
from rxrx_lib.study.runs import Run, json_text
from rxrx_lib.study.spec import DataSpec, PredictSpec

FILE = "second_wells.npz"
WELLS_SET = 1
"""Which of the independent sets is the second; runs are trained on 0."""


def second_screen(data: DataSpec) -> DataSpec:
    """Return the screen with the second set of wells.

    Raises
    ------
    ValueError
        If it is the release, which cannot be rendered again.
    """
    if data.screen is None:
        raise ValueError(
            f"data is {data.name!r}, which has one set of wells; a second one can only be had of "
            "a simulated screen."
        )
    return dataclasses.replace(data, screen=dataclasses.replace(data.screen, wells_set=WELLS_SET))


def packed(predictions: Arrays, weights_sha256: str, method: str, source: object) -> Arrays:
    """Return what the file holds.

    Parameters
    ----------
    predictions
        The arrays of a predictions.npz, of the second set's sites.
    weights_sha256, method
        Of the network that answered.
    source
        Where the answers came from, as :func:`rxrx_lib.study.provenance.provenance` says it.
    """
    sites = packed_sites([predictions])
    return {
        **sites,
        **packed_answers(predictions, sites),
        "weights_sha256": np.asarray(weights_sha256),
        "statistics": np.asarray(METHODS[method].statistics),
        "provenance": np.asarray(json_text({"provenance": source})),
    }


def second_wells(run: Run, method: str) -> Arrays | None:
    """Return a run's answers on the second set of wells, if they are of today's weights.

    Returns
    -------
    dict or None
        As :func:`rxrx_lib.study.reduction.restored` gives them, every site on the test side.

    Raises
    ------
    ValueError
        If the file is no npz file, or lacks an array.
    """
    folder = run.prediction(PredictSpec(statistics=METHODS[method].statistics))
    content = read_derived(folder, FILE) if run.done else None
    if content is None:
        return None
    try:
        of_today = (
            str(content["weights_sha256"]) == run.provenance()["sha256"]["weights.pt"]
            and str(content["statistics"]) == METHODS[method].statistics
        )
        return restored(content, content) if of_today else None
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise ValueError(
            f"{folder / 'derived' / FILE} cannot be read ({error!r}); expected a run's answers on "
            "a second set of wells: remove it, and it is made again."
        ) from error
