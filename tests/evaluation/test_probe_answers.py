from __future__ import annotations

import numpy as np
import pytest

from rxrx_lib.evaluation import probes
from rxrx_lib.evaluation.probes import linear_answers, mlp_answers
from tests.evaluation.test_probes import clusters


@pytest.mark.parametrize("distance", [0.2, 0.5, 2.0])
def test_answers_are_right_as_often_as_the_probes_accuracy_says(distance: float) -> None:
    train_x, train_y, test_x, test_y = sides = clusters(distance)
    linear = linear_answers(train_x, train_y, test_x)
    assert 100 * np.mean(linear == test_y) == pytest.approx(probes.linear_probe(*sides))
    mlp = mlp_answers(train_x, train_y, test_x, seed=3)
    assert 100 * np.mean(mlp == test_y) == pytest.approx(probes.mlp_probe(*sides, seed=3))


def test_a_linear_fit_cut_short_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LINEAR_ITERATIONS", 2)
    train_x, train_y, test_x, _ = clusters(0.5)
    with pytest.warns(RuntimeWarning, match="stopped after 2 iterations on 240 rows"):
        linear_answers(train_x, train_y, test_x)


def test_what_cannot_be_fitted_is_refused() -> None:
    x = np.zeros((4, 2))
    for answers in (linear_answers, lambda *sides: mlp_answers(*sides, seed=0)):
        with pytest.raises(ValueError, match="train_y holds one label only"):
            answers(x, np.array(["A"] * 4), x)
        with pytest.raises(ValueError, match=r"train_x has shape \(0, 2\)"):
            answers(x[:0], np.array([]), x)
