"""Who removes which technical effect: verdicts, the page's table, and sentences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.intervals import t_interval
from rxrx_lib.study.ablation_panels import points_words
from rxrx_lib.study.ablations import cells_of
from rxrx_lib.study.claims import signed
from rxrx_lib.study.components import (
    ALL,
    ARMS,
    LABELS,
    OFF,
    REVERSING,
    ROWS,
    UNCORRECTED,
    Accuracies,
    Losses,
    accuracies,
    losses,
    shares,
)
from rxrx_lib.study.contrasts import difference
from rxrx_lib.study.panels import cell_words
from rxrx_lib.study.strength import PROBE
from rxrx_lib.study.strength_panels import change_basis
from rxrx_lib.study.training_sites import METRIC
from rxrx_lib.study.verdicts import SUPPORTED, UNDECIDED, judge

MARGIN = 2.0
"""Percentage points: the smallest loss that matters, as for the claims."""
BY_SELF = "self-standardisation removes it"
BY_ADABN = "needs AdaBN"
IN_PART = "AdaBN removes a part"
BY_NEITHER = "stays with both"
HARMLESS = "costs nothing"
OUTCOMES = {
    BY_SELF: "Self-standardisation already removes",
    BY_ADABN: "AdaBN removes what self-standardisation does not of",
    IN_PART: "AdaBN removes a part, and a part stays lost with both, of",
    BY_NEITHER: "A part stays lost with both of",
    HARMLESS: "With nothing against it no accuracy is lost by",
    UNDECIDED: "Undecided",
}
IN_WORDS = {
    UNCORRECTED: "With nothing against them",
    "baseline": "After self-standardisation",
    "adabn": "After self-standardisation and AdaBN",
}
LARGEST = {
    "self": "self-standardisation gives back most of",
    "adabn": "AdaBN gives back most of",
    "stays": "most stays lost of",
}
COLUMNS = {
    UNCORRECTED: "lost with nothing against it",
    "self": "self-standardisation gives back",
    "adabn": "AdaBN gives back",
    "stays": "stays lost",
}


def outcome(lost: Mapping[str, Mapping[str, float]]) -> str:
    """Say who removes an effect, where replicates decide it.

    A loss counts as one where the 95 % interval lies above 0 and the mean reaches the margin; as
    none where the 90 % interval ends below the margin. What is neither is undecided, as is
    everything with one replicate. AdaBN removes a part of what stays lost with it where what it
    gives back counts by the rule of a loss.

    Parameters
    ----------
    lost
        Arm to replicate to points, one row of :func:`rxrx_lib.study.components.losses`.
    """
    there = {arm: _judged(values, "increase") for arm, values in lost.items()}
    gone = {arm: _judged(values, "no_increase") for arm, values in lost.items()}
    if there.get("baseline"):
        in_part = _judged(shares(lost).get("adabn", {}), "increase")
        stays = IN_PART if in_part else BY_NEITHER
        decided = {stays: there.get("adabn"), BY_ADABN: gone.get("adabn")}
    elif gone.get("baseline"):
        decided = {BY_SELF: there.get(UNCORRECTED), HARMLESS: gone.get(UNCORRECTED)}
    else:
        return UNDECIDED
    return next((name for name, holds in decided.items() if holds), UNDECIDED)


def component_table(lost: Losses) -> pd.DataFrame:
    """Return who gives back how much as words, a row an effect: points, mean over replicates."""
    rows = []
    for row, label in ROWS.items():
        if row in lost:
            parts = {UNCORRECTED: lost[row].get(UNCORRECTED, {}), **shares(lost[row])}
            words = [
                points_words(t_interval(list(parts[name].values())) if parts.get(name) else None)
                for name in COLUMNS
            ]
            rows.append((label, *words, outcome(lost[row])))
    return pd.DataFrame(rows, columns=["technical effect", *COLUMNS.values(), "verdict"])


def component_claims(found: Accuracies) -> list[str]:
    """Say who removes what, as far as replicates decide it, and which effects cost the most.

    Parameters
    ----------
    found
        As :func:`rxrx_lib.study.components.accuracies` gives them.
    """
    lost = {row: each for row, each in losses(found).items() if row in LABELS}
    if not lost:
        return []
    of = {row: outcome(each) for row, each in lost.items()}
    groups = {
        name: [LABELS[row] for row, found_outcome in of.items() if found_outcome == name]
        for name in OUTCOMES
    }
    single = all(len(each) < 2 for arms in lost.values() for each in arms.values())
    why = " (one replicate decides nothing)" if single else ""
    lines = [
        f"{OUTCOMES[name]}{why if name == UNDECIDED else ''}: {', '.join(some)}."
        for name, some in groups.items()
        if some
    ]
    # One training with nothing against the effects is too lucky or unlucky to be put into words.
    shown = {arm: words for arm, words in IN_WORDS.items() if not (single and arm == UNCORRECTED)}
    if not single:
        lines.append(_largest_share_line(lost))
    lines += [line for arm, words in shown.items() if (line := _order_line(lost, arm, words))]
    return lines + _sum_lines(losses(found), shown)


def calm_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return what each arm reaches without any technical effect, as words, in percent.

    Parameters
    ----------
    results
        Of the catalogue's ``components``, as
        :func:`rxrx_lib.study.training_sites.with_training_sites` gives them.

    Returns
    -------
    DataFrame
        A row an arm: siRNAs named of unseen sites and of training sites, and what a fresh linear
        probe reads of the cell type.
    """
    metrics = {
        "siRNA named": "accuracy",
        "siRNA named, sites trained on": METRIC,
        "cell type named, by a probe": PROBE,
    }
    words = [
        {
            (cell.row, cell.column): cell_words(cell)
            for cell in cells_of(accuracies(results, metric))
        }
        for metric in metrics.values()
    ]
    rows = [
        (arm.label, *(some.get((OFF, name), "") for some in words))
        for name, arm in (ARMS | REVERSING).items()
        if (OFF, name) in words[0]
    ]
    return pd.DataFrame(rows, columns=["correction", *metrics])


def calm_claims(accuracy: Accuracies, probe: Accuracies) -> list[str]:
    """Say what the corrections change where there is nothing to correct; see :func:`calm_table`."""
    lines = []
    for words, upper, lower in (
        ("Self-standardisation against nothing", "baseline", UNCORRECTED),
        ("AdaBN on top of self-standardisation", "adabn", "baseline"),
    ):
        for what, found in (
            ("of siRNA accuracy", accuracy),
            ("of what a linear probe reads of the cell type", probe),
        ):
            change = difference(found.get((OFF, upper)), found.get((OFF, lower)))
            if change is not None:
                basis = change_basis(change)
                lines.append(f"{words}: {signed(change.mean)} points {what} {basis}.")
    return lines


def _judged(values: Mapping[str, float], kind: str) -> bool:
    found = judge(list(values.values()), kind, MARGIN)  # type: ignore[arg-type]  # two of the kinds
    return found.verdict == SUPPORTED


def _largest_share_line(lost: Losses) -> str:
    """Say of each effect that costs something which of the three shares is the largest."""
    most: dict[str, list[str]] = {name: [] for name in (*LARGEST, "")}
    for row, each in lost.items():
        mean = {name: float(np.mean(list(part.values()))) for name, part in shares(each).items()}
        costs = each.get(UNCORRECTED) and float(np.mean(list(each[UNCORRECTED].values()))) >= MARGIN
        largest = max(mean, key=lambda name: mean[name]) if costs and len(mean) == 3 else ""
        most[largest].append(LABELS[row])
    parts = [f"{words} {', '.join(most[name])}" for name, words in LARGEST.items() if most[name]]
    if most[""]:
        parts.append(f"less than {MARGIN:g} points are lost to {', '.join(most[''])}")
    return f"By the largest share of each loss: {'; '.join(parts)}."


def _order_line(lost: Losses, arm: str, words: str) -> str:
    """Name up to three effects that cost an arm most, means over replicates."""
    cost = {
        row: float(np.mean(list(each[arm].values()))) for row, each in lost.items() if arm in each
    }
    first = [row for row in sorted(cost, key=lambda row: -cost[row]) if cost[row] > 0][:3]
    named = ", ".join(f"{LABELS[row]} ({cost[row]:.1f} points)" for row in first)
    return f"{words} the most costly are, by the mean: {named}." if first else ""


def _sum_lines(lost: Losses, arms: Mapping[str, str]) -> list[str]:
    """Hold the sum of the single losses against the loss under all effects at once."""
    lines = []
    for arm, words in arms.items():
        alone = [lost[row][arm] for row in LABELS if arm in lost.get(row, {})]
        if arm in lost.get(ALL, {}) and len(alone) == len(LABELS):
            total = sum(float(np.mean(list(each.values()))) for each in alone)
            at_once = float(np.mean(list(lost[ALL][arm].values())))
            lines.append(
                f"{words} the {len(alone)} effects cost {total:.1f} points if their single losses "
                f"are added up, and {at_once:.1f} all at once."
            )
    return lines
