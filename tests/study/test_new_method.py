"""A method is one file and one line: the book's worked example, executed.

The file is the one that the page prints, `book/examples/coral.py`.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from rxrx_lib.models.methods import METHODS, Method, method_of_file, register
from rxrx_lib.models.network import Outputs
from rxrx_lib.study import catalogue, figures, panels, tables
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.ledger import ledger
from rxrx_lib.study.profiles import BY_SITE, PROFILES, SEPARATED
from rxrx_lib.study.results import gather
from rxrx_lib.study.runs import open_run
from rxrx_lib.study.spec import RunSpec
from tests.study.handmade import table1_results
from tests.study.tiny import PROFILE, run_spec

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "book" / "examples" / "coral.py"
PAGE = ROOT / "book" / "appendices" / "add_a_method.md"
RXRX = "import sys; from rxrx_lib.cli import main; sys.exit(main())"
Weights = dict[str, torch.Tensor]


@pytest.fixture
def coral(monkeypatch: pytest.MonkeyPatch) -> Method:
    """Make the example known for the length of a test."""
    made = method_of_file(EXAMPLE)
    monkeypatch.setitem(METHODS, made.name, made)
    return made


def outputs_of(embedding: np.ndarray) -> Outputs:
    nothing = torch.zeros(len(embedding), 1)
    return Outputs(torch.from_numpy(embedding), nothing, nothing)


@pytest.mark.parametrize("experiments", [(0, 1, 2), (2, 0, 2, 1), (1, 1)])
def test_corals_loss_is_the_distance_between_covariances_of_different_experiments(
    coral: Method, experiments: tuple[int, ...]
) -> None:
    draw = np.random.default_rng(0)
    groups = draw.normal(size=(len(experiments), 5, 3)) * draw.uniform(
        1, 3, (len(experiments), 5, 1)
    )
    names = torch.tensor(experiments).repeat_interleave(5)
    found = coral.penalty(outputs_of(groups.reshape(-1, 3)), torch.zeros(len(names)), names, 5)

    distances = []
    for one, other in combinations(range(len(experiments)), 2):
        if experiments[one] != experiments[other]:
            difference = np.cov(groups[one], rowvar=False) - np.cov(groups[other], rowvar=False)
            distances.append(np.linalg.norm(difference, "fro") ** 2 / (4 * 3**2))
    assert found.item() == pytest.approx(np.mean(distances) if distances else 0.0, abs=1e-12)


def test_the_page_prints_the_file_that_is_tested() -> None:
    assert f"{{literalinclude}} ../examples/{EXAMPLE.name}\n" in PAGE.read_text()
    lines = EXAMPLE.read_text().splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 72  # no wider than the page shows


def trained(spec: RunSpec, release: Path, store: Path) -> Weights:
    run_one(spec, Runtime(data=release, runs=store))
    return torch.load(open_run(store, spec).result / "weights.pt", weights_only=True)


def test_the_example_trains_from_end_to_end_and_its_loss_changes_the_weights(
    coral: Method, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []

    def spied(outputs: Outputs, sirna: torch.Tensor, experiment: torch.Tensor, size: int) -> object:
        assert [len(set(group.tolist())) for group in experiment.split(size)] == [1, 1]
        asked.append((*outputs.embedding.shape, len(sirna), size))
        return coral.penalty(outputs, sirna, experiment, size)

    monkeypatch.setitem(METHODS, coral.name, dataclasses.replace(coral, penalty=spied))
    with_coral = trained(run_spec("coral"), release, tmp_path)
    without = trained(run_spec("adabn"), release, tmp_path)
    assert set(asked) == {(16, 8, 16, 8)}
    steps = open_run(tmp_path, run_spec("coral")).provenance()["epoch"]["steps"]
    assert len(asked) == 3 * steps > 0
    assert not torch.equal(with_coral["neck.3.weight"], without["neck.3.weight"])


def test_with_its_coefficient_at_zero_the_example_is_adabn(
    coral: Method, release: Path, tmp_path: Path
) -> None:
    coral.penalty.__globals__["COEFFICIENT"] = 0.0
    with_coral = trained(run_spec("coral"), release, tmp_path)
    without = trained(run_spec("adabn"), release, tmp_path)
    assert all(torch.equal(with_coral[name], without[name]) for name in without)


def test_a_trained_new_method_has_its_row_in_the_table_and_in_the_ledger(
    coral: Method, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [PROFILE.run("coral", split, PROFILE.replicates[0]) for split in (SEPARATED, BY_SITE)]
    for spec in specs:
        run_one(spec, Runtime(data=release, runs=tmp_path))
    words = panels.simulated_panel(tables.table1(gather(specs, tmp_path)), panels.ACCURACY_COLUMNS)
    assert words["method"].tolist()[-1] == coral.label
    assert all(words.iloc[-1][["separated", "stratified by site"]].astype(float) >= 0)

    monkeypatch.setitem(PROFILES, "paper", PROFILE)
    rows = ledger(tmp_path, PROFILE)
    of_coral = rows[(rows["row"] == "coral") & (rows["item"] == "table1")]
    assert "accuracy_separated" in set(of_coral["column"])
    assert of_coral["rxrx1"].notna().all()
    assert of_coral["paper"].isna().all()


def test_a_new_method_adds_its_runs_its_row_and_its_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    results, coral = table1_results(3), method_of_file(EXAMPLE)
    fifth = results[results["method"] == "adabn"].assign(method=coral.name)
    results = pd.concat([results, fifth], ignore_index=True)
    monkeypatch.setitem(METHODS, coral.name, coral)

    demo = PROFILES["demo"]
    specs = [spec for spec in catalogue.table1(demo) if spec.method == coral.name]
    assert len(specs) == 3 * len(demo.replicates)

    words = panels.simulated_panel(tables.table1(results), panels.ACCURACY_COLUMNS)
    assert words["method"].tolist()[-1] == coral.label
    assert words.iloc[-1, 1:4].tolist() == words.set_index("method").loc["AdaBN"].tolist()[:3]

    drawn = figures.replicate_panels(panels.replicate_figure_panels(results), simulated=True)
    names = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert names[-1] == coral.label
    styles = [tuple(figures.method_style(method).values()) for method in METHODS]
    assert len(set(styles)) == len(METHODS)


def planned(files: object, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RXRX, "plan", "--profile", "smoke", *words],
        cwd=ROOT,
        env={**os.environ, "RXRX_METHODS": str(files)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_knows_the_methods_of_files_that_the_environment_names(tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(EXAMPLE.read_text().replace('name="coral"', 'name="other"'))
    both = os.pathsep.join(map(str, (EXAMPLE, other)))
    done = planned(both, "--only", "table1", "--methods", "coral", "other", "--runs", str(tmp_path))
    assert "12 runs (absent: 12)" in done.stdout.splitlines(), done.stderr


def test_a_file_without_a_method_is_refused_in_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text("")
    for file, told in (
        (empty, f"{empty} holds no METHOD; end it with METHOD = Method(...)."),
        (tmp_path / "no.py", f"RXRX_METHODS names {tmp_path}/no.py, which is no file; name Python"),
    ):
        done = planned(file)
        assert done.returncode == 1
        assert done.stderr.startswith(f"rxrx: {told}")
        assert len(done.stderr.splitlines()) == 1


def test_two_methods_of_one_name_are_refused(coral: Method) -> None:
    with pytest.raises(ValueError, match="names a method 'coral', which there is already; rename"):
        register(method_of_file(EXAMPLE))
