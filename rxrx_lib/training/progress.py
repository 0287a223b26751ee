"""How far a training has come, and its checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rxrx_lib.training import checkpoint
from rxrx_lib.training.attempts import Attempts
from rxrx_lib.training.distributed import average_running_statistics, gathered
from rxrx_lib.training.peers import Peers


class EpochRecord(NamedTuple):
    """One line of the training history, for the paper's figure 10."""

    epoch: int
    """Counted from 0."""
    learning_rate: float
    """Of its last step."""
    sirna_loss: float
    """Cross-entropy of the siRNA head in nats, mean over the epoch's steps; lower is better."""
    experiment_loss: float
    """The same of the experiment head."""
    test_accuracy: float
    """Percent, measured after the epoch; nan where it was not."""
    seconds: float
    """From the epoch's first step to its last; of the last try, where one was killed."""
    peak_memory: int
    """Most bytes that the process, or on a GPU its tensors, had taken until then."""


@dataclass
class Progress:
    """All that a training needs beside weights and optimizer to go on to the same bits.

    Random draws and learning rates are functions of epoch and step, so neither has a state; nor
    is there a gradient scaler, which bf16 does not need.
    """

    epoch: int = 0
    step: int = 0
    """Of the epoch: the next one."""
    losses: list[list[float]] = field(default_factory=list)
    """Of each step that the epoch has taken: the siRNA head's and the experiment head's."""
    history: list[EpochRecord] = field(default_factory=list)

    def end_epoch(
        self, *, learning_rate: float, accuracy: float, seconds: float, peak_memory: int
    ) -> None:
        """Record the epoch whose steps are done, and stand before the next one."""
        sirna, experiment = np.mean(self.losses, axis=0).tolist()
        record = EpochRecord(
            self.epoch, learning_rate, sirna, experiment, accuracy, seconds, peak_memory
        )
        self.history.append(record)
        self.epoch, self.step, self.losses = self.epoch + 1, 0, []


class NotFinite(RuntimeError):
    """A loss or a weight became infinite or nan; the last checkpoint is from before that."""


class LossNotFinite(NotFinite):
    """A loss became infinite or nan, at the sites of these ``rows`` of the metadata."""

    def __init__(self, message: str, rows: npt.NDArray[np.int64]) -> None:
        super().__init__(message)
        self.rows = rows


class Saver:
    """Write checkpoints of a training, and go on from one.

    Parameters
    ----------
    path
        The checkpoint; None keeps none.
    network, optimizer
        Whose state is saved and restored.
    peers
        The training's processes: the first one writes, all read.
    attempts
        The tries so far, kept in the checkpoint.
    least_seconds
        Between two checkpoints, as the first process's clock has it.
    clock
        Seconds, from any start.
    """

    def __init__(
        self,
        path: Path | None,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        peers: Peers,
        attempts: Attempts | None = None,
        *,
        least_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._network = network
        self._optimizer = optimizer
        self._peers = peers
        self._least_seconds = least_seconds
        self._attempts = attempts
        self._clock = clock
        self._last = clock()

    def resume(self) -> Progress:
        """Restore what a checkpoint holds, if there is one, and return how far it had come.

        Raises
        ------
        ValueError
            If the processes find different checkpoints.
        """
        state = None if self._path is None else checkpoint.load(self._path)
        place = (0, 0) if state is None else (state["epoch"], state["step"])
        if len(set(gathered(place, self._peers))) > 1:
            raise ValueError(
                f"the processes read different checkpoints at {self._path}; give all of them the "
                "same folder of runs, on a disk that they share."
            )
        if state is None:
            return Progress()
        self._network.load_state_dict(state["network"])
        self._restore_optimizer(state["optimizer"])
        if self._attempts is not None:
            self._attempts.earlier = state["attempts"]
        history = [EpochRecord(*record) for record in state["history"]]
        return Progress(state["epoch"], state["step"], state["losses"], history)

    def _restore_optimizer(self, state: dict[str, Any]) -> None:
        """Load what the optimizer had, but not how it computes, which is today's hardware's."""
        fused = [group["fused"] for group in self._optimizer.param_groups]
        self._optimizer.load_state_dict(state)
        for group, each in zip(self._optimizer.param_groups, fused, strict=True):
            group["fused"] = each
        # The fused step reads weights and momentum as they lie in memory: they have to lie alike.
        for weights, kept in self._optimizer.state.items():
            if kept.get("momentum_buffer") is not None:
                kept["momentum_buffer"] = torch.empty_like(weights).copy_(kept["momentum_buffer"])

    def when_due(self, progress: Progress) -> None:
        """Save, if the last time is long enough ago."""
        if self._path is None:
            return
        due = self._clock() - self._last >= self._least_seconds
        if self._peers.agreed(due):
            self.save(progress)

    def save(self, progress: Progress) -> None:
        """Save now.

        Raises
        ------
        NotFinite
            If a weight is infinite or nan; then the checkpoint stays as it was.
        """
        if self._path is None:
            return
        average_running_statistics(self._network, self._peers)
        for name, weights in self._network.named_parameters():
            if not torch.isfinite(weights).all():
                raise NotFinite(
                    f"{name} has weights that are infinite or nan before epoch {progress.epoch}, "
                    f"step {progress.step} (both counted from 0); take a lower learning_rate."
                )
        if self._peers.first:
            state: dict[str, Any] = {
                "network": self._network.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "epoch": progress.epoch,
                "step": progress.step,
                "losses": progress.losses,
                "history": [tuple(record) for record in progress.history],
                "attempts": self._attempts.so_far() if self._attempts is not None else [],
            }
            checkpoint.save(self._path, state)
        self._last = self._clock()
