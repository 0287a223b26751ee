"""A reader's answer is judged, and the right one is not given away."""

from __future__ import annotations

import pytest

from rxrx_lib.study.exercises import check


@pytest.mark.parametrize(
    ("answer", "begins"),
    [(None, "- No answer yet"), (3.9, "- Right: 3.93."), (4.0, "- Not yet. Think."), (0, "- Not")],
)
def test_an_answer_is_right_within_the_margin(answer: float | None, begins: str) -> None:
    shown = check(answer, 3.93, within=0.05, hint="Think.").myst
    assert shown.startswith(begins)
    assert ("3.93" in shown) == (answer == 3.9)
