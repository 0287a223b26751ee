"""What it costs to get pixels into a training step; `data.py` prints it.

First the loader against the bare reading of the packed store, both into memory that is used again.
Then what standardising and augmenting take of a training step. Both on the CPU: on a GPU they were
never measured.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from rxrx_lib.data import loader
from rxrx_lib.data.images import Images
from rxrx_lib.models.network import build_network
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.training.augment import Key, Mix, augment, standardise
from rxrx_lib.training.fit import backward
from rxrx_lib.training.optimizer import build_optimizer
from rxrx_lib.training.recipe import Recipe

MINIBATCH = 32
STEPS = 20
"""Minibatches of an epoch."""


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, whatever threads it starts, on one processor meanwhile."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pinned = hasattr(os, "sched_setaffinity")
    allowed = os.sched_getaffinity(0) if pinned else set()
    if pinned:
        os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if pinned:
            os.sched_setaffinity(0, allowed)


def loading(images: Images, seconds: float) -> None:
    """Print the loader's rate without threads that read ahead, and with some."""
    print(
        f"\nloader, minibatches of {MINIBATCH} sites of {images.image_size} pixels, one core: "
        "sites a second"
    )
    for workers in (0, 1, 2):
        rate, ratio = loader_against_reading(images, seconds, workers)
        print(f"  {workers} threads ahead         {rate:6.0f} {ratio:6.2f} x reading")


def loader_against_reading(images: Images, seconds: float, workers: int = 0) -> tuple[float, float]:
    """Return the loader's sites a second, and its ratio to the bare reading of the same rows.

    Both run in turns, so that whatever else the machine does hits both.
    """
    draw = np.random.default_rng(0)
    place = np.zeros((MINIBATCH, *shape_of_site(images)), np.uint8)
    loading = reading = 0.0
    sites = 0
    while loading + reading < seconds:
        plan = draw.integers(0, images.sites, (STEPS, 1, MINIBATCH))
        start = time.perf_counter()
        for step in plan:
            images.read(step[0], out=place)
        middle = time.perf_counter()
        for _ in loader.minibatches(images, plan, workers):
            pass
        loading += time.perf_counter() - middle
        reading += middle - start
        sites += plan.size
    return sites / loading, reading / loading


def shape_of_site(images: Images) -> tuple[int, int, int]:
    """Return (C, H, W)."""
    return len(images.channels), images.image_size, images.image_size


def preparing(seconds: float, profiles: Sequence[str]) -> None:
    """Print what standardising and augmenting take of a step of each profile's network.

    Of the paper's size a processor takes two sites at a time.
    """
    print("\nof a training step on one core: standardising, augmenting")
    for profile in (PROFILES[name] for name in profiles):
        name, recipe, size = profile.network.backbone, profile.recipe, 512
        if profile.screen is not None:
            size = profile.screen.image_size
        else:
            recipe = dataclasses.replace(recipe, groups=1, group_size=2)
        standardising, augmenting = shares_of_a_step(name, size, recipe, seconds)
        print(
            f"  {name:<16}{recipe.minibatch:3} sites of {size:3} pixels   "
            f"{standardising:6.1%}   {augmenting:6.1%}"
        )


def shares_of_a_step(
    backbone: str, image_size: int, recipe: Recipe, seconds: float
) -> tuple[float, float]:
    """Return the shares of a training step that standardising and augmenting take, 0 to 1."""
    draw = np.random.default_rng(0)
    pixels = torch.from_numpy(
        draw.integers(0, 256, (recipe.minibatch, 6, image_size, image_size), dtype=np.uint8)
    )
    train = training_step(backbone, recipe)
    spent = np.zeros(3)
    step = 0
    while step < 1 or spent.sum() < seconds:
        times = [time.perf_counter()]
        x = standardise(pixels)
        times.append(time.perf_counter())
        x, mix = augment(
            x,
            key=Key(seed=0, epoch=0, step=step),
            group_size=recipe.group_size,
            flips=recipe.flips,
            mixing=recipe.mixing,
        )
        times.append(time.perf_counter())
        train(x, mix)
        times.append(time.perf_counter())
        spent += np.diff(times) * (step > 0)  # the first step warms up
        step += 1
    return spent[0] / spent.sum(), spent[1] / spent.sum()


def training_step(backbone: str, recipe: Recipe) -> Callable[[torch.Tensor, Mix], None]:
    """Return the rest of a step of `fit`: forward, backward and the optimizer."""
    network = build_network(
        backbone, classes=27, experiments=26, embedding=128, group_size=recipe.group_size
    )
    network.to(memory_format=torch.channels_last).train()
    optimizer = build_optimizer(network, recipe, fused=True)
    target = torch.zeros(recipe.minibatch, dtype=torch.int64)

    def train(x: torch.Tensor, mix: Mix) -> None:
        optimizer.zero_grad(set_to_none=True)
        backward(network, x, (target, target), mix, recipe, reversal=0.0, passes=1)
        optimizer.step()

    return train
