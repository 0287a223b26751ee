"""Results of the store as a table, and what `require` does about those that lack."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rxrx_lib.study import execute, require
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.require import RunsFailed
from rxrx_lib.study.results import gather
from rxrx_lib.study.spec import RunSpec, SplitSpec
from tests.study.stored import finish
from tests.study.test_screens import SIMULATED
from tests.study.tiny import BY_SITE, BY_WELL, NETWORK, run_spec


def test_done_runs_are_rows_in_the_order_asked(tmp_path: Path) -> None:
    specs = [
        run_spec("adabn", BY_WELL, seed=2),
        run_spec(seed=9),
        RunSpec(data=SIMULATED, split=BY_SITE, method="baseline", network=NETWORK, seed=1),
    ]
    finish(specs[2], tmp_path, 60.0)
    finish(specs[0], tmp_path, 70.0)
    results = gather(specs, tmp_path)
    assert results["id"].tolist() == [specs[0].id, specs[2].id]
    assert results["accuracy"].tolist() == [70.0, 60.0]
    assert results["split"].tolist() == ["stratified_by_well", "stratified_by_site"]
    assert results["replicate"].tolist() == ["-1/2", "0/1"]
    assert results["data"].tolist() == ["rxrx1", "simulated"]
    assert results["effects"].tolist() == ["all", "all"]
    assert results["seconds"].tolist() == [2.5, 2.5]
    made_by = ("rxrx_lib 0.1.0, commit aaaaaaaaaa", "a processor", "2026-01-02")
    assert tuple(results.loc[0, ["code", "hardware", "date"]]) == made_by


def test_what_was_changed_of_a_run_has_its_columns(tmp_path: Path) -> None:
    few = run_spec("adabn", SplitSpec(name="few_experiments", cell_type="RPE", n=3), mixing="none")
    plain = run_spec(normalization="plate_all")
    for spec in (few, plain):
        finish(spec, tmp_path)
    results = gather([few, plain], tmp_path)
    assert results["trained_cell_type"].tolist() == ["RPE", ""]
    assert results["trained_experiments"].tolist() == [3, 0]
    assert results["split"].tolist() == ["3 of RPE", "separated"]
    assert results["mixing"].tolist() == ["none", "cutmix"]
    assert results["normalization"].tolist() == ["self", "plate_all"]
    assert results["backbone"].tolist() == [NETWORK.backbone] * 2
    assert results["epochs"].tolist() == [plain.recipe.epochs] * 2


def test_runs_that_counted_their_epochs_say_so_beside_older_ones(tmp_path: Path) -> None:
    older, newer = run_spec(seed=0), run_spec(seed=1)
    finish(older, tmp_path)
    finish(newer, tmp_path, epoch={"steps": 7, "training_sites": 120})
    results = gather([older, newer], tmp_path)
    assert results["epoch_steps"].isna().tolist() == [True, False]
    assert results.loc[1, ["epoch_steps", "epoch_training_sites"]].tolist() == [7, 120]


def test_methods_of_one_pair_of_seeds_share_a_replicate(tmp_path: Path) -> None:
    specs = [run_spec(method, seed=3) for method in ("baseline", "adabn")]
    for spec in specs:
        finish(spec, tmp_path)
    assert gather(specs, tmp_path)["replicate"].nunique() == 1


def test_an_empty_store_gives_an_empty_table(tmp_path: Path) -> None:
    assert gather([run_spec()], tmp_path).empty


def test_what_is_done_is_loaded_and_nothing_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [run_spec(seed=seed) for seed in range(2)]
    for spec in specs:
        finish(spec, tmp_path)
    monkeypatch.setattr(execute, "run_many", None)
    results = require(specs, store=tmp_path)
    pd.testing.assert_frame_equal(results, gather(specs, tmp_path))


def test_what_lacks_is_executed_and_failures_are_listed_after_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [run_spec(seed=seed) for seed in range(3)]

    def run_one(spec: RunSpec, runtime: execute.Runtime) -> str:
        if spec.seed == 1:
            raise ValueError("no such backbone")
        finish(spec, runtime.runs)
        return spec.id

    monkeypatch.setattr(execute, "run_one", run_one)
    monkeypatch.setattr(execute, "prepare_screen", lambda data, folder: folder)
    progress = Progress(lambda line: None)
    with pytest.raises(RunsFailed) as raised:
        require(specs, data=tmp_path, store=tmp_path, progress=progress)
    assert str(raised.value).splitlines() == [
        "1 runs failed:",
        f"{specs[1].id}  baseline · separated · rxrx1 · seed 1: no such backbone",
    ]
    assert gather(specs, tmp_path)["id"].tolist() == [specs[0].id, specs[2].id]


def test_a_notebook_that_begins_a_store_in_its_own_folder_is_told_of_the_one_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_many(specs: list[RunSpec], runtime: execute.Runtime, *_: object) -> list[object]:
        for spec in specs:
            finish(spec, runtime.runs)
        return []

    monkeypatch.setattr(execute, "run_many", run_many)
    for folder in ("notebooks", "runs"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    lines: list[str] = []
    require([run_spec()], store="../runs", progress=Progress(write=lines.append))
    assert lines == []
    require([run_spec()], progress=Progress(write=lines.append))
    assert lines == [
        f"runs is not there and is begun in {tmp_path}/notebooks; to use ../runs instead, stop, "
        "and set runs = '../runs' and data = '../data'."
    ]
    require([run_spec(seed=1)], progress=Progress(write=lines.append))
    assert len(lines) == 1
