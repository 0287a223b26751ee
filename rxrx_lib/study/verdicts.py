"""The rule by which replicates, or printed numbers, support a statement or speak against it.

It was written down before the runs that it judges. An effect is a difference, or what is left
after a reference was taken off, so that 0 is "nothing". There are no p-values: an interval says
what the replicates leave open.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, get_args

from rxrx_lib.evaluation.intervals import Interval, t_interval

Kind = Literal["increase", "decrease", "unchanged", "to_chance", "no_increase", "no_decrease"]
"""What a statement says of its effect; ``no_increase`` leaves a decrease open."""
KINDS: tuple[str, ...] = get_args(Kind)

SUPPORTED = "supported"
CONTRADICTED = "contradicted"
UNDECIDED = "undecided"
NOT_TESTABLE = "not testable here"
NOT_RUN = "not run yet"

CONSISTENT = "consistent"
INCONSISTENT = "inconsistent"
WITHIN_SPREAD = "within the printed spread"
NOT_PRINTED = "no number printed"


class Judgement(NamedTuple):
    """A verdict, and the intervals that it rests on."""

    verdict: str
    found: Interval
    """Mean of the replicates and its 95 % t interval."""
    inner: Interval
    """The same with the 90 % t interval, which has to lie inside a margin."""


def judge(values: Sequence[float], kind: Kind, margin: float) -> Judgement:
    """Judge a statement by one effect's replicates.

    An increase is supported where the 95 % interval lies above 0 and the mean reaches the margin,
    and contradicted where both are so the other way round; a decrease is its mirror image.
    Statements of no change (``unchanged``, ``to_chance``) and of none in one direction
    (``no_increase``, ``no_decrease``) are supported where the 90 % interval lies wholly within the
    margin, which for one direction is open on the other side, and contradicted where the 95 %
    interval lies wholly outside.

    Parameters
    ----------
    values
        The effect in each replicate.
    kind
        What the statement says.
    margin
        The smallest effect that matters, > 0, in the unit of the values.

    Returns
    -------
    Judgement
        Always undecided with one replicate, and not run yet with none.

    Raises
    ------
    ValueError
        For a kind that is not known, and a margin that is not above 0.
    """
    _require(kind, margin)
    found, inner = t_interval(values), t_interval(values, level=0.90)
    if found.n < 2:
        return Judgement(UNDECIDED if found.n else NOT_RUN, found, inner)
    if kind in ("increase", "decrease"):
        up = found.low > 0 and found.mean >= margin
        down = found.high < 0 and found.mean <= -margin
        supports, against = (up, down) if kind == "increase" else (down, up)
    else:
        low, high = allowed(kind, margin)
        supports = low <= inner.low and inner.high <= high
        against = found.high < low or high < found.low
    verdict = SUPPORTED if supports else CONTRADICTED if against else UNDECIDED
    return Judgement(verdict, found, inner)


def judge_printed(value: float, spread: float, kind: Kind, margin: float) -> str:
    """Say whether printed numbers agree with a statement.

    A change has to be larger than the spread, of whatever size; that it is smaller than the margin
    is for the page to show. "No change" has to hold for the value and its spread together.

    Parameters
    ----------
    value
        The effect that the printed numbers give.
    spread
        How far it may be off, >= 0, in the same unit.
    kind, margin
        As in :func:`judge`.

    Raises
    ------
    ValueError
        As :func:`judge`.
    """
    _require(kind, margin)
    if kind in ("increase", "decrease"):
        toward = value if kind == "increase" else -value
        agrees, against = toward > spread, toward < -spread
    else:
        low, high = allowed(kind, margin)
        agrees = low <= value - spread and value + spread <= high
        against = value + spread < low or high < value - spread
    return CONSISTENT if agrees else INCONSISTENT if against else WITHIN_SPREAD


def allowed(kind: Kind, margin: float) -> tuple[float, float]:
    """Return the effects that a statement of no change allows, from and to."""
    return (
        float("-inf") if kind == "no_increase" else -margin,
        float("inf") if kind == "no_decrease" else margin,
    )


def together(verdicts: Collection[str]) -> str:
    """Join the verdicts on a statement's parts: it holds if all of them do, and falls with one.

    Parameters
    ----------
    verdicts
        Of one kind: those of :func:`judge`, or those of :func:`judge_printed`.

    Raises
    ------
    ValueError
        For no verdict, and for one that cannot be joined.
    """
    order = (
        CONTRADICTED,
        INCONSISTENT,
        NOT_RUN,
        NOT_PRINTED,
        UNDECIDED,
        WITHIN_SPREAD,
        SUPPORTED,
        CONSISTENT,
    )
    if not verdicts or not set(verdicts) <= set(order):
        raise ValueError(f"verdicts is {list(verdicts)}, expected one or more of {list(order)}")
    return min(verdicts, key=order.index)


def _require(kind: str, margin: float) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    if not margin > 0:
        raise ValueError(f"margin is {margin}, expected the smallest effect that matters, > 0")
