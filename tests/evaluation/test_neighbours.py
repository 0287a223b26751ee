"""Nearest neighbours and the labels that they share."""

from __future__ import annotations

import numpy as np
import pytest

from rxrx_lib.evaluation.neighbours import nearest_agreement


def labels(words: str) -> np.ndarray:
    return np.array(words.split(), dtype=object)


def test_the_nearest_other_point_counts() -> None:
    features = np.array([[0.0], [1.0], [10.0], [11.5]])
    assert nearest_agreement(features, labels("a a b b")) == (1.0, 4 / 12, 4)
    assert nearest_agreement(features, labels("a b a b")) == (0.0, 4 / 12, 4)


def test_chance_counts_pairs_of_classes_of_unlike_size() -> None:
    found = nearest_agreement(np.arange(4.0)[:, None], labels("a a a b"))
    assert found.chance == pytest.approx(6 / 12)


def test_one_point_has_no_neighbour() -> None:
    with pytest.raises(ValueError, match="1 points and 1 labels"):
        nearest_agreement(np.zeros((1, 2)), labels("a"))
