"""How the baseline's accuracy on unseen experiments grows with the length of its training.

    python benchmarks/epochs.py [--epochs 12 24 36 48 72] [--screens 0 1 2 3] [--store FOLDER]

Development screens of the demo's size and the baseline alone, each length with a schedule of its
own, which takes a quarter of an hour on two cores. What it prints stands in the book's
appendix *Our choices*; the profile `study` took its length from it.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
from pathlib import Path

from rxrx_lib import study
from rxrx_lib.data.in_order import usable_cores
from rxrx_lib.study.claims import signed
from rxrx_lib.study.profiles import PROFILES, SEPARATED, Replicate
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
    seeds = ", ".join(map(str, asked.screens))
    print(
        f"SIMULATED. Baseline, accuracy on unseen experiments in percent, development screens "
        f"{seeds}; {', '.join(sorted(set(results['hardware'])))}; {datetime.date.today()}.\n"
    )
    print("| epochs | mean | change | screen by screen |\n| --- | --- | --- | --- |")
    before = None
    for epochs in sorted(asked.epochs):
        found = results[results["epochs"] == epochs]["accuracy"]
        change = "" if before is None else signed(found.mean() - before)
        each = ", ".join(f"{percent:.1f}" for percent in found)
        print(f"| {epochs} | {found.mean():.1f} | {change} | {each} |")
        before = found.mean()


if __name__ == "__main__":
    main()
