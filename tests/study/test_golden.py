"""One table from end to end: simulate, pack, split, train, predict, score.

What it holds is deliberate; after a change that means to change numbers, write it anew with

    python -m tests.study.test_golden

Losses are compared to a thousandth, since processors round differently; counts, lines and whatever
training does not touch are compared exactly.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from rxrx_lib.data.simulator import ScreenSpec
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.profiles import BY_SITE, Profile, Replicate
from rxrx_lib.study.runs import open_run
from rxrx_lib.study.spec import NetworkSpec
from rxrx_lib.training.recipe import Recipe

GOLDEN = Path(__file__).with_name("golden.csv")
PROFILE = Profile(
    name="golden",
    purpose="tests",
    screen=ScreenSpec(
        image_size=32,
        pixel_size=6.0,
        experiments=(("HUVEC", 2, 1), ("U2OS", 1, 1)),
        treatments_per_plate=2,
    ),
    replicates=(Replicate(screen_seed=3, seed=1),),
    network=NetworkSpec(backbone="densenet_small", embedding=16),
    recipe=Recipe(epochs=2, warmup_epochs=1, groups=2, group_size=8, learning_rate=0.05),
)
EXACT = ("id", "test_sites", "majority_accuracy", "line_uniform", "line_cell_type", "line_class")


def end_to_end(folder: Path) -> pd.DataFrame:
    """Run the four methods and return one row a method."""
    runtime = Runtime(data=folder / "data", runs=folder / "runs")
    rows = []
    for method in METHODS:
        spec = PROFILE.run(method, BY_SITE, PROFILE.replicates[0])
        run_one(spec, runtime)
        run = open_run(runtime.runs, spec)
        metrics = {name: run.metrics()[name] for name in EXACT[1:]}
        with (run.result / "history.csv").open(newline="") as file:
            last = list(csv.DictReader(file))[-1]
        losses = {name: float(last[name]) for name in ("sirna_loss", "experiment_loss")}
        rows.append({"method": method, "id": spec.id, **metrics, **losses})
    return pd.DataFrame(rows)


def test_the_whole_path_gives_the_golden_table(tmp_path: Path) -> None:
    golden, found = pd.read_csv(GOLDEN), end_to_end(tmp_path)
    assert found["method"].tolist() == golden["method"].tolist()
    for name in EXACT:
        assert found[name].tolist() == pytest.approx(golden[name].tolist(), abs=1e-9), name
    for name in ("sirna_loss", "experiment_loss"):
        assert found[name].tolist() == pytest.approx(golden[name].tolist(), rel=1e-3), name


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        end_to_end(Path(folder)).to_csv(GOLDEN, index=False, lineterminator="\n")
