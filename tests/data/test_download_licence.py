"""Nobody gets the release without being told its terms."""

from __future__ import annotations

import pytest

from rxrx_lib.data.download import LICENCE, LicenceNotAcceptedError, consent


def answering(answer: str) -> list[str]:
    """Return what is written when the question is answered so."""
    written: list[str] = []

    def ask(question: str) -> str:
        written.append(question)
        return answer

    consent(accepted=False, ask=ask, write=written.append)
    return written


@pytest.mark.parametrize("answer", ["yes", "Y", " Yes "])
def test_the_terms_are_stated_before_the_question(answer: str) -> None:
    assert answering(answer) == [LICENCE, "Do you accept the licence? [yes/no] "]
    for part in ("CC BY-NC-SA 4.0", "Recursion", "non-commercial", "same licence", "Sypetkowski"):
        assert part in LICENCE


@pytest.mark.parametrize("answer", ["", "no", "n", "yesterday"])
def test_anything_but_yes_is_a_refusal(answer: str) -> None:
    with pytest.raises(LicenceNotAcceptedError, match=rf"answer '{answer}'.*--accept-licence"):
        answering(answer)


def test_nobody_to_ask_is_a_refusal() -> None:
    def ask(question: str) -> str:
        raise EOFError

    with pytest.raises(LicenceNotAcceptedError, match="so nothing was fetched"):
        consent(accepted=False, ask=ask, write=lambda line: None)


def test_consent_given_beforehand_is_not_asked_for_but_the_terms_are_stated() -> None:
    written: list[str] = []

    def ask(question: str) -> str:
        raise AssertionError(question)

    consent(accepted=True, ask=ask, write=written.append)
    assert written == [LICENCE]
