"""Exercises of the chapters: an answer is held against the right one, and never given away."""

from __future__ import annotations

from rxrx_lib.study.pages import Shown, sentences


def check(answer: float | None, right: float, *, within: float, hint: str) -> Shown:
    """Say whether a reader's number is right.

    Parameters
    ----------
    answer
        The reader's; None where there is none yet.
    right
        The right one.
    within
        How far off an answer may be and still be right, > 0.
    hint
        One sentence for an answer that is not.
    """
    if answer is None:
        return sentences(["No answer yet: put a number in place of None and run both cells."])
    if abs(answer - right) <= within:
        return sentences([f"Right: {right:.3g}."])
    return sentences([f"Not yet. {hint}"])
