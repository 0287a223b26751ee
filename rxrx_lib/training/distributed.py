"""One training on several processes, each with a device of its own.

A step's minibatch is made of groups, and normalisation is within groups: N processes that share the
groups compute what one computes, up to the order of adding. Gradients are averaged by
DistributedDataParallel, and what else has to agree is averaged here.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rxrx_lib.models.adabn import group_layers
from rxrx_lib.training.peers import ALONE, PeerLost, Peers, started_by_torchrun

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: one that predicts alone takes long on a real screen."""


@contextmanager
def joined(device: str) -> Iterator[tuple[Peers, str]]:
    """Join the processes that torchrun started, if it did; give this one's place and device.

    Parameters
    ----------
    device
        A torch device; of ``cuda``, each process of a machine takes the GPU of its number there.

    Raises
    ------
    ValueError
        If a machine has fewer GPUs than processes, or all are to take the same one.
    """
    if not started_by_torchrun():
        yield ALONE, device
        return
    own = _own_device(device, int(os.environ["LOCAL_RANK"]))
    if torch.device(own).type == "cuda":
        torch.cuda.set_device(own)
    # Objects travel by gloo, a GPU's tensors by NCCL.
    backend = "cpu:gloo,cuda:nccl" if torch.device(own).type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Peers(dist.get_rank(), dist.get_world_size()), own
    finally:
        dist.destroy_process_group()


def _own_device(device: str, local_rank: int) -> str:
    if torch.device(device).type != "cuda":
        return device
    if torch.device(device).index is not None:
        raise ValueError(
            f"device is {device!r}, one GPU for all processes; give cuda, of which each takes the "
            "one of its number."
        )
    if local_rank >= torch.cuda.device_count():
        raise ValueError(
            f"process {local_rank} of this machine finds {torch.cuda.device_count()} GPUs; "
            "start one process a GPU: --nproc-per-node gpu."
        )
    return f"cuda:{local_rank}"


def replicated(network: nn.Module, peers: Peers) -> nn.Module:
    """Return the network to be called in training: gradients are then the mean over processes.

    Its running statistics are each process's own until :func:`average_running_statistics`.
    """
    if peers.size == 1:
        return network
    with warnings.catch_warnings():
        # Its successor is not in all versions of torch that this code runs on.
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
        return nn.parallel.DistributedDataParallel(
            network, broadcast_buffers=False, gradient_as_bucket_view=True
        )


@contextmanager
def gradients_kept_back(network: nn.Module) -> Iterator[None]:
    """Let a backward pass add to the gradients without averaging: a later one does for both."""
    if isinstance(network, nn.parallel.DistributedDataParallel):
        with network.no_sync():
            yield
    else:
        yield


def mean(values: Tensor, peers: Peers) -> Tensor:
    """Return the mean of a tensor over the processes."""
    if peers.size == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / peers.size


def average_running_statistics(network: nn.Module, peers: Peers) -> None:
    """Replace running statistics by their mean over the processes.

    A step moves them by the mean over its groups, which is linear: the mean of what the processes
    have is what one process with all the groups would have.
    """
    if peers.size == 1:
        return
    with torch.no_grad():
        for layer in group_layers(network).values():
            for statistic in (layer.running_mean, layer.running_variance):
                statistic.copy_(mean(statistic, peers))


def gathered(content: Any, peers: Peers) -> Sequence[Any]:
    """Return what each process has, in the order of their ranks."""
    if peers.size == 1:
        return [content]
    found: list[Any] = [None] * peers.size
    dist.all_gather_object(found, content)
    return found


@contextmanager
def lost_peers_explained(peers: Peers) -> Iterator[None]:
    """Turn what torch raises when another process has gone into a sentence.

    Raises
    ------
    PeerLost
        In place of an error of gloo or NCCL.
    """
    try:
        yield
    except RuntimeError as error:
        broken = ("gloo", "NCCL", "Connection closed", "Connection reset", "Broken pipe")
        if peers.size == 1 or not any(word in str(error) for word in broken):
            raise
        raise PeerLost(
            f"process {peers.rank} of {peers.size} lost another one, which ended or broke down; "
            "the same command goes on from the last checkpoint. "
            f"({str(error).splitlines()[0]})"
        ) from error
