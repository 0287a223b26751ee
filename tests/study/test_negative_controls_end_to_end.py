"""The three negative controls, trained for real at a small size.

Few classes and phenotypes three times as strong as in the book let a network learn in seconds, so
that what must not be found would be found if it were there; the last test shows that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rxrx_lib.data.simulator import ScreenSpec
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.negative_controls import LARGEST_DIFFERENCE, verdicts
from rxrx_lib.study.profiles import SEPARATED, Profile, Replicate
from rxrx_lib.study.results import gather
from rxrx_lib.study.spec import NetworkSpec
from rxrx_lib.training.recipe import Recipe

PROFILE = Profile(
    name="small",
    purpose="tests",
    screen=ScreenSpec(
        image_size=32,
        pixel_size=8.0,
        experiments=(("HUVEC", 5, 4),),
        treatments_per_plate=2,
        phenotype=3.0,
    ),
    replicates=(Replicate(screen_seed=1, seed=0),),
    network=NetworkSpec(backbone="densenet_small", embedding=32),
    recipe=Recipe(epochs=24, warmup_epochs=1, groups=2, group_size=8, learning_rate=0.05),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("controls")
    runtime = Runtime(data=folder / "data", runs=folder / "runs")
    replicate = PROFILE.replicates[0]
    specs = [
        PROFILE.run("baseline", SEPARATED, replicate, technical=0.0),
        PROFILE.run("adabn", SEPARATED, replicate, technical=0.0),
        PROFILE.run("baseline", SEPARATED, replicate, labels="shuffled"),
        PROFILE.run("baseline", SEPARATED, replicate, phenotype=0.0),
    ]
    for spec in specs:
        run_one(spec, runtime)
    return gather(specs, Path(runtime.runs))


@pytest.mark.parametrize("control", ["technical_off", "labels_shuffled", "phenotypes_off"])
def test_what_must_not_be_found_is_not_found(results: Any, control: str) -> None:
    judged = [verdict for verdict in verdicts(results) if verdict.control == control]
    assert judged
    assert [verdict for verdict in judged if not verdict.holds] == []


def test_the_same_network_learns_what_is_there(results: Any) -> None:
    """Without this, a network that learns nothing would pass the controls."""
    calm = results[(results["technical"] == 0) & (results["method"] == "baseline")].iloc[0]
    assert calm["accuracy"] > calm["majority_accuracy"] + 40
    assert LARGEST_DIFFERENCE == 3.0
