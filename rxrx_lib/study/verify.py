"""A random sample of done runs, trained again in another store and compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rxrx_lib.data.randomness import generator
from rxrx_lib.evaluation.predictions import Arrays
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs
from rxrx_lib.study.execute import Runtime, run_many
from rxrx_lib.study.kept import NotKept, arrays_of
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.reduction import packed_answers, packed_sites, restored
from rxrx_lib.study.soundness import run_fault
from rxrx_lib.study.spec import PredictSpec, RunSpec

TOLERANCE = 5.0
"""Percentage points between two trainings of one spec on processors that round differently. After
many steps these are as far apart as two seeds; choose more for small test sides."""
JUDGED = (
    "accuracy",
    "accuracy_treatments",
    "accuracy_wells",
    "batch_classification_accuracy",
)
"""Metrics that have to agree where bits cannot; those of single experiments rest on few sites."""
COUNTED = ("split", "unit", "classes", "test_sites", "test_wells", "test_classes")


class Verdict(NamedTuple):
    """What came out for one run."""

    spec: RunSpec
    agrees: bool
    words: str
    """What was compared, and what differs."""


def sampled(specs: Sequence[RunSpec], store: Path, count: int, seed: int) -> list[RunSpec]:
    """Draw done runs, each as likely, without repetition; all if there are no more.

    The draw depends on which runs are done and on the seed, not on the order of ``specs``.
    """
    done = {spec.id: spec for spec in specs if runs.Run(store / spec.id).done}
    names = sorted(done)
    drawn = generator("verify", seed).permutation(len(names))[:count]
    return [done[names[place]] for place in sorted(drawn.tolist())]


def verify(
    specs: Sequence[RunSpec],
    store: Path,
    again: Runtime,
    executor: Executor,
    progress: Progress,
    tolerance: float = TOLERANCE,
) -> list[Verdict]:
    """Train runs again and compare them with those that the store has.

    Parameters
    ----------
    specs
        Done runs.
    store
        The run store that has them; it is only read.
    again
        Where they are trained again; ``again.runs`` is another store.
    executor, progress
        As for :func:`rxrx_lib.study.execute.run_many`.
    tolerance
        In percentage points, where bits cannot agree; see :func:`compared`.
    """
    faults = {spec.id: run_fault(runs.Run(store / spec.id)) for spec in specs}
    sound = [spec for spec in specs if faults[spec.id] is None]
    failed = {spec.id: error for spec, error in run_many(sound, again, executor, progress)}
    verdicts = []
    for spec in specs:
        if faults[spec.id] is not None:
            verdicts.append(Verdict(spec, False, f"not sound: {faults[spec.id]}"))
        elif spec.id in failed:
            verdicts.append(Verdict(spec, False, f"failed when trained again: {failed[spec.id]}"))
        else:
            of_store, of_scratch = (runs.Run(root / spec.id) for root in (store, again.runs))
            verdicts.append(Verdict(spec, *compared(spec, of_store, of_scratch, tolerance)))
    return verdicts


def compared(
    spec: RunSpec, stored: runs.Run, again: runs.Run, tolerance: float
) -> tuple[bool, str]:
    """Compare the metrics and the method's own predictions of two done runs of one spec.

    Bit by bit where both were made on one type of processor with the same libraries. Elsewhere
    counts, sites and their classes have to be equal, and the metrics in :data:`JUDGED` within
    ``tolerance`` percentage points.

    Returns
    -------
    bool
        Whether they agree.
    str
        In words.
    """
    made = [run.provenance() for run in (stored, again)]
    differing = [
        name for name in ("hardware", "libraries") if made[0].get(name) != made[1].get(name)
    ]
    arrays = _own_predictions(spec, stored, again)
    if not differing:
        return _bit_by_bit(stored.metrics(), again.metrics(), arrays)
    told = f"another {' and other '.join(differing)}: {_words(made[0])}, now {_words(made[1])}"
    agrees, words = _within(tolerance, stored.metrics(), again.metrics(), arrays)
    return agrees, f"{words}; not bit by bit, for {told}"


def _bit_by_bit(
    stored: dict[str, object], again: dict[str, object], arrays: tuple[Arrays, Arrays] | None
) -> tuple[bool, str]:
    names = [n for n in {**stored, **again} if stored.get(n) != again.get(n)]
    if names:
        some = "; ".join(f"{n} was {stored.get(n)}, is {again.get(n)}" for n in names[:3])
        return False, f"{len(names)} metrics differ: {some}"
    if arrays is None:
        return True, "equal, bit by bit: metrics; no predictions are kept"
    one, other = arrays
    same = {n for n in one.keys() & other.keys() if np.array_equal(one[n], other[n])}
    unequal = sorted((one.keys() | other.keys()) - same)
    if unequal:
        return False, f"predictions differ in {', '.join(unequal)}"
    kept = "" if "top_logit" in one else " (answers; logits and embeddings are not kept)"
    return True, f"equal, bit by bit: metrics and predictions{kept}"


def _within(
    tolerance: float,
    stored: dict[str, object],
    again: dict[str, object],
    arrays: tuple[Arrays, Arrays] | None,
) -> tuple[bool, str]:
    for name in COUNTED:
        if stored.get(name) != again.get(name):
            return False, f"{name} was {stored.get(name)}, is {again.get(name)}"
    apart = {n: abs(_number(stored, n) - _number(again, n)) for n in JUDGED if n in stored}
    name, most = max(apart.items(), key=lambda item: item[1])
    answers = ""
    if arrays is not None:
        one, other = arrays
        for column in ("site_id", "sirna_id", "side"):
            if not np.array_equal(one[column], other[column]):
                return False, f"predictions differ in {column}"
        equal = one["top_sirna_id"][:, 0] == other["top_sirna_id"][:, 0]
        answers = f", {100 * equal.mean():.1f} % of the answers equal"
    words = f"{name} {most:.2f} points apart, tolerance {tolerance:g}{answers}"
    return most <= tolerance, words


def _number(metrics: dict[str, object], name: str) -> float:
    value = metrics.get(name)
    return float(value) if isinstance(value, int | float) else math.inf


def _own_predictions(
    spec: RunSpec, stored: runs.Run, again: runs.Run
) -> tuple[Arrays, Arrays] | None:
    """Return the arrays that both keep, in one order of rows; None where the store has none."""
    own = PredictSpec(statistics=METHODS[spec.method].statistics)
    folders = [run.stored_prediction(own) for run in (stored, again)]
    if folders[0] is None or folders[1] is None:
        return None
    try:
        one, other = (arrays_of(folder) for folder in folders if folder is not None)
    except NotKept:
        return None
    if "top_logit" not in one:
        sites = packed_sites([other])
        other = restored(sites, packed_answers(other, sites))
    return one, other


def _words(source: dict[str, object]) -> str:
    libraries = source.get("libraries")
    torch = libraries.get("torch") if isinstance(libraries, dict) else None
    return f"{source.get('hardware')} with torch {torch}"
