"""Figure 6: which embeddings are laid out, the picture, the purity and its sentences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from rxrx_lib.evaluation.experiment_purity import neighbour_purity, purity_chance
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import mixing, mixing_figures, mixing_pages, runs
from rxrx_lib.study.catalogue import CATALOGUE
from rxrx_lib.study.derived import write_derived
from rxrx_lib.study.panels import panel_data
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.spec import PredictSpec, RunSpec
from tests.study.handmade import REPLICATES, row

EXPERIMENTS = ("SIM-HUVEC-17", "SIM-HUVEC-18", "SIM-RPE-08")
SPECS = CATALOGUE["figure6"](PROFILES["demo"])


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for UMAP, which compiles for many seconds: the first two dimensions."""
    monkeypatch.setattr(mixing, "umap_plane", lambda embedding: embedding[:, :2])


def results(purity: dict[str, list[float]], replicates: int = 3) -> pd.DataFrame:
    """Return separated runs with the purity of each method, one value a replicate; chance 50."""
    rows = []
    for number, replicate in enumerate(REPLICATES[:replicates]):
        for method in METHODS:
            more = {
                "test_experiments": 2,
                "by_experiment": {"SIM-HUVEC-17": 50.0, "SIM-HUVEC-18": 50.0},
                "neighbour_purity": {"HUVEC": purity[method][number]},
                "neighbour_purity_chance": {"HUVEC": 50.0},
            }
            rows.append(row(method, "separated", replicate, 50.0, **more))
    return pd.DataFrame(rows)


PURITY = {
    "baseline": [90.0, 91.0, 92.0],
    "gradient_reversal": [80.0, 90.0, 100.0],
    "adabn": [50.0, 51.0, 49.0],
    "adabn_gradient_reversal": [45.0, 46.0, 47.0],
}


def write_prediction(store: Path, spec: RunSpec, seed: int) -> dict[str, Any]:
    """Write what a layout is made of, as a run's folder keeps it."""
    noise = np.random.default_rng(seed)
    arrays = {
        "side": noise.choice(["train", "test"], 90),
        "experiment": noise.choice(EXPERIMENTS, 90),
        "embedding": noise.normal(size=(90, 4)).astype(np.float32),
    }
    arrays["cell_type"] = np.char.partition(np.char.replace(arrays["experiment"], "SIM-", ""), "-")[
        :, 0
    ]
    way = PredictSpec(statistics=METHODS[spec.method].statistics)
    folder = runs.open_run(store, spec).prediction(way)
    folder.mkdir(parents=True)
    np.savez(folder / "predictions.npz", **arrays)
    return arrays


def test_what_is_laid_out_are_the_cell_types_test_sites_of_the_first_replicate(
    tmp_path: Path, flat: None
) -> None:
    written = [write_prediction(tmp_path, spec, seed) for seed, spec in enumerate(SPECS)]
    found = mixing.layouts(SPECS, tmp_path)
    assert [layout.method for layout in found] == list(METHODS)
    for layout, arrays in zip(found, written, strict=False):
        rows = (arrays["side"] == "test") & (arrays["cell_type"] == "HUVEC")
        assert layout.experiment.tolist() == arrays["experiment"][rows].tolist()
        plane = arrays["embedding"][rows][:, :2].astype(np.float16)
        np.testing.assert_array_equal(layout.plane, plane)
        near = neighbour_purity(arrays["embedding"][rows], layout.experiment)
        assert layout.purity == pytest.approx(100 * near.mean())
        assert layout.chance == pytest.approx(100 * purity_chance(layout.experiment))


def test_a_layout_is_kept_so_that_no_embedding_is_needed_to_draw_it_again(
    tmp_path: Path, flat: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prediction(tmp_path, SPECS[0], 0)
    (first,) = mixing.layouts(SPECS, tmp_path)
    (whole,) = tmp_path.glob("*/predictions/*/predictions.npz")
    whole.unlink()
    monkeypatch.setattr(mixing, "umap_plane", None)
    (again,) = mixing.layouts(SPECS, tmp_path)
    assert again.experiment.tolist() == first.experiment.tolist()
    np.testing.assert_array_equal(again.plane, first.plane)
    assert (again.purity, again.chance) == (first.purity, first.chance)


def test_a_layout_that_was_kept_under_other_settings_is_made_anew(
    tmp_path: Path, flat: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prediction(tmp_path, SPECS[0], 0)
    (first,) = mixing.layouts(SPECS, tmp_path)
    assert not mixing.lacks_layout(SPECS[0], tmp_path)
    monkeypatch.setitem(mixing.UMAP_SETTINGS, "min_dist", 0.3)
    monkeypatch.setattr(mixing, "umap_plane", lambda embedding: embedding[:, 2:])
    assert mixing.lacks_layout(SPECS[0], tmp_path)
    (again,) = mixing.layouts(SPECS, tmp_path)
    assert (again.plane != first.plane).any()
    assert not mixing.lacks_layout(SPECS[0], tmp_path)


def test_a_layout_whose_settings_nobody_knows_is_not_shown(tmp_path: Path, flat: None) -> None:
    write_prediction(tmp_path, SPECS[0], 0)
    kept = mixing.keep_layout(SPECS[0], tmp_path)
    (whole,) = tmp_path.glob("*/predictions/*/predictions.npz")
    del kept["settings"]
    write_derived(whole.parent, "umap_huvec.npz", kept)
    assert mixing.lacks_layout(SPECS[0], tmp_path)
    whole.unlink()
    assert mixing.layouts(SPECS, tmp_path) == []


def test_umap_gets_the_settings_that_are_kept_and_the_nearest_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[dict[str, Any]] = []

    class Umap:
        def __init__(self, **settings: Any) -> None:
            called.append(settings)

        def fit_transform(self, embedding: Any) -> Any:
            return embedding[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap))
    draw = np.random.default_rng(0)
    for sites, looked_at in ((30, 15), (9, 8)):
        embedding = draw.normal(size=(sites, 4)).astype(np.float32)
        mixing.umap_plane(embedding)
        settings = called.pop()
        places, distances = settings.pop("precomputed_knn")
        assert settings == mixing.UMAP_SETTINGS | {"n_jobs": 1, "n_neighbors": looked_at}
        apart = cdist(embedding, embedding, "cosine")
        np.testing.assert_array_equal(places, apart.argsort(axis=1)[:, :looked_at])
        np.testing.assert_allclose(distances, np.sort(apart, axis=1)[:, :looked_at], atol=1e-6)


def test_a_layout_of_the_releases_huvec_experiments_is_small_enough_to_be_shared(
    tmp_path: Path,
) -> None:
    noise = np.random.default_rng(0)
    kept = {
        "names": np.array([f"HUVEC-{n}" for n in range(17, 25)]),
        "of_site": np.arange(8, dtype=np.uint8).repeat(2464),
        "plane": noise.normal(size=(8 * 2464, 2)).astype(np.float16),
        "purity": np.array([50.0, 12.5]),
        "settings": np.array("x" * 200),
    }
    write_derived(tmp_path, "umap_huvec.npz", kept)  # raises if it is not


def test_runs_without_embeddings_are_left_out_and_the_picture_says_so(
    tmp_path: Path, flat: None
) -> None:
    write_prediction(tmp_path, SPECS[0], 0)
    (layout,) = mixing.layouts(SPECS, tmp_path)
    figure = mixing_figures.plane_figure([layout], simulated=True)
    words = [[text.get_text() for text in axis.texts] for axis in figure.axes]
    assert words == [[], *[["no embeddings kept"]] * 3]


def test_one_experiment_has_no_purity_and_can_be_drawn(flat: None) -> None:
    one = mixing.layout("adabn", np.full(30, "SIM-HUVEC-03"), np.ones((30, 4), np.float32))
    assert np.isnan([one.purity, one.chance]).all()
    figure = mixing_figures.plane_figure([one], simulated=True)
    assert {axis.get_xlabel() for axis in figure.axes} == {""}


def test_every_experiment_has_a_colour_and_a_shape_of_its_own_and_every_site_a_point(
    flat: None,
) -> None:
    names = np.array([f"SIM-HUVEC-{n:02}" for n in range(17, 25)]).repeat(6)
    values = np.random.default_rng(0).normal(size=(48, 4)).astype(np.float32)
    layouts = [mixing.layout(method, names, values) for method in METHODS]
    figure = mixing_figures.plane_figure(layouts, simulated=True)
    assert [text.get_text() for text in figure.texts] == ["SIMULATED"]
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        record.label for record in METHODS.values()
    ]
    for axis in figure.axes:
        styles = {(line.get_color(), line.get_marker()) for line in axis.lines}
        assert len(styles) == len({colour for colour, _ in styles}) == 8
        assert sum(len(line.get_xdata()) for line in axis.lines) == 48
        assert axis.get_xlabel().startswith("purity ")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == sorted(set(names))


def test_importing_what_the_ledger_needs_loads_no_umap() -> None:
    program = "import sys; from rxrx_lib.study import mixing, mixing_pages, mixing_figures, ledger"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; print('umap' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_purity_and_chance_are_cells_of_the_ledger() -> None:
    cells = {(c.row, c.column): c for c in mixing.purity_cells(results(PURITY))}
    assert cells.keys() == {(name, column) for name in METHODS for column in ("purity", "chance")}
    assert cells["baseline", "purity"].value == 91.0
    assert cells["baseline", "chance"].value == 50.0


def test_cell_types_that_the_paper_does_not_show_have_their_name_in_the_column() -> None:
    more = results(PURITY)
    for name in ("neighbour_purity", "neighbour_purity_chance"):
        more[name] = [{**found, "U2OS": 60.0} for found in more[name]]
    columns = {cell.column for cell in mixing.purity_cells(more)}
    assert columns == {"purity", "chance", "purity_U2OS", "chance_U2OS"}
    assert list(mixing_pages.purity_table(more).columns) == ["method", "HUVEC", "U2OS"]
    assert [panel.title for panel in mixing_figures.purity_panels(more)] == ["HUVEC", "U2OS"]


def test_the_table_has_a_column_for_each_cell_type_that_was_measured() -> None:
    table = mixing_pages.purity_table(results(PURITY)).set_index("method")
    assert list(table.columns) == ["HUVEC"]
    assert table.loc["by luck", "HUVEC"] == "50.0"
    assert table.loc["Baseline", "HUVEC"].startswith("91.0")


def test_sentences_hold_each_method_against_luck_and_then_against_the_baseline() -> None:
    claims = mixing_pages.mixing_claims(results(PURITY))
    endings = [
        "it lies above luck (3 replicates).",
        "it lies above luck (3 replicates).",
        "3 replicates cannot tell it from luck.",
        "it lies below luck (3 replicates).",
    ]
    assert [claim.split("; ")[1] for claim in claims[:4]] == endings
    assert claims[4].startswith("Gradient reversal cannot be told from the baseline")
    assert claims[5].startswith("AdaBN lies below the baseline")


def test_one_replicate_says_that_it_knows_nothing_of_its_spread() -> None:
    claims = mixing_pages.mixing_claims(results(PURITY, replicates=1))
    assert all("says nothing of its own spread" in claim for claim in claims)


def test_one_test_experiment_is_said_and_nothing_crashes() -> None:
    alone = results(PURITY).drop(columns=["neighbour_purity", "neighbour_purity_chance"])
    alone["by_experiment"] = [{"SIM-HUVEC-03": 50.0, "SIM-RPE-03": 50.0}] * len(alone)
    (claim,) = mixing_pages.mixing_claims(alone)
    assert claim.startswith("HUVEC has one test experiment on these screens")
    assert set(mixing_pages.purity_table(alone)["purity"]) == {"not measured"}
    assert mixing.purity_cells(alone) == []
    panels = mixing_figures.purity_panels(alone)
    figure = mixing_figures.purity_figure(panels, simulated=True)
    assert "No cell type has several" in figure.axes[0].texts[0].get_text()
    assert panel_data(panels, alone).empty


def test_runs_that_were_scored_earlier_are_told_apart_from_screens_with_one_experiment() -> None:
    old = results(PURITY).drop(columns=["neighbour_purity", "neighbour_purity_chance"])
    (claim,) = mixing_pages.mixing_claims(old)
    assert "were scored before this number" in claim
    assert mixing_pages.mixing_claims(pd.DataFrame([])) == ["No run of these is done."]


def test_the_purity_figure_has_a_panel_a_cell_type_with_what_luck_gives() -> None:
    (panel,) = mixing_figures.purity_panels(results(PURITY))
    assert panel.values["adabn"] == [50.0, 51.0, 49.0]
    assert panel.lines == {"by luck": 50.0}
    figure = mixing_figures.purity_figure([panel], simulated=False)
    assert figure.axes[-1].get_xlabel() == "percent of the 15 nearest neighbours"
    assert not figure.texts


def test_the_papers_panel_has_its_words_and_what_was_measured_on_rxrx1() -> None:
    panel = mixing_pages.paper_panel({})
    assert set(panel["RxRx1, this code: purity"]) == {"not run here"}
    cells = {(c.row, c.column): c for c in mixing.purity_cells(results(PURITY, replicates=1))}
    assert mixing_pages.paper_panel(cells).iloc[0, 2] == "90.0"
