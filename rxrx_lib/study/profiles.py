"""The sizes that the study comes in: which screens, network, recipe and replicates."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from rxrx_lib.data.simulator import ScreenSpec, TechnicalEffects
from rxrx_lib.study.spec import DataSpec, NetworkSpec, RunSpec, SplitSpec
from rxrx_lib.training.recipe import Recipe

SEPARATED = SplitSpec(name="separated")
BY_SITE = SplitSpec(name="stratified", unit="site")
BY_WELL = SplitSpec(name="stratified", unit="well")
COMPONENTS = tuple(each.name for each in dataclasses.fields(TechnicalEffects))
"""What a simulated batch effect is made of."""


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """One repetition, the same for every method, so that differences between methods are paired."""

    screen_seed: int
    """Of the simulated screen; without effect on the release, of which there is one."""
    seed: int
    """Of the training."""

    def __str__(self) -> str:
        """Name the replicate in tables."""
        return f"screen {self.screen_seed}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One size of the study."""

    name: str
    purpose: str
    """One sentence on what its numbers are good for, printed on every page."""
    screen: ScreenSpec | None
    """The simulated screen, its seed apart; None for the release."""
    controls_downsample: int = 0
    """0 for the whole release; else its control wells alone, a pixel for so many a side."""
    replicates: tuple[Replicate, ...]
    """None where nothing is trained; network and recipe are then without effect."""
    network: NetworkSpec
    recipe: Recipe
    evaluate_every: int = 0
    """Epochs between two measurements of the test accuracy in training, where a page draws them;
    0 measures at the end alone."""
    reversal_coefficients: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    """Of the trade-off curve, rising; 0, the method without reversal, is added to them."""
    curve_replicates: int = 1
    """How many of the replicates, the first ones, a curve or an ablation is measured in."""
    control_replicates: int | None = None
    """The same of the negative controls, whose outcome is known beforehand; None for all."""
    few_experiments_epochs: int | None = None
    """Of the trainings on few experiments, whose epochs have few steps; None for the recipe's."""
    few_experiments_evaluate_every: int | None = None
    """The same of evaluate_every, for those trainings; None for evaluate_every itself."""
    subset_replicates: int = 1
    """The same of the channel subsets, each of 63 runs."""
    subset_epochs: int = 0
    """Epochs of the channel subsets' runs; 0 for the recipe's."""
    items: tuple[str, ...] | None = None
    """What of the catalogue it runs; None for all."""
    strength_factors: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)
    """Of the strength curve, rising: factors on all technical effects of a screen together."""
    components: tuple[str, ...] = COMPONENTS
    """Which technical effects are also switched on one at a time."""
    components_with_reversal: bool = False
    """Whether gradient reversal, too, is trained under each effect alone. Not here: reversal is
    told experiments by their label and not by what sets them apart, the strength curve has it at
    every factor, and it would add two runs to the three that an effect takes. A profile with hours
    to spend may."""
    strength_epochs: int = 0
    """Epochs of the runs of the strength curve and of single effects; 0 for the recipe's."""
    chapters: tuple[str, ...] | None = None
    """The notebooks of its book; None for all."""

    def data(self, replicate: Replicate, **changes: Any) -> DataSpec:
        """Return the data of a replicate, with fields of its ScreenSpec changed."""
        if self.screen is None:
            if changes:
                raise ValueError(
                    f"{', '.join(changes)}: profile {self.name!r} uses the release, "
                    "which cannot be simulated otherwise; choose a simulated profile."
                )
            return self._release()
        screen = dataclasses.replace(self.screen, seed=replicate.screen_seed, **changes)
        return DataSpec(name="simulated", screen=screen)

    def _release(self) -> DataSpec:
        if not self.controls_downsample:
            return DataSpec(name="rxrx1", simulator_version=0)
        return DataSpec(
            name="rxrx1_controls", simulator_version=0, downsample=self.controls_downsample
        )

    def with_curve_replicates(self) -> Profile:
        """Return the same size with no more replicates than a curve or an ablation has."""
        return dataclasses.replace(self, replicates=self.replicates[: self.curve_replicates])

    def with_control_replicates(self) -> Profile:
        """Return the same size with no more replicates than the negative controls have."""
        return dataclasses.replace(self, replicates=self.replicates[: self.control_replicates])

    def held_out_training(self, replicate: Replicate) -> SplitSpec:
        """Return the split to choose by; another draw in each replicate."""
        return SplitSpec(name="held_out_training", seed=replicate.seed)

    def run(
        self,
        method: str,
        split: SplitSpec,
        replicate: Replicate,
        *,
        labels: str = "true",
        **changes: Any,
    ) -> RunSpec:
        """Return the run of a method on a split in a replicate; ``changes`` are the screen's."""
        return RunSpec(
            data=self.data(replicate, **changes),
            split=split,
            method=method,
            network=self.network,
            recipe=self.recipe,
            labels=labels,
            seed=replicate.seed,
        )


def profile(name: str) -> Profile:
    """Look a profile up.

    Raises
    ------
    ValueError
        If there is none of this name; the sentence lists those there are.
    """
    if name not in PROFILES:
        raise ValueError(f"profile is {name!r}; choose one of {', '.join(PROFILES)}.")
    return PROFILES[name]


# By the paper's rule, 2e-4 a site, 28 sites would learn at 0.0056. The rate here was set on
# development screens before that was tried. On one of them both did about as well; it is kept.
LAPTOP = Recipe(epochs=12, warmup_epochs=1, groups=2, group_size=14, learning_rate=0.1)

PROFILES = {
    each.name: each
    for each in (
        Profile(
            name="smoke",
            purpose="every code path at the smallest size; its numbers mean nothing",
            screen=ScreenSpec(
                image_size=32,
                pixel_size=6.0,
                experiments=(("HUVEC", 2, 1), ("RPE", 2, 1), ("HEPG2", 1, 1), ("U2OS", 1, 1)),
                treatments_per_plate=2,
                positive_controls=1,
            ),
            replicates=(Replicate(screen_seed=10, seed=0), Replicate(screen_seed=11, seed=1)),
            network=NetworkSpec(backbone="densenet_small", embedding=32),
            recipe=dataclasses.replace(LAPTOP, epochs=2, warmup_epochs=1, group_size=8),
            evaluate_every=1,
            reversal_coefficients=(1.0, 10.0),
            strength_factors=(0.0, 1.0, 2.0),
            components=("gain_offset", "blur"),
        ),
        Profile(
            name="demo",
            purpose="the whole book on a laptop; trained for seconds, far from convergence",
            screen=ScreenSpec(),
            replicates=tuple(Replicate(screen_seed=10 + i, seed=i) for i in range(3)),
            network=NetworkSpec(backbone="densenet_small", embedding=128),
            recipe=LAPTOP,
            evaluate_every=3,
            reversal_coefficients=(0.1, 1.0, 10.0),
            control_replicates=1,  # three would take a minute more, and the study has five
            few_experiments_epochs=72,
            few_experiments_evaluate_every=12,
            subset_epochs=8,  # two thirds: the subsets are two in five of the demo's runs
            strength_epochs=8,
        ),
        Profile(
            name="study",
            purpose="simulated numbers worth quoting; hours on a laptop, run once and recorded",
            screen=ScreenSpec(),
            # The first three are the demo's pairs: the same screens, other trainings.
            replicates=tuple(Replicate(screen_seed=10 + i, seed=i) for i in range(5)),
            network=NetworkSpec(backbone="densenet_small", embedding=128),
            # As many as fit the hours; by the baseline on development screens, half as many again
            # would add two points (benchmarks/epochs.py).
            recipe=dataclasses.replace(LAPTOP, epochs=48),
            evaluate_every=4,
            reversal_coefficients=(0.1, 1.0, 10.0),
            curve_replicates=3,
            few_experiments_epochs=144,
            subset_replicates=3,
            subset_epochs=16,  # a third: the subsets are a third of the study's runs
            strength_epochs=16,
        ),
        Profile(
            name="paper",
            purpose="the paper's own size, on the RxRx1 release; needs a cluster",
            screen=None,
            replicates=tuple(Replicate(screen_seed=0, seed=i) for i in range(5)),
            network=NetworkSpec(),
            recipe=Recipe(precision="bf16"),
            evaluate_every=10,
            curve_replicates=3,
        ),
        Profile(
            name="controls",
            purpose="the 30 positive controls and EMPTY of RxRx1, a task of its own; for one GPU",
            screen=None,
            controls_downsample=4,
            replicates=tuple(Replicate(screen_seed=0, seed=i) for i in range(3)),
            network=NetworkSpec(backbone="densenet121", embedding=128),
            recipe=Recipe(
                epochs=30,
                warmup_epochs=3,
                groups=4,
                group_size=32,
                learning_rate=2e-4 * 4 * 32,  # by the paper's rule
                precision="bf16",
            ),
            evaluate_every=5,
            items=("table1", "figure7", "table3", "figure6", "figure10"),
            chapters=("table1", "figure6", "figure7", "table3", "figure10", "claims"),
        ),
        Profile(
            name="embeddings",
            purpose="the release's official embeddings on a laptop; no pictures, no training",
            screen=None,
            replicates=(),
            network=NetworkSpec(),
            recipe=Recipe(),
            chapters=("embeddings",),
        ),
    )
}
