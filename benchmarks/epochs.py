"""How the baseline's accuracy on unseen experiments grows with the length of its training.

    python benchmarks/epochs.py [--epochs 12 24 36 48 72] [--screens 0 1 2 3] [--store FOLDER]

Development screens of the demo's size and the baseline alone, each length with a schedule of its
own, in processes that take an hour in all on two cores. What it prints stands in the book's
appendix *Our choices*; the profile `study` took its length from it.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
from pathlib import Path

import numpy as np

from rxrx_lib import study
from rxrx_lib.data.in_order import usable_cores
from rxrx_lib.study.profiles import PROFILES, SEPARATED, Replicate
from rxrx_lib.study.provenance import code_version
from rxrx_lib.study.results import code_words
from rxrx_lib.study.spec import RunSpec


def trainings(epochs: list[int], screens: list[int]) -> list[RunSpec]:
    """Return a baseline of each length on each screen."""
    size = PROFILES["demo"]
    some = [size.run("baseline", SEPARATED, Replicate(screen_seed=s, seed=s)) for s in screens]
    return [
        dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, epochs=count))
        for count in epochs
        for spec in some
    ]


def main() -> None:
    """Train what the store lacks, and print a line a length."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, nargs="+", default=[12, 24, 36, 48, 72])
    parser.add_argument("--screens", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--store", type=Path, default=Path("_build/epochs"))
    asked = parser.parse_args()
    results = study.require(
        trainings(asked.epochs, asked.screens),
        data=asked.store / "data",
        store=asked.store / "runs",
        workers=usable_cores(),
    )
    print(
        f"SIMULATED. Baseline, accuracy on unseen experiments in percent, development screens "
        f"{', '.join(map(str, asked.screens))}."
    )
    print(f"{datetime.date.today()}; {code_words(code_version())}\n")
    print("epochs  mean   change  by screen")
    before = None
    for epochs in sorted(asked.epochs):
        found = results[results["epochs"] == epochs]["accuracy"].to_numpy()
        change = "" if before is None else f"{found.mean() - before:+.1f}"
        print(f"{epochs:6d}  {found.mean():.1f}  {change:>6}  {np.round(found, 1).tolist()}")
        before = found.mean()


if __name__ == "__main__":
    main()
