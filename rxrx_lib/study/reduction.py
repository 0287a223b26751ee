"""Predictions without logits and embeddings: small enough to be mailed, enough to recount answers.

    sites.npz                        one a run: who the predicted sites are, and their classes
    predictions/<hash>/reduced.npz   one a PredictSpec: which of the sites, and what was answered

Repeated texts become numbers that point into a list of names; a class is written as its difference
from the site before, and an answer as its difference from the true class, both of which are mostly
zero where a well has several sites and most answers are right: zeros take no room once compressed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.evaluation.predictions import SCALARS, Arrays

SITES_FILE, REDUCED_FILE = "sites.npz", "reduced.npz"
CODED = ("experiment", "cell_type", "well_type", "side")
PLAIN = ("site_id", "well_id", "plate", "sirna_id", *CODED)


def packed_sites(predictions: Sequence[Arrays]) -> dict[str, NDArray[Any]]:
    """Return who the sites of a run's predictions are, as sites.npz keeps them.

    Parameters
    ----------
    predictions
        Arrays of predictions.npz, one or more ways of predicting with the same run.

    Returns
    -------
    dict of str to array
        Every predicted site once, by experiment and in it by name.

    Raises
    ------
    ValueError
        If two of them contradict each other on a site, or a site is not named after its
        experiment, plate and well.
    """
    joined = {name: np.concatenate([each[name] for each in predictions]) for name in PLAIN}
    order = np.lexsort((joined["site_id"], joined["experiment"]))
    joined = {name: column[order] for name, column in joined.items()}
    again = joined["site_id"][1:] == joined["site_id"][:-1]
    for name, column in joined.items():
        if (again & (column[1:] != column[:-1])).any():
            raise ValueError(f"{name} of one site differs between two predictions of a run.")
    once = np.concatenate(([True], ~again))
    sites = {name: column[once] for name, column in joined.items()}
    packed: dict[str, NDArray[Any]] = {name: predictions[0][name] for name in SCALARS}
    ends = {"well": _last_part(sites["well_id"]), "site": _last_part(sites["site_id"])}
    for name, column in ({each: sites[each] for each in CODED} | ends).items():
        packed |= _coded(name, column)
    packed["plate"] = _smallest(sites["plate"])
    packed["sirna_step"] = np.diff(sites["sirna_id"].astype(np.uint32), prepend=np.uint32(0))
    if (unpacked_sites(packed)["site_id"] != sites["site_id"]).any():
        raise ValueError("site_id is not experiment_plate_well_site; expected the release's names.")
    return packed


def unpacked_sites(packed: Arrays) -> dict[str, NDArray[Any]]:
    """Return the columns that :func:`packed_sites` took in."""
    columns = {name: packed[f"{name}_names"][packed[name]] for name in (*CODED, "well", "site")}
    plate = packed["plate"].astype(np.int64)
    parts = columns["experiment"], plate.astype(str), columns.pop("well")
    columns["well_id"] = _joined(*parts)
    columns["site_id"] = _joined(columns["well_id"], columns.pop("site"))
    sirna = np.cumsum(packed["sirna_step"], dtype=np.uint32).astype(np.int64)
    return {name: packed[name] for name in SCALARS} | columns | {"plate": plate, "sirna_id": sirna}


def packed_answers(predictions: Arrays, packed: Arrays) -> dict[str, NDArray[Any]]:
    """Return what was answered, as reduced.npz keeps it.

    Parameters
    ----------
    predictions
        Arrays of one predictions.npz.
    packed
        As :func:`packed_sites` gave it for this one and others of the run.
    """
    sites = unpacked_sites(packed)
    place = {name: row for row, name in enumerate(sites["site_id"].tolist())}
    rows = np.array([place[name] for name in predictions["site_id"].tolist()], dtype=np.int64)
    order = np.argsort(rows)
    there = np.zeros(len(place), dtype=bool)
    there[rows] = True
    shift = predictions["top_sirna_id"][:, 0].astype(np.int64) - predictions["sirna_id"]
    answers = {
        "rows": np.packbits(there),
        "sirna_shift": _smallest(shift[order] % int(packed["classes"])),
    }
    if str(packed["split"]) == "stratified":  # elsewhere the head cannot name the test experiments
        tested = predictions["side"][order] == "test"
        named = predictions["predicted_experiment"][order][tested]
        answers |= _coded("predicted_experiment", named)
    return answers


def restored(packed: Arrays, answers: Arrays) -> dict[str, NDArray[Any]]:
    """Return the arrays of predictions.npz that are kept.

    Returns
    -------
    dict of str to array
        Without ``embedding`` and ``top_logit``; ``top_sirna_id`` (N, 1), the best class alone;
        ``predicted_experiment`` is empty but on the test side of a stratified split. Rows by
        experiment and in it by name of the site.
    """
    return answered_sites(unpacked_sites(packed), answers)


def answered_sites(sites: Arrays, answers: Arrays) -> dict[str, NDArray[Any]]:
    """Return what :func:`restored` does, from sites that are unpacked already."""
    there = np.unpackbits(answers["rows"], count=sites["site_id"].size).astype(bool)
    arrays = {name: sites[name][there] for name in PLAIN} | {name: sites[name] for name in SCALARS}
    predicted = (arrays["sirna_id"] + answers["sirna_shift"]) % int(sites["classes"])
    arrays["top_sirna_id"] = predicted.astype(np.int16)[:, None]
    named = np.full(predicted.shape, "", dtype=arrays["experiment"].dtype)
    if "predicted_experiment" in answers:
        names = answers["predicted_experiment_names"][answers["predicted_experiment"]]
        named = named.astype(names.dtype)
        named[arrays["side"] == "test"] = names
    return arrays | {"predicted_experiment": named}


def _coded(name: str, column: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
    """Return a column of repeated texts as places in the list of its names."""
    names, codes = np.unique(column, return_inverse=True)
    return {name: _smallest(codes), f"{name}_names": names}


def _smallest(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers >= 0 in as few bytes as the largest needs."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def _last_part(names: NDArray[Any]) -> NDArray[Any]:
    return np.array([name.rpartition("_")[2] for name in names.tolist()])


def _joined(*columns: NDArray[Any]) -> NDArray[Any]:
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return np.array(["_".join(row) for row in rows])
