"""The training loop, to be read from top to bottom.

Legend: B sites of a minibatch, which is G groups of S sites; N sites of the screen.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rxrx_lib.data.loader import of_rank
from rxrx_lib.data.randomness import number
from rxrx_lib.models.adabn import part_of_a_step
from rxrx_lib.models.gradient_reversal import ganin_schedule
from rxrx_lib.models.network import Network, Outputs, Penalty
from rxrx_lib.training import distributed
from rxrx_lib.training.attempts import Attempts
from rxrx_lib.training.augment import Key, Mix, augment, mixed_cross_entropy
from rxrx_lib.training.hardware import Hardware, memory_explained, passes_of_a_step, peak_memory
from rxrx_lib.training.optimizer import build_optimizer, set_learning_rate
from rxrx_lib.training.peers import ALONE, Peers
from rxrx_lib.training.progress import EpochRecord, LossNotFinite, Saver
from rxrx_lib.training.recipe import Recipe
from rxrx_lib.training.sites import Sites

Plan = Callable[[int], npt.NDArray[np.int64]]
"""Epoch to row positions, (steps, G, S), of all processes; every epoch has as many steps."""


class Targets(NamedTuple):
    """What each row of the metadata table is to be classified as, both (N,) int64."""

    sirna: npt.NDArray[np.int64]
    experiment: npt.NDArray[np.int64]


def fit(
    network: Network,
    sites: Sites,
    plan: Plan,
    targets: Targets,
    recipe: Recipe,
    *,
    seed: int,
    hardware: Hardware,
    peers: Peers = ALONE,
    penalty: Penalty | None = None,
    evaluate: Callable[[int], float] = lambda epoch: math.nan,
    checkpoint_path: Path | None = None,
    attempts: Attempts | None = None,
) -> list[EpochRecord]:
    """Train ``network`` in place, going on from a checkpoint if there is one.

    Parameters
    ----------
    network
        Freshly built, with ``recipe.group_size`` sites a group.
    sites
        The screen's sites, on the device where the network is to be trained.
    plan
        The minibatches of an epoch.
    targets
        Classes by row position.
    recipe
        Everything that changes the weights.
    seed
        Key of the augmentation's draws.
    hardware
        What changes the weights by rounding at most.
    peers
        The processes that share each minibatch; a process takes its groups of every step.
    penalty
        A further loss; see :func:`backward`. The history holds the heads' losses alone.
    evaluate
        Called in every process after each epoch, with its number; returns the test accuracy for
        the history, or nan. It leaves the weights as they are.
    checkpoint_path
        A training that was killed and goes on from here ends in the same bits as one that was not,
        on one process, the same CPU type, build and number of threads.
    attempts
        Kept in the checkpoint; what an earlier one holds is added to it.

    Returns
    -------
    list of EpochRecord
        The whole history, epochs before a resumption included.

    Raises
    ------
    NotFinite
        If a loss or a weight is infinite or nan: before the step that would have spoilt the
        weights. The last checkpoint stays.
    OutOfMemory, PeerLost
        If the memory runs out, or another process has ended.
    ValueError
        If a minibatch's groups cannot be shared evenly among the processes or passes.
    """
    network.to(sites.device, sites.dtype).to(memory_format=sites.memory_format).train()
    optimizer = build_optimizer(network, recipe, fused=hardware.fused)
    pause = hardware.checkpoint_seconds
    saver = Saver(checkpoint_path, network, optimizer, peers, attempts, least_seconds=pause)
    now, steps = saver.resume(), len(of_rank(plan(0), peers.rank, peers.size))
    passes = passes_of_a_step(recipe.groups // peers.size, hardware.groups_at_once)
    model = distributed.replicated(network, peers)

    with surroundings(sites.device, peers, recipe.minibatch // peers.size // passes):
        while now.epoch < recipe.epochs:
            started = time.monotonic()
            groups = of_rank(plan(now.epoch), peers.rank, peers.size)
            with contextlib.closing(sites.where(groups[now.step :])) as reading:
                for rows, known, at in reading:
                    done = now.epoch * steps + now.step
                    set_learning_rate(optimizer, recipe, done, steps)
                    reversal = reversal_strength(recipe, done / (recipe.epochs * steps))
                    key = Key(seed, now.epoch, now.step)
                    seed_network(key, peers, sites.device)
                    x, mix = augmented(known, at, recipe, key, peers)
                    classes = classes_of(targets, rows, sites.device)
                    optimizer.zero_grad(set_to_none=True)
                    losses = backward(model, x, classes, mix, recipe, reversal, passes, penalty)
                    means = distributed.mean(losses.mean(1), peers).tolist()
                    require_finite(means, losses, rows, key, peers)
                    optimizer.step()
                    now.losses.append(means)
                    now.step += 1
                    saver.when_due(now)
            distributed.average_running_statistics(network, peers)
            rate, seconds = optimizer.param_groups[0]["lr"], time.monotonic() - started
            accuracy, peak = evaluate(now.epoch), peak_memory(str(sites.device))
            now.end_epoch(learning_rate=rate, accuracy=accuracy, seconds=seconds, peak_memory=peak)
            network.train()
        saver.save(now)
    return now.history


def backward(
    model: nn.Module,
    x: Tensor,
    classes: tuple[Tensor, Tensor],
    mix: Mix,
    recipe: Recipe,
    reversal: float,
    passes: int,
    penalty: Penalty | None = None,
) -> Tensor:
    """Add the gradient of the minibatch's mean loss to the weights'.

    Parameters
    ----------
    model
        The network, or what averages its gradients over processes.
    x
        Augmented sites (B, C, H, W).
    classes, mix
        siRNAs and experiments of the sites, (B,) each, and how they were mixed.
    recipe
        The heads' weights and the arithmetic.
    reversal
        Coefficient of the reversed gradient, >= 0.
    passes
        In so many parts of whole groups the sites go through the network. As groups are normalised
        each for itself, the gradient is the same up to the order of adding.
    penalty
        Added to the heads' loss, as it is. It is asked once a pass, in every process, for the
        groups of that part alone, and the mean over parts counts: what it compares across groups
        then depends on how the minibatch is shared.

    Returns
    -------
    Tensor
        The two heads' losses of each site, before the heads are weighted, (2, B); nan where the
        penalty is no number.
    """
    losses, size = [], len(x) // passes
    for part in range(passes):
        here, last = slice(part * size, (part + 1) * size), part == passes - 1
        with (
            part_of_a_step(model, part, passes),
            contextlib.nullcontext() if last else distributed.gradients_kept_back(model),
        ):
            with autocast(recipe.precision, x.device):
                outputs = model(x[here], reversal)
            both = head_losses(outputs, classes, mix, here)
            weighted = both[0].mean() + recipe.experiment_loss_weight * both[1].mean()
            if penalty is not None:
                full = Outputs._make(each.to(both.dtype) for each in outputs)  # bf16 is too coarse
                sirna, experiment = (each[here] for each in classes)
                further = penalty(full, sirna, experiment, recipe.group_size)
                weighted = weighted + further
                both = both + 0 * further.detach()  # nan says that the step must not be taken
            torch.autograd.backward(weighted / passes)
        losses.append(both.detach())
    return torch.cat(losses, dim=1)


def head_losses(outputs: Outputs, classes: tuple[Tensor, Tensor], mix: Mix, here: slice) -> Tensor:
    """Return each site's mixed cross-entropies, of the siRNA and of the experiment head, (2, B).

    The outputs are those of a part ``here`` of the minibatch, (B, K) and (B, E).
    """
    heads = zip((outputs.sirna, outputs.experiment), classes, strict=True)
    return torch.stack([mixed_cross_entropy(logits, known, mix, here) for logits, known in heads])


def augmented(
    known: Tensor, at: Tensor | None, recipe: Recipe, key: Key, peers: Peers
) -> tuple[Tensor, Mix]:
    """Augment this process's groups of a step, each by draws of its own."""
    groups = recipe.groups // peers.size
    return augment(
        known,
        at,
        key=key,
        group_size=recipe.group_size,
        first_group=peers.rank * groups,
        flips=recipe.flips,
        mixing=recipe.mixing,
        alpha=recipe.mixing_alpha,
    )


def classes_of(
    targets: Targets, rows: npt.NDArray[np.int64], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the siRNAs and the experiments of some rows, (B,) each."""
    sirna, experiment = (torch.from_numpy(each[rows]).to(device) for each in targets)
    return sirna, experiment


def reversal_strength(recipe: Recipe, progress: float) -> float:
    """Return the reversed gradient's coefficient after a share of the training, 0 to 1."""
    faded_in = ganin_schedule(progress) if recipe.reversal_schedule == "ganin" else 1.0
    return recipe.reversal_coefficient * faded_in


def require_finite(
    means: list[float], losses: Tensor, rows: npt.NDArray[np.int64], key: Key, peers: Peers
) -> None:
    """Make sure, before the optimizer's step, that its losses are numbers.

    Raises
    ------
    LossNotFinite
        If they are not, in every process, with all rows where they are not.
    """
    if all(map(math.isfinite, means)):
        return
    here = rows[~losses.isfinite().all(0).cpu().numpy()]
    raise LossNotFinite(
        f"the loss is {sum(means)} at epoch {key.epoch}, step {key.step} (both counted from 0); "
        "take a lower learning_rate or a longer warm-up, and look at the sites.",
        np.concatenate(distributed.gathered(here, peers)),
    )


@contextlib.contextmanager
def autocast(precision: str, device: torch.device) -> Iterator[None]:
    """Run the forward pass in ``bf16`` where asked; others leave it as it is."""
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        yield


@contextlib.contextmanager
def surroundings(device: torch.device, peers: Peers, sites_at_once: int) -> Iterator[None]:
    """Leave torch's global random numbers alone, and explain what is nobody's bug."""
    devices = [device] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices=devices),
        distributed.lost_peers_explained(peers),
        memory_explained(sites_at_once),
    ):
        yield


def seed_network(key: Key, peers: Peers, device: torch.device) -> None:
    """Seed what a network draws itself, such as dropout, in a process's step."""
    seed = number("network", *key, peers.rank)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
