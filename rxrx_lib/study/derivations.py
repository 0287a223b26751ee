"""What pages need of done runs beyond their metrics, by item of the catalogue.

One list for ``rxrx run``, ``rxrx plan``, ``make book`` and notebooks: a store that one of them has
filled, or an archive of it, has all that the others ask for. :mod:`rxrx_lib.study.after_runs` makes
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rxrx_lib.study import (
    channel_masking,
    counted_otherwise,
    mixing,
    predictions,
    rival_files,
    rival_measures,
    rivals,
    runs,
    similarity,
)
from rxrx_lib.study import prediction_statistics as statistics
from rxrx_lib.study.catalogue import by_site_runs, separated_runs
from rxrx_lib.study.catalogue import prediction_statistics as statistics_runs
from rxrx_lib.study.channel_subsets import masked_runs
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.masked_accuracy import masked_accuracy
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.second_wells import second_screen, second_wells
from rxrx_lib.study.second_wells_prediction import predict_second_wells
from rxrx_lib.study.spec import DataSpec, PredictSpec, RunSpec


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """Something that is computed from a done run and kept in its folder."""

    words: str
    """What it is, in the plural."""
    specs: Callable[[Profile], Sequence[RunSpec]]
    """The runs that it is computed from; the item that it belongs to has them all."""
    lacking: Callable[[RunSpec, Path], bool]
    """Whether a store has a done run without it."""
    make: Callable[[RunSpec, Runtime], object]
    """Compute it from a done run, and keep it."""
    screen: Callable[[RunSpec], DataSpec] | None = None
    """A screen that it needs beside the run's own; made first, so that no two processes do."""
    in_one_process: bool = False
    """Whether one process makes it of all runs, since it compiles longer than it computes."""


def _predictions(
    words: str,
    specs: Callable[[Profile], Sequence[RunSpec]],
    asked: Callable[[RunSpec], Sequence[PredictSpec]],
) -> Derivation:
    return Derivation(
        words=words,
        specs=specs,
        lacking=lambda spec, store: bool(
            predictions.missing(spec, asked(spec), Runtime(runs=store))
        ),
        make=partial(_predict, asked),
    )


def _predict(
    asked: Callable[[RunSpec], Sequence[PredictSpec]], spec: RunSpec, runtime: Runtime
) -> None:
    predictions.predict_done(spec, asked(spec), runtime)


def _measure_rivals(spec: RunSpec, runtime: Runtime) -> None:
    rival_measures.measure_done(spec, runtime)


def _lacks_second_wells(spec: RunSpec, store: Path) -> bool:
    return second_wells(runs.Run(store / spec.id), spec.method) is None


def _keep_by_cell_type(spec: RunSpec, runtime: Runtime) -> None:
    counted_otherwise.keep_by_cell_type(spec, runtime.runs)


def _keep_similarity(spec: RunSpec, runtime: Runtime) -> None:
    similarity.keep_similarity(spec, runtime.runs)


def _keep_layout(spec: RunSpec, runtime: Runtime) -> None:
    mixing.keep_layout(spec, runtime.runs)


DERIVATIONS: tuple[tuple[str, Derivation], ...] = (
    (
        "figure6",
        Derivation(
            words="UMAP layouts",
            specs=lambda profile: mixing.laid_out(separated_runs(profile)),
            lacking=mixing.lacks_layout,
            make=_keep_layout,
            in_one_process=True,
        ),
    ),
    (
        "test_time_statistics",
        _predictions("predictions by other statistics", statistics_runs, statistics.asked),
    ),
    (
        "rivals",
        _predictions("predictions with a part adapting", rivals.rivals, rivals.asked),
    ),
    (
        "rivals",
        Derivation(
            words="accuracies of cheap rivals",
            specs=rivals.measured_runs,
            lacking=lambda spec, store: rival_files.read_measured(spec, store) is None,
            make=_measure_rivals,
        ),
    ),
    (
        "figure8",
        Derivation(
            words="accuracies under channel masks",
            specs=masked_runs,
            lacking=lambda spec, store: masked_accuracy(spec, store) is None,
            make=channel_masking.mask_done,
        ),
    ),
    (
        "figure7",
        Derivation(
            words="cosine similarities",
            specs=similarity.figure7,
            lacking=similarity.lacks_similarity,
            make=_keep_similarity,
        ),
    ),
    (
        "table1",
        Derivation(
            words="answers on second wells",
            specs=lambda profile: by_site_runs(profile) if profile.screen is not None else [],
            lacking=_lacks_second_wells,
            make=predict_second_wells,
            screen=lambda spec: second_screen(spec.data),
        ),
    ),
    (
        "table3",
        Derivation(
            words="other accuracies by cell type",
            specs=separated_runs,
            lacking=counted_otherwise.lacks_by_cell_type,
            make=_keep_by_cell_type,
        ),
    ),
)
"""Items of the catalogue, and what is derived for each; the longest first."""
