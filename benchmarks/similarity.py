"""Cosine similarities of all pairs of a screen of RxRx1's test set: time, memory, and exactness.

    python benchmarks/similarity.py [--workers 2]

The design is the release's: its test experiments, cell types, wells and sites as counted, each
treatment in one well of an experiment, controls on every plate. The embeddings are made up: what an
siRNA, an experiment and a well add, after a ReLU. A smaller screen is compared with SciPy, which
needs every cosine. Seconds are of the work itself; bare products are the matrix products alone, of
the same pairs and on as many threads. Memory is the process's peak, embeddings included.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import ks_2samp, wasserstein_distance
from threadpoolctl import threadpool_limits

from rxrx_lib.evaluation.cosine_counts import COMPARED, DISTRIBUTIONS
from rxrx_lib.evaluation.similarity import TILE, cosine_distributions
from rxrx_lib.study.provenance import code_version, hardware
from rxrx_lib.study.results import code_words
from rxrx_lib.study.screen_design import RELEASE

TREATMENTS, POSITIVES, PLATES = 1108, 30, 4
LIMIT_SECONDS, LIMIT_BYTES = 12.0, 10**9
COLUMNS = ["sirna", "experiment", "cell_type", "well"]


def main() -> None:
    """Measure and print."""
    asked = _arguments()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    now = datetime.datetime.now(tz=datetime.UTC)
    print(f"{now:%Y-%m-%d %H:%M} UTC, {hardware('cpu')}, {code_words(code_version())}")
    print(f"load of the machine over 1, 5, 15 minutes before: {load}; {asked.workers} threads\n")
    print(f"{'':24}{'sites':>8}{'pairs':>13}{'seconds':>9}{'CPU s':>7}{'bare':>7}{'peak MB':>9}")
    tests = RELEASE[RELEASE["dataset"] == "test"]
    screens = {"HUVEC alone": tests[tests["cell_type"] == "HUVEC"], "all cell types": tests}
    for name, rows in screens.items():
        # In a process of its own, whose peak is then that of this work.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as fresh:
            print(fresh.submit(_line, name, rows, asked).result())
    print(f"asked for: at most {LIMIT_SECONDS:.0f} s on two cores and {LIMIT_BYTES / 1e6:.0f} MB\n")
    _agreement(tests, asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="threads (default 2)")
    parser.add_argument("--dimensions", type=int, default=1024, help="of the embedding")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest one is printed")
    parser.add_argument("--every", type=int, default=1, help="take only each n-th well")
    parser.add_argument("--exact-every", type=int, default=16, help="the same, for SciPy")
    return parser.parse_args()


def _line(name: str, rows: pd.DataFrame, asked: argparse.Namespace) -> str:
    """Measure one screen."""
    table = _design(rows, asked.every)
    embedding = _embedding(table, asked.dimensions)
    columns = {column: table[column].to_numpy() for column in COLUMNS}
    seconds, found = _fastest(
        lambda: cosine_distributions(embedding, **columns, workers=asked.workers), asked.rounds
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # kB on Linux
    bare, _ = _fastest(lambda: _products(embedding, table, asked.workers), asked.rounds)
    pairs = sum(found.pairs(each) for each in DISTRIBUTIONS[:4])
    share = f"same well: {100 * found.same_well_share:.1f} % of same_within"
    return (
        f"{name:24}{len(table):8,}{pairs:13,}{seconds[0]:9.1f}{seconds[1]:7.1f}{bare[0]:7.1f}"
        f"{peak:9.0f}   {share}"
    )


def _fastest(work: Callable[[], Any], rounds: int) -> tuple[tuple[float, float], Any]:
    """Return wall and CPU seconds of the fastest round, and what the work gave."""
    measured = []
    for _ in range(rounds):
        start, cpu = time.perf_counter(), time.process_time()
        found = work()
        measured.append((time.perf_counter() - start, time.process_time() - cpu))
    return min(measured), found


def _products(embedding: npt.NDArray[np.float32], table: pd.DataFrame, workers: int) -> None:
    """Do the matrix products alone, in blocks of the same size."""
    blocks = []
    for cell_type in table["cell_type"].unique():
        rows = np.flatnonzero(table["cell_type"] == cell_type)
        starts = range(rows[0], rows[-1] + 1, TILE)
        parts = [embedding[start : min(start + TILE, rows[-1] + 1)] for start in starts]
        blocks += [(one, other) for i, one in enumerate(parts) for other in parts[i:]]
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as threads:
        for _ in threads.map(lambda block: float((block[0] @ block[1].T)[0, 0]), blocks):
            pass


def _agreement(tests: pd.DataFrame, asked: argparse.Namespace) -> None:
    """Compare with SciPy on fewer wells: the controls and some treatments."""
    table = _design(tests[tests["cell_type"] == "HUVEC"], asked.exact_every)
    embedding = _embedding(table, asked.dimensions)
    columns = {column: table[column].to_numpy() for column in COLUMNS}
    found = cosine_distributions(embedding, **columns)
    exact = _exact(embedding, table)
    print(f"against SciPy's exact values, {len(table):,} sites of HUVEC")
    print(f"{'':42}{'KS':>9}{'off by':>10}{'at most':>10}{'Wasserstein':>13}{'off by':>10}")
    for one, other in COMPARED.values():
        here = found.compare(one, other)
        ks = ks_2samp(exact[one], exact[other], method="asymp").statistic
        distance = wasserstein_distance(exact[one], exact[other])
        print(
            f"{one + ' / ' + other:42}{ks:9.5f}{abs(here.ks - ks):10.1e}{here.ks_error:10.1e}"
            f"{distance:13.5f}{abs(here.wasserstein - distance):10.1e}"
        )


def _exact(
    embedding: npt.NDArray[np.float32], table: pd.DataFrame
) -> dict[str, npt.NDArray[np.float64]]:
    """Return every cosine of one cell type's pairs, in double precision."""
    vectors = embedding.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    one, other = np.triu_indices(len(vectors), 1)
    cosine = (vectors @ vectors.T)[one, other]
    codes = {name: pd.factorize(column)[0] for name, column in table.items()}
    alike = {name: column[one] == column[other] for name, column in codes.items()}
    masks = {
        "same_within": alike["sirna"] & alike["experiment"],
        "different_within": ~alike["sirna"] & alike["experiment"],
        "same_across": alike["sirna"] & ~alike["experiment"],
        "different_across": ~alike["sirna"] & ~alike["experiment"],
        "same_within_other_wells": alike["sirna"] & alike["experiment"] & ~alike["well"],
    }
    return {name: cosine[mask] for name, mask in masks.items()}


def _design(rows: pd.DataFrame, every: int) -> pd.DataFrame:
    """Return the sites of some lines of the release's counts, each n-th well of each experiment."""
    controls = np.repeat(np.arange(TREATMENTS, TREATMENTS + POSITIVES + 1), PLATES)
    layout = np.append(np.arange(TREATMENTS), controls)
    sites = []
    for line in rows.to_dict("records"):
        sirna = np.tile(layout, line["experiments"])
        experiment = np.repeat(np.arange(line["experiments"]), len(layout))
        left_out = np.linspace(0, TREATMENTS - 1, len(sirna) - line["wells"]).astype(int)
        kept = np.setdiff1d(np.arange(len(sirna)), left_out)
        kept = kept[(sirna[kept] >= TREATMENTS) | (sirna[kept] % every == 0)] if every > 1 else kept
        names = [f"{line['cell_type']}-{number:02d}" for number in experiment[kept]]
        well = [f"{line['cell_type']}-{number}" for number in kept]
        wells = pd.DataFrame({"sirna": sirna[kept], "experiment": names, "well": well})
        sites.append(wells.assign(cell_type=line["cell_type"]).loc[wells.index.repeat(2)])
    return pd.concat(sites, ignore_index=True)[COLUMNS]


def _embedding(table: pd.DataFrame, dimensions: int) -> npt.NDArray[np.float32]:
    """Make embeddings up: what siRNA, experiment, well and site add, after a ReLU."""
    rng = np.random.default_rng(0)
    total = rng.standard_normal((len(table), dimensions), dtype=np.float32)
    for name, strength in (("sirna", 1.0), ("experiment", 0.7), ("well", 0.7)):
        codes = pd.factorize(table[name])[0]
        for column in range(dimensions):  # a column at a time, so that no second array is held
            total[:, column] += strength * rng.standard_normal(codes.max() + 1)[codes]
    return np.maximum(total, 0, out=total)


if __name__ == "__main__":
    main()
