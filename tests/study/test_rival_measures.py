"""What corrected embeddings and simple features reach, measured once and kept beside a run."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from rxrx_lib.evaluation.probes import INVERSE_REGULARISATION
from rxrx_lib.study import rival_measures, runs
from rxrx_lib.study.derived import own_prediction
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.kept import NotKept
from rxrx_lib.study.predictions import RunNotDone
from rxrx_lib.study.rival_features import SiteFeatures
from rxrx_lib.study.rival_files import EMBEDDINGS, FEATURES, FILE, read_measured
from rxrx_lib.study.rivals import RIVALS
from rxrx_lib.study.screens import make_split, open_screen
from tests.study.stored import finish, finish_with_predictions, made_up_predictions
from tests.study.tiny import BY_SITE, RELEASE, SEPARATED, run_spec

SPEC = run_spec("baseline")


def embeddings(shift: float = 5.0, seed: int = 0) -> dict[str, np.ndarray]:
    """Return embeddings that tell the class, and are shifted and scaled by experiment."""
    arrays = made_up_predictions(SPEC)
    draw = np.random.default_rng(seed)
    truth = np.eye(6)[arrays["sirna_id"]] + draw.normal(0, 0.1, (len(arrays["side"]), 6))
    _, which = np.unique(arrays["experiment"], return_inverse=True)
    which = which[:, np.newaxis]
    moved = truth * (1 + which) + shift * which * np.arange(6)
    return arrays | {"embedding": moved.astype(np.float32)}


def probe(x: np.ndarray, y: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Fit scikit-learn's regression to training rows, standardised by their mean and spread."""
    x = (x - x[train].mean(0)) / x[train].std(0)
    fitted = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000).fit(x[train], y[train])
    return fitted.predict(x[~train])


def test_embeddings_are_corrected_by_experiment_and_probed_for_the_class() -> None:
    arrays = embeddings()
    found = rival_measures.of_embeddings(arrays)
    x, y, train = arrays["embedding"].astype(float), arrays["sirna_id"], arrays["side"] == "train"
    treatment = arrays["well_type"][~train] == "treatment"
    within = x.copy()
    for name in np.unique(arrays["experiment"]):
        rows = arrays["experiment"] == name
        within[rows] = (x[rows] - x[rows].mean(0)) / x[rows].std(0)
    for rival, values in (("embeddings", x), ("embeddings_standardised", within)):
        right = probe(values, y, train) == y[~train]
        assert found[rival]["accuracy"] == pytest.approx(100 * right.mean())
        assert found[rival]["accuracy_treatments"] == pytest.approx(100 * right[treatment].mean())
    assert found["embeddings_standardised"]["accuracy"] > found["embeddings"]["accuracy"] + 20


def test_no_answer_depends_on_a_test_sites_class(monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[np.ndarray] = []
    fit = rival_measures.fitted_answers

    def remembered(*given: np.ndarray) -> np.ndarray:
        answered.append(fit(*given))
        return answered[-1]

    monkeypatch.setattr(rival_measures, "fitted_answers", remembered)
    arrays = embeddings()
    test = np.flatnonzero(arrays["side"] == "test")
    other = arrays["sirna_id"].copy()
    other[test] = np.random.default_rng(0).permutation(other[test])
    rival_measures.of_embeddings(arrays)
    rival_measures.of_embeddings(arrays | {"sirna_id": other})
    for one, two in zip(answered[:3], answered[3:], strict=True):
        np.testing.assert_array_equal(one, two)


def test_predictors_without_a_network_read_training_classes_alone(
    release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = open_screen(RELEASE, release)
    split = make_split(screen.table, SEPARATED)
    draw, n = np.random.default_rng(0), len(screen.table)
    sirna = screen.table["sirna_id"].to_numpy()
    brightness = (sirna[:, np.newaxis] * 10 + draw.normal(size=(n, 6))).astype(np.float32)
    sites = SiteFeatures(
        np.eye(4, dtype=np.float32)[draw.integers(0, 4, n)],
        draw.integers(1, 30, (n, 1)).astype(np.float32),
        brightness,
        screen.table["experiment"].to_numpy(dtype=str),
    )
    found = rival_measures.of_features(screen, sites, split.train, split.test)
    assert found.keys() == set(FEATURES)
    assert found["intensity"]["accuracy"] > 90
    counts = np.bincount(sirna[split.train])
    expected = 100 * np.mean(sirna[split.test] == counts.argmax())
    assert found["commonest"]["accuracy"] == pytest.approx(expected)

    seen: list[np.ndarray] = []
    monkeypatch.setattr(
        rival_measures, "fitted_answers", lambda x, y, z: seen.append(y) or np.zeros(len(z))
    )
    rival_measures.of_features(screen, sites, split.train, split.test)
    assert all(np.array_equal(y, sirna[split.train]) for y in seen)


def test_without_treatments_there_is_no_accuracy_of_theirs() -> None:
    answers, sirna = np.array([1, 2, 3, 3]), np.array([1, 2, 3, 4])
    treatment = np.array([True, False, False, True])
    both = {"accuracy": 75.0, "accuracy_treatments": 50.0}
    assert rival_measures.hits(answers, sirna, treatment) == both
    assert rival_measures.hits(answers, sirna, ~treatment & False) == {"accuracy": 75.0}


def test_sites_seen_are_those_of_the_experiment_weighted_by_test_sites() -> None:
    experiment = np.array(["A"] * 4 + ["B"] * 2 + ["C"] * 6)
    assert rival_measures.sites_seen(experiment, np.array([4, 5, 6, 7])) == (2 + 2 + 6 + 6) / 4


@pytest.mark.parametrize("split", [SEPARATED, BY_SITE])
def test_what_was_measured_is_kept_without_embeddings(
    release: Path, tmp_path: Path, split: object
) -> None:
    spec = run_spec("baseline", split)
    finish_with_predictions(spec, tmp_path)
    runtime = Runtime(data=release, runs=tmp_path)
    rival_measures.measure_done(spec, runtime)
    found = read_measured(spec, tmp_path)
    assert found is not None
    assert found["rivals"].keys() == {*EMBEDDINGS.values(), *FEATURES}
    assert {name for name, each in RIVALS.items() if each.kind != "network"} == (
        found["rivals"].keys()
    )
    assert found["counted"] is None  # no truth comes with it
    sites = open_screen(RELEASE, release).table["experiment"].value_counts()
    assert sites.min() <= found["seen"] <= sites.max()

    folder = own_prediction(runs.open_run(tmp_path, spec), spec)
    (folder / "predictions.npz").unlink()  # as after a merge
    assert read_measured(spec, tmp_path) == found
    shutil.rmtree(folder / "derived")
    with pytest.raises(NotKept):
        rival_measures.measure_done(spec, runtime)
    assert read_measured(spec, tmp_path) is None


def test_a_run_that_is_not_done_is_refused(release: Path, tmp_path: Path) -> None:
    with pytest.raises(RunNotDone, match="is absent"):
        rival_measures.measure_done(SPEC, Runtime(data=release, runs=tmp_path))


def test_a_file_of_an_older_format_is_made_anew_and_one_that_lacks_a_rival_is_named(
    tmp_path: Path,
) -> None:
    run = finish(SPEC, tmp_path)
    folder = own_prediction(run, SPEC) / "derived"
    folder.mkdir(parents=True)
    assert read_measured(SPEC, tmp_path) is None
    runs.write_json(folder / FILE, {"format": 0})
    assert read_measured(SPEC, tmp_path) is None
    runs.write_json(folder / FILE, {"format": 1, "seen": 1.0, "rivals": {"position": {}}})
    with pytest.raises(ValueError, match=r"rivals\.json lacks both_standardised, .*; remove it"):
        read_measured(SPEC, tmp_path)
    assert read_measured(dataclasses.replace(SPEC, seed=5), tmp_path) is None
