"""The chapter on embeddings in words: banner, tables, sentences, all from what was measured."""

from __future__ import annotations

import html

import pandas as pd

from rxrx_lib.data.metadata import CELL_TYPES
from rxrx_lib.evaluation.corrections import CORRECTIONS
from rxrx_lib.evaluation.intervals import Interval, paired_differences, t_interval
from rxrx_lib.study.claims import PERCENT, signed
from rxrx_lib.study.embeddings import MEASURES, RECORDED_SHA256, Measured, Source
from rxrx_lib.study.pages import Shown
from rxrx_lib.study.panels import PLUS_MINUS
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.provenance import code_version, hardware
from rxrx_lib.study.results import code_words

LABELS = {
    "none": "no correction",
    "centred": "centred per experiment",
    "standardised": "standardised per experiment",
}
NAMES = {
    "none": "No correction",
    "centred": "Centring per experiment",
    "standardised": "Standardising per experiment",
}
CORRECTED = [name for name in CORRECTIONS if name != "none"]
PROBES = {
    "experiment_linear": "experiment: linear",
    "experiment_two_layer": "experiment: two-layer",
    "experiment_linear_all_wells": "experiment: linear, corrected on all wells",
    "cell_type_linear": "cell type: linear",
}
"""The probes, and what their columns are called."""
READ_WHAT = {
    "experiment_linear": "a fresh linear probe names the experiment",
    "experiment_linear_all_wells": "a fresh linear probe names the experiment",
    "experiment_two_layer": "a fresh two-layer probe names the experiment",
    "cell_type_linear": "a fresh linear probe names the cell type, in experiments it never saw,",
    "neighbours": "the nearest neighbour in another experiment has the same siRNA",
}
IN_WHAT = {
    "experiment_linear": "what a linear probe reads of the experiment",
    "experiment_linear_all_wells": "what a linear probe reads of the experiment",
    "experiment_two_layer": "what a two-layer probe reads of the experiment",
    "cell_type_linear": "what a linear probe reads of the cell type",
    "neighbours": "nearest-neighbour accuracy",
}
ATTRIBUTION = "Embeddings: RxRx1, Recursion, CC BY-NC-SA 4.0"


def description(source: Source) -> str:
    """Say what the file holds: experiments, classes, sites, and sites without an embedding."""
    table = source.sites.table
    words = (
        f"{table['experiment'].nunique()} experiments, {table['sirna_id'].nunique():,} classes, "
        f"{len(table):,} sites"
    )
    missing = source.sites.missing
    return f"{words} ({missing:,} more have no embedding)" if missing else words


def title(source: Source) -> str:
    """Say in few words whose numbers these are, for captions and figures."""
    kind = "a simulated file" if source.simulated else "the official embeddings"
    return f"{kind[0].upper()}{kind[1:]}: {description(source)}"


def banner(profile: Profile, source: Source) -> Shown:
    """Say in one line what made the page; the badge is the file's, whatever the profile."""
    same = "as recorded by others" if source.sha256 == RECORDED_SHA256 else "not the recorded one"
    parts = [
        f"profile {profile.name} ({profile.purpose})",
        title(source),
        f"{source.root.name}/embeddings.csv, SHA-256 {source.sha256[:10]}…",
        *([] if source.simulated else [same, ATTRIBUTION]),
        code_words(code_version()),
        hardware("cpu"),
        f"{pd.Timestamp.now(tz='UTC'):%Y-%m-%d}",
    ]
    line = " · ".join(parts)
    return Shown(
        f":::{{div}} provenance\n<span class='simulated'>{source.badge}</span> {line}\n:::\n",
        f"<p><b>{source.badge}</b> {html.escape(line)}</p>",
    )


def probe_table(measured: Measured) -> pd.DataFrame:
    """Return the probes' table as words: a row a correction, a column a probe."""
    rows = []
    for correction in CORRECTIONS:
        row = {"correction": LABELS[correction]}
        for name, heading in PROBES.items():
            row[heading] = _words(_interval(measured.results, name, correction))
        rows.append(row)
    return pd.DataFrame(rows)


def neighbour_table(measured: Measured) -> pd.DataFrame:
    """Return the neighbours' table as words: a column a cell type, and the chance level."""
    chance = measured.lines["neighbours"]
    rows = [{"correction": LABELS[correction]} for correction in CORRECTIONS]
    by_luck = {"correction": "a neighbour at random"}
    for name in ("all", *(name for name in CELL_TYPES if name in chance)):
        some = measured.results
        if name != "all":
            some = some[some["cell_type"] == name]
        heading = "all cell types" if name == "all" else name
        for row, correction in zip(rows, CORRECTIONS, strict=True):
            row[heading] = _words(_interval(some, "neighbours", correction))
        by_luck[heading] = f"{chance[name]:.2f}"
    return pd.DataFrame([*rows, by_luck])


def line_words(measured: Measured) -> str:
    """Say where the probes' reference lines lie."""
    found = measured.lines["experiment_linear"] | measured.lines["cell_type_linear"]
    return ", ".join(f"{name} {position:.1f}" for name, position in found.items())


def data_table(measured: Measured, *names: str) -> pd.DataFrame:
    """Return the numbers behind a figure: a row a measure and experiment, a column a correction."""
    some = measured.results[measured.results["measure"].isin(names)]
    keys = ["measure", "cell_type", "experiment", "dataset", "sites"]
    wide = some.pivot(index=keys, columns="correction", values="percent")
    wide = wide[list(CORRECTIONS)].rename(columns=LABELS).reset_index()
    wide.columns.name = None
    in_order = wide.sort_values(
        ["measure", "cell_type"],
        key=lambda column: column.map([*names, *CELL_TYPES].index),
        kind="stable",
    )
    return in_order.assign(measure=in_order["measure"].map(MEASURES)).reset_index(drop=True)


def claims(measured: Measured, *names: str) -> list[str]:
    """Say what was found in some measures, each sentence with its mark, interval and number.

    Parameters
    ----------
    measured
        As `embeddings.measure` gives it.
    *names
        Keys of `MEASURES`.
    """
    said = []
    for name in names:
        base = _values(measured.results, name, "none")
        said.append(_level_claim(name, t_interval(list(base.values())), measured.lines[name]))
        for correction in CORRECTED:
            paired = paired_differences(_values(measured.results, name, correction), base)
            said.append(_difference_claim(name, correction, t_interval(list(paired.values()))))
    said.append(
        f"These are {len(names) * len(CORRECTED)} comparisons, each with an interval of its own: "
        "where a correction changes nothing, about one interval in twenty misses zero by luck."
    )
    return [f"{measured.source.badge}. {sentence}" for sentence in said]


def side_claims(measured: Measured) -> list[str]:
    """Say how neighbours do in the experiments that the release calls train, and in the others."""
    said = []
    for correction in CORRECTIONS:
        sides = []
        for side in ("train", "test"):
            some = measured.results[measured.results["dataset"] == side]
            found = _interval(some, "neighbours", correction)
            sides.append(f"{found.mean:.1f}{PERCENT} in {side} experiments{_spread(found)}")
        said.append(f"{measured.source.badge}. {NAMES[correction]}: {', '.join(sides)}.")
    return said


def mirror_claims(measured: Measured) -> list[str]:
    """Say what the experiment's linear probe reads after each fit of a correction."""
    line = measured.lines["experiment_linear"]["1/E"]
    said = []
    for correction in CORRECTED:
        own, every = (
            _interval(measured.results, name, correction)
            for name in ("experiment_linear", "experiment_linear_all_wells")
        )
        said.append(
            f"{measured.source.badge}. {NAMES[correction]}: fitted on the probe's training wells, "
            f"the linear probe names the experiment for {own.mean:.1f}{PERCENT} of sites; fitted "
            f"on all wells, for {every.mean:.1f}{PERCENT}{_spread(every)}; 1/E is "
            f"{line:.1f}{PERCENT}."
        )
    return said


def _level_claim(name: str, found: Interval, lines: dict[str, float]) -> str:
    if name == "neighbours":
        against = f"a neighbour drawn at random has it for {lines['all']:.2f}{PERCENT}"
    else:
        reached = (f"{line} {value:.1f}{PERCENT}" for line, value in lines.items())
        against = f"to hold against it: {', '.join(reached)}"
    return (
        f"Without correction {READ_WHAT[name]} for {found.mean:.1f}{PERCENT} of sites"
        f"{_spread(found)}; {against}."
    )


def _difference_claim(name: str, correction: str, found: Interval) -> str:
    points = f"{signed(found.mean)} points in {IN_WHAT[name]}{_spread(found, paired=True)}"
    if found.low > 0:
        return f"{NAMES[correction]} lies above no correction: {points}."
    if found.high < 0:
        return f"{NAMES[correction]} lies below no correction: {points}."
    return f"{NAMES[correction]} cannot be told from no correction: {points}."


def _spread(found: Interval, *, paired: bool = False) -> str:
    """Write the interval and the number of experiments, in brackets."""
    if found.n < 2:
        return f" ({found.n} experiment, which says nothing of its own spread)"
    word = signed if paired else _percent
    over = f"{found.n} experiments{', paired' if paired else ''}"
    return f" (95{PERCENT} interval {word(found.low)} to {word(found.high)}, {over})"


def _percent(value: float) -> str:
    """Write a number with a true minus, and no minus before zero."""
    return f"{round(value, 1) + 0.0:.1f}".replace("-", "\N{MINUS SIGN}")


def _words(found: Interval) -> str:
    if found.n < 2:
        return f"{found.mean:.1f}"
    return f"{found.mean:.1f}{PLUS_MINUS}{found.high - found.mean:.1f}"


def _interval(results: pd.DataFrame, name: str, correction: str) -> Interval:
    """Return the mean over experiments, each of the same weight, with its t interval."""
    return t_interval(list(_values(results, name, correction).values()))


def _values(results: pd.DataFrame, name: str, correction: str) -> dict[str, float]:
    """Return experiment to percent."""
    some = results[(results["measure"] == name) & (results["correction"] == correction)]
    return dict(zip(some["experiment"], some["percent"], strict=True))
