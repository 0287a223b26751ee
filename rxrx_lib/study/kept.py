"""What the store keeps of a prediction: everything, or after a merge the answers alone."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.reduction import REDUCED_FILE, SITES_FILE, answered_sites, unpacked_sites
from rxrx_lib.study.runs import Run
from rxrx_lib.study.spec import PredictSpec

NO_NPZ = (ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What reading a file raises that is no npz file, or half of one."""


class NotKept(RuntimeError):
    """A merged run has not what is asked of it."""


def own_answers(run: Run, method: str, names: Collection[str]) -> dict[str, NDArray[Any]] | None:
    """Return arrays of a run's own prediction, as :func:`arrays_of`; None where some are not kept.

    Parameters
    ----------
    run
        A done run.
    method
        Its method, which says by what statistics it predicts.
    names
        Of arrays.
    """
    folder = run.stored_prediction(PredictSpec(statistics=METHODS[method].statistics))
    try:
        return None if folder is None else arrays_of(folder, names)
    except NotKept:
        return None


def arrays_of(prediction: Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Return arrays of a prediction, from predictions.npz or from what an archive kept of it.

    Parameters
    ----------
    prediction
        The prediction's folder, as :meth:`rxrx_lib.study.runs.Run.stored_prediction` gives it.
    names
        Of arrays, as :func:`rxrx_lib.evaluation.predictions.validate_predictions` lists them; all
        that are there by default.

    Raises
    ------
    NotKept
        If an array of these names is not there, or none is.
    ValueError
        If a file cannot be read.
    """
    whole = prediction / "predictions.npz"
    if whole.exists():
        arrays, lacks = read_npz(whole, names), "its predictions were made without"
    elif (prediction / REDUCED_FILE).exists():
        content = (prediction.parents[1] / SITES_FILE).read_bytes()
        try:
            arrays = answered_sites(_sites(content), read_npz(prediction / REDUCED_FILE))
        except (KeyError, IndexError, TypeError, OverflowError, *NO_NPZ) as error:
            raise ValueError(
                f"{prediction / REDUCED_FILE} and {SITES_FILE} do not belong together ({error}); "
                "move the run away and merge it again."
            ) from error
        lacks = "it was merged from an archive, which keeps answers and small derived files only"
    else:
        raise NotKept(
            f"{prediction} has neither predictions.npz nor {REDUCED_FILE}; expected one of them: "
            f"move {prediction.parents[1]} away and run it again (rxrx run)."
        )
    missing = sorted(set(names or ()) - arrays.keys())
    if missing:
        raise NotKept(
            f"{prediction} lacks {', '.join(missing)}, since {lacks}; execute the run in a store "
            "of your own (rxrx run) and predict there (rxrx predict)."
        )
    return arrays if names is None else {name: arrays[name] for name in names}


def read_npz(path: Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays of an npz file, those of some names or all; names that it lacks are left out."""
    try:
        with path.open("rb") as file:
            return _loaded(file, names)
    except NO_NPZ as error:
        raise ValueError(f"{path} is no npz file ({error}); move it away and run again.") from error


def _loaded(file: BinaryIO, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files if names is None or name in names}


@lru_cache(maxsize=64)
def _sites(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the sites that a file names, once for all runs that predicted the same ones."""
    sites = unpacked_sites(_loaded(BytesIO(content)))
    for column in sites.values():
        column.flags.writeable = False
    return sites
