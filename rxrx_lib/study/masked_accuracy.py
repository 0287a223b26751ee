"""The file of what one trained network reaches on every subset of its channels.

A run keeps all of it beside its predictions:

    runs/<id>/predictions/<hash>/derived/masked_accuracy.json

with the accuracy for each subset, of the weights and the statistics that the file names. Weights
that were trained anew, or a method that is normalised otherwise now, make it void.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rxrx_lib.evaluation.shapley import SUBSETS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs
from rxrx_lib.study.derived import own_prediction, read_derived
from rxrx_lib.study.spec import RunSpec

FILE = "masked_accuracy.json"
Game = dict[frozenset[int], float]
"""Channels that are there, to the accuracy in percent; all 64 subsets."""


def masked_accuracy(spec: RunSpec, store: Path) -> Game | None:
    """Return what is kept of a run's masked predictions, if it is of today's weights.

    Returns
    -------
    dict or None
        All 64 subsets of channels; the empty one is worth the accuracy of always answering the
        class that is most common in training, for which no network is asked.

    Raises
    ------
    ValueError
        If the file is no JSON, or lacks a subset.
    """
    run = runs.open_run(store, spec)
    folder = own_prediction(run, spec)
    content = read_derived(folder, FILE) if run.done else None
    if content is None or not _of_today(content, spec, run):
        return None
    try:
        game = {
            frozenset(subset): float(content["accuracy"][subset_word(subset)]) for subset in SUBSETS
        }
        return game | {frozenset(): float(content["none"])}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / 'derived' / FILE} lacks a number ({error!r}); expected the accuracy of "
            f"{len(SUBSETS)} subsets of channels and of none: remove it, and it is made again."
        ) from error


def masked_accuracies(specs: Sequence[RunSpec], store: Path) -> dict[str, Game]:
    """Return the games of all runs that have one, by the run's id."""
    found = {spec.id: masked_accuracy(spec, store) for spec in specs}
    return {name: game for name, game in found.items() if game is not None}


def _of_today(content: dict[str, Any], spec: RunSpec, run: runs.Run) -> bool:
    return (
        content.get("weights_sha256") == run.provenance()["sha256"]["weights.pt"]
        and content.get("statistics") == METHODS[spec.method].statistics
    )


def subset_word(subset: tuple[int, ...]) -> str:
    """Name a subset in the file: 1,2,6."""
    return ",".join(map(str, subset))
