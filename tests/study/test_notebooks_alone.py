"""Every notebook in an empty run store of its own: it asks for all the runs that it reads.

Nothing is learnt here: one run of each split is trained for an epoch, and all others are copies of
it under their own names. ``benchmarks/notebooks_alone.py`` executes the real thing.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jupytext
import matplotlib.pyplot as plt
import pytest

from rxrx_lib.evaluation.shapley import SUBSETS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import (
    channel_masking,
    execute,
    masked_accuracy,
    mixing,
    pages,
    predictions,
    runs,
    similarity,
)
from rxrx_lib.study.catalogue import CATALOGUE, runs_for
from rxrx_lib.study.derived import own_prediction, read_derived, write_derived
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.findings import items
from rxrx_lib.study.identity import identity
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.spec import PredictSpec, RunSpec, SplitSpec

SMOKE = PROFILES["smoke"]
FOLDER = Path(__file__).parents[2] / "notebooks"
TRAINING = sorted(path for path in FOLDER.glob("*.md") if "study.require(" in path.read_text())
UNUSED = {"claims": set(CATALOGUE) - set(items())}
"""Items that a notebook looks up with all others in the ledger, and that nothing in it rests on."""


class Copies:
    """In the place of training and predicting: copies of one run a split."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train = execute.run_one
        self.trained: dict[SplitSpec, runs.Run] = {}

    def run_one(self, spec: RunSpec, runtime: Runtime) -> str:
        split = dataclasses.replace(spec.split, seed=0)
        if split not in self.trained:
            recipe = dataclasses.replace(SMOKE.recipe, epochs=1, warmup_epochs=0)
            usual = SMOKE.run("baseline", split, SMOKE.replicates[0])
            usual = dataclasses.replace(usual, recipe=recipe)
            self.train(usual, dataclasses.replace(runtime, runs=self.folder))
            self.trained[split] = runs.open_run(self.folder, usual)
        model = self.trained[split]
        run = runs.open_run(runtime.runs, spec)
        runs.start(run, spec)
        shutil.copytree(next(model.predictions.iterdir()), own_prediction(run, spec))
        shutil.copytree(model.result, run.result)
        source = run.provenance()
        source |= {"run": spec.id, "data": {**source["data"], "identity": identity(spec.data)}}
        runs.write_json(run.result / "provenance.json", source)
        return spec.id

    def predict_done(
        self, spec: RunSpec, asked: Sequence[PredictSpec], runtime: Runtime
    ) -> list[PredictSpec]:
        lacking = predictions.missing(spec, asked, runtime)
        run = runs.open_run(runtime.runs, spec)
        for way in lacking:
            shutil.copytree(own_prediction(run, spec), run.prediction(way))
            weights = run.provenance()["sha256"]["weights.pt"]
            source = {**run.provenance(), "weights_sha256": weights, "sha256": {}}
            runs.write_json(run.prediction(way) / "provenance.json", source)
        return lacking

    def mask_done(self, spec: RunSpec, runtime: Runtime) -> None:
        run = runs.open_run(runtime.runs, spec)
        content = {
            "weights_sha256": run.provenance()["sha256"]["weights.pt"],
            "statistics": METHODS[spec.method].statistics,
            "none": 5.0,
            "accuracy": {
                masked_accuracy.subset_word(subset): float(10 + sum(subset)) for subset in SUBSETS
            },
        }
        write_derived(own_prediction(run, spec), masked_accuracy.FILE, content)


class Reads:
    """What is looked up in the store, and was not there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: set[Path] = set()
        self.files: set[Path] = set()
        stored = runs.Run.stored_prediction

        def done(run: runs.Run) -> bool:
            self.runs.add(run.path)
            return run.result.is_dir()

        def stored_prediction(run: runs.Run, asked: PredictSpec) -> Path | None:
            found = stored(run, asked)
            self.files.add(run.prediction(asked) if found is None else found)
            return found

        def read(prediction: Path, name: str) -> dict[str, Any] | None:
            self.files.add(prediction / "derived" / name)
            return read_derived(prediction, name)

        monkeypatch.setattr(runs.Run, "done", property(done))
        monkeypatch.setattr(runs.Run, "stored_prediction", stored_prediction)
        for reader in (masked_accuracy, mixing, similarity):
            monkeypatch.setattr(reader, "read_derived", read)

    def absent(self, store: Path) -> set[str]:
        """Return the runs of a store that still lack something that was looked up in it.

        What is recorded is unpacked and looked through elsewhere, and not asked for by notebooks.
        """
        lacking = {path for path in self.runs if not (path / "result").is_dir()}
        lacking |= {path for path in self.files if not path.exists()}
        return {path.relative_to(store).parts[0] for path in lacking if path.is_relative_to(store)}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    return Copies(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def untrained(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "run_one", copies.run_one)
    monkeypatch.setattr(execute, "prepare_screen", lambda data, folder: None)
    monkeypatch.setattr(predictions, "predict_done", copies.predict_done)
    monkeypatch.setattr(channel_masking, "mask_done", copies.mask_done)
    monkeypatch.setattr(mixing, "umap_plane", lambda embedding: embedding[:, :2])
    monkeypatch.setattr(pages, "figures_as_svg", lambda: None)


def run_cells(notebook: Path, parameters: dict[str, Any]) -> None:
    """Execute a notebook's cells in this process, without showing what they give."""
    names: dict[str, Any] = {}
    for cell in jupytext.reads(notebook.read_text(encoding="utf-8"), fmt="md:myst").cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, notebook.name, "exec"), names)
            if "parameters" in cell.metadata.get("tags", ()):
                names |= parameters


@pytest.mark.parametrize("notebook", TRAINING, ids=lambda path: path.stem)
def test_a_notebook_asks_for_all_that_it_reads(
    notebook: Path,
    untrained: None,
    screens: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads = Reads(monkeypatch)
    store = tmp_path / "runs"
    values = {"profile": "smoke", "data": str(screens), "runs": str(store), "device": "cpu"}
    run_cells(notebook, values)
    plt.close("all")
    assert reads.runs
    of_release = {spec.id for spec in runs_for(CATALOGUE, PROFILES["paper"])}
    unused = {spec.id for spec in runs_for(UNUSED.get(notebook.stem, ()), SMOKE)}
    assert reads.absent(store) - of_release - unused == set()
