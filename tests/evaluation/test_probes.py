from __future__ import annotations

import doctest
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from rxrx_lib.evaluation import probes
from rxrx_lib.evaluation.probes import linear_probe, mlp_probe

Probe = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], float]
Sides = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
BOTH = pytest.mark.parametrize(
    "probe", [linear_probe, partial(mlp_probe, seed=0)], ids=["linear", "mlp"]
)


def clusters(distance: float, labels: int = 8, features: int = 12, rows: int = 480) -> Sides:
    """Non-negative embeddings (rows, features) around one centre a label; half train, half test."""
    rng = np.random.default_rng(7)
    label = np.arange(rows) % labels
    centre = rng.normal(size=(labels, features)) * distance
    x = np.maximum(0, 3 + centre[label] + rng.normal(size=(rows, features))).astype(np.float32)
    y = np.array([f"SIM-{name:02d}" for name in label])
    return x[: rows // 2], y[: rows // 2], x[rows // 2 :], y[rows // 2 :]


def exclusive_or(rows: int = 800) -> Sides:
    rng = np.random.default_rng(8)
    x = rng.uniform(-1, 1, size=(rows, 8)).astype(np.float32)
    y = np.where(x[:, 0] * x[:, 1] > 0, "same", "other")
    return x[: rows // 2], y[: rows // 2], x[rows // 2 :], y[rows // 2 :]


def test_every_example_in_the_docstrings_holds() -> None:
    outcome = doctest.testmod(probes)
    assert outcome.failed == 0
    assert outcome.attempted >= 2


@BOTH
def test_a_probe_computes_on_one_thread_and_gives_the_others_back(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its last bits would depend on the cores of the machine."""
    inside: list[int] = []

    def spied(fit: Callable[..., object]) -> Callable[..., object]:
        def spy(*arguments: object) -> object:
            inside.extend(library["num_threads"] for library in threadpool_info())
            return fit(*arguments)

        return spy

    for classifier in (LogisticRegression, MLPClassifier):
        monkeypatch.setattr(classifier, "fit", spied(classifier.fit))
    with threadpool_limits(2):
        before = [library["num_threads"] for library in threadpool_info()]
        probe(*clusters(3.0, rows=48))
        assert [library["num_threads"] for library in threadpool_info()] == before
    assert max(before) == 2
    assert set(inside) == {1}


@BOTH
def test_labels_that_lie_apart_are_read_without_a_miss(probe: Probe) -> None:
    assert probe(*clusters(distance=8)) == 100.0


@BOTH
def test_shuffled_training_labels_are_read_at_chance(probe: Probe) -> None:
    train_x, train_y, test_x, test_y = clusters(distance=8)
    shuffled = np.random.default_rng(1).permutation(train_y)
    accuracy = probe(train_x, shuffled, test_x, test_y)
    # The eight clusters stay apart, so all 30 test rows of one get much the same answer.
    assert accuracy < 40
    noise = clusters(distance=0)
    assert probe(*noise) == pytest.approx(100 / 8, abs=3 * 100 * np.sqrt(1 / 8 * 7 / 8 / 240))


def test_the_linear_probe_is_logistic_regression_on_standardised_features() -> None:
    train_x, train_y, test_x, test_y = clusters(distance=0.5)
    scaler = StandardScaler().fit(train_x.astype(np.float64))
    reference = LogisticRegression(C=0.1, solver="newton-cg", tol=1e-6)
    reference.fit(scaler.transform(train_x), train_y)
    expected = 100 * reference.score(scaler.transform(test_x), test_y)
    assert linear_probe(train_x, train_y, test_x, test_y) == pytest.approx(expected, abs=0.5)
    assert 20 < expected < 95


def test_the_perceptron_reads_what_no_linear_probe_can() -> None:
    sides = exclusive_or()
    assert linear_probe(*sides) < 60
    assert mlp_probe(*sides, seed=0) > 80


@BOTH
def test_no_test_row_influences_the_fit_or_another_rows_answer(probe: Probe) -> None:
    train_x, train_y, test_x, test_y = clusters(distance=0.5)
    alone = probe(train_x, train_y, test_x[:40], test_y[:40])
    wild = np.full_like(test_x[40:], 1e6)
    nobody = np.full_like(test_y[40:], "nobody")  # of these rows none can be right
    together = probe(
        train_x, train_y, np.concatenate([test_x[:40], wild]), np.concatenate([test_y[:40], nobody])
    )
    assert together * len(test_y) == pytest.approx(alone * 40)


@BOTH
def test_a_probe_gives_the_same_figure_twice(probe: Probe) -> None:
    assert probe(*clusters(distance=0.4)) == probe(*clusters(distance=0.4))


def test_the_seed_decides_the_perceptrons_fit() -> None:
    sides = clusters(distance=0.4)
    assert mlp_probe(*sides, seed=0) != mlp_probe(*sides, seed=1)


@BOTH
def test_the_unit_of_a_feature_does_not_matter(probe: Probe) -> None:
    train_x, train_y, test_x, test_y = clusters(distance=0.5)
    unit = 2.0 ** np.arange(-6, 6)
    assert probe(train_x * unit + 16, train_y, test_x * unit + 16, test_y) == pytest.approx(
        probe(train_x, train_y, test_x, test_y), abs=1.5
    )


@BOTH
@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_a_feature_that_is_constant_in_training_is_left_out(probe: Probe, constant: float) -> None:
    train_x, train_y, test_x, test_y = clusters(distance=0.5)
    train_x[:, 3] = constant
    test_x[:, 3] = constant
    moved = test_x.copy()
    moved[:, 3] = 1000.0
    assert probe(train_x, train_y, moved, test_y) == probe(train_x, train_y, test_x, test_y)


@BOTH
def test_a_dead_embedding_gives_the_share_of_the_commonest_label(probe: Probe) -> None:
    y = np.array(["A"] * 60 + ["B"] * 40)
    assert probe(np.zeros((100, 3)), y, np.zeros((100, 3)), y) == 60.0


@BOTH
def test_a_label_without_training_rows_counts_as_missed(probe: Probe) -> None:
    train_x, train_y, test_x, test_y = clusters(distance=8)
    assert probe(train_x, train_y, test_x, np.where(test_y == "SIM-00", "new", test_y)) == 87.5


def test_a_linear_fit_cut_short_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LINEAR_ITERATIONS", 2)
    with pytest.warns(RuntimeWarning, match="stopped after 2 iterations on 240 rows"):
        linear_probe(*clusters(distance=0.5))


@BOTH
def test_what_cannot_be_fitted_is_refused(probe: Probe) -> None:
    x, y = np.zeros((4, 2)), np.array(["A", "A", "B", "B"])
    with pytest.raises(ValueError, match="train_y holds one label only"):
        probe(x, np.array(["A"] * 4), x, y)
    with pytest.raises(ValueError, match=r"test_x has shape \(0, 2\)"):
        probe(x, y, x[:0], y[:0])
    with pytest.raises(ValueError, match=r"train_x has shape \(4, 2\) and train_y \(3,\)"):
        probe(x, y[:3], x, y)
    with pytest.raises(ValueError, match="test_x has 1 features, train_x 2"):
        probe(x, y, x[:, :1], y)
    with pytest.raises(ValueError, match="train_x holds a value that is not finite"):
        probe(np.full((4, 2), np.nan), y, x, y)
