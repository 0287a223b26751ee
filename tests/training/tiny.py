"""A network, pixels and a plan small enough to train in a blink."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.data.loader import shuffled
from rxrx_lib.data.normalization import Statistics
from rxrx_lib.models.network import Network, build_network
from rxrx_lib.training.fit import Plan, Targets, fit
from rxrx_lib.training.hardware import Hardware
from rxrx_lib.training.progress import EpochRecord
from rxrx_lib.training.recipe import Recipe
from rxrx_lib.training.sites import Sites

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
        channels: Sequence[int] = CHANNELS,
        out: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        wanted = self.pixels[:, [CHANNELS.index(channel) for channel in channels]]
        taken = np.take(wanted, np.asarray(rows), axis=0, out=out)
        self.after_reading()
        return taken

    def after_reading(self) -> None:
        """Do nothing; a test may have something happen before the pixels are handed out."""


def noise(sites: int = SITES, seed: int = 0, image_size: int = 16) -> Noise:
    draw = np.random.default_rng(seed)
    level = draw.integers(1, 255, (sites, 6, 1, 1))  # else all sites look alike
    shape = (sites, 6, image_size, image_size)
    return Noise(draw.integers(0, level, shape).astype(np.uint8))


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


CPU = Hardware(device="cpu")
EVERY_STEP = dataclasses.replace(CPU, checkpoint_seconds=0.0)


def train(
    net: Network,
    images: Noise | None = None,
    plan_of: Plan = plan,
    targets: Targets = TARGETS,
    settings: Recipe | None = None,
    *,
    by: Statistics | None = None,
    hardware: Hardware = CPU,
    **more: object,
) -> list[EpochRecord]:
    """Fit a network to noise, or to what is given; seed 5 unless said otherwise."""
    settings = settings or recipe()
    dtype = torch.float64 if settings.precision == "fp64" else torch.float32
    sites = Sites(images or noise(), by, hardware, dtype)
    more = {"seed": 5, "hardware": hardware} | more
    return fit(net, sites, plan_of, targets, settings, **more)


def outcome(history: list[EpochRecord]) -> list[tuple[object, ...]]:
    """Return what a history says of the training, without time and memory."""
    return [record[:4] for record in history]
