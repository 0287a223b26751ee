"""From a trained network to predictions, and to nothing that needs the network again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from rxrx_lib.data.splits import Split
from rxrx_lib.models.adabn import LayerStatistics, experiment_statistics, using_statistics
from rxrx_lib.models.exact_statistics import exact_experiment_statistics
from rxrx_lib.models.network import Network
from rxrx_lib.models.parts import Groups, part_statistics
from rxrx_lib.training.distributed import gathered
from rxrx_lib.training.fit import autocast
from rxrx_lib.training.hardware import memory_explained
from rxrx_lib.training.peers import ALONE, Peers
from rxrx_lib.training.pools import (
    Rows,
    equal_groups,
    pools,
    require_one_experiment,
    require_statistics,
    sites_in_order,
)
from rxrx_lib.training.sites import Sites

TOP = 10
"""Classes kept a site, best first."""
Reading = Callable[[Sequence[Rows]], Iterator[tuple[Rows, Tensor]]]
"""The rows of some steps to those rows and their standardised sites."""


def predict(
    network: Network,
    sites: Sites,
    table: pd.DataFrame,
    split: Split,
    *,
    classes: int,
    statistics: str,
    group_size: int,
    embeddings: bool = False,
    masked: Sequence[int] = (),
    adapts: str = "all",
    precision: str = "fp32",
    sites_a_pass: int = 256,
    peers: Peers = ALONE,
) -> dict[str, npt.NDArray[Any]]:
    """Predict the sites of a split, but its training sites, one experiment after another.

    Parameters
    ----------
    network
        Trained, its experiment head in the order of :func:`experiment_names`.
    sites, table
        The screen: standardised sites, and the metadata in the same row order.
    split
        Which rows are predicted: those of the test side, and of other held-out sides if it has any.
    classes
        Number of siRNA classes K.
    statistics
        What the network normalises by: one of :data:`rxrx_lib.training.pools.STATISTICS`. Each way
        but ``minibatch`` makes a prediction depend on the site's experiment, and neither on what
        is predicted with it nor on the order of the table's rows. None reads a siRNA.
    group_size
        Sites a group, where statistics are measured group by group.
    embeddings
        Whether to keep embeddings; then the training sites are forwarded as well.
    masked
        Channels, counted from 1, that are 0 in every standardised site: in those predicted, and in
        those that statistics are measured on.
    adapts
        Which part of the network is normalised so, one of
        :data:`rxrx_lib.models.architectures.PARTS`; the other one keeps to its running statistics.
    precision
        As in training.
    sites_a_pass
        Sites forwarded at once; changes memory and rounding, nothing else. Statistics are measured
        group by group.
    peers
        The processes that share the experiments; all return all predictions.

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
        If the split has no test site, a masked channel is none of the sites', and as
        :func:`rxrx_lib.training.pools.require_statistics`.

    Warns
    -----
    UserWarning
        If an experiment, or the part of it that statistics are measured on, is small.
    """
    if not len(split.test):
        raise ValueError("split has no test site; give the screen test experiments.")
    require_statistics(table, statistics)
    network.to(sites.device, sites.dtype).to(memory_format=sites.memory_format).eval()
    seen = _masking(sites, masked)
    sides = [rows for side, rows in split.sides.items() if embeddings or side != "train"]
    wanted, names = np.concatenate(sides), experiment_names(table)
    experiment_of = table["experiment"].to_numpy(dtype=str)
    asked = [name for name in names if name in set(experiment_of[wanted])]

    parts: list[dict[str, npt.NDArray[Any]]] = []
    for name in asked[peers.rank :: peers.size]:
        for pool in pools(table, name, wanted, statistics, group_size):
            require_one_experiment(pool, experiment_of)
            with (
                memory_explained(sites_a_pass),
                torch.inference_mode(),
                autocast(precision, sites.device),
                _normalised(network, adapts, seen, pool.members, statistics, group_size),
            ):
                cuts = range(0, len(pool.asked), sites_a_pass)
                passes = [pool.asked[at : at + sites_a_pass] for at in cuts]
                for rows, x in seen(passes):
                    parts.append({"row": rows, **_forward(network, x, embeddings)})
    parts = [part for process in gathered(parts, peers) for part in process]
    arrays = _in_order(parts, table, asked)
    row = arrays.pop("row")
    arrays["predicted_experiment"] = np.asarray(names)[arrays["predicted_experiment"]]
    known = {"classes": np.asarray(classes), "experiments": np.asarray(len(names))}
    return {**_described(table, split, row), **known, **arrays}


def experiment_names(table: pd.DataFrame) -> list[str]:
    """Return the screen's experiments in the order of the experiment head's outputs."""
    return sorted(table["experiment"].unique())


def _masking(sites: Sites, masked: Sequence[int]) -> Reading:
    """Return what reads sites with some channels set to 0."""
    lacking = [channel for channel in masked if channel not in sites.channels]
    if lacking:
        raise ValueError(
            f"masked channel {lacking[0]} is none of the channels "
            f"{', '.join(map(str, sites.channels))} that the sites have; mask some of these."
        )
    places = [sites.channels.index(channel) for channel in masked]

    def seen(steps: Sequence[Rows]) -> Iterator[tuple[Rows, Tensor]]:
        for rows, x in sites.minibatches(steps):
            x[:, places] = 0
            yield rows, x

    return seen


def _normalised(
    network: Network, adapts: str, seen: Reading, members: Rows, statistics: str, group_size: int
) -> AbstractContextManager[Any]:
    """Return a block in which what adapts of the network normalises by the members' statistics."""
    if statistics == "training":
        return nullcontext()

    def groups() -> Iterator[Tensor]:
        return (x for _, x in seen(equal_groups(members, group_size)))

    measure = exact_experiment_statistics if statistics == "experiment_exact" else _in_one_pass
    return using_statistics(network, part_statistics(network, adapts, groups, measure))


def _in_one_pass(module: nn.Module, groups: Groups) -> dict[str, LayerStatistics]:
    return experiment_statistics(module, groups())


def _in_order(
    parts: list[dict[str, npt.NDArray[Any]]], table: pd.DataFrame, experiments: list[str]
) -> dict[str, npt.NDArray[Any]]:
    """Join parts, and put experiments in order, and in them sites by name."""
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    whole = np.concatenate([sites_in_order(table, name) for name in experiments])
    place = np.empty(len(table), np.int64)
    place[whole] = np.arange(len(whole))
    order = np.argsort(place[arrays["row"]])
    return {key: values[order] for key, values in arrays.items()}


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
