"""The table of findings: a line a source, verdicts in words, and sentences from the numbers."""

from __future__ import annotations

import re

import pytest

from rxrx_lib.study import finding_pages, verdicts
from rxrx_lib.study.effects import difference
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.findings import FINDINGS, finding
from rxrx_lib.study.judging import Line, measured_line, printed_line
from rxrx_lib.study.tables import Cell

SPACE, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
A, B = ("table1", "adabn", "accuracy_separated"), ("table1", "baseline", "accuracy_separated")
RAISES = finding("adabn_raises_separated")


def made(**adabn: float) -> dict[tuple[str, str, str], Cell]:
    """Return cells with a baseline of 50 and AdaBN as given."""
    values = {A: adabn, B: dict.fromkeys(adabn, 50.0)}
    return {
        place: Cell(
            row=place[1],
            column=place[2],
            value=sum(replicates.values()) / len(replicates),
            replicates=replicates,
        )
        for place, replicates in values.items()
    }


def words(each: Finding, line: Line) -> str:
    return finding_pages.effect_words(each, line).replace(SPACE, " ")


def test_the_interval_is_shown_that_decides() -> None:
    cells = made(x=54.0, y=55.0, z=56.0)
    # Mean 5, sd 1: half of the intervals is 4.303 and 2.920 over the root of 3.
    assert words(RAISES, measured_line(RAISES, cells, 2.0)) == (
        "+5.0 points (95 %: +2.5 to +7.5; n = 3 of 5)"
    )
    same = Finding(
        id="same",
        topic="",
        where="here",
        statement="The same.",
        metric="difference",
        kind="unchanged",
        effects=(difference(A, B),),
    )
    # No change is contradicted by the wider interval, and supported by the narrower one.
    assert words(same, measured_line(same, cells, 2.0)) == (
        "+5.0 points (95 %: +2.5 to +7.5; n = 3 of 5)"
    )
    near = made(x=51.0, y=52.0, z=53.0)
    assert words(same, measured_line(same, near, 2.0)) == (
        "+2.0 points (90 %: +0.3 to +3.7; n = 3 of 5)"
    )


def test_wells_stand_beside_replicates_and_one_replicate_has_no_interval_of_its_own() -> None:
    draws = {(A, "x"): [53.0, 55.0] * 50, (B, "x"): [50.0] * 100}
    line = measured_line(RAISES, made(x=54.0), 2.0, draws)
    assert words(RAISES, line) == "+4.0 points (wells: +3.0 to +5.0; n = 1 of 5)"


def test_a_change_that_is_shown_to_be_none_is_undecided_and_says_so() -> None:
    line = measured_line(RAISES, made(x=49.9, y=50.0, z=50.1), 2.0)
    assert line.verdict == verdicts.UNDECIDED
    assert words(RAISES, line).endswith("; n = 3 of 5), none that matters")
    alike = finding("adabn_keeps_stratified")
    cells = {
        (item, row, "accuracy_stratified"): cell
        for (item, row, _), cell in made(x=49.9, y=50.0, z=50.1).items()
    }
    line = measured_line(alike, cells, 2.0)
    assert line.verdict == verdicts.SUPPORTED
    assert words(alike, line).endswith("n = 3 of 5)")


def test_the_papers_effect_stands_with_its_spread() -> None:
    assert words(RAISES, printed_line(RAISES)) == "+12.0 ± 0.7 points"
    alike = finding("methods_alike_on_seen")
    assert words(alike, printed_line(alike)) == (
        f"weakest of 3, Gradient reversal: {MINUS}2.0 ± 0.4 points. "
        "Parts: 2 consistent, 1 within the printed spread"
    )
    less = finding("adabn_varies_less")
    assert words(less, printed_line(less)) == "0.00 ± 0.30 points"


def test_what_is_not_testable_says_why_and_what_is_not_run_says_nothing_more() -> None:
    hardest = finding("u2os_hardest")
    assert words(hardest, measured_line(hardest, {}, 2.0)) == hardest.untestable
    assert words(RAISES, measured_line(RAISES, {}, 2.0)) == ""


def test_every_verdict_has_a_badge_that_says_it_in_words() -> None:
    known = {
        value for name, value in vars(verdicts).items() if name.isupper() and isinstance(value, str)
    }
    assert finding_pages.SIGNS.keys() == known
    for verdict in known:
        assert verdict in finding_pages.badge(verdict)
    assert finding_pages.badge("") == ""


def shown() -> str:
    printed = [printed_line(each) for each in FINDINGS]
    measured = [measured_line(each, made(x=54.0, y=55.0), 2.0) for each in FINDINGS]
    sources = {finding_pages.PAPER: printed, "SIMULATED": measured}
    found = finding_pages.findings_table(FINDINGS, sources, caption="All.", name="all")
    assert "<script" not in found.page
    assert found.page.count("<tr>") == len(rows(found.myst)) - 1  # Markdown's has a rule below
    return found.myst


def rows(myst: str) -> list[str]:
    return [line for line in myst.splitlines() if line.startswith("|")]


def test_the_papers_and_simulated_numbers_never_share_a_row() -> None:
    lines = rows(shown())
    for line in lines:
        assert not (finding_pages.PAPER in line and "SIMULATED" in line)
    topics = {each.topic for each in FINDINGS}
    assert len(lines) == 2 + len(topics) + 2 * len(FINDINGS)


def test_every_row_has_as_many_cells_as_the_head() -> None:
    assert {line.count("|") for line in rows(shown())} == {5}


def test_statement_place_and_criterion_are_all_there() -> None:
    text = shown()
    for each in FINDINGS:
        assert each.statement in text
        assert each.where[1:] in text
        if each.effects:
            assert each.criterion in text


def test_the_summary_counts_and_names() -> None:
    some = [RAISES, finding("deeper_densenet_better"), finding("adabn_varies_less")]
    printed = [printed_line(each) for each in some]
    assert finding_pages.summary("The paper", printed) == (
        "The paper, 3 findings: 2 consistent, 1 within the printed spread."
    )
    named = finding_pages.named_with("within the printed spread", "The paper", some, printed)
    assert named == [
        "The paper, within the printed spread: “AdaBN's runs differ less from one another”, "
        f"0.00{SPACE}±{SPACE}0.30 points."
    ]
    assert finding_pages.named_with("inconsistent", "The paper", some, printed) == []
    assert finding_pages.small_in_paper(some, printed) == [
        "The paper, clearly printed and smaller than what matters here: “The deeper DenseNet does "
        f"better”, weakest of 2, Baseline: +0.9{SPACE}±{SPACE}0.7 points."
    ]
    assert finding_pages.small_in_paper(some[:1], printed[:1]) == []


@pytest.mark.parametrize(("cells", "any_"), [({}, False), (made(x=51.0), True)])
def test_a_source_that_measured_nothing_is_known(
    cells: dict[tuple[str, str, str], Cell], any_: bool
) -> None:
    assert finding_pages.any_measured([measured_line(RAISES, cells, 2.0)]) is any_


def test_no_sentence_is_taken_from_the_paper_with_a_markup_of_its_own() -> None:
    for each in FINDINGS:
        assert not re.search(r"[|*<>]", f"{each.statement}{each.where}{each.metric}")
