"""The rule: what replicates and printed numbers support, and what they leave open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxrx_lib.study.verdicts import (
    CONSISTENT,
    CONTRADICTED,
    INCONSISTENT,
    KINDS,
    NOT_PRINTED,
    NOT_RUN,
    SUPPORTED,
    UNDECIDED,
    WITHIN_SPREAD,
    judge,
    judge_printed,
    together,
)

STRONG = [9.0, 10.0, 11.0]
NONE = [-0.2, 0.0, 0.2]
NOISY = [-9.0, 3.0, 15.0]
SMALL = [0.9, 1.0, 1.1]  # clear of 0, and below the 2 points that matter
MIRROR = {
    "increase": "decrease",
    "decrease": "increase",
    "no_increase": "no_decrease",
    "no_decrease": "no_increase",
    "unchanged": "unchanged",
    "to_chance": "to_chance",
}


@pytest.mark.parametrize(
    ("kind", "strong", "none", "noisy", "small", "reversed_"),
    [
        ("increase", SUPPORTED, UNDECIDED, UNDECIDED, UNDECIDED, CONTRADICTED),
        ("decrease", CONTRADICTED, UNDECIDED, UNDECIDED, UNDECIDED, SUPPORTED),
        ("unchanged", CONTRADICTED, SUPPORTED, UNDECIDED, SUPPORTED, CONTRADICTED),
        ("to_chance", CONTRADICTED, SUPPORTED, UNDECIDED, SUPPORTED, CONTRADICTED),
        ("no_increase", CONTRADICTED, SUPPORTED, UNDECIDED, SUPPORTED, SUPPORTED),
        ("no_decrease", SUPPORTED, SUPPORTED, UNDECIDED, SUPPORTED, CONTRADICTED),
    ],
)
def test_each_kind_on_effects_that_are_strong_none_noisy_small_and_reversed(
    kind: str, strong: str, none: str, noisy: str, small: str, reversed_: str
) -> None:
    down = [-value for value in STRONG]
    found = [judge(values, kind, 2.0).verdict for values in (STRONG, NONE, NOISY, SMALL, down)]
    assert found == [strong, none, noisy, small, reversed_]


@pytest.mark.parametrize("kind", KINDS)
def test_one_replicate_is_undecided_and_none_is_not_run_yet(kind: str) -> None:
    for alone in (-50.0, 0.0, 50.0):
        assert judge([alone], kind, 2.0).verdict == UNDECIDED
    assert judge([], kind, 2.0).verdict == NOT_RUN


def test_a_change_rests_on_the_95_percent_interval_and_no_change_on_the_90_percent_one() -> None:
    # Three replicates, sd 1: half of the intervals is t / sqrt(3), t = 4.303 and 2.920.
    values = [2.0, 3.0, 4.0]
    found = judge(values, "increase", 2.0)
    assert (found.found.low, found.found.high) == pytest.approx((0.5159, 5.4841), abs=1e-4)
    assert (found.inner.low, found.inner.high) == pytest.approx((1.3142, 4.6858), abs=1e-4)
    assert found.verdict == SUPPORTED
    around = [-1.0, 0.0, 1.0]  # 90 %: ±1.686, 95 %: ±2.484
    assert judge(around, "unchanged", 1.69).verdict == SUPPORTED
    assert judge(around, "unchanged", 1.68).verdict == UNDECIDED
    beyond = [value + 3 for value in around]  # 95 % from 0.516, 90 % from 1.314
    assert judge(beyond, "unchanged", 0.51).verdict == CONTRADICTED
    assert judge(beyond, "unchanged", 0.52).verdict == UNDECIDED


def test_the_mean_has_to_reach_the_margin_as_well() -> None:
    assert judge([2.9, 3.0, 3.1], "increase", 3.0).verdict == SUPPORTED
    assert judge([2.9, 3.0, 3.1], "increase", 3.01).verdict == UNDECIDED


@given(
    values=st.lists(st.floats(-30, 30), min_size=0, max_size=6),
    kind=st.sampled_from(KINDS),
    margin=st.floats(0.1, 20),
)
def test_the_mirror_image_has_the_mirrored_verdict(
    values: list[float], kind: str, margin: float
) -> None:
    down = [-value for value in values]
    assert judge(values, kind, margin).verdict == judge(down, MIRROR[kind], margin).verdict


@given(
    values=st.lists(st.floats(-30, 30), min_size=2, max_size=6),
    margin=st.floats(0.1, 20),
)
def test_what_supports_a_change_never_supports_that_there_is_none(
    values: list[float], margin: float
) -> None:
    change = judge(values, "increase", margin).verdict
    none = judge(values, "no_increase", margin).verdict
    assert not (change == none == SUPPORTED and max(values) > margin)
    if none == CONTRADICTED:
        assert change == SUPPORTED


@pytest.mark.parametrize(
    ("value", "spread", "kind", "verdict"),
    [
        (0.7, 0.5, "increase", CONSISTENT),  # smaller than the margin, and printed clearly
        (0.4, 0.5, "increase", WITHIN_SPREAD),
        (-0.7, 0.5, "increase", INCONSISTENT),
        (-0.7, 0.5, "decrease", CONSISTENT),
        (1.4, 0.5, "unchanged", CONSISTENT),
        (1.6, 0.5, "unchanged", WITHIN_SPREAD),
        (2.6, 0.5, "to_chance", INCONSISTENT),
        (-9.0, 0.5, "no_increase", CONSISTENT),
        (9.0, 0.5, "no_increase", INCONSISTENT),
        (9.0, 0.5, "no_decrease", CONSISTENT),
        (-1.8, 0.5, "no_decrease", WITHIN_SPREAD),
    ],
)
def test_printed_numbers_are_held_against_their_own_spread(
    value: float, spread: float, kind: str, verdict: str
) -> None:
    assert judge_printed(value, spread, kind, 2.0) == verdict


def test_a_statement_of_several_parts_holds_with_all_and_falls_with_one() -> None:
    assert together([SUPPORTED, SUPPORTED]) == SUPPORTED
    assert together([SUPPORTED, UNDECIDED]) == UNDECIDED
    assert together([SUPPORTED, UNDECIDED, NOT_RUN]) == NOT_RUN
    assert together([SUPPORTED, CONTRADICTED, NOT_RUN]) == CONTRADICTED
    assert together([CONSISTENT, WITHIN_SPREAD]) == WITHIN_SPREAD
    assert together([CONSISTENT, NOT_PRINTED]) == NOT_PRINTED
    assert together([CONSISTENT, INCONSISTENT]) == INCONSISTENT
    for wrong in ([], ["perhaps"]):
        with pytest.raises(ValueError, match="verdicts is"):
            together(wrong)


def test_a_kind_or_a_margin_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'higher', expected one of increase"):
        judge(STRONG, "higher", 2.0)
    with pytest.raises(ValueError, match="margin is 0"):
        judge_printed(1.0, 0.0, "increase", 0)
