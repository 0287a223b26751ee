"""A network, pixels and a plan small enough to train in a blink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.data.loader import shuffled
from rxrx_lib.data.normalization import Statistics
from rxrx_lib.models.network import Network, build_network
from rxrx_lib.training.fit import Targets
from rxrx_lib.training.recipe import Recipe

SITES = 24
EXPERIMENTS = 3
CLASSES = 4
TARGETS = Targets(np.arange(SITES) % CLASSES, np.arange(SITES) % EXPERIMENTS)


@dataclass
class Noise:
    """Images as `open_images` gives them, of random pixels."""

    pixels: npt.NDArray[np.uint8]

    @property
    def sites(self) -> int:
        return len(self.pixels)

    @property
    def image_size(self) -> int:
        return self.pixels.shape[2]

    @property
    def channels(self) -> tuple[int, ...]:
        return CHANNELS

    def read(
        self,
        rows: Sequence[int],
        channels: None = None,
        out: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        taken = np.take(self.pixels, np.asarray(rows), axis=0, out=out)
        self.after_reading()
        return taken

    def after_reading(self) -> None:
        """Do nothing; a test may have something happen before the pixels are handed out."""


def noise(sites: int = SITES, seed: int = 0) -> Noise:
    draw = np.random.default_rng(seed)
    level = draw.integers(1, 255, (sites, 6, 1, 1))  # else all sites look alike
    return Noise(draw.integers(0, level, (sites, 6, 16, 16)).astype(np.uint8))


def statistics_of_noise(sites: int = SITES) -> Statistics:
    """Return pixel statistics that tell every site and channel from the others."""
    draw = np.random.default_rng(1)
    mean, std = draw.uniform(1, 200, (2, sites, len(CHANNELS)))
    return Statistics(mean=mean, std=std)


def recipe(**changes: object) -> Recipe:
    return Recipe(**({"epochs": 3, "warmup_epochs": 1, "groups": 2, "group_size": 4} | changes))


def network(
    *, reverses: bool = False, experiments: int = EXPERIMENTS, group_size: int = 4
) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_network(
            "densenet_small",
            classes=CLASSES,
            experiments=experiments,
            embedding=8,
            group_size=group_size,
            reverses=reverses,
        )


def plan(epoch: int) -> npt.NDArray[np.int64]:
    return shuffled(np.arange(SITES), 2, 4, seed=0, epoch=epoch)
