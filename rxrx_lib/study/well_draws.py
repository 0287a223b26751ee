"""From the predictions of done runs to accuracies with their test wells drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.evaluation.well_resampling import resampled_accuracy
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs
from rxrx_lib.study.ablations import variant_of
from rxrx_lib.study.catalogue import CATALOGUE
from rxrx_lib.study.channel_subsets import subset_name
from rxrx_lib.study.kept import arrays_of
from rxrx_lib.study.ledger import Place
from rxrx_lib.study.paper import CELL_TYPES
from rxrx_lib.study.prediction_statistics import WAYS, Way
from rxrx_lib.study.profiles import BY_SITE, SEPARATED, Profile
from rxrx_lib.study.spec import PredictSpec, RunSpec

Draws = Mapping[tuple[Place, str], NDArray[np.float64]]
"""Place and replicate to accuracies in percent, one a draw."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Which answers an accuracy counts."""

    place: Place
    spec: RunSpec
    of_experiment: bool = False
    """Whether it is the experiment that is to be named, and not the siRNA."""
    cell_type: str = ""
    """Only sites of this one; empty for all."""
    statistics: str = ""
    """What the weights were normalised by to give them; empty for the method's own."""


def _table1(profile: Profile) -> Iterator[Answers]:
    for spec in CATALOGUE["table1"](profile):
        if spec.split == SEPARATED:
            yield Answers(place=("table1", spec.method, "accuracy_separated"), spec=spec)
        if spec.split == BY_SITE:
            yield Answers(place=("table1", spec.method, "accuracy_stratified"), spec=spec)
            place = ("table1", spec.method, "batch_classification")
            yield Answers(place=place, spec=spec, of_experiment=True)


def _table2(profile: Profile) -> Iterator[Answers]:
    for spec in CATALOGUE["table2"](profile):
        yield Answers(place=("table2", variant_of(spec), spec.method), spec=spec)


def _table3(profile: Profile) -> Iterator[Answers]:
    for spec in CATALOGUE["table3"](profile):
        for cell_type in CELL_TYPES:
            place = ("table3", spec.method, cell_type)
            yield Answers(place=place, spec=spec, cell_type=cell_type)


def _table4(profile: Profile) -> Iterator[Answers]:
    for spec in CATALOGUE["table4"](profile):
        yield Answers(place=("table4", spec.method, spec.split.cell_type), spec=spec)


def _tables5_6(profile: Profile) -> Iterator[Answers]:
    for item in ("table5", "table6"):
        for spec in CATALOGUE[item](profile):
            yield Answers(place=(item, spec.normalization, "accuracy"), spec=spec)


def _figure9(profile: Profile) -> Iterator[Answers]:
    for spec in CATALOGUE["figure9"](profile):
        yield Answers(place=("figure9", subset_name(spec.channels), "accuracy"), spec=spec)


def _test_time_statistics(profile: Profile) -> Iterator[Answers]:
    for spec in CATALOGUE["test_time_statistics"](profile):
        for statistics in WAYS[spec.method]:
            place = ("test_time_statistics", Way(spec.method, statistics).row, "all_sites")
            yield Answers(place=place, spec=spec, statistics=statistics)


FROM_PREDICTIONS: tuple[Callable[[Profile], Iterator[Answers]], ...] = (
    _table1,
    _table2,
    _table3,
    _table4,
    _tables5_6,
    _figure9,
    _test_time_statistics,
)
"""The accuracies of the ledger that are counted over test wells, item by item."""


def well_draws(
    store: Path,
    profile: Profile,
    places: Collection[Place] | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[tuple[Place, str], NDArray[np.float64]]:
    """Return accuracies with the test wells drawn anew, from the predictions that are stored.

    Parameters
    ----------
    store
        The run store.
    profile
        The profile whose runs are looked up; those that are not done are left out.
    places
        Which numbers; all that :data:`FROM_PREDICTIONS` knows by default.
    draws, seed
        As in :func:`rxrx_lib.evaluation.well_resampling.resampled_accuracy`.

    Returns
    -------
    dict
        Place and replicate to (draws,), percent. One seed for all, so that methods are paired.
    """
    by_way: dict[tuple[RunSpec, str], list[Answers]] = {}
    for give in FROM_PREDICTIONS:
        for asked in give(profile):
            if places is None or asked.place in places:
                statistics = asked.statistics or METHODS[asked.spec.method].statistics
                by_way.setdefault((asked.spec, statistics), []).append(asked)
    found = {}
    for (spec, statistics), several in by_way.items():
        test = _test_sites(store, spec, statistics)
        drawn: dict[tuple[bool, str], NDArray[np.float64]] = {}  # many places share a run's
        for asked in several if test else ():
            which = asked.of_experiment, asked.cell_type
            rows = _rows(test, asked.cell_type)
            if rows.any() and which not in drawn:
                correct = test["experiment_named" if asked.of_experiment else "sirna_named"]
                drawn[which] = resampled_accuracy(
                    correct[rows],
                    test["well_id"][rows],
                    test["experiment"][rows],
                    draws=draws,
                    seed=seed,
                )
            if which in drawn:
                found[asked.place, _replicate(spec)] = drawn[which]
    return found


def _rows(test: Mapping[str, NDArray[Any]], cell_type: str) -> NDArray[np.bool_]:
    """Tell which test sites are of a cell type, or of any."""
    of_all = np.full(test["cell_type"].shape, True)
    return np.asarray(test["cell_type"] == cell_type) if cell_type else of_all


def _test_sites(store: Path, spec: RunSpec, statistics: str) -> dict[str, NDArray[Any]]:
    """Return columns of a run's test sites, and what was named correctly; {} if it is not done."""
    run = runs.open_run(store, spec)
    way = PredictSpec(statistics=statistics, embeddings=False)
    folder = run.stored_prediction(way) if run.done else None
    if folder is None:
        return {}
    names = ("well_id", "experiment", "cell_type", "sirna_id", "predicted_experiment")
    stored = arrays_of(folder, (*names, "side", "top_sirna_id"))
    test = stored["side"] == "test"
    columns = {name: stored[name][test] for name in names}
    columns["sirna_named"] = stored["top_sirna_id"][test, 0] == columns["sirna_id"]
    columns["experiment_named"] = columns["predicted_experiment"] == columns["experiment"]
    return columns


def _replicate(spec: RunSpec) -> str:
    """Name a replicate as :func:`rxrx_lib.study.results.gather` does."""
    return f"{-1 if spec.data.screen is None else spec.data.screen.seed}/{spec.seed}"
