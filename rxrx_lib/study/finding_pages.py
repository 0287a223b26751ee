"""Findings as readers see them: one table with a line a source, and what it comes to in words."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rxrx_lib.evaluation.intervals import Interval
from rxrx_lib.study.claims import PERCENT
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.judging import Line, Part, PrintedPart, least_favourable
from rxrx_lib.study.pages import Shown
from rxrx_lib.study.panels import NOT_RUN as NOT_RUN_HERE
from rxrx_lib.study.panels import PLUS_MINUS
from rxrx_lib.study.verdicts import (
    CONSISTENT,
    CONTRADICTED,
    INCONSISTENT,
    NOT_PRINTED,
    NOT_RUN,
    NOT_TESTABLE,
    SUPPORTED,
    UNDECIDED,
    WITHIN_SPREAD,
)

PAPER = "paper's own numbers"
RXRX1 = "RxRx1, this code"
NOT_RUN_ON_RXRX1 = f"{RXRX1}: {NOT_RUN_HERE}."
NONE_THAT_MATTERS = ", none that matters"
"""Added to a change whose 90 % interval lies wholly within the margin: it stays undecided."""
HEAD = ("Finding", "Source", "Verdict", "Effect")
SIGNS = {
    SUPPORTED: "✓",
    CONSISTENT: "✓",
    CONTRADICTED: "✗",
    INCONSISTENT: "✗",
    UNDECIDED: "?",
    WITHIN_SPREAD: "?",
    NOT_TESTABLE: "–",
    NOT_RUN: "–",
    NOT_PRINTED: "–",
}
"""A verdict is told by its words; the sign and the frame repeat it."""
FRAMES = {"✓": "for", "✗": "against", "?": "open", "–": "none"}
"""Sign to the class that the style sheet frames a badge by."""

Sources = Mapping[str, Sequence[Line]]
"""Name of a source to its line of each finding."""


class _Row(NamedTuple):
    """A row of the table, in words; a topic's has only the first."""

    first: str
    source: str = ""
    verdict: str = ""
    effect: str = ""


def findings_table(
    findings: Sequence[Finding], sources: Sources, *, caption: str, name: str
) -> Shown:
    """Show findings by topic, with a row for what each source says of them.

    Parameters
    ----------
    findings
        In the order of their topics.
    sources
        As many lines each as there are findings. The paper's and simulated numbers never share a
        row.
    caption
        Above the table.
    name
        What other pages refer to it by.
    """
    rows = _rows(findings, sources)
    myst = [
        f":::{{table}} {caption}",
        f":name: {name}",
        ":class: stacked verdicts",
        "",
        "| " + " | ".join(HEAD) + " |",
        "| " + " | ".join(["---"] * len(HEAD)) + " |",
        *("| " + " | ".join((row.first, row.source, badge(row.verdict), row.effect)) + " |"
          for row in rows),
        ":::",
        "",
    ]  # fmt: skip
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in _page_cells(row)) + "</tr>" for row in rows
    )
    head = "".join(f"<th>{word}</th>" for word in HEAD)
    page = f"<p><b>{html.escape(caption)}</b></p><table><tr>{head}</tr>{body}</table>"
    return Shown("\n".join(myst), page)


def badge(verdict: str) -> str:
    """Return a verdict's words in a frame, with its sign; nothing for none."""
    if not verdict:
        return ""
    sign = SIGNS[verdict]
    return f'<span class="verdict {FRAMES[sign]}">{sign}\N{NO-BREAK SPACE}{verdict}</span>'


def effect_words(finding: Finding, line: Line) -> str:
    """Write what a line's verdict rests on: its least favourable part, of several."""
    if line.verdict == NOT_TESTABLE:
        return finding.untestable
    measured = [p for p in line.parts if isinstance(p, Part) and p.value is not None]
    shown = [p for p in line.parts if isinstance(p, PrintedPart) and p.value is not None]
    verdicts = [part.verdict for part in line.parts]
    if measured:
        part = least_favourable(finding, measured)
        return _of_several(_measured_words(finding, part), part.label, verdicts)
    if shown:
        printed = least_favourable(finding, shown)
        return _of_several(_printed_words(finding, printed), printed.label, verdicts)
    return ""


def any_measured(lines: Sequence[Line]) -> bool:
    """Tell whether a source has measured anything."""
    return any(part.value is not None for line in lines for part in line.parts)


def summary(name: str, lines: Sequence[Line]) -> str:
    """Say how many findings a source supports, contradicts and leaves open."""
    counts = Counter(line.verdict for line in lines)
    words = [f"{counts[verdict]} {verdict}" for verdict in SIGNS if counts[verdict]]
    return f"{name}, {len(lines)} findings: {', '.join(words)}."


def named_with(
    verdict: str, name: str, findings: Sequence[Finding], lines: Sequence[Line]
) -> list[str]:
    """Say of each finding of which a source has a verdict what the verdict rests on."""
    return [
        f"{name}, {verdict}: “{each.statement.removesuffix('.')}”, {effect_words(each, line)}."
        for each, line in zip(findings, lines, strict=True)
        if line.verdict == verdict
    ]


def small_in_paper(findings: Sequence[Finding], lines: Sequence[Line]) -> list[str]:
    """Name the changes that the paper prints clearly, and that are smaller than what matters."""
    return [
        f"The paper, clearly printed and smaller than what matters here: "
        f"“{each.statement.removesuffix('.')}”, {effect_words(each, line)}."
        for each, line in zip(findings, lines, strict=True)
        if line.verdict == CONSISTENT and each.kind in ("increase", "decrease")
        if min(abs(part.value) for part in line.parts if part.value is not None) < each.margin
    ]


def _rows(findings: Sequence[Finding], sources: Sources) -> list[_Row]:
    rows, topic = [], ""
    for number, each in enumerate(findings):
        if each.topic != topic:
            topic = each.topic
            rows.append(_Row(f"**{topic}**"))
        first = [f"{each.statement} *{_sentence(each.where)}*", _asked(each)]
        for name, lines in sources.items():
            line = lines[number]
            words = first.pop(0) if first else ""
            effect = effect_words(each, line)
            rows.append(_Row(words, name, line.verdict, f"{effect[:1].upper()}{effect[1:]}"))
    return rows


def _asked(finding: Finding) -> str:
    """Say what has to come out."""
    if not finding.effects and finding.printed is None:
        return ""
    return _sentence(f"{finding.metric}: {finding.criterion}")


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _page_cells(row: _Row) -> tuple[str, ...]:
    """Return a row's cells as HTML; Markdown's stars are the only marks in it."""
    first = html.escape(row.first).replace("**", "").replace("*", "")
    return first, html.escape(row.source), badge(row.verdict), html.escape(row.effect)


def _of_several(words: str, label: str, verdicts: Sequence[str]) -> str:
    """Add which part of several the words are about, and how the others came out if otherwise."""
    if len(verdicts) == 1:
        return words
    counts = Counter(verdicts)
    parts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in SIGNS if counts[verdict])
    mixed = f". Parts: {parts}" if len(counts) > 1 else ""
    return f"weakest of {len(verdicts)}, {label}: {words}{mixed}"


def _measured_words(finding: Finding, part: Part) -> str:
    """Write a mean with the interval that decides, that over wells, and the replicates."""
    digits = _digits(finding)
    mean = f"{_number(part.found.mean, digits)} {finding.unit}"
    change = finding.kind in ("increase", "decrease")
    spread = []
    if part.found.n > 1:
        outer = change or part.verdict == CONTRADICTED
        percent, interval = (95, part.found) if outer else (90, part.inner)
        spread.append(f"{percent}{PERCENT}: {_ends(interval, digits)}")
    if part.wells is not None:
        low, high = (_number(end, digits) for end in part.wells)
        spread.append(f"wells: {low} to {high}")
    spread.append(f"n = {part.found.n} of {finding.replicates}")
    none = change and part.found.n > 1 and _within(part.inner, finding.margin)
    return f"{mean} ({'; '.join(spread)}){NONE_THAT_MATTERS if none else ''}"


def _within(inner: Interval, margin: float) -> bool:
    """Tell whether replicates show that there is no effect that matters, either way."""
    return -margin <= inner.low and inner.high <= margin


def _printed_words(finding: Finding, part: PrintedPart) -> str:
    if part.printed is None:
        return ""
    digits = _digits(finding)
    value = _number(part.printed.value, digits)
    return f"{value}{PLUS_MINUS}{part.printed.spread:.{digits}f} {finding.unit}"


def _ends(interval: Interval, digits: int) -> str:
    return f"{_number(interval.low, digits)} to {_number(interval.high, digits)}"


def _digits(finding: Finding) -> int:
    """Return the decimals to write: one more than for points where the margin is below one."""
    return 1 if finding.margin >= 1 else 2


def _number(value: float, digits: int) -> str:
    rounded = round(value, digits)
    if rounded == 0:
        return f"{0:.{digits}f}"
    return f"{rounded:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
