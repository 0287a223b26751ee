"""Every statement of finding in the paper's text, as code, in the order of the book's page.

Direction, metric, smallest effect that matters and replicates of each were written down before the
runs that the book reports; a later edit is an entry of the CHANGELOG. Left out are descriptions of
the data set, which the chapter on the screen and the errata count, and what the paper itself calls
a hypothesis.
"""

from __future__ import annotations

from rxrx_lib.study.catalogue import CATALOGUE
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.findings_of_accuracy import OF_ACCURACY
from rxrx_lib.study.findings_of_cell_types import OF_CELL_TYPES
from rxrx_lib.study.findings_of_embeddings import OF_EMBEDDINGS
from rxrx_lib.study.findings_of_settings import OF_SETTINGS

FINDINGS: tuple[Finding, ...] = (
    *OF_ACCURACY,
    *OF_EMBEDDINGS,
    *OF_CELL_TYPES,
    *OF_SETTINGS,
)


def finding(name: str) -> Finding:
    """Look a finding up by its id.

    Raises
    ------
    ValueError
        If there is none; the sentence lists those there are.
    """
    known = {each.id: each for each in FINDINGS}
    if name not in known:
        raise ValueError(f"finding is {name!r}; choose one of {', '.join(known)}.")
    return known[name]


def items() -> list[str]:
    """Return the items of the catalogue that findings rest on, in the catalogue's order."""
    asked = {item for each in FINDINGS for item in each.items}
    return [item for item in CATALOGUE if item in asked]
