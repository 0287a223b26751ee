"""From a trained network to predictions, and to nothing that needs the network again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from rxrx_lib.data.images import Images
from rxrx_lib.data.loader import minibatches
from rxrx_lib.data.normalization import Statistics
from rxrx_lib.data.splits import Split
from rxrx_lib.models.adabn import experiment_statistics, using_statistics
from rxrx_lib.models.exact_statistics import exact_experiment_statistics
from rxrx_lib.models.network import Network
from rxrx_lib.training.augment import standardise
from rxrx_lib.training.fit import autocast

STATISTICS = ("training", "experiment", "experiment_exact")
TOP = 10
"""Classes kept a site, best first."""


def predict(
    network: Network,
    images: Images,
    table: pd.DataFrame,
    split: Split,
    *,
    classes: int,
    statistics: str,
    group_size: int,
    pixel_statistics: Statistics | None = None,
    embeddings: bool = False,
    precision: str = "fp32",
    device: str = "cpu",
    sites_a_pass: int = 256,
    workers: int = 0,
) -> dict[str, npt.NDArray[Any]]:
    """Predict the sites of a split, but its training sites, one experiment after another.

    Parameters
    ----------
    network
        Trained, its experiment head in the order of :func:`experiment_names`.
    images, table
        The screen: pixels, and the metadata in the same row order.
    split
        Which rows are predicted: those of the test side, and of other held-out sides if it has any.
    classes
        Number of siRNA classes K.
    statistics
        ``training``: the running statistics. ``experiment``: those of the whole experiment, all
        its sites whichever side of the split they are on, without labels, in the order of
        ``site_id`` in equal groups of about ``group_size``. So a prediction depends on the site's
        experiment, not on what is predicted with it nor on the order of the table's rows.
        ``experiment_exact``: the same from one pass a layer, and so independent of the groups.
    group_size
        Sites a group for the two ways by experiment.
    pixel_statistics
        By which each site of the screen is standardised, as in training.
    embeddings
        Whether to keep embeddings; then the training sites are forwarded as well.
    precision, device
        As in training.
    sites_a_pass
        Sites forwarded at once; changes memory and rounding, nothing else.
    workers
        Threads that read ahead; with 0 sites are read when they are needed.

    Returns
    -------
    dict of str to array
        The content of predictions.npz, N sites: ``site_id``, ``well_id``, ``plate``,
        ``experiment``, ``cell_type``, ``well_type``, ``sirna_id``, ``side`` (of the split),
        ``predicted_experiment`` (N,), ``top_sirna_id`` and ``top_logit`` (N, k), best first,
        ``embedding`` (N, D) where asked, and the scalars ``split``, ``unit``, ``classes``,
        ``experiments`` (how many the head can name) and ``whole_wells`` (whether every test well
        has all its sites on the test side). Experiments in order, and in them sites by name.

    Raises
    ------
    ValueError
        If the split has no test site, and as :func:`require_statistics`.
    """
    require_statistics(table, statistics)
    if not len(split.test):
        raise ValueError("split has no test site; give the screen test experiments.")
    network.to(device).to(memory_format=torch.channels_last)
    network.eval()
    sides = [rows for side, rows in split.sides.items() if embeddings or side != "train"]
    wanted = np.concatenate(sides)
    names = experiment_names(table)
    parts: list[dict[str, npt.NDArray[Any]]] = []

    def standardised(groups: list[npt.NDArray[np.int64]]) -> Iterator[Tensor]:
        pinned = torch.device(device).type == "cuda"
        with closing(minibatches(images, groups, workers=workers, pinned=pinned)) as reading:
            for rows, pixels in reading:
                by = pixel_statistics and pixel_statistics.of(rows)
                yield standardise(pixels.to(device), by)

    for name in names:
        whole = sites_in_order(table, name)
        asked = whole[np.isin(whole, wanted)]
        if not len(asked):
            continue
        with (
            torch.inference_mode(),
            autocast(precision, device),
            _normalised(network, standardised, whole, statistics, group_size),
        ):
            passes = [asked[at : at + sites_a_pass] for at in range(0, len(asked), sites_a_pass)]
            for some, sites in zip(passes, standardised(passes), strict=True):
                parts.append({"row": some, **_forward(network, sites, embeddings)})
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    row = arrays.pop("row")
    arrays["predicted_experiment"] = np.asarray(names)[arrays["predicted_experiment"]]
    known = {"classes": np.asarray(classes), "experiments": np.asarray(len(names))}
    return {**_described(table, split, row), **known, **arrays}


def require_statistics(table: pd.DataFrame, statistics: str) -> None:
    """Make sure, before hours of training, that its network can predict in this way.

    Raises
    ------
    ValueError
        If ``statistics`` is not known, or is by experiment and an experiment of the table has one
        site only, whose variance says nothing.
    """
    if statistics not in STATISTICS:
        raise ValueError(f"statistics is {statistics!r}; choose one of {', '.join(STATISTICS)}.")
    sites = table["experiment"].value_counts().sort_index()
    single = sites.index[sites == 1]
    if statistics != "training" and len(single):
        raise ValueError(
            f"experiment {single[0]} has 1 site; statistics by experiment need at least 2, so "
            "leave the experiment out of metadata.csv or choose a method with statistics training."
        )


def experiment_names(table: pd.DataFrame) -> list[str]:
    """Return the screen's experiments in the order of the experiment head's outputs."""
    return sorted(table["experiment"].unique())


def sites_in_order(table: pd.DataFrame, experiment: str) -> npt.NDArray[np.int64]:
    """Return the row positions of an experiment's sites, in the order of their names."""
    rows = np.flatnonzero((table["experiment"] == experiment).to_numpy())
    return rows[np.argsort(table["site_id"].to_numpy(dtype=str)[rows])]


def equal_groups(rows: npt.NDArray[np.int64], group_size: int) -> list[npt.NDArray[np.int64]]:
    """Cut rows, in order, into groups of about ``group_size`` that differ by one site at most.

    Of two or more rows no group holds a single one, which the neck could not normalise.
    """
    groups = min(round(len(rows) / group_size), len(rows) // 2)
    return np.array_split(rows, max(1, groups))


def _normalised(
    network: Network,
    standardised: Callable[[list[npt.NDArray[np.int64]]], Iterator[Tensor]],
    whole: npt.NDArray[np.int64],
    statistics: str,
    group_size: int,
) -> AbstractContextManager[Any]:
    if statistics == "training":
        return nullcontext()

    def groups() -> Iterator[Tensor]:
        return standardised(equal_groups(whole, group_size))

    if statistics == "experiment_exact":
        return using_statistics(network, exact_experiment_statistics(network, groups))
    return using_statistics(network, experiment_statistics(network, groups()))


def _forward(network: Network, sites: Tensor, embeddings: bool) -> dict[str, npt.NDArray[Any]]:
    outputs = network(sites)
    logits = outputs.sirna.float()
    top = logits.topk(min(TOP, logits.shape[1]))
    found = {
        "top_sirna_id": top.indices.to(torch.int16),
        "top_logit": top.values,
        "predicted_experiment": outputs.experiment.argmax(1),
    }
    if embeddings:
        found["embedding"] = outputs.embedding.float()
    return {key: value.cpu().numpy() for key, value in found.items()}


def _described(
    table: pd.DataFrame, split: Split, row: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[Any]]:
    """Return who the predicted sites are, so that metrics need no other file."""
    there = table.iloc[row]
    of_test_wells = table["well_id"].isin(table["well_id"].iloc[split.test])
    words = ("site_id", "well_id", "experiment", "cell_type", "well_type")
    side_of = {each: side for side, rows in split.sides.items() for each in rows.tolist()}
    return {
        "split": np.asarray(split.name),
        "unit": np.asarray(split.unit),
        "whole_wells": np.asarray(int(of_test_wells.sum()) == len(split.test)),
        **{word: there[word].to_numpy(dtype=str) for word in words},
        "plate": there["plate"].to_numpy(dtype=np.int64),
        "sirna_id": there["sirna_id"].to_numpy(dtype=np.int64),
        "side": np.array([side_of[each] for each in row.tolist()]),
    }
