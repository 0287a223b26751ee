"""A sentence says what its interval says, and no more."""

from __future__ import annotations

import dataclasses
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxrx_lib.evaluation.intervals import Interval, t_interval
from rxrx_lib.study.claims import (
    contrast_claims,
    difference_claim,
    epoch_claims,
    table1_claims,
    verdict_claim,
)
from rxrx_lib.study.negative_controls import Verdict
from tests.study.handmade import table1_results

EPOCHS = {  # steps, training sites, sites, left of groups, left of steps
    "baseline": (60, 1700, 1680, 0, 20),
    "adabn": (55, 1700, 1540, 146, 14),
}
ABOVE = Interval(2.0, 0.5, 3.5, 3)
BELOW = Interval(-2.0, -3.5, -0.5, 3)
ACROSS = Interval(2.0, -1.0, 5.0, 3)


@pytest.mark.parametrize(
    ("interval", "sentence"),
    [
        (
            ABOVE,
            "AdaBN lies above the baseline: +2.0 points in accuracy "
            "(95 % interval +0.5 to +3.5, 3 replicates).",
        ),
        (
            BELOW,
            "AdaBN lies below the baseline: −2.0 points in accuracy "
            "(95 % interval −3.5 to −0.5, 3 replicates).",
        ),
        (
            ACROSS,
            "AdaBN cannot be told from the baseline: +2.0 points in accuracy "
            "(95 % interval −1.0 to +5.0, 3 replicates).",
        ),
    ],
)
def test_the_direction_follows_the_interval(interval: Interval, sentence: str) -> None:
    claim = difference_claim("AdaBN", "accuracy", interval)
    assert claim.replace("\N{NO-BREAK SPACE}", " ") == sentence


def test_one_replicate_is_said_to_say_nothing_of_its_spread() -> None:
    sentence = difference_claim("AdaBN", "accuracy", t_interval([7.0]))
    assert sentence == (
        "AdaBN: +7.0 points in accuracy, from one replicate, which says nothing of its own spread."
    )


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=5))
def test_a_direction_is_claimed_only_if_zero_lies_outside_the_interval(values: list[float]) -> None:
    interval = t_interval(values)
    sentence = difference_claim("X", "y", interval)
    claimed = "lies above" in sentence or "lies below" in sentence
    assert claimed is not (interval.low <= 0 <= interval.high)
    if claimed:
        assert ("lies above" in sentence) is (interval.mean > 0)


def test_table_1_has_one_sentence_a_method_and_metric() -> None:
    claims = table1_claims(table1_results())
    assert len(claims) == 10
    assert claims[-1].startswith("These are 9 comparisons")
    assert (
        claims[0]
        .replace("\N{NO-BREAK SPACE}", " ")
        .startswith(
            "Gradient reversal cannot be told from the baseline: −2.0 points in accuracy on unseen "
            "experiments (95 % interval −4.5 to +0.5"
        )
    )
    assert claims[1].startswith("AdaBN cannot be told from the baseline: +12.0 points")
    assert not table1_claims(table1_results(replicates=0))


def test_contrasts_are_compared_by_their_direction_alone() -> None:
    printed = {"adabn": 12.0, "gradient_reversal": -3.9}
    lines = contrast_claims(printed, {"adabn": ABOVE, "gradient_reversal": ABOVE})
    assert lines == [
        "AdaBN: up in the paper, up in the simulation (the same direction).",
        "Gradient reversal: down in the paper, up in the simulation (the opposite direction).",
    ]
    assert contrast_claims(printed, {"adabn": ACROSS}) == [
        "AdaBN: up in the paper, neither way in the simulation (undecided here)."
    ]
    one = contrast_claims(printed, {"adabn": t_interval([5.0])})
    assert "undecided here" in one[0]


def test_the_papers_numbers_never_enter_a_sentence_on_the_simulation() -> None:
    lines = contrast_claims({"adabn": 12.0}, {"adabn": ABOVE})
    assert not re.search(r"\d", lines[0])


def without_breaks(sentence: str) -> str:
    return sentence.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("found", "ending"),
    [
        (Interval(-2.0, -2.5, -1.5, 3), "It holds."),
        (
            Interval(-2.0, -4.0, 0.0, 3),
            "It holds. These replicates cannot exclude a larger difference.",
        ),
        (
            Interval(-3.1, -3.2, -3.0, 3),
            "IT DOES NOT HOLD. These replicates cannot exclude a larger difference.",
        ),
    ],
)
def test_the_technical_control_says_whether_it_holds_and_how_sure_that_is(
    found: Interval, ending: str
) -> None:
    verdict = Verdict(control="technical_off", expected=0.0, found=found, low=-3.0, high=3.0)
    sentence = without_breaks(verdict_claim(verdict))
    mean, low, high = (f"{x:+.1f}".replace("-", "−") for x in found[:3])
    assert sentence == (
        f"No technical effects: AdaBN minus baseline is {mean} points (95 % interval {low} to "
        f"{high}, 3 replicates); 3 either way are allowed. {ending}"
    )


@pytest.mark.parametrize(("mean", "outcome"), [(4.9, "It holds."), (5.1, "IT DOES NOT HOLD.")])
def test_a_control_at_chance_says_what_luck_reaches(mean: float, outcome: str) -> None:
    found = Interval(mean, 3.0, 6.0, 3)
    verdict = Verdict(control="labels_shuffled", expected=4.0, found=found, low=0.0, high=5.0)
    assert without_breaks(verdict_claim(verdict)) == (
        f"Shuffled labels: {mean} % of the test sites are named correctly (95 % interval 3.0 to "
        "6.0, 3 replicates); with names exchanged at random the same answers reach 4.0 %, and up "
        f"to 5.0 % may be luck. {outcome}"
    )
    among_treatments = dataclasses.replace(verdict, among="treatments")
    assert "of the treatments' test sites are named correctly" in verdict_claim(among_treatments)


def test_a_control_of_one_replicate_gives_no_interval() -> None:
    found = t_interval([1.0])
    verdict = Verdict(control="technical_off", expected=0.0, found=found, low=-3.0, high=3.0)
    sentence = verdict_claim(verdict)
    assert "+1.0 points (one replicate);" in sentence
    assert sentence.endswith("It holds. One replicate cannot exclude a larger difference.")


def counted(results: pd.DataFrame) -> pd.DataFrame:
    """Add what an epoch takes, two more steps in every replicate but the first."""
    names = ("steps", "training_sites", "sites", "left_of_groups", "left_of_steps")
    for name, column in zip(names, zip(*EPOCHS.values(), strict=True), strict=True):
        results[f"epoch_{name}"] = results["method"].map(dict(zip(EPOCHS, column, strict=True)))
    results.loc[results["seed"] > 0, "epoch_steps"] += 2
    return results


def test_an_epochs_steps_and_what_it_leaves_out_are_said_with_their_reasons() -> None:
    lines = epoch_claims(counted(table1_results()))
    assert len(lines) == 6  # three splits
    assert lines[:2] == [
        "Separated split, Baseline: 60 to 62 steps an epoch, on 1,680 of 1,700 training sites; "
        "left out are 20 that do not fill a step.",
        "Separated split, AdaBN: 55 to 57 steps an epoch, on 1,540 of 1,700 training sites; left "
        "out are 146 that do not fill a group of their experiment and 14 that do not fill a step.",
    ]


def test_an_epoch_that_leaves_nothing_out_is_said_so_and_runs_without_counts_say_nothing() -> None:
    assert epoch_claims(table1_results()) == []
    results = counted(table1_results(1))
    results[["epoch_left_of_groups", "epoch_left_of_steps"]] = 0
    assert epoch_claims(results)[0] == (
        "Separated split, Baseline: 60 steps an epoch, on 1,680 of 1,700 training sites."
    )
