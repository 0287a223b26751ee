"""Findings held against the paper's printed numbers, and against what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import Interval
from rxrx_lib.evaluation.well_resampling import percentile_interval
from rxrx_lib.study.effects import (
    CHANCE,
    Effect,
    Printed,
    chance_of_experiment,
    per_replicate,
    printed,
)
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.ledger import Place, measured
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.tables import Cell
from rxrx_lib.study.verdicts import (
    NOT_PRINTED,
    NOT_RUN,
    NOT_TESTABLE,
    judge,
    judge_printed,
    together,
)
from rxrx_lib.study.well_draws import Draws, well_draws


@dataclass(frozen=True, kw_only=True)
class Part:
    """One effect of a finding, as measured."""

    label: str
    verdict: str
    found: Interval
    """Mean over replicates and 95 % t interval."""
    inner: Interval
    """The same with the 90 % t interval."""
    wells: tuple[float, float] | None
    """95 % interval over test wells drawn anew within experiments, of the same mean; None where
    the effect is not made of accuracies on test wells."""

    @property
    def value(self) -> float | None:
        """The effect, None where nothing was measured."""
        return self.found.mean if self.found.n else None


@dataclass(frozen=True, kw_only=True)
class PrintedPart:
    """One effect of a finding, in the paper's numbers."""

    label: str
    verdict: str
    printed: Printed | None

    @property
    def value(self) -> float | None:
        """The effect, None where the paper prints none."""
        return None if self.printed is None else self.printed.value


SomePart = TypeVar("SomePart", Part, PrintedPart)


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one source says of a finding."""

    verdict: str
    parts: tuple[Part, ...] | tuple[PrintedPart, ...]
    """None where it is not testable."""


def printed_line(finding: Finding) -> Line:
    """Hold a finding against the paper's own printed numbers."""
    parts = []
    for effect in finding.in_paper:
        found = printed(effect)
        verdict = (
            NOT_PRINTED
            if found is None
            else judge_printed(found.value, found.spread, finding.kind, finding.margin)
        )
        parts.append(PrintedPart(label=effect.label, verdict=verdict, printed=found))
    verdict = together([part.verdict for part in parts]) if parts else NOT_PRINTED
    return Line(verdict=verdict, parts=tuple(parts))


def measured_line(
    finding: Finding,
    cells: Mapping[Place, Cell],
    chance: float,
    draws: Draws | None = None,
    *,
    simulated: bool = True,
) -> Line:
    """Hold a finding against what was measured.

    Parameters
    ----------
    finding
        The statement.
    cells
        By place, as :func:`rxrx_lib.study.ledger.measured` gives them.
    chance
        What a uniform guess of the experiment reaches, in percent.
    draws
        Accuracies with test wells drawn anew, as :func:`rxrx_lib.study.well_draws.well_draws`
        gives them.
    simulated
        Whether the cells are those of simulated screens, which cannot decide everything.
    """
    if not finding.effects or (simulated and finding.untestable):
        return Line(verdict=NOT_TESTABLE, parts=())
    parts = tuple(
        _part(effect, finding, cells, chance, {} if draws is None else draws)
        for effect in finding.effects
    )
    return Line(verdict=together([part.verdict for part in parts]), parts=parts)


def measured_lines(findings: Sequence[Finding], store: Path, profile: Profile) -> list[Line]:
    """Hold findings against what the store's runs of a profile give.

    Parameters
    ----------
    findings
        The statements.
    store
        The run store. What is not done is "not run yet".
    profile
        Whose runs.
    """
    cells = measured(store, profile)
    chance = chance_of_experiment(profile)
    simulated = profile.screen is not None
    asked = {
        place
        for each in findings
        if not (simulated and each.untestable)
        for effect in each.effects
        for place in effect.places
    }
    draws = well_draws(store, profile, asked & cells.keys())
    return [measured_line(each, cells, chance, draws, simulated=simulated) for each in findings]


def least_favourable(finding: Finding, parts: Sequence[SomePart]) -> SomePart:
    """Return the part that speaks least for a finding, of those that have a number."""
    against = {"increase": -1.0, "no_decrease": -1.0, "decrease": 1.0, "no_increase": 1.0}

    def speaks_against(part: SomePart) -> float:
        if part.value is None:
            return -math.inf
        sign = against.get(finding.kind)
        return abs(part.value) if sign is None else sign * part.value

    return max(parts, key=speaks_against)


def part_table(findings: Sequence[Finding], lines: Sequence[Line]) -> pd.DataFrame:
    """Return every measured part as a row of numbers.

    Returns
    -------
    DataFrame
        ``finding``, ``part``, ``kind``, ``margin``, ``unit``, ``n`` (replicates), ``mean``,
        ``low95``, ``high95``, ``low90``, ``high90``, ``wells_low95``, ``wells_high95``,
        ``verdict``.
    """
    rows = []
    for finding, line in zip(findings, lines, strict=True):
        for part in line.parts:
            if isinstance(part, Part) and part.verdict != NOT_RUN:
                wells = part.wells or (float("nan"), float("nan"))
                rows.append(
                    {
                        "finding": finding.id,
                        "part": part.label,
                        "kind": finding.kind,
                        "margin": finding.margin,
                        "unit": finding.unit,
                        "n": part.found.n,
                        "mean": part.found.mean,
                        "low95": part.found.low,
                        "high95": part.found.high,
                        "low90": part.inner.low,
                        "high90": part.inner.high,
                        "wells_low95": wells[0],
                        "wells_high95": wells[1],
                        "verdict": part.verdict,
                    }
                )
    return pd.DataFrame(rows)


def _part(
    effect: Effect,
    finding: Finding,
    cells: Mapping[Place, Cell],
    chance: float,
    draws: Draws,
) -> Part:
    replicates = per_replicate(effect, cells, chance)
    verdict, found, inner = judge(list(replicates.values()), finding.kind, finding.margin)
    return Part(
        label=effect.label,
        verdict=verdict,
        found=found,
        inner=inner,
        wells=_over_wells(effect, list(replicates), chance, draws),
    )


def _over_wells(
    effect: Effect, replicates: Sequence[str], chance: float, draws: Draws
) -> tuple[float, float] | None:
    """Return the interval of the effect's mean over replicates, their test wells drawn anew."""
    of_replicates = []
    for replicate in replicates:
        numbers = [
            chance if place == CHANCE else draws.get((place, replicate)) for place in effect.places
        ]
        if any(number is None for number in numbers):
            return None
        of_replicates.append(np.vectorize(effect.at, otypes=[float])(*numbers))
    if not of_replicates or not np.isfinite(of_replicates).all():
        return None
    return percentile_interval(np.mean(of_replicates, axis=0))
