"""Whether the paper's findings on generalization also hold on the test experiments alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd

from rxrx_lib.evaluation.intervals import t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.effects import Effect, chance_of_experiment
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.findings import FINDINGS
from rxrx_lib.study.judging import Line, measured_line
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.same_experiments import SEEN
from rxrx_lib.study.tables import Cell, replicate_values
from rxrx_lib.study.verdicts import NOT_RUN

UNSEEN, ON_ALL = "accuracy_separated", "accuracy_stratified"
ALL_EXPERIMENTS = "all experiments, as in the paper"
SEEN_SITES = {
    ALL_EXPERIMENTS: ON_ALL,
    "the test experiments alone": "stratified_test_experiments",
    "their second wells": "second_wells_test_experiments",
}
"""What the accuracy on seen experiments is measured on, to its column."""

Cellwise = Mapping[tuple[str, str], Cell]
"""Cells of Table 1 and beside it, by row and column."""


def of_generalization() -> list[Finding]:
    """Return the findings that hold unseen experiments against seen ones."""
    return [
        each
        for each in FINDINGS
        if each.effects
        and all({UNSEEN, ON_ALL} <= {place[2] for place in e.places} for e in each.effects)
    ]


def restated(finding: Finding, column: str) -> Finding:
    """Return the same finding with another column for the accuracy on seen experiments."""
    effects = (_with_column(effect, column) for effect in finding.effects)
    return dataclasses.replace(finding, effects=tuple(effects))


def _with_column(effect: Effect, column: str) -> Effect:
    places = ((item, row, column if name == ON_ALL else name) for item, row, name in effect.places)
    return dataclasses.replace(effect, places=tuple(places))


def same_experiment_lines(cells: Cellwise, profile: Profile) -> dict[str, list[Line]]:
    """Hold the findings on generalization against different seen sites.

    The statements, their smallest effects and the rule that judges them are those of the chapter
    on claims; the accuracy on seen experiments alone is exchanged.

    Parameters
    ----------
    cells
        Of Table 1, and those of :func:`rxrx_lib.study.same_experiments.same_experiment_cells`.
    profile
        Whose screens they were measured on.

    Returns
    -------
    dict
        What the seen sites are, to a line for each of :func:`of_generalization`; without sites
        that nothing was measured on.
    """
    placed = {("table1", row, column): cell for (row, column), cell in cells.items()}
    chance, simulated = chance_of_experiment(profile), profile.screen is not None
    found = {
        where: [
            measured_line(restated(each, column), placed, chance, simulated=simulated)
            for each in of_generalization()
        ]
        for where, column in SEEN_SITES.items()
    }
    return {w: lines for w, lines in found.items() if any(x.verdict != NOT_RUN for x in lines)}


def same_experiment_claims(found: Mapping[str, Sequence[Line]]) -> list[str]:
    """Say which findings come out otherwise once both sides are the same experiments.

    Parameters
    ----------
    found
        As :func:`same_experiment_lines` gives them.
    """
    if ALL_EXPERIMENTS not in found:
        return []
    before, every = found[ALL_EXPERIMENTS], of_generalization()
    lines = []
    for where, now in found.items():
        if where != ALL_EXPERIMENTS:
            pairs = list(zip(every, before, now, strict=True))
            same = sum(old.verdict == new.verdict for _, old, new in pairs)
            lines.append(
                f"Against {where}, {same} of {len(pairs)} statements that hold unseen experiments "
                "against seen ones have the verdict that they have against all experiments."
            )
            lines += [
                f"“{each.statement.removesuffix('.')}”: {old.verdict} against all experiments, "
                f"{new.verdict} against {where}."
                for each, old, new in pairs
                if old.verdict != new.verdict
            ]
    return lines


def same_well_claims(widened: pd.DataFrame) -> list[str]:
    """Say what it is worth that a test site's neighbour in the well was trained on.

    Parameters
    ----------
    widened
        Results as :func:`rxrx_lib.study.same_experiments.with_same_experiments` gives them.
    """
    lines = []
    for method in METHODS:
        own, second = (
            replicate_values(widened, method, SEEN, f"{name}_treatments")
            for name in ("accuracy_test_experiments", "accuracy_second_wells_test_experiments")
        )
        shared = [second[name] - own[name] for name in second if name in own]
        if shared:
            found = t_interval(shared)
            ends = f"{signed(found.low)} to {signed(found.high)}, "
            spread = f"95{PERCENT} interval {ends}" if found.n > 1 else ""
            lines.append(
                f"{METHODS[method].label}, treatments in the test experiments: "
                f"{signed(found.mean)} points on second wells against test sites whose neighbour "
                f"in the well was trained on ({spread}n = {found.n})."
            )
    return lines
