"""Small files that are computed from a prediction and kept beside it: projections, histograms, ….

They lie in ``predictions/<hash>/derived/``, so that pages can be made without embeddings: they go
into archives (``rxrx export``) and come out of them (``rxrx merge``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rxrx_lib.data.atomic import replacing
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.kept import read_npz
from rxrx_lib.study.runs import Run, json_text, read_json
from rxrx_lib.study.spec import PredictSpec, RunSpec

DERIVED_LIMIT = 100_000
"""Bytes that one derived file may take, so that a run stays small enough to be shared."""
DERIVED_NAME = re.compile(r"[a-z0-9_]+\.(json|npz)")


def own_prediction(run: Run, spec: RunSpec) -> Path:
    """Return the folder of the method's own way of predicting."""
    return run.prediction(PredictSpec(statistics=METHODS[spec.method].statistics))


def write_derived(prediction: Path, name: str, content: Mapping[str, Any]) -> Path:
    """Keep something small that was computed from a prediction in its folder ``derived``.

    It appears whole or not at all, goes with the run into an archive (``rxrx export``), and
    vanishes with the prediction when the run is trained anew.

    Parameters
    ----------
    prediction
        The prediction's folder, as :meth:`Run.stored_prediction` gives it.
    name
        Lower-case letters, digits and ``_``, then ``.npz`` or ``.json``.
    content
        Arrays by name for npz, which are compressed; what JSON can hold for json.

    Raises
    ------
    ValueError
        For another name, or content that takes more than :data:`DERIVED_LIMIT` bytes.
    """
    if not DERIVED_NAME.fullmatch(name):
        raise ValueError(f"name is {name!r}; expected {DERIVED_NAME.pattern}.")
    path = prediction / "derived" / name
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            if path.suffix == ".npz":
                np.savez_compressed(file, allow_pickle=False, **content)
            else:
                file.write(json_text(dict(content)).encode())
        size = temporary.stat().st_size
        if size > DERIVED_LIMIT:
            raise ValueError(
                f"{path} would take {size} bytes; expected at most {DERIVED_LIMIT}, so that runs "
                "can be shared: keep fewer numbers, or narrower ones, such as float16."
            )
    return path


def read_derived(prediction: Path, name: str) -> dict[str, Any] | None:
    """Return what :func:`write_derived` kept under a name, or None if there is nothing."""
    path = prediction / "derived" / name
    if not path.exists():
        return None
    return read_npz(path) if path.suffix == ".npz" else read_json(path)
