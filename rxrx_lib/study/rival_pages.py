"""The chapter on cheap rivals in words: its tables, and sentences made from the numbers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rxrx_lib.evaluation.intervals import Interval
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.panels import cell_words
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.rival_files import read_measured
from rxrx_lib.study.rivals import (
    REFERENCE,
    RIVALS,
    Rival,
    difference,
    measured_runs,
    own_values,
    values,
)
from rxrx_lib.study.tables import mean_cell

KINDS = {
    "network": "Networks",
    "embeddings": "The baseline's embeddings",
    "features": "No network",
}
GOAL = "adabn"
"""The rival that the others are held against."""
SQUARE = {
    "groups of mixed experiments": ("baseline", "baseline_swapped"),
    "groups of one experiment": ("adabn_running", "adabn"),
}
"""Training of the 2 × 2 to the rivals whose test statistics are training's and the experiment's."""
PARTS = {
    "all": ("baseline_swapped", "adabn", ""),
    "the trunk only": ("baseline_swapped_trunk", "adabn_trunk", "adabn_trained_trunk"),
    "the neck only": ("baseline_swapped_neck", "adabn_neck", "adabn_trained_neck"),
    "nothing": ("baseline", "adabn_running", ""),
}
"""What adapts to the rivals: the baseline's weights, AdaBN's, AdaBN's where training was so too."""
CONTRASTS = (
    ("adabn", "baseline"),
    ("baseline_swapped", "baseline"),
    ("adabn_running", "baseline"),
    ("adabn", "baseline_swapped"),
    ("adabn_trained_neck", "adabn"),
    ("adabn_trained_trunk", "adabn"),
    ("embeddings_standardised", "baseline"),
    ("embeddings_standardised", "embeddings"),
    ("embeddings_standardised", "adabn"),
    ("both_standardised", "baseline"),
    ("intensity_standardised", "intensity"),
    ("position", "commonest"),
)
"""What sentences compare: a rival, and what it is held against."""


def rival_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return every rival as words: what it sees, what it reaches, how it differs.

    Parameters
    ----------
    frame
        As :func:`rxrx_lib.study.rivals.gather_rivals` gives it.
    """
    return pd.DataFrame(
        {
            "rival": rival.label,
            "sees": _seen_words(frame, name, rival),
            "separated": _accuracy(frame, name),
            "minus baseline": _difference_words(frame, name, REFERENCE),
            "minus AdaBN": _difference_words(frame, name, GOAL),
            "by site": _accuracy(frame, name, split="stratified_by_site"),
        }
        for name, rival in RIVALS.items()
        if values(frame, name)
    )


def treatment_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the same of treatments alone, on the separated split."""
    metric = "accuracy_treatments"
    return pd.DataFrame(
        {
            "rival": rival.label,
            "treatments": _accuracy(frame, name, metric),
            "minus baseline": _difference_words(frame, name, REFERENCE, metric),
            "minus AdaBN": _difference_words(frame, name, GOAL, metric),
        }
        for name, rival in RIVALS.items()
        if values(frame, name)
    )


def square_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the 2 × 2 as words: trained on which groups, tested by whose statistics."""
    return pd.DataFrame(
        {
            "trained on": training,
            "tested by training's statistics": _accuracy(frame, running),
            "tested by the experiment's": _accuracy(frame, swapped),
            "the second minus the first": _difference_words(frame, swapped, running),
        }
        for training, (running, swapped) in SQUARE.items()
    )


def part_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return as words what is reached where one part of the network adapts."""
    return pd.DataFrame(
        {
            "adapts": part,
            "baseline's weights, at test": _accuracy(frame, baseline),
            "AdaBN's weights, at test": _accuracy(frame, adabn),
            "trained so too, minus AdaBN": _difference_words(frame, trained, GOAL),
        }
        for part, (baseline, adabn, trained) in PARTS.items()
    )


def contrast_claims(frame: pd.DataFrame) -> list[str]:
    """Say of each of :data:`CONTRASTS` which lies above, with interval and replicates."""
    found = [(one, other, difference(frame, one, reference=other)) for one, other in CONTRASTS]
    lines = [_claim(one, other, apart) for one, other, apart in found if apart is not None]
    if lines:
        lines.append(
            f"These are {len(lines)} comparisons, each with an interval of its own: where rivals "
            "do not differ, about one interval in twenty misses zero by luck."
        )
    return lines


def swap_claim(frame: pd.DataFrame) -> str:
    """Say what swapping statistics at test alone did to the baseline here."""
    apart = difference(frame, "baseline_swapped")
    return (
        "The exchange was not measured here."
        if apart is None
        else _claim("baseline_swapped", REFERENCE, apart)
    )


def seen_claim(frame: pd.DataFrame) -> str:
    """Say how many unlabelled sites the N of the table is."""
    seen = frame.loc[(frame["seen"] > 0) & (frame["split"] == "separated"), "seen"]
    if seen.empty:
        return "How many sites a rival sees was not counted here."
    low, high = f"{seen.min():,.0f}", f"{seen.max():,.0f}"
    count = low if low == high else f"{low} to {high}"
    return (
        f"A rival that sees the test experiments sees {count} unlabelled sites of each test site's "
        "own experiment (mean over test sites), and no other experiment's."
    )


def count_claim(profile: Profile, store: str | Path) -> str:
    """Say how well the counts of nuclei follow the number of cells that were drawn."""
    kept = [read_measured(spec, Path(store)) for spec in measured_runs(profile)]
    found = [each["counted"] for each in kept if each is not None and each["counted"] is not None]
    if not found:
        return "No truth says how many cells there are, so the counts of nuclei were not checked."
    low, high = f"{min(found):.2f}", f"{max(found):.2f}"
    spread = low if low == high else f"{low} to {high}"
    return (
        "Over all sites of a screen, the counts of nuclei and the numbers of cells that were drawn "
        f"have a correlation of {spread}."
    )


def figure_data(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers as a table for readers: a row a rival, split and replicate."""
    return pd.DataFrame(
        {
            "rival": frame["rival"].map(lambda name: RIVALS[name].label),
            "split": frame["split"].str.replace("_", " "),
            "screen/training seed": frame["replicate"],
            "unlabelled sites seen": frame["seen"],
            "accuracy": frame["accuracy"],
            "accuracy on treatments": frame["accuracy_treatments"],
        }
    )


def _accuracy(
    frame: pd.DataFrame, rival: str, metric: str = "accuracy", split: str = "separated"
) -> str:
    found = own_values(frame, rival, metric, split)
    if not found:
        return ""
    words, n = cell_words(mean_cell(rival, metric, found)), len(found)
    fewer = n < len(own_values(frame, REFERENCE, metric, split))
    return f"{words} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{n})" if n == 1 or fewer else words


def _seen_words(frame: pd.DataFrame, name: str, rival: Rival) -> str:
    if not rival.sees:
        return "nothing"
    chosen = frame[(frame["rival"] == name) & (frame["split"] == "separated")]
    mean = chosen["seen"].mean()
    count = f"{mean:,.0f}" if mean == mean else "its"
    return f"{count}\N{NO-BREAK SPACE}sites"


def _difference_words(
    frame: pd.DataFrame, rival: str, reference: str, metric: str = "accuracy"
) -> str:
    one_of_two = rival in ("", reference)
    apart = None if one_of_two else difference(frame, rival, metric, reference=reference)
    if apart is None:
        return ""
    if apart.n < 2:
        return f"{signed(apart.mean)}, undecided"
    return f"{signed(apart.mean)} ({signed(apart.low)} to {signed(apart.high)})"


def _claim(one: str, other: str, found: Interval) -> str:
    names = f"{RIVALS[one].label}, against {_lower(RIVALS[other].label)}"
    points = f"{signed(found.mean)} points"
    if found.n < 2:
        return f"{names}: {points}, from one replicate: undecided."
    spread = (
        f"{points} (95{PERCENT} interval {signed(found.low)} to {signed(found.high)}, "
        f"{found.n} replicates, paired)"
    )
    verdict = "above" if found.low > 0 else "below" if found.high < 0 else "cannot be told apart"
    return f"{names}: {verdict}, {spread}."


def _lower(label: str) -> str:
    return label if label.startswith("AdaBN") else label[0].lower() + label[1:]
