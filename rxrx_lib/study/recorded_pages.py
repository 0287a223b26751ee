"""Recorded numbers on pages: the profile ``study`` beside what a build has just computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.catalogue import CATALOGUE, runs_for
from rxrx_lib.study.claims import signed
from rxrx_lib.study.dynamics import curves, of_method
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.judging import Line, measured_lines
from rxrx_lib.study.pages import Shown, data_badge, sentences, table
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.progress import duration
from rxrx_lib.study.recorded import FOLDER, recorded_store
from rxrx_lib.study.results import gather
from rxrx_lib.study.spec import RunSpec

NAME = "study"
"""The profile that is recorded."""
LAST = 0.75
"""Where the last quarter of a training begins."""

Specs = Callable[[Profile], list[RunSpec]]
"""An item of the catalogue, or several."""


def recorded_results(specs_of: Specs, root: Path = Path()) -> pd.DataFrame:
    """Return the recorded runs of an item, as :func:`rxrx_lib.study.results.gather` does.

    The frame is empty where none is recorded.
    """
    return _recorded(specs_of, root)[0]


def recorded_table(
    size: Profile,
    specs_of: Specs,
    frame_of: Callable[[pd.DataFrame, Path], pd.DataFrame],
    *,
    caption: str,
    name: str,
    root: Path = Path(),
) -> Shown:
    """Show a table of the recorded study; a sentence where there is nothing to show.

    Parameters
    ----------
    size
        The profile of the build: if it is the study itself, its numbers stand on the page already.
    specs_of
        Which runs.
    frame_of
        From results, and the store that they are of, to the table's words, as the page makes
        its own.
    caption, name
        As for :func:`rxrx_lib.study.pages.table`; what the runs are is put before the caption.
    root
        The project's root.
    """
    if size.name == NAME:
        return sentences([f"This build is of profile {NAME}: its numbers are those above."])
    specs = specs_of(PROFILES[NAME])
    results, store = _recorded(specs_of, root)
    frame = results if store is None or results.empty else frame_of(results, store)
    if frame.empty:
        return sentences([f"Profile {NAME}: {_none_of(len({spec.id for spec in specs}))}."])
    return table(frame, caption=f"{_source(specs, results)} {caption}", name=name)


def recorded_sentences(
    size: Profile,
    specs_of: Specs,
    lines_of: Callable[[pd.DataFrame, Path], Sequence[str]],
    root: Path = Path(),
) -> Shown:
    """Show what the recorded study says in sentences; none where :func:`recorded_table` has none.

    Parameters
    ----------
    size, specs_of, root
        As for :func:`recorded_table`.
    lines_of
        From results, and the store that they are of, to sentences, as the page makes its own.
    """
    results, store = _recorded(specs_of, root)
    shown = size.name != NAME and not results.empty
    lines = lines_of(results, store) if shown and store is not None else ()
    return sentences([f"{data_badge(PROFILES[NAME])}, {NAME}. {line}" for line in lines])


def recorded_lines(
    findings: Sequence[Finding], size: Profile, root: Path = Path()
) -> dict[str, list[Line]]:
    """Hold findings against the recorded study, if there is one and the build is of another size.

    Returns
    -------
    dict
        The source's name to its lines, as the page of claims takes it.
    """
    study = PROFILES[NAME]
    store = None if size.name == NAME else recorded_store(study, root)
    if store is None:
        return {}
    return {f"{data_badge(study)}, {NAME}": measured_lines(findings, store, study)}


def profile_table() -> pd.DataFrame:
    """Return what tells the study from the demo, a row a setting."""
    sizes = {name: PROFILES[name] for name in ("demo", NAME)}
    settings: dict[str, Callable[[Profile], object]] = {
        "epochs": lambda size: size.recipe.epochs,
        "replicates of Table 1 (screen/training seed)": lambda size: ", ".join(
            f"{each.screen_seed}/{each.seed}" for each in size.replicates
        ),
        "replicates of negative controls": lambda size: len(
            size.with_control_replicates().replicates
        ),
        "replicates of curves and ablations": lambda size: size.curve_replicates,
        "replicates of channel subsets": lambda size: size.subset_replicates,
        "epochs of channel subsets": lambda size: size.subset_epochs or size.recipe.epochs,
        "epochs of single effects": lambda size: size.strength_epochs or size.recipe.epochs,
        "epochs on few experiments": lambda size: size.few_experiments_epochs or size.recipe.epochs,
        "reversal coefficients of the trade-off": lambda size: ", ".join(
            f"{each:g}" for each in size.reversal_coefficients
        ),
        "runs": lambda size: len(runs_for(CATALOGUE, size)),
    }
    return pd.DataFrame(
        {"setting": words, **{name: str(of(size)) for name, size in sizes.items()}}
        for words, of in settings.items()
    )


def recorded_items(root: Path = Path()) -> pd.DataFrame:
    """Return, for each item of the catalogue, how many of the study's runs are recorded."""
    study = PROFILES[NAME]
    rows = []
    for item, specs_of in CATALOGUE.items():
        specs, results = specs_of(study), recorded_results(specs_of, root)
        some = not results.empty
        rows.append(
            {
                "item": item,
                "runs": str(len({spec.id for spec in specs})),
                "recorded": str(len(results)),
                "replicates": str(results["replicate"].nunique()) if some else "",
                "epochs": _distinct(results["epochs"]) if some else "",
                "processor time": _processor_time(results) if some else "",
            }
        )
    return pd.DataFrame(rows)


def last_quarter_claims(results: pd.DataFrame) -> list[str]:
    """Say of each method how its test accuracy changes in the last quarter of its training.

    Parameters
    ----------
    results
        Of :func:`rxrx_lib.study.catalogue.separated_runs`.
    """
    found, lines = curves(results), []
    for method, record in METHODS.items():
        changes = []
        for curve in of_method(found, method):
            before = [
                percent
                for done, percent in zip(curve.epochs, curve.accuracy, strict=True)
                if done <= LAST * curve.epochs[-1]
            ]
            changes += [curve.accuracy[-1] - before[-1]] if before else []
        if changes:
            lines.append(
                f"{record.label} gains {signed(float(np.mean(changes)))} points in the mean of "
                f"{len(changes)} runs, {signed(min(changes))} to {signed(max(changes))} run by run."
            )
    return lines


def source_words(specs_of: Specs, root: Path = Path()) -> str:
    """Say what made the recorded runs of some items; empty where none is recorded."""
    results = recorded_results(specs_of, root)
    return "" if results.empty else _source(specs_of(PROFILES[NAME]), results)


def _recorded(specs_of: Specs, root: Path) -> tuple[pd.DataFrame, Path | None]:
    """Return an item's recorded runs, and the store that they are of, None without any."""
    study = PROFILES[NAME]
    store = recorded_store(study, root)
    return (pd.DataFrame() if store is None else gather(specs_of(study), store)), store


def _source(specs: Sequence[RunSpec], results: pd.DataFrame) -> str:
    """Say which profile, how much of it, and what made it, in front of a caption."""
    asked, replicates = len({spec.id for spec in specs}), results["replicate"].nunique()
    counted = "1 replicate" if replicates == 1 else f"{replicates} replicates"
    return (
        f"{data_badge(PROFILES[NAME])}. Profile {NAME}: {_distinct(results['epochs'])} epochs, "
        f"{counted}, {len(results)} of {asked} runs, made {_distinct(results['date'])} by "
        f"{_distinct(results['code'])} on {_distinct(results['hardware'])}."
    )


def _processor_time(results: pd.DataFrame) -> str:
    """Sum it, where every run kept it: clocks say nothing of runs that had idle time only."""
    seconds = results["processor_seconds"]
    return "" if seconds.isna().any() else duration(float(seconds.sum()))


def _none_of(count: int) -> str:
    return f"none of these {count} runs is recorded in {FOLDER / NAME} yet"


def _distinct(values: pd.Series[str]) -> str:
    return ", ".join(str(value) for value in sorted(values.unique()))
