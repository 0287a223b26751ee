"""Run stores with results that nobody trained: what came out is written down by the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs
from rxrx_lib.study.catalogue import table1
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.spec import PredictSpec, RunSpec

WELLS = 100
"""Of each of two test experiments, one site each: a well is half a point of accuracy."""


def write_store(store: Path, profile: Profile, right: Callable[[RunSpec], int]) -> Path:
    """Write Table 1's runs, each with so many of 200 test sites named correctly.

    The head names the experiment of one site in ten.
    """
    for spec in table1(profile):
        write_run(store, spec, right(spec))
    return store


def write_run(store: Path, spec: RunSpec, right: int) -> None:
    """Write one done run, its predictions and its metrics."""
    run = runs.open_run(store, spec)
    sites = np.arange(2 * WELLS)
    cell_type = np.where(sites % 4 == 0, "U2OS", "HUVEC")
    experiment = np.array([f"SIM-{kind}-0{1 + site // WELLS}" for kind, site in zip(
        cell_type, sites, strict=True)])  # fmt: skip
    sirna = sites % 7
    named = np.where(np.argsort(np.argsort(sites * 37 % 200)) < right, sirna, sirna + 1)
    guessed = np.where(sites % 10 == 0, experiment, "another")
    metrics = {
        "accuracy": right / 2,
        "accuracy_treatments": right / 2,
        "batch_classification_accuracy": 10.0,
        "batch_probe_linear": 20.0,
        "by_experiment": {},
    }
    source = {
        "seconds": 1.0,
        "code": {"rxrx_lib": "0"},
        "hardware": "none",
        "ended": "2026-01-01T00:00:00",
    }
    folder = run.prediction(PredictSpec(statistics=METHODS[spec.method].statistics))
    for path in (folder, run.result):
        path.mkdir(parents=True)
        runs.write_json(path / "metrics.json", metrics)
    runs.write_json(run.result / "provenance.json", source)
    np.savez(
        folder / "predictions.npz",
        well_id=np.array([f"w{site:03d}" for site in sites]),
        experiment=experiment,
        cell_type=cell_type,
        sirna_id=sirna,
        predicted_experiment=guessed,
        top_sirna_id=named[:, None],
        side=np.full(sites.size, "test"),
    )
