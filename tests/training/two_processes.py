"""What each of torchrun's processes does in test_distributed: train, and keep what came out.

torchrun --nproc-per-node 2 -m tests.training.two_processes FOLDER
"""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rxrx_lib.data.loader import of_rank, one_experiment_groups, shuffled
from rxrx_lib.data.splits import stratified
from rxrx_lib.training.augment import Key
from rxrx_lib.training.distributed import average_running_statistics, joined, mean, replicated
from rxrx_lib.training.fit import Plan, augmented, backward, classes_of
from rxrx_lib.training.peers import ALONE, Peers
from rxrx_lib.training.predict import predict
from rxrx_lib.training.progress import LossNotFinite
from rxrx_lib.training.sites import Sites
from tests.data.screens import screen_table
from tests.training.tiny import (
    CLASSES,
    CPU,
    EXPERIMENTS,
    SITES,
    TARGETS,
    network,
    noise,
    recipe,
    statistics_of_noise,
    train,
)

STEPS = 50
GROUPS = 4
FIFTY_STEPS = recipe(groups=GROUPS, epochs=STEPS, warmup_epochs=5, precision="fp64")
ONE_STEP = recipe(groups=GROUPS)
METHODS = {"baseline": False, "adabn": True}
TABLE = screen_table(plates=2, treatments=2).assign(sirna_id=lambda t: t["sirna_id"] % CLASSES)


def plan_of(grouped: bool) -> Plan:
    """Plan one step an epoch; with ``grouped`` each group holds one experiment."""

    def plan(epoch: int) -> npt.NDArray[np.int64]:
        rows, shape = np.arange(SITES), {"groups": GROUPS, "group_size": 4, "seed": 0}
        if grouped:
            names = np.array([f"E{i % EXPERIMENTS}" for i in range(SITES)])
            return one_experiment_groups(rows, names, epoch=epoch, **shape)
        return shuffled(rows, epoch=epoch, **shape)

    return plan


def fifty_steps(grouped: bool, peers: Peers) -> dict[str, Any]:
    """Train in float64, with every augmentation, a reversed gradient and all."""
    net = network(reverses=True)
    # Two processes pass their groups one by one, as well.
    hardware = dataclasses.replace(CPU, groups_at_once=0 if peers.size == 1 else 1)
    plan = plan_of(grouped)
    history = train(net, plan_of=plan, settings=FIFTY_STEPS, peers=peers, hardware=hardware)
    return {"state": net.state_dict(), "losses": [record[2:4] for record in history]}


def first_step(grouped: bool, peers: Peers) -> dict[str, Any]:
    """Return the loss and the gradients of the first step, in float32."""
    net = network(reverses=True).train()
    model = replicated(net, peers)
    rows = of_rank(plan_of(grouped)(0), peers.rank, peers.size)
    ((rows, x),) = Sites(noise(), None, CPU).minibatches(rows)
    x, mix = augmented(x, None, ONE_STEP, Key(5, 0, 0), peers)
    classes = classes_of(TARGETS, rows, x.device)
    losses = backward(model, x, classes, mix, ONE_STEP, reversal=0.5, passes=1)
    average_running_statistics(net, peers)
    return {
        "losses": mean(losses.mean(1), peers),
        "gradients": {name: p.grad for name, p in net.named_parameters()},
        "buffers": dict(net.named_buffers()),
    }


def sites_of_nan(peers: Peers) -> list[int]:
    """Return the rows that are named where a loss is nan, in whatever process they are."""
    statistics = statistics_of_noise()
    statistics.mean[int(plan_of(False)(0)[0, GROUPS - 1, 0])] = math.nan
    try:
        train(network(), plan_of=plan_of(False), settings=ONE_STEP, by=statistics, peers=peers)
    except LossNotFinite as error:
        return sorted(error.rows.tolist())
    return []


def predicted(peers: Peers) -> dict[str, Any]:
    """Predict a small screen, its experiments shared among the processes."""
    net: nn.Module = network()
    sites = Sites(noise(len(TABLE)), None, CPU)
    settings = {"statistics": "experiment", "group_size": 4, "embeddings": True}
    found = predict(net, sites, TABLE, stratified(TABLE), classes=CLASSES, peers=peers, **settings)
    return {name: values.tolist() for name, values in found.items()}


def outcomes(peers: Peers = ALONE) -> dict[str, Any]:
    """Return everything that one process and two are to agree on."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {"predicted": predicted(peers), "nan": sites_of_nan(peers)}
    for name, grouped in METHODS.items():
        found[f"{name} fifty steps"] = fifty_steps(grouped, peers)
        found[f"{name} first step"] = first_step(grouped, peers)
    return found


if __name__ == "__main__":
    with joined("cpu") as (here, _):
        torch.save(outcomes(here), Path(sys.argv[1]) / f"{here.rank}.pt")
