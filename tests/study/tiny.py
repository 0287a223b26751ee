"""Runs small enough to train in a second, on a hand-made screen in the release's place."""

from __future__ import annotations

from pathlib import Path

from rxrx_lib.data.images import pack
from rxrx_lib.study.profiles import BY_SITE, BY_WELL, SEPARATED, Profile, Replicate
from rxrx_lib.study.screens import RELEASE_EXPERIMENTS
from rxrx_lib.study.spec import DataSpec, NetworkSpec, RunSpec, SplitSpec
from rxrx_lib.training.recipe import Recipe
from tests.data.screens import write_screen

__all__ = ["BY_SITE", "BY_WELL", "NETWORK", "PROFILE", "SEPARATED", "run_spec", "write_release"]

# As many experiments train as in the release: 33.
TRAINING = {"HUVEC": 16, "RPE": 7, "HEPG2": 7, "U2OS": 3}
EXPERIMENTS = {
    name: "train" if int(name[-2:]) <= TRAINING[name[:-3]] else "test"
    for name in RELEASE_EXPERIMENTS
}
RELEASE = DataSpec(name="rxrx1", simulator_version=0)
NETWORK = NetworkSpec(backbone="densenet_small", embedding=8)
RECIPE = {"epochs": 3, "warmup_epochs": 1, "groups": 2, "group_size": 8}
PROFILE = Profile(
    name="tiny",
    purpose="tests",
    screen=None,
    replicates=(Replicate(screen_seed=0, seed=0),),
    network=NETWORK,
    recipe=Recipe(**RECIPE),
)


def run_spec(
    method: str = "baseline",
    split: SplitSpec = SEPARATED,
    *,
    seed: int = 0,
    labels: str = "true",
    normalization: str = "self",
    network: NetworkSpec = NETWORK,
    **recipe: object,
) -> RunSpec:
    return RunSpec(
        data=RELEASE,
        split=split,
        method=method,
        network=network,
        recipe=Recipe(**(RECIPE | recipe)),
        labels=labels,
        normalization=normalization,
        seed=seed,
    )


def write_release(data: Path) -> Path:
    """Write a screen of random pixels where the release would lie in the folder of screens.

    It has the release's 51 experiments, since less is refused, on as few sites as one-experiment
    groups of eight allow.
    """
    write_screen(data / "rxrx1", EXPERIMENTS, plates=2)
    pack(data / "rxrx1")
    return data
