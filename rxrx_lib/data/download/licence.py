"""The terms of the release, and the consent to them."""

from __future__ import annotations

from collections.abc import Callable

LICENCE = """\
RxRx1 (https://www.rxrx.ai/rxrx1) is published by Recursion under the licence CC BY-NC-SA 4.0
(https://creativecommons.org/licenses/by-nc-sa/4.0/): use it for non-commercial ends only, name
the source, and share what you make from it under the same licence. To be cited: Sypetkowski et
al., "RxRx1: A Dataset for Evaluating Experimental Batch Correction Methods", 2023."""
QUESTION = "Do you accept the licence? [yes/no] "
ACCEPTED = ("y", "yes")


class LicenceNotAcceptedError(RuntimeError):
    """Nothing may be fetched."""


def consent(
    *,
    accepted: bool,
    ask: Callable[[str], str] = input,
    write: Callable[[str], None] = print,
) -> None:
    """State the licence, and ask for consent to it.

    Parameters
    ----------
    accepted : bool
        Consent was given beforehand (`--accept-licence`): do not ask.
    ask : callable
        Puts a question and returns the answer.
    write : callable
        Takes the text of the licence.

    Raises
    ------
    LicenceNotAcceptedError
        If the answer is not yes, or there is nobody to ask.
    """
    write(LICENCE)
    if accepted:
        return
    try:
        answer = ask(QUESTION)
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ACCEPTED:
        raise LicenceNotAcceptedError(
            f"the licence was not accepted (answer {answer!r}; expected yes), so nothing was "
            "fetched: answer yes, or give --accept-licence."
        )
