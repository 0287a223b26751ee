"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rxrx_lib.data.images import Images
from rxrx_lib.data.loader import minibatches
from rxrx_lib.data.normalization import Statistics
from rxrx_lib.models.gradient_reversal import ganin_schedule
from rxrx_lib.models.network import Network, Outputs
from rxrx_lib.training import checkpoint
from rxrx_lib.training.attempts import Attempts
from rxrx_lib.training.augment import Mix, augment, mixed_cross_entropy, standardise
from rxrx_lib.training.recipe import Recipe, learning_rate

Plan = Callable[[int], npt.NDArray[np.int64]]
"""Epoch to row positions, (steps, groups, group_size); every epoch has as many steps."""


class Targets(NamedTuple):
    """What each row of the metadata table is to be classified as, both (N,) int64."""

    sirna: npt.NDArray[np.int64]
    experiment: npt.NDArray[np.int64]


class EpochRecord(NamedTuple):
    """One line of the training history: means over the epoch's steps."""

    epoch: int
    learning_rate: float
    sirna_loss: float
    experiment_loss: float


def fit(
    network: Network,
    images: Images,
    plan: Plan,
    targets: Targets,
    recipe: Recipe,
    *,
    seed: int,
    pixel_statistics: Statistics | None = None,
    device: str = "cpu",
    workers: int = 0,
    checkpoint_path: Path | None = None,
    attempts: Attempts | None = None,
) -> list[EpochRecord]:
    """Train ``network`` in place, going on from a checkpoint if there is one.

    Parameters
    ----------
    network
        Freshly built, with ``recipe.group_size`` sites a group.
    images
        Where the sites are read from.
    plan
        The minibatches of an epoch.
    targets
        Classes by row position.
    recipe
        Everything that changes the weights.
    seed
        Key of the augmentation's draws.
    pixel_statistics
        By which each site of the screen is standardised, (N, C); None for each by its own.
    device
        A torch device.
    workers
        Threads that read ahead; with 0 a minibatch is read when it is needed.
    checkpoint_path
        Written after each epoch. A training that was killed and goes on from here ends in the
        same bits as one that was not, on the same CPU type, build and number of threads. On a GPU
        nobody has tried.
    attempts
        Kept in the checkpoint; what an earlier one holds is added to it.

    Returns
    -------
    list of EpochRecord
        The whole history, epochs before a resumption included.
    """
    network.to(device).to(memory_format=torch.channels_last)
    network.train()
    sirna = torch.from_numpy(targets.sirna).to(device)
    experiment = torch.from_numpy(targets.experiment).to(device)
    optimizer = build_optimizer(network, recipe)
    steps, pinned = len(plan(0)), torch.device(device).type == "cuda"
    first_epoch, history = _resume(checkpoint_path, network, optimizer, attempts)

    for epoch in range(first_epoch, recipe.epochs):
        losses = []
        reading = minibatches(images, plan(epoch), workers=workers, pinned=pinned)
        with contextlib.closing(reading):
            for step, (rows, pixels) in enumerate(reading):
                done = epoch * steps + step
                set_learning_rate(optimizer, recipe, done, steps)
                sites, mix = augment(
                    standardise(pixels.to(device), pixel_statistics and pixel_statistics.of(rows)),
                    seed=seed,
                    epoch=epoch,
                    step=step,
                    group_size=recipe.group_size,
                    flips=recipe.flips,
                    cutmix=recipe.cutmix,
                )
                progress = done / (recipe.epochs * steps)
                with autocast(recipe.precision, device):
                    outputs = network(sites, recipe.reversal_coefficient * ganin_schedule(progress))
                at = torch.from_numpy(rows).to(device)
                both = head_losses(outputs, sirna[at], experiment[at], mix)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(both.sum())
                optimizer.step()
                losses.append(both.detach())
        means = torch.stack(losses).double().mean(0).tolist()
        history.append(EpochRecord(epoch, optimizer.param_groups[0]["lr"], *means))
        _save(checkpoint_path, network, optimizer, history, attempts)
    return history


def head_losses(outputs: Outputs, sirna: Tensor, experiment: Tensor, mix: Mix) -> Tensor:
    """Return the siRNA head's and the experiment head's mixed cross-entropy, (2,) float32."""
    return torch.stack(
        [
            mixed_cross_entropy(outputs.sirna.float(), sirna, mix),
            mixed_cross_entropy(outputs.experiment.float(), experiment, mix),
        ]
    )


def build_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD with momentum; weight decay on weights of two or more axes only."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    return torch.optim.SGD(
        [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": free, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
    )


def set_learning_rate(
    optimizer: torch.optim.Optimizer, recipe: Recipe, done: int, steps: int
) -> None:
    """Set the rate for the step after ``done`` steps, of ``steps`` an epoch."""
    rate = learning_rate(
        done,
        steps=recipe.epochs * steps,
        warmup_steps=recipe.warmup_epochs * steps,
        peak=recipe.learning_rate,
    )
    for group in optimizer.param_groups:
        group["lr"] = rate


@contextlib.contextmanager
def autocast(precision: str, device: str) -> Iterator[None]:
    """Run the forward pass in ``bf16`` where asked; ``fp32`` leaves it as it is."""
    with torch.autocast(
        torch.device(device).type, dtype=torch.bfloat16, enabled=precision == "bf16"
    ):
        yield


def _save(
    path: Path | None,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: list[EpochRecord],
    attempts: Attempts | None,
) -> None:
    if path is not None:
        state: dict[str, Any] = {
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "history": [tuple(record) for record in history],
            "attempts": attempts.so_far() if attempts is not None else [],
        }
        checkpoint.save(path, state)


def _resume(
    path: Path | None,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    attempts: Attempts | None,
) -> tuple[int, list[EpochRecord]]:
    """Return the first epoch to run, and the history so far."""
    state = None if path is None else checkpoint.load(path)
    if state is None:
        return 0, []
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    if attempts is not None:
        attempts.earlier = state.get("attempts", [])  # checkpoints of 0.1.0 may have none
    history = [EpochRecord(*record) for record in state["history"]]
    return len(history), history
