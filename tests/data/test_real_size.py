"""What a table of the release's size costs: 51 experiments, 125,510 sites."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rxrx_lib.data import metadata
from tests.data.screens import screen_table, write_kaggle_csvs

COUNTS = {"HUVEC": (16, 24), "RPE": (7, 11), "HEPG2": (7, 11), "U2OS": (3, 5)}
# How long it takes is measured by benchmarks/data.py.
PROGRAM = """
import json, pathlib, sys
from rxrx_lib.data import loader, metadata, splits
table = metadata.load(sys.argv[1])
split = splits.separated(table)
if sys.argv[2] == "labelled":
    split = splits.stratified(table)
loader.shuffled(split.train, 8, 64, seed=0, epoch=0)
experiments = table["experiment"].to_numpy()[split.train]
loader.one_experiment_groups(split.train, experiments, 8, 64, seed=0, epoch=0)
# Not getrusage, which counts what the process was forked from.
status = pathlib.Path("/proc/self/status").read_text()
used = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps([len(table), used, "torch" in sys.modules]))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    experiments = {
        f"{cell_type}-{number + 1:02d}": "train" if number < train else "test"
        for cell_type, (train, total) in COUNTS.items()
        for number in range(total)
    }
    table = screen_table(experiments, treatments=1108, positives=30)
    wells = table["well_id"].unique()
    excluded = np.random.default_rng(0).choice(wells, 77, replace=False)
    table = table[~table["well_id"].isin(excluded)]
    folder = tmp_path_factory.mktemp("real size")
    metadata.write(table, folder / "release")
    write_kaggle_csvs(table, folder / "kaggle", "names")
    return folder


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells the memory of Linux")
@pytest.mark.parametrize(("variant", "labels"), [("release", "labelled"), ("kaggle", "some")])
def test_load_split_and_plan_take_500_mb_at_most_and_no_torch(
    root: Path, variant: str, labels: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(root / variant), labels],
        capture_output=True,
        text=True,
        check=True,
    )
    sites, megabytes, torch = json.loads(done.stdout)
    assert sites == 125_510
    assert megabytes <= 500
    assert not torch
