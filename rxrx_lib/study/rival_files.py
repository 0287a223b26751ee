"""The file of what a rival reaches that is no prediction of the network: small, beside a run's own.

    runs/<id>/predictions/<hash>/derived/rivals.json

lies in a baseline run's folder: what a linear probe reads of its embeddings, corrected or not, and
what is reached on the same screen and split without a network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rxrx_lib.study import runs
from rxrx_lib.study.derived import own_prediction, read_derived
from rxrx_lib.study.spec import RunSpec

FILE = "rivals.json"
FORMAT = 1
"""Goes up whenever the same predictions and pixels give other numbers."""
EMBEDDINGS = {
    "none": "embeddings",
    "centred": "embeddings_centred",
    "standardised": "embeddings_standardised",
}
"""Correction to the rival that it makes."""
FEATURES = (
    "position",
    "cell_count",
    "cell_count_standardised",
    "intensity",
    "intensity_standardised",
    "both_standardised",
    "commonest",
)
"""Rivals without a network."""


def read_measured(spec: RunSpec, store: Path) -> dict[str, Any] | None:
    """Return what is kept of a run.

    Returns
    -------
    dict or None
        ``rivals`` (rival to ``accuracy`` and, if there are treatments, ``accuracy_treatments``, in
        percent), ``seen`` (sites of a test site's experiment, mean over test sites), ``counted``
        (correlation of the counts of nuclei with the cells drawn; None if no truth is known) and
        ``provenance``. None where the file is not there or of an older format.

    Raises
    ------
    ValueError
        If the file is no JSON, or lacks a rival.
    """
    run = runs.open_run(store, spec)
    content = read_derived(own_prediction(run, spec), FILE) if run.done else None
    if content is None or content.get("format") != FORMAT:
        return None
    missing = {*EMBEDDINGS.values(), *FEATURES} - content.get("rivals", {}).keys()
    if missing or "seen" not in content:
        path = own_prediction(run, spec) / "derived" / FILE
        raise ValueError(
            f"{path} lacks {', '.join(sorted(missing)) or 'seen'}; remove it, and it is made again."
        )
    return content
