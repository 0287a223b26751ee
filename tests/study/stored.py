"""Done runs in a store, written by hand: whole and sound, and of no training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from rxrx_lib.evaluation.answers import answered
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs
from rxrx_lib.study.identity import identity
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.training.progress import EpochRecord

MADE_BY = {
    "seconds": 2.5,
    "code": {"rxrx_lib": "0.1.0", "commit": "a" * 40, "modified": False},
    "libraries": {"torch": "2"},
    "hardware": "a processor",
    "ended": "2026-01-02T03:04:05+00:00",
}


def finish(spec: RunSpec, store: Path, accuracy: float = 50.0, **source: object) -> runs.Run:
    """Write a done run without predictions."""
    split = {"split": spec.split.name, "unit": spec.split.unit}
    return _finished(spec, store, {**split, "accuracy": accuracy}, source)


def finish_with_predictions(
    spec: RunSpec,
    store: Path,
    predictions: dict[str, Any] | None = None,
    probes: dict[str, float] | None = None,
    **source: object,
) -> runs.Run:
    """Write a done run whose metrics are what its own predictions give, and some of probes."""
    arrays = made_up_predictions(spec) if predictions is None else predictions
    own = PredictSpec(statistics=METHODS[spec.method].statistics)
    folder = predict(runs.Run(store / spec.id), own, arrays, probes)
    return _finished(spec, store, runs.read_json(folder / "metrics.json"), source)


def predict(
    run: runs.Run,
    way: PredictSpec,
    arrays: dict[str, Any],
    probes: dict[str, float] | None = None,
    **source: object,
) -> Path:
    """Write one way of predicting."""

    def write(folder: Path) -> None:
        np.savez(folder / "predictions.npz", **arrays)
        runs.write_json(folder / "metrics.json", answered(arrays) | (probes or {}))
        if source:
            runs.write_json(folder / "provenance.json", MADE_BY | source)

    runs.commit_folder(run.prediction(way), write)
    return run.prediction(way)


def made_up_predictions(
    spec: RunSpec,
    *,
    seed: int = 0,
    accuracy: float = 0.5,
    experiments: Iterable[str] = ("HUVEC-01", "HUVEC-02", "U2OS-01"),
    classes: int = 6,
) -> dict[str, Any]:
    """Return what a predictions.npz holds, of answers that are right by chance."""
    draw = np.random.default_rng(seed)
    names = sorted(experiments)
    rows = [
        (f"{name}_{plate}_B{well:02d}_{site}", name, plate, well)
        for name in names
        for plate in (1, 2)
        for well in range(2, 2 + classes)
        for site in (1, 2)
    ]
    site_id, experiment, plate, well = (np.array(column) for column in zip(*rows, strict=True))
    n, sirna = len(rows), (well - 2 + plate) % classes
    right = draw.random(n) < accuracy
    first = np.where(right, sirna, draw.integers(0, classes, n))
    stratified = spec.split.name == "stratified"
    side = np.where(
        draw.random(n) < 0.5 if stratified else experiment == names[-1], "test", "train"
    )
    return {
        "split": np.asarray(spec.split.name),
        "unit": np.asarray(spec.split.unit),
        "classes": np.asarray(classes),
        "experiments": np.asarray(len(names)),
        "whole_wells": np.asarray(not stratified),
        "site_id": site_id,
        "well_id": np.array([name.rpartition("_")[0] for name in site_id]),
        "plate": plate,
        "experiment": experiment,
        "cell_type": np.array([name.rpartition("-")[0] for name in experiment]),
        "well_type": np.where(sirna == classes - 1, "negative_control", "treatment"),
        "sirna_id": sirna.astype(np.int64),
        "side": side,
        "predicted_experiment": np.array(names)[draw.integers(0, len(names), n)],
        "top_sirna_id": np.stack([first, (first + 1) % classes], 1).astype(np.int16),
        "top_logit": np.tile([1.0, 0.5], (n, 1)).astype(np.float32),
        "embedding": draw.normal(size=(n, 4)).astype(np.float32),
    }


def _finished(
    spec: RunSpec, store: Path, metrics: dict[str, Any], source: dict[str, Any]
) -> runs.Run:
    run = runs.open_run(store, spec)
    runs.start(run, spec)

    def write(folder: Path) -> None:
        runs.write_json(folder / "metrics.json", metrics)
        names, numbers = EpochRecord._fields, ["1.0"] * len(EpochRecord._fields)
        (folder / "history.csv").write_text(f"{','.join(names)}\n{','.join(numbers)}\n")
        (folder / "weights.pt").write_bytes(b"weights")
        files = {path.name: runs.file_sha256(path) for path in sorted(folder.iterdir())}
        data = {"data": {"identity": identity(spec.data)}, "run": spec.id, "sha256": files}
        runs.write_json(folder / "provenance.json", MADE_BY | data | source)

    runs.commit_folder(run.result, write)
    return run
