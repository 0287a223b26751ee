"""Figure 7: which runs it rests on, what is kept of them, what the page says of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rxrx_lib.evaluation.cosine_counts import COMPARED
from rxrx_lib.evaluation.similarity import cosine_distributions
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs, similarity
from rxrx_lib.study import similarity_pages as words
from rxrx_lib.study.archive import done_runs, export
from rxrx_lib.study.catalogue import table1
from rxrx_lib.study.figures import method_style
from rxrx_lib.study.kept import NotKept
from rxrx_lib.study.ledger import ledger
from rxrx_lib.study.merge import merge
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.similarity import figure7, gather_similarity, keep_similarity, lacks_similarity
from rxrx_lib.study.similarity_figure import MOST_BINS, merged_bins, similarity_figure
from rxrx_lib.study.spec import PredictSpec, RunSpec
from tests.study.stored import finish_with_predictions

DEMO = PROFILES["demo"]
SPACE, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def predictions(shift: float, seed: int, experiments: int = 4) -> dict[str, np.ndarray]:
    """Return a run's sites: an experiment has four treatments in one well, a control in two."""
    rng = np.random.default_rng(seed)
    sirna = np.tile(np.repeat([0, 1, 2, 3, 4, 4], 2), experiments)
    experiment = np.arange(experiments).repeat(12)
    vectors = rng.normal(size=(5, 8))[sirna] + shift * rng.normal(size=(experiments, 8))[experiment]
    vectors = np.maximum(0, vectors + 0.4 * rng.normal(size=vectors.shape))
    wells = [f"RPE-{each}_1_B{2 + number % 12 // 2:02d}" for number, each in enumerate(experiment)]
    wells += [f"RPE-9_1_B{well:02d}" for well in (2, 2, 3)]
    return {
        "embedding": np.concatenate([vectors, rng.random((3, 8))]).astype(np.float32),
        "sirna_id": np.append(sirna, [0, 0, 1]),
        "experiment": np.append([f"RPE-{each}" for each in experiment], ["RPE-9"] * 3),
        "cell_type": np.array(["RPE"] * (len(sirna) + 3)),
        "well_id": np.array(wells),
        "site_id": np.array([f"{well}_{1 + number % 2}" for number, well in enumerate(wells)]),
        "well_type": np.append(
            np.where(sirna == 4, "positive_control", "treatment"), ["treatment"] * 3
        ),
        "side": np.array(["test"] * len(sirna) + ["train"] * 3),
    }


def folder_of(store: Path, spec: RunSpec) -> Path:
    asked = PredictSpec(statistics=METHODS[spec.method].statistics)
    return runs.open_run(store, spec).prediction(asked)


def finish(store: Path, spec: RunSpec, arrays: dict[str, np.ndarray]) -> None:
    """Write a done run whose sites are all named correctly."""
    sites = len(arrays["side"])
    answers = {
        "split": np.asarray(spec.split.name),
        "unit": np.asarray(spec.split.unit),
        "classes": np.asarray(5),
        "experiments": np.asarray(len(set(arrays["experiment"]))),
        "whole_wells": np.asarray(False),
        "plate": np.ones(sites, np.int64),
        "predicted_experiment": arrays["experiment"],
        "top_sirna_id": arrays["sirna_id"][:, None].astype(np.int16),
        "top_logit": np.ones((sites, 1), np.float32),
    }
    finish_with_predictions(spec, store, answers | arrays)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the demo's runs: experiments differ under the baseline alone."""
    store = tmp_path_factory.mktemp("store")
    for number, spec in enumerate(figure7(DEMO)):
        shift = 2.0 if spec.method == "baseline" else 0.0
        finish(store, spec, predictions(shift, number))
        keep_similarity(spec, store)
    return store


@pytest.fixture
def results(full: Path) -> pd.DataFrame:
    return gather_similarity(figure7(DEMO), full)


def test_the_runs_are_those_of_table_1_with_separated_experiments() -> None:
    for plan in PROFILES.values():
        specs = figure7(plan)
        assert {spec.id for spec in specs} <= {spec.id for spec in table1(plan)}
        assert len(specs) == 2 * len(plan.replicates)
        assert {spec.split.name for spec in specs} <= {"separated"}
        assert {spec.method for spec in specs} <= {"baseline", "adabn"}


def test_the_test_sides_embeddings_are_compared(full: Path, results: pd.DataFrame) -> None:
    for number, spec in enumerate(figure7(DEMO)):
        arrays = predictions(2.0 if spec.method == "baseline" else 0.0, number)
        names = ("embedding", "sirna_id", "experiment", "cell_type", "well_id")
        test = arrays["side"] == "test"
        found = cosine_distributions(*(arrays[name][test] for name in names))
        (row,) = results[results["id"] == spec.id].to_dict("records")
        for pair, (one, other) in COMPARED.items():
            assert row[f"ks_{pair}"] == found.compare(one, other).ks
            assert row[f"wasserstein_{pair}"] == found.compare(one, other).wasserstein
        assert row["pairs"] == {name: found.pairs(name) for name in found.counts}
        for name in found.counts:
            assert row["histograms"][name] == found.histogram(name, similarity.BINS).tolist()


def test_shares_of_pairs_follow_from_the_design(results: pd.DataFrame) -> None:
    # An experiment has 4 pairs of treatments, and 6 of a control's sites, 2 of them of one well.
    assert list(results["same_well_share"]) == pytest.approx([60.0] * 6)
    assert list(results["other_wells_controls"]) == [100.0] * 6


def test_controls_are_compared_with_controls_alone(full: Path, results: pd.DataFrame) -> None:
    spec = figure7(DEMO)[0]
    arrays = predictions(2.0, 0)
    some = arrays["well_type"] == "positive_control"
    names = ("embedding", "sirna_id", "experiment", "cell_type", "well_id")
    found = cosine_distributions(*(arrays[name][some] for name in names))
    (row,) = results[results["id"] == spec.id].to_dict("records")
    expected = found.compare("same_within_other_wells", "same_across")
    assert (row["ks_same_controls"], row["wasserstein_same_controls"]) == expected[:2]


def test_what_is_kept_is_small_and_rebuilds_the_page_without_embeddings(
    full: Path, results: pd.DataFrame, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    export(tmp_path / "runs.zip", done_runs(full))
    merge([tmp_path / "runs.zip"], store)
    assert not list(store.rglob("predictions.npz"))
    again = gather_similarity(figure7(DEMO), store)
    pd.testing.assert_frame_equal(again, results)
    kept = list(store.rglob("similarity.json"))
    assert len(kept) == 6
    assert max(path.stat().st_size for path in kept) < 100_000


def test_what_is_kept_does_not_depend_on_when_or_by_how_many_threads(full: Path) -> None:
    arrays = {n: a[:-3] for n, a in predictions(1.0, 5).items()}
    one, two = similarity.measured(arrays), similarity.measured(arrays, workers=2)
    assert json.dumps(one) == json.dumps(two)


def test_another_format_is_counted_anew(full: Path, results: pd.DataFrame, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(full, store)
    (folder_of(store, figure7(DEMO)[0]) / "derived" / "similarity.json").write_text('{"format": 0}')
    assert len(gather_similarity(figure7(DEMO), store)) == 5
    assert lacks_similarity(figure7(DEMO)[0], store)
    keep_similarity(figure7(DEMO)[0], store)
    pd.testing.assert_frame_equal(gather_similarity(figure7(DEMO), store), results)


def test_runs_that_are_not_done_are_left_out(tmp_path: Path) -> None:
    assert gather_similarity(figure7(DEMO), tmp_path).empty
    assert not list(tmp_path.iterdir())
    finish(tmp_path, figure7(DEMO)[0], predictions(1.0, 0))
    keep_similarity(figure7(DEMO)[0], tmp_path)
    found = gather_similarity(figure7(DEMO), tmp_path)
    assert list(found["method"]) == ["baseline"]
    assert words.shift_claims(found) == []
    assert len(words.panel_claims(found)) == 1
    assert "(one replicate)" in words.panel_claims(found)[0]
    assert words.table(found, words.WITHIN_OR_ACROSS)["KS, AdaBN"].tolist() == ["no pairs"] * 4
    assert len(similarity_figure(found, simulated=True).axes) == 4


def test_predictions_without_embeddings_are_refused(tmp_path: Path) -> None:
    arrays = predictions(1.0, 0)
    del arrays["embedding"]
    finish(tmp_path, figure7(DEMO)[0], arrays)
    with pytest.raises(NotKept, match=r"lacks embedding, since its predictions were made without"):
        keep_similarity(figure7(DEMO)[0], tmp_path)


def test_one_test_experiment_a_cell_type_leaves_across_empty(tmp_path: Path) -> None:
    for spec in figure7(DEMO)[:2]:
        finish(tmp_path, spec, predictions(1.0, 0, experiments=1))
        keep_similarity(spec, tmp_path)
    found = gather_similarity(figure7(DEMO), tmp_path)
    assert found["ks_across"].isna().all()
    assert words.shift_claims(found) == [
        "No pair stands across experiments: each cell type has one test experiment."
    ]
    assert "within experiments (one" in words.panel_claims(found)[0]
    figure = similarity_figure(found, simulated=True)
    assert [axis.texts[0].get_text() for axis in figure.axes[1::2]] == ["no pairs"] * 2
    columns = {cell.column for cell in similarity.cells(found)}
    assert "ks_within" in columns
    assert "ks_across" not in columns


def test_the_ledger_holds_every_number_of_the_figure(full: Path) -> None:
    rows = ledger(full, DEMO)
    rows = rows[rows["item"] == "figure7"]
    assert len(rows) == 2 * (len(similarity.QUANTITIES) + len(similarity.SHARES))
    assert rows["paper"].isna().all()
    assert rows["rxrx1"].isna().all()
    assert set(rows["simulated_n"]) == {3}


def test_the_papers_panel_waits_for_rxrx1() -> None:
    panel = words.paper_panel({})
    assert len(panel) == 8
    assert set(panel["RxRx1, this code"]) == {"not run here"}
    assert set(panel["paper's text"]) == {"no number"}


def made(base: list[float], adabn: list[float]) -> pd.DataFrame:
    """Return results with given KS statistics within against across, and nothing else to say."""
    rows = [
        dict.fromkeys(similarity.QUANTITIES)
        | {"method": method, "replicate": str(number), "ks_same": value}
        for method, found in (("baseline", base), ("adabn", adabn))
        for number, value in enumerate(found)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("base", "adabn", "verdict"),
    [
        # Differences of -0.3 and -0.2: their t interval is -0.25 ± 0.635, one degree of freedom.
        ([0.6, 0.5], [0.3, 0.3], f"cannot be told ({MINUS}0.25, 95{SPACE}% interval {MINUS}0.89"),
        (
            [0.6, 0.6],
            [0.3, 0.3],
            f"AdaBN's distributions move less ({MINUS}0.30, 95{SPACE}% interval",
        ),
        ([0.2, 0.2], [0.3, 0.3], "AdaBN's distributions move more (+0.10"),
        ([0.2], [0.3], "0.20 for the baseline and 0.30 for AdaBN, from one replicate."),
    ],
)
def test_which_method_moves_less_is_said_by_the_interval(
    base: list[float], adabn: list[float], verdict: str
) -> None:
    first, count = words.shift_claims(made(base, adabn))
    assert first.startswith("Same siRNA: between within and across, the KS statistic is ")
    assert verdict in first
    assert count.startswith("These are 1 comparisons")


def test_experiments_that_differ_move_the_distributions(results: pd.DataFrame) -> None:
    base, adabn = (similarity.values(results, m, "ks_same") for m in similarity.SHOWN)
    assert min(base.values()) > 0.4
    assert max(adabn.values()) < 0.3


def test_pairs_are_said_in_numbers(results: pd.DataFrame) -> None:
    pairs, wells, controls, zeros, rounding = words.pair_claims(results)
    assert pairs == f"Each run compares {48 * 47 // 2:,} pairs of test sites."
    assert f"60.0{SPACE}% are two sites of one well" in wells
    assert f"100.0{SPACE}% are pairs of a control" in controls
    assert zeros == "No site's embedding is all zeros; none was left out."
    assert "too small by" in rounding
    some = words.pair_claims(results.assign(zero_vectors=2))
    assert some[3] == "12 sites whose embedding is all zeros were left out, over all runs."
    assert words.pair_claims(pd.DataFrame([])) == []


def test_curves_are_shares_of_their_own_pairs(results: pd.DataFrame) -> None:
    merged = merged_bins(results)
    found = words.densities(results, merged)
    sums = found.groupby(["method", "replicate", "distribution"])["percent"].sum()
    assert list(sums) == pytest.approx([100.0] * 30)
    assert found["from"].nunique() <= MOST_BINS
    behind = words.data_behind(results, merged)
    assert list(behind.columns[:3]) == ["from", "to", "Baseline: same siRNA, within"]
    np.testing.assert_allclose(behind.iloc[:, 2:].sum(), 100.0)


def test_the_figure_has_a_row_a_method_and_says_its_numbers(results: pd.DataFrame) -> None:
    for simulated in (True, False):
        figure = similarity_figure(results, simulated=simulated)
        assert [text.get_text() for text in figure.texts] == ["SIMULATED"] * simulated
    for row, method in enumerate(similarity.SHOWN):
        for column, panel in enumerate(("within", "across")):
            axis = figure.axes[2 * row + column]
            ks = np.mean(list(similarity.values(results, method, f"ks_{panel}").values()))
            assert axis.texts[0].get_text().startswith(f"KS {ks:.2f}\nW 0.")
            colours = {plt.matplotlib.colors.to_hex(p.get_edgecolor()) for p in axis.patches}
            assert method_style(method)["color"].lower() in colours
            # Three curves within, two across; each of three replicates and their mean.
            assert len(axis.patches) == 4 * (3 if panel == "within" else 2)
