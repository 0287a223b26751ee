"""Stochastic gradient descent as a recipe asks for it."""

from __future__ import annotations

import torch
from torch import nn

from rxrx_lib.training.recipe import Recipe, learning_rate


def build_optimizer(network: nn.Module, recipe: Recipe, *, fused: bool) -> torch.optim.SGD:
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
        fused=fused,
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
