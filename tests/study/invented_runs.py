"""Run stores with results that nobody trained: what came out is written down by the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rxrx_lib.study.catalogue import table1
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.spec import RunSpec
from tests.study.stored import finish_with_predictions

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
    sites = np.arange(2 * WELLS)
    cell_type = np.where(sites % 4 == 0, "U2OS", "HUVEC")
    numbers = 1 + sites // WELLS
    pairs = zip(cell_type, numbers, strict=True)
    experiment = np.array([f"SIM-{kind}-0{number}" for kind, number in pairs])
    others = np.roll(experiment, WELLS)
    sirna = sites % 7
    named = np.where(np.argsort(np.argsort(sites * 37 % 200)) < right, sirna, sirna + 1)
    arrays = {
        "split": np.asarray(spec.split.name),
        "unit": np.asarray(spec.split.unit),
        "classes": np.asarray(8),
        "experiments": np.asarray(4),
        "whole_wells": np.asarray(True),
        "site_id": np.array([f"s{site:03d}" for site in sites]),
        "well_id": np.array([f"w{site:03d}" for site in sites]),
        "plate": np.ones(sites.size, np.int64),
        "experiment": experiment,
        "cell_type": cell_type,
        "well_type": np.full(sites.size, "treatment"),
        "sirna_id": sirna,
        "predicted_experiment": np.where(sites % 10 == 0, experiment, others),
        "top_sirna_id": named[:, None].astype(np.int16),
        "top_logit": np.ones((sites.size, 1), np.float32),
        "side": np.full(sites.size, "test"),
    }
    finish_with_predictions(spec, store, arrays, {"batch_probe_linear": 20.0})
