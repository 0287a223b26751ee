"""What the baseline names by running averages, and by the statistics that it learned with.

    python benchmarks/running_statistics.py [--profile study] [--runs FOLDER] [--data FOLDER]

Of done runs, with their weights: the baseline under each normalisation of Table 5, and without any
technical effect under two of them. Nothing is trained. The same weights are asked three times:

- running: as always, by averages that training kept of the last minibatches' statistics;
- averaged: the same averages, made anew over every training site, once each;
- minibatch: sites by the statistics of the minibatch that they happen to be in, as in training.
"""

from __future__ import annotations

import argparse
import copy
import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from rxrx_lib.models.adabn import GroupBatchNorm
from rxrx_lib.models.network import Network
from rxrx_lib.study import catalogue
from rxrx_lib.study.components import OFF
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.predictions import done_run, trained
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.provenance import code_version, hardware
from rxrx_lib.study.results import code_words
from rxrx_lib.study.screens import prepare_screen
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.stages import Work

Rows = npt.NDArray[np.int64]
SIDES = ("training", "unseen")
WAYS = ("running", "averaged", "minibatch")


def main() -> None:
    """Predict, and print a line a normalisation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=("demo", "study", "smoke"), default="study")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    asked = parser.parse_args()
    runtime = Runtime(data=asked.data, runs=asked.runs)
    found = pd.DataFrame([_measured(*each, runtime) for each in _runs(asked.profile)])
    replicates = found.groupby("normalisation", sort=False).size().iloc[0]
    print(f"{datetime.date.today()}; {code_words(code_version())}; {hardware('cpu')}")
    print(f"SIMULATED, profile {asked.profile}. Baseline, percent of sites that are named: mean of")
    print(f"{replicates} replicates, and the lowest of them in brackets")
    for side in SIDES:
        print(f"\n{f'{side} sites, normalised by':28}" + "".join(f"{way:>13}" for way in WAYS))
        for name, some in found.groupby("normalisation", sort=False):
            cells = [some[f"{side} {way}"] for way in WAYS]
            print(f"  {name:26}" + "".join(f"{c.mean():6.1f} ({c.min():4.1f})" for c in cells))


def _runs(profile: str) -> Iterator[tuple[str, RunSpec]]:
    """Give the runs that are asked, and the line that each belongs to."""
    size = PROFILES[profile]
    for spec in catalogue.CATALOGUE["table5"](size):
        yield spec.normalization, spec
    for spec in catalogue.CATALOGUE["components"](size):
        screen = spec.data.screen
        if spec.method == "baseline" and screen is not None and screen.technical == 0:
            yield f"{spec.normalization}, effects {OFF}", spec


def _measured(name: str, spec: RunSpec, runtime: Runtime) -> dict[str, str | float]:
    done_run(spec, runtime.runs)
    prepare_screen(spec.data, runtime.data)
    with trained(spec, runtime) as (network, work, _):
        rows = dict(zip(SIDES, (work.split.train, work.split.test), strict=True))
        known = copy.deepcopy(network.state_dict())
        line: dict[str, str | float] = {"normalisation": name}
        for side in SIDES:
            line[f"{side} running"] = _percent(network.eval(), work, _passes(rows[side]))
            with _training(network):
                steps = _minibatches(rows[side], _size(spec))
                line[f"{side} minibatch"] = _percent(network, work, steps)
            network.load_state_dict(known)  # the pass before moved the running averages
        _average(network, work, _minibatches(rows["training"], _size(spec)))
        for side in SIDES:
            line[f"{side} averaged"] = _percent(network.eval(), work, _passes(rows[side]))
    return line


def _size(spec: RunSpec) -> int:
    return spec.recipe.groups * spec.recipe.group_size


def _minibatches(rows: Rows, size: int) -> list[Rows]:
    """Divide sites at random into minibatches of one size; what is left over is left out."""
    order = np.random.default_rng(0).permutation(rows)
    return np.split(order[: len(order) // size * size], len(order) // size)


def _passes(rows: Rows) -> list[Rows]:
    return np.array_split(rows, max(1, len(rows) // 256))


def _percent(network: Network, work: Work, steps: list[Rows]) -> float:
    labels = work.screen.table["sirna_id"].to_numpy()
    right, asked = 0, 0
    with torch.no_grad():
        for some, x in work.sites.minibatches(steps):
            right += int((network(x).sirna.argmax(1).cpu().numpy() == labels[some]).sum())
            asked += len(some)
    return 100 * right / asked


@contextmanager
def _training(network: Network) -> Iterator[None]:
    """Let the layers normalise by what passes, in the block."""
    network.train()
    try:
        yield
    finally:
        network.eval()


def _average(network: Network, work: Work, steps: list[Rows]) -> None:
    """Make the running averages anew: the mean over minibatches of sites, unmixed."""
    layers = [layer for layer in network.modules() if isinstance(layer, GroupBatchNorm)]
    with _training(network), torch.no_grad():
        for number, (_, x) in enumerate(work.sites.minibatches(steps), start=1):
            for layer in layers:
                layer.momentum = 1 / number  # the first stands alone, and all count the same
            network(x)


if __name__ == "__main__":
    main()
