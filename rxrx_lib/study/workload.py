"""How many sites go through the network in a run: counted from the plan, without pictures."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data import loader
from rxrx_lib.data.simulator import ScreenSpec
from rxrx_lib.data.simulator.layout import layout
from rxrx_lib.data.splits import Split
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.screens import make_split
from rxrx_lib.study.spec import DataSpec, RunSpec, SplitSpec
from rxrx_lib.training.pools import pools

RELEASE_DESIGN = ScreenSpec(
    image_size=512,
    pixel_size=1.0,
    experiments=(("HUVEC", 16, 8), ("RPE", 7, 4), ("HEPG2", 7, 4), ("U2OS", 3, 2)),
    treatments_per_plate=277,
    positive_controls=30,
)
"""The release's design without the 77 wells that it lacks, an eighth of a percent of the sites."""


CONTROLS_DESIGN = dataclasses.replace(RELEASE_DESIGN, treatments_per_plate=0)
"""Its control wells alone."""


class Workload(NamedTuple):
    """Sites that pass through the network in one run."""

    steps: int
    """Of the optimiser."""
    trained: int
    """Forward and backward: all steps' minibatches."""
    predicted: int
    """Forward, after the training: to measure statistics, and to predict."""
    evaluated: int
    """Forward, to measure the test accuracy while training."""

    @property
    def forwarded(self) -> int:
        """All that only go forward."""
        return self.predicted + self.evaluated


def design(spec: RunSpec) -> ScreenSpec:
    """Return the screen's design: the simulated one's own, or that of the release or a part."""
    return data_design(spec.data)


def data_design(data: DataSpec) -> ScreenSpec:
    """Return the design of a screen: experiments, plates, classes, and the pictures' size."""
    if data.screen is not None:
        return data.screen
    if data.name == "rxrx1":
        return RELEASE_DESIGN
    side = data.downsample
    size, pixel = CONTROLS_DESIGN.image_size // side, CONTROLS_DESIGN.pixel_size * side
    return dataclasses.replace(CONTROLS_DESIGN, image_size=size, pixel_size=pixel)


def workload(spec: RunSpec, evaluate_every: int) -> Workload:
    """Count the sites of a run.

    Parameters
    ----------
    spec
        The run.
    evaluate_every
        Epochs between two measurements of the test accuracy; 0 for none.

    Raises
    ------
    ValueError
        If the run cannot be trained on its screen.
    """
    screen = dataclasses.replace(design(spec), seed=0)  # which plays no part in the counts
    method, recipe = METHODS[spec.method], spec.recipe
    shape = recipe.groups, recipe.group_size
    steps = _steps(screen, spec.split, method.grouped, *shape) * recipe.epochs
    predicted, tested = _forwarded(screen, spec.split, method.statistics, recipe.group_size)
    # The last epoch's test accuracy is the prediction's own.
    evaluations = (recipe.epochs - 1) // evaluate_every if evaluate_every else 0
    return Workload(
        steps=steps,
        trained=steps * recipe.minibatch,
        predicted=predicted,
        evaluated=evaluations * tested,
    )


@lru_cache(maxsize=256)
def _steps(
    screen: ScreenSpec, asked: SplitSpec, grouped: bool, groups: int, group_size: int
) -> int:
    """Return an epoch's steps, of the plan that the run would take."""
    train = _split(screen, asked).train
    if grouped:
        names = _table(screen)["experiment"].to_numpy()[train]
        plan = loader.one_experiment_groups(train, names, groups, group_size, seed=0, epoch=0)
    else:
        plan = loader.shuffled(train, groups, group_size, seed=0, epoch=0)
    return len(plan)


@lru_cache(maxsize=256)
def _forwarded(
    screen: ScreenSpec, asked: SplitSpec, statistics: str, group_size: int
) -> tuple[int, int]:
    """Return how many sites go forward to predict all, and to predict those not trained on.

    They, and what normalises them. Statistics that are exact layer by layer take one pass a layer
    and are counted as one.
    """
    split = _split(screen, asked)
    everything = np.concatenate(list(split.sides.values()))

    def passed(wanted: npt.NDArray[np.int64]) -> int:
        total = 0
        for name, table in _experiments(screen).items():
            own = np.flatnonzero(np.isin(table.index, wanted))
            if len(own):
                for pool in pools(table, name, own, statistics, group_size):
                    total += len(pool.asked) + len(pool.members)
        return total

    return passed(everything), passed(np.setdiff1d(everything, split.train))


@lru_cache(maxsize=8)
def _table(screen: ScreenSpec) -> pd.DataFrame:
    return layout(screen)


@lru_cache(maxsize=8)
def _experiments(screen: ScreenSpec) -> dict[str, pd.DataFrame]:
    return {str(name): rows for name, rows in _table(screen).groupby("experiment")}


@lru_cache(maxsize=32)
def _split(screen: ScreenSpec, split: SplitSpec) -> Split:
    return make_split(_table(screen), split)
