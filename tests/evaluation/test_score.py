from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from rxrx_lib.evaluation.predictions import validate_predictions
from rxrx_lib.evaluation.score import score

# One test experiment of each of two cell types: (well, class, its two sites' three best classes).
# EMPTY is class 5; the head knows K = 6 classes.
TEST_WELLS = [
    ("H1", "HUVEC", "B02", "negative_control", 5, [[5, 0, 1], [5, 1, 0]]),
    ("H1", "HUVEC", "C03", "positive_control", 4, [[4, 0, 1], [0, 4, 1]]),
    ("H1", "HUVEC", "D04", "treatment", 0, [[0, 1, 2], [1, 0, 2]]),
    ("R1", "RPE", "B02", "negative_control", 5, [[5, 0, 1], [5, 0, 1]]),
    ("R1", "RPE", "D04", "treatment", 1, [[1, 0, 2], [2, 3, 1]]),
    ("R1", "RPE", "E05", "treatment", 0, [[2, 3, 4], [3, 2, 4]]),
]
LOGITS = [[3.0, 1.0, 0.0], [2.0, 1.5, 0.0]]  # first and second site of every well


def separated_run() -> dict[str, np.ndarray]:
    """The predictions of a separated run without embeddings: twelve test sites."""
    rows = [
        (f"{experiment}_1_{well}_{site}", f"{experiment}_1_{well}", experiment, cell, kind, sirna)
        for experiment, cell, well, kind, sirna, _ in TEST_WELLS
        for site in (1, 2)
    ]
    site_id, well_id, experiment, cell_type, well_type, sirna_id = zip(*rows, strict=True)
    return {
        "split": np.array("separated"),
        "unit": np.array("experiment"),
        "classes": np.array(6),
        "experiments": np.array(4),
        "whole_wells": np.array(True),
        "site_id": np.array(site_id),
        "well_id": np.array(well_id),
        "plate": np.ones(12, dtype=int),
        "experiment": np.array(experiment),
        "cell_type": np.array(cell_type),
        "well_type": np.array(well_type),
        "sirna_id": np.array(sirna_id),
        "side": np.full(12, "test"),
        "predicted_experiment": np.full(12, "H1"),
        "top_sirna_id": np.array([top for *_, tops in TEST_WELLS for top in tops], dtype=np.int16),
        "top_logit": np.array(LOGITS * 6, dtype=np.float32),
    }


def stratified_run(sites: int = 240) -> dict[str, np.ndarray]:
    """A stratified run with embeddings: two experiments of each of two cell types, side by side.

    The embedding shows the experiment without noise; half the rows are training rows.
    """
    row = np.arange(sites)
    experiment = np.array(["H1", "H2", "R1", "R2"])[row % 4]
    sirna = row // 4 % 5
    logit = np.random.default_rng(0).normal(size=(sites, 6))
    top = np.argsort(-logit, axis=1)
    shown = np.eye(4)[row % 4].repeat(2, axis=1) * 3
    return {
        "split": np.array("stratified"),
        "unit": np.array("site"),
        "classes": np.array(6),
        "experiments": np.array(4),
        "whole_wells": np.array(True),
        "site_id": np.array([f"site-{i}" for i in row]),
        "well_id": np.array([f"well-{i}" for i in row]),
        "plate": np.ones(sites, dtype=int),
        "experiment": experiment,
        "cell_type": np.where(row % 4 < 2, "HUVEC", "RPE"),
        "well_type": np.full(sites, "treatment"),
        "sirna_id": sirna,
        "side": np.where(row < sites // 2, "train", "test"),
        "predicted_experiment": np.where(row % 8 < 4, experiment, "none"),
        "top_sirna_id": top.astype(np.int16),
        "top_logit": np.take_along_axis(logit, top, axis=1).astype(np.float32),
        "embedding": (shown + 0.1).astype(np.float32),
    }


@pytest.fixture(scope="module")
def stratified_score() -> dict[str, Any]:
    return score(stratified_run())


def test_the_score_of_twelve_sites_by_hand() -> None:
    metrics = score(separated_run())
    # Right first answers: H1 2 + 1 + 1, R1 2 + 1 + 0, that is 7 of 12.
    # Wells, of summed logits: H1 all three (C03 and D04 by 4.5 to 3.0); R1 B02 and D04 (class 1
    # has 3.0 + 0.0, class 2 has 0.0 + 2.0), not E05.
    assert metrics.pop("by_experiment") == pytest.approx({"H1": 100 * 4 / 6, "R1": 50.0})
    assert metrics.pop("by_cell_type") == pytest.approx({"HUVEC": 100 * 4 / 6, "RPE": 50.0})
    assert metrics.pop("sites_by_cell_type") == {"HUVEC": 6, "RPE": 6}
    # Classes 0 and 5 have four sites each, 1 and 4 two. Of 0 and 5, one and four sites are named
    # right and none by the other's name; of 1 and 4, one and one.
    assert metrics.pop("luck_mean") == pytest.approx(100 * (5 / 2 + 2 / 2) / 12)
    assert metrics.pop("luck_sd") == pytest.approx(100 * np.hypot(5 / 2, 2 / 2) / 12)
    # Of the treatments, class 0 alone has four sites and class 1 alone two: no name to exchange.
    assert metrics.pop("luck_mean_treatments") == metrics["accuracy_treatments"]
    assert metrics.pop("luck_sd_treatments") == 0
    assert metrics == pytest.approx(
        {
            "split": "separated",
            "unit": "experiment",
            "classes": 6,
            "test_sites": 12,
            "test_wells": 6,
            "test_classes": 4,
            "test_experiments": 2,
            "accuracy": 100 * 7 / 12,
            "accuracy_macro": 100 * (1 / 4 + 1 / 2 + 1 / 2 + 1) / 4,
            "accuracy_treatments": 100 * 2 / 6,
            "accuracy_controls": 100 * 5 / 6,
            "accuracy_wells": 100 * 5 / 6,
            "chance_accuracy": 100 / 6,
            "majority_accuracy": 100 * 4 / 12,
        }
    )


def test_what_does_not_apply_to_a_separated_run_is_absent_and_not_null() -> None:
    metrics = score(separated_run())
    assert not [name for name in metrics if name.startswith(("batch_", "line_", "cell_type_"))]
    assert None not in metrics.values()


def test_a_separated_run_with_embeddings_gets_the_cell_type_probe_and_no_batch_figure() -> None:
    run = stratified_run() | {"split": np.array("separated"), "unit": np.array("experiment")}
    metrics = score(run)
    assert metrics["cell_type_probe"] == 100.0
    assert metrics["line_cell_type_majority"] == 50.0
    assert not [name for name in metrics if name.startswith("batch_")]
    assert "line_uniform" not in metrics


def test_a_stratified_run_with_embeddings_gets_every_batch_figure(
    stratified_score: dict[str, Any],
) -> None:
    expected = {
        "batch_classification_accuracy": 50.0,
        "accuracy_wells": stratified_score["accuracy"],  # each well has one site here
        "batch_probe_linear": 100.0,
        "batch_probe_mlp": 100.0,
        "line_uniform": 25.0,
        "line_cell_type": 50.0,
        "line_class": 25.0,
        "cell_type_probe": 100.0,
        "line_cell_type_majority": 50.0,
    }
    assert {name: stratified_score[name] for name in expected} == pytest.approx(expected)


def test_without_embeddings_a_stratified_run_keeps_the_head_that_was_trained_along(
    stratified_score: dict[str, Any],
) -> None:
    run = stratified_run()
    test = run["side"] == "test"
    bare = {name: array[test] if array.ndim else array for name, array in run.items()}
    del bare["embedding"]
    metrics = score(bare)
    assert metrics["batch_classification_accuracy"] == 50.0
    assert metrics["line_uniform"] == 25.0
    assert metrics == {name: stratified_score[name] for name in metrics}
    assert stratified_score.keys() - metrics.keys() == {
        "batch_probe_linear",
        "batch_probe_mlp",
        "line_cell_type",
        "line_class",
        "cell_type_probe",
        "line_cell_type_majority",
    }


def test_where_a_test_wells_sites_are_not_all_tested_no_well_accuracy_is_given(
    stratified_score: dict[str, Any],
) -> None:
    metrics = score(stratified_run() | {"whole_wells": np.array(False)})
    assert stratified_score.keys() - metrics.keys() == {"accuracy_wells"}
    assert metrics == {name: stratified_score[name] for name in metrics}


def test_the_uniform_line_counts_the_experiments_that_the_head_can_name() -> None:
    assert score(stratified_run() | {"experiments": np.array(8)})["line_uniform"] == 12.5


def test_training_rows_do_not_count_in_the_accuracies(stratified_score: dict[str, Any]) -> None:
    run = stratified_run()
    spoilt = run | {"top_sirna_id": run["top_sirna_id"].copy()}
    train = run["side"] == "train"
    spoilt["top_sirna_id"][train] = spoilt["top_sirna_id"][train][:, ::-1]
    assert score(spoilt) == stratified_score


def test_one_cell_type_needs_no_cell_type_probe() -> None:
    metrics = score(stratified_run() | {"cell_type": np.full(240, "HUVEC")})
    assert "cell_type_probe" not in metrics
    assert "line_cell_type_majority" not in metrics
    assert metrics["line_cell_type"] == pytest.approx(25.0)


def test_top_five_is_given_where_five_answers_were_kept(stratified_score: dict[str, Any]) -> None:
    run = stratified_run()
    test = run["side"] == "test"
    hit = (run["top_sirna_id"][test, :5] == run["sirna_id"][test, np.newaxis]).any(axis=1)
    assert stratified_score["accuracy_top5"] == pytest.approx(100 * hit.mean())
    assert "accuracy_top5" not in score(separated_run())


def test_a_group_of_wells_that_is_not_there_has_no_accuracy(
    stratified_score: dict[str, Any],
) -> None:
    assert "accuracy_controls" not in stratified_score
    assert stratified_score["accuracy_treatments"] == stratified_score["accuracy"]


def test_the_order_of_rows_does_not_matter(stratified_score: dict[str, Any]) -> None:
    run = stratified_run()
    order = np.random.default_rng(3).permutation(240)
    moved = {name: array[order] if array.ndim else array for name, array in run.items()}
    metrics = score(moved)
    assert metrics.keys() == stratified_score.keys()
    assert all(metrics[name] == pytest.approx(stratified_score[name]) for name in metrics)


def test_scores_survive_the_npz_file_and_json(stratified_score: dict[str, Any]) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, **stratified_run())
    file.seek(0)
    with np.load(file, allow_pickle=False) as predictions:
        metrics = score(predictions)
    assert json.loads(json.dumps(metrics, allow_nan=False)) == stratified_score


@pytest.mark.parametrize("name", sorted(separated_run()))
def test_a_missing_array_is_named(name: str) -> None:
    run = separated_run()
    del run[name]
    with pytest.raises(ValueError, match=f"predictions lack {name};"):
        validate_predictions(run)


@pytest.mark.parametrize(
    "name", sorted(name for name, array in separated_run().items() if array.ndim)
)
def test_an_array_of_another_length_is_named(name: str) -> None:
    run = separated_run()
    run[name] = run[name][:-1]
    # All other columns are measured by site_id, so there the first of them differs.
    with pytest.raises(ValueError, match=f"^{'well_id' if name == 'site_id' else name} has shape"):
        validate_predictions(run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": np.array("wilds")}, "split is 'wilds', expected one of separated, stratified"),
        ({"unit": np.array("site")}, "unit is 'site', expected experiment for split 'separated'"),
        ({"split": np.array("stratified")}, "unit is 'experiment', expected site or well"),
        ({"classes": np.array([6])}, "classes has shape"),
        ({"classes": np.array(0)}, "classes is 0"),
        ({"experiments": np.array(1)}, "experiments is 1, expected at least 2, as many as occur"),
        ({"whole_wells": np.array(1)}, "whole_wells is 1, expected true or false"),
        ({"classes": np.array(5)}, "sirna_id runs from 0 to 5, expected 0 to 4"),
        ({"sirna_id": np.full(12, -1)}, "sirna_id runs from -1 to -1, expected 0 to 5"),
        ({"sirna_id": np.full(12, 0.5)}, "sirna_id does not hold whole numbers"),
        ({"side": np.full(12, "val")}, "side holds"),
        ({"side": np.array(["test"] * 11 + ["left"])}, "side holds"),
        ({"side": np.full(12, "train")}, "side holds"),
        ({"site_id": np.full(12, "one")}, "site_id names a site twice"),
        ({"top_logit": np.full((12, 3), np.nan)}, "top_logit holds a value that is not finite"),
        ({"top_logit": np.array([[0.0, 1.0, 2.0]] * 12)}, "top_logit rises along a row"),
        ({"top_logit": np.zeros((12, 2))}, "top_logit has shape"),
        ({"embedding": np.zeros((12, 4))}, "side holds .* expected rows of test and train"),
        ({"embedding": np.zeros(12)}, "embedding has shape"),
    ],
)
def test_an_array_with_a_value_that_cannot_be_is_named(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        score(separated_run() | changes)


def test_scoring_imports_no_torch() -> None:
    code = "import rxrx_lib.evaluation.score, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_further_sides_are_scored_by_themselves_and_change_nothing_else() -> None:
    run = separated_run() | {"split": np.array("wilds_official"), "unit": np.array("site")}
    further = {name: value.copy() for name, value in run.items()}
    further["site_id"] = np.array([f"other-{site}" for site in further["site_id"]])
    further["side"] = np.repeat(["val", "id_test"], [4, 8])
    both = {
        name: np.concatenate([value, further[name]]) if value.ndim else value
        for name, value in run.items()
    }
    metrics = score(both)
    # Right first answers: of the first two wells 2 + 1, of the other four 1 + 2 + 1 + 0.
    assert metrics.pop("accuracy_val") == pytest.approx(100 * 3 / 4)
    assert metrics.pop("accuracy_id_test") == pytest.approx(100 * 4 / 8)
    assert metrics == score(run)


def test_probes_of_controls_are_fitted_to_and_measured_on_controls_alone() -> None:
    run = stratified_run()
    kinds = np.array(["treatment", "positive_control", "negative_control"])
    run["well_type"] = kinds[np.arange(len(run["site_id"])) // 4 % 3]
    treatment = run["well_type"] == "treatment"
    draw = np.random.default_rng(1)
    run["embedding"][treatment] = draw.normal(size=run["embedding"][treatment].shape)
    metrics = score(run)
    assert metrics["batch_probe_linear_controls"] == 100.0
    assert metrics["batch_probe_mlp_controls"] == 100.0
    assert metrics["batch_probe_linear"] < 90


def whole_experiments_run(shown: np.ndarray, test_experiments: int = 3) -> dict[str, np.ndarray]:
    """The stratified run, its HUVEC sites spread over so many test experiments; RPE trains."""
    run = stratified_run()
    huvec = run["cell_type"] == "HUVEC"
    number = np.arange(240) // 4 % test_experiments
    run["experiment"] = np.where(huvec, np.char.add("T", number.astype(str)), "R1")
    run["side"] = np.where(huvec, "test", "train")
    run["embedding"] = shown[np.where(huvec, number, 9)].astype(np.float32)
    return run | {"split": np.array("separated"), "unit": np.array("experiment")}


def test_a_separated_run_says_how_much_the_test_experiments_mix() -> None:
    apart = score(whole_experiments_run(np.eye(10)))
    assert apart["neighbour_purity"] == {"HUVEC": 100.0}
    assert apart["neighbour_purity_chance"] == {"HUVEC": pytest.approx(100 * 39 / 119)}
    mixed = score(whole_experiments_run(np.ones((10, 10))))
    assert mixed["neighbour_purity"] == pytest.approx(apart["neighbour_purity_chance"])


def test_one_test_experiment_of_a_cell_type_mixes_with_nothing() -> None:
    alone = score(whole_experiments_run(np.eye(10), test_experiments=1))
    assert not [name for name in alone if name.startswith("neighbour_purity")]


def test_a_stratified_run_has_no_mixing_of_unseen_experiments(
    stratified_score: dict[str, Any],
) -> None:
    assert "neighbour_purity" not in stratified_score
