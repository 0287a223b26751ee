"""Sentences that say what was found, made from the numbers and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from rxrx_lib.evaluation.intervals import Interval, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.negative_controls import CONTROL_TITLES, Verdict
from rxrx_lib.study.tables import differences

SPLIT_WORDS = {
    "separated": "Separated split",
    "stratified_by_site": "Stratified by site",
    "stratified_by_well": "Stratified by well",
}
PERCENT = "\N{NO-BREAK SPACE}%"


def difference_claim(label: str, what: str, interval: Interval) -> str:
    """Say how a method differs from the baseline in one metric.

    Parameters
    ----------
    label
        The method's name.
    what
        The metric, as it reads after "in".
    interval
        Of the paired differences, method minus baseline, in percentage points.
    """
    if interval.n < 2:
        return (
            f"{label}: {signed(interval.mean)} points in {what}, from one replicate, "
            "which says nothing of its own spread."
        )
    measured = f"{signed(interval.mean)} points in {what}{_spread(interval, signed)}"
    if interval.low > 0:
        return f"{label} lies above the baseline: {measured}."
    if interval.high < 0:
        return f"{label} lies below the baseline: {measured}."
    return f"{label} cannot be told from the baseline: {measured}."


def table1_claims(results: pd.DataFrame) -> list[str]:
    """Say how each method differs from the baseline, split by split."""
    metrics = (
        ("separated", "accuracy", "accuracy on unseen experiments"),
        ("stratified_by_site", "accuracy", "accuracy on seen experiments, split by site"),
        (
            "stratified_by_site",
            "batch_probe_linear",
            "what a fresh linear probe reads of the experiment",
        ),
    )
    lines = [
        difference_claim(METHODS[method].label, what, t_interval(list(paired.values())))
        for split, metric, what in metrics
        for method, paired in differences(results, split, metric).items()
    ]
    if lines:
        lines.append(
            f"These are {len(lines)} comparisons, each with an interval of its own: where methods "
            "do not differ, about one interval in twenty misses zero by luck."
        )
    return lines


def epoch_claims(results: pd.DataFrame) -> list[str]:
    """Say how many steps an epoch has and which sites it leaves out, with and without groups.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.results.gather` gives them; runs that did not keep the counts are
        passed over.
    """
    if "epoch_steps" not in results:
        return []
    lines = []
    for split, words in SPLIT_WORDS.items():
        for method in ("baseline", "adabn"):
            chosen = (results["split"] == split) & (results["method"] == method)
            runs = results[chosen & results["epoch_steps"].notna()]
            if len(runs):
                lines.append(f"{words}, {METHODS[method].label}: {_epoch_words(runs)}.")
    return lines


def contrast_claims(paper: Mapping[str, float], measured: Mapping[str, Interval]) -> list[str]:
    """Compare directions only: where the paper's contrasts and the simulation's point.

    Parameters
    ----------
    paper, measured
        Method to its difference from the baseline in batch-separated accuracy: the paper's, and
        the simulation's with its interval.
    """
    return [
        contrast_claim(METHODS[method].label, printed, measured[method])
        for method, printed in paper.items()
        if method in measured
    ]


def contrast_claim(label: str, printed: float, here: Interval) -> str:
    """Say where one contrast points in the paper and in the simulation.

    Parameters
    ----------
    label
        What is compared with what.
    printed
        The paper's difference, of which only the sign is told.
    here
        The simulation's difference over replicates, in percentage points. A single one is told as
        it is, and decides nothing.
    """
    there = "up" if printed > 0 else "down" if printed < 0 else "neither way"
    if here.n < 2:
        return (
            f"{label}: {there} in the paper, {signed(here.mean)} points in the simulation's one "
            "replicate (undecided here)."
        )
    direction = "up" if here.low > 0 else "down" if here.high < 0 else "neither way"
    verdict = (
        "undecided here"
        if direction == "neither way"
        else "the same direction"
        if direction == there
        else "the opposite direction"
    )
    return f"{label}: {there} in the paper, {direction} in the simulation ({verdict})."


def verdict_claim(verdict: Verdict) -> str:
    """Say what a negative control had to show, and what it showed."""
    found, title = verdict.found, CONTROL_TITLES[verdict.control]
    outcome = "It holds" if verdict.holds else "IT DOES NOT HOLD"
    if verdict.control == "technical_off":
        narrow = found.n > 1 and verdict.low <= found.low <= found.high <= verdict.high
        these = "One replicate" if found.n == 1 else "These replicates"
        doubt = "" if narrow else f" {these} cannot exclude a larger difference."
        return (
            f"{title}: AdaBN minus baseline is {signed(found.mean)} points"
            f"{_spread(found, signed)}; {verdict.high:g} either way are allowed. {outcome}.{doubt}"
        )
    sites = {"all": "test sites", "treatments": "treatments' test sites"}[verdict.among]
    return (
        f"{title}: {found.mean:.1f}{PERCENT} of the {sites} are named correctly"
        f"{_spread(found, unsigned)}; with names exchanged at random the same answers "
        f"reach {verdict.expected:.1f}{PERCENT}, and up to {verdict.high:.1f}{PERCENT} may be "
        f"luck. {outcome}."
    )


def _epoch_words(runs: pd.DataFrame) -> str:
    def counted(name: str) -> str:
        low, high = int(runs[f"epoch_{name}"].min()), int(runs[f"epoch_{name}"].max())
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"

    begin = f"{counted('steps')} steps an epoch, on {counted('sites')} of "
    begin += f"{counted('training_sites')} training sites"
    left = {
        "do not fill a group of their experiment": counted("left_of_groups"),
        "do not fill a step": counted("left_of_steps"),
    }
    why = [f"{sites} that {reason}" for reason, sites in left.items() if sites != "0"]
    return f"{begin}; left out are {' and '.join(why)}" if why else begin


def _spread(found: Interval, word: Callable[[float], str]) -> str:
    """Write the interval and the number of replicates, in brackets."""
    if found.n < 2:
        return " (one replicate)"
    low, high = word(found.low), word(found.high)
    return f" (95{PERCENT} interval {low} to {high}, {found.n} replicates)"


def unsigned(percent: float) -> str:
    """Write a figure without a plus; an interval's end below zero has a true minus."""
    return f"{percent:.1f}".replace("-", "\N{MINUS SIGN}")


def signed(points: float) -> str:
    """Write percentage points with their sign, a true minus among them."""
    return f"{points:+.1f}".replace("-", "\N{MINUS SIGN}")
