"""What ``rxrx choose`` prints: every candidate's accuracy, the best of each method, the recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import pandas as pd

from rxrx_lib.evaluation.intervals import Interval, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.choosing import (
    Choice,
    development_replicates,
    gain,
    settings,
)
from rxrx_lib.study.claims import PERCENT, signed, unsigned
from rxrx_lib.study.pages import data_badge, markdown_rows, screen_description
from rxrx_lib.study.panels import PLUS_MINUS
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.progress import duration


def choice_report(profile: Profile, choices: Mapping[str, Choice], results: pd.DataFrame) -> str:
    """Return what the command prints, as Markdown.

    Parameters
    ----------
    profile
        What was chosen for.
    choices
        What came out, by method.
    results
        Of all their runs, as :func:`rxrx_lib.study.results.gather` gives them.
    """
    chosen_by = dataclasses.replace(profile, replicates=development_replicates(profile))
    replicates = "; ".join(map(str, chosen_by.replicates))
    lines = [
        f"{data_badge(profile)}, profile {profile.name}: {screen_description(chosen_by)}. "
        f"Replicates: {replicates}.",
        f"{len(results)} runs, {duration(float(results['seconds'].sum()))} of training; "
        + "; ".join(
            words for name in ("code", "hardware", "date") for words in _distinct(results[name])
        )
        + ".",
        "Accuracy on held-out training experiments, in percent: mean ± half of its 95 % t "
        "interval. Replicates differ in how hard they are, so compare within them: minus recipe is "
        "the mean of paired differences from the profile's recipe, ± likewise.",
        "Experiments cannot be named where whole ones are held out: batch classification accuracy "
        "is in the item reversal_tradeoff.",
        "",
        *markdown_rows(choice_table(choices)),
        "",
        *(f"- {verdict(choice)}" for choice in choices.values()),
    ]
    lines.append(
        "- The best of several is a little lucky: on other screens expect less than its mean here."
    )
    return "\n".join(lines) + "\n"


def candidate_table() -> pd.DataFrame:
    """Return in words what each method is tried with: every combination of the values."""
    rows = []
    for each in METHODS.values():
        some = settings(each)
        values = {name: dict.fromkeys(f"{one[name]:g}" for one in some) for name in some[0]}
        words = " × ".join(f"{name} {', '.join(found)}" for name, found in values.items())
        rows.append({"method": each.label, "tried": words, "candidates": str(len(some))})
    return pd.DataFrame(rows)


def choice_table(choices: Mapping[str, Choice]) -> pd.DataFrame:
    """Return every candidate in words, with marks on each method's best and on the recipe."""
    rows = []
    for method, choice in choices.items():
        for at, each in enumerate(choice.tried):
            marks = [word for word, is_so in _marks(choice, at) if is_so]
            rows.append(
                {
                    "method": METHODS[method].label,
                    "setting": each.words,
                    "accuracy": _words(t_interval(choice.accuracy[at])),
                    "minus recipe": _words(gain(choice, at), signed),
                    "treatments": _words(t_interval(choice.treatments[at])),
                    "note": ", ".join(marks),
                }
            )
    return pd.DataFrame(rows)


def verdict(choice: Choice) -> str:
    """Say whether the profile's recipe is the best of the candidates, or how far off it is."""
    label, best = METHODS[choice.tried[0].method].label, choice.tried[choice.best]
    if best.recipe:
        return f"{label}: the profile's recipe is the best of {len(choice.tried)} candidates."
    begin = f"{label}: the best of {len(choice.tried)} candidates is {best.words}"
    found = gain(choice, choice.best)
    if found is None:
        return f"{begin}; the profile's recipe is none of them."
    more = f"{signed(found.mean)} points over the profile's recipe"
    if found.n < 2:
        return f"{begin}: {more}, from one replicate, which says nothing of its own spread."
    spread = f"95{PERCENT} interval {signed(found.low)} to {signed(found.high)}"
    told = "" if found.low > 0 else "not "
    return (
        f"{begin}: {more} ({spread}, {found.n} replicates), {told}to be told from it by these "
        "replicates."
    )


def _distinct(words: pd.Series[str]) -> list[str]:
    return sorted(words.unique())


def _marks(choice: Choice, at: int) -> tuple[tuple[str, bool], ...]:
    return ("best", at == choice.best), ("recipe", choice.tried[at].recipe)


def _words(found: Interval | None, word: Callable[[float], str] = unsigned) -> str:
    """Write a mean ± half of its interval, where there is one."""
    if found is None:
        return ""
    if found.n < 2:
        return word(found.mean)
    return f"{word(found.mean)}{PLUS_MINUS}{found.high - found.mean:.1f}"
