"""What the fresh probes answer, row by row, where their accuracy alone is not enough.

The same probes as :mod:`rxrx_lib.evaluation.probes`: an accuracy by experiment, and so an interval
over experiments, needs to know which rows are right. Shapes: R training rows, N test rows, D
embedding.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from rxrx_lib.evaluation import probes


def linear_answers(
    train_x: NDArray[Any], train_y: NDArray[Any], test_x: NDArray[Any]
) -> NDArray[Any]:
    """Labels (N,) that the linear probe gives the test rows; see `probes.linear_probe`.

    Parameters
    ----------
    train_x, train_y
        Embeddings (R, D) and labels (R,) that the probe is fitted to.
    test_x
        Embeddings (N, D) to be named.

    Warns
    -----
    RuntimeWarning
        As `probes.linear_probe`.

    Raises
    ------
    ValueError
        As `probes.linear_probe`.

    Examples
    --------
    >>> x = np.array([[0.0], [0.1], [1.0], [1.1]])
    >>> linear_answers(x, np.array(["A", "A", "B", "B"]), np.array([[0.2], [0.9]])).tolist()
    ['A', 'B']
    """
    classifier = LogisticRegression(
        C=probes.INVERSE_REGULARISATION, max_iter=probes.LINEAR_ITERATIONS
    )
    answers = _answers(classifier, train_x, train_y, test_x)
    if classifier.n_iter_.max() >= probes.LINEAR_ITERATIONS:
        warnings.warn(
            f"the linear probe was stopped after {probes.LINEAR_ITERATIONS} iterations on "
            f"{len(train_x)} rows, before its optimum; its answers are those of the fit it had "
            "reached",
            RuntimeWarning,
            stacklevel=2,
        )
    return answers


def mlp_answers(
    train_x: NDArray[Any], train_y: NDArray[Any], test_x: NDArray[Any], seed: int
) -> NDArray[Any]:
    """Labels (N,) that the two-layer probe gives the test rows; see `probes.mlp_probe`.

    Parameters
    ----------
    train_x, train_y
        Embeddings (R, D) and labels (R,) that the probe is fitted to.
    test_x
        Embeddings (N, D) to be named.
    seed
        Of the first weights and the order of rows, 0 to 2**32 - 1.

    Raises
    ------
    ValueError
        As `probes.mlp_probe`.
    """
    minibatch = min(probes.MLP_MINIBATCH, len(train_x))
    steps = math.ceil(probes.MLP_LEAST_STEPS * minibatch / max(len(train_x), 1))
    epochs = max(probes.MLP_LEAST_EPOCHS, steps)
    classifier = MLPClassifier(
        hidden_layer_sizes=(train_x.shape[1],),
        batch_size=minibatch,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=seed,
    )
    return _answers(classifier, train_x, train_y, test_x)


def _answers(
    classifier: LogisticRegression | MLPClassifier,
    train_x: NDArray[Any],
    train_y: NDArray[Any],
    test_x: NDArray[Any],
) -> NDArray[Any]:
    probes._check(train_x, train_y, test_x, np.zeros(len(test_x)))
    mean, factor = probes._standardisation(train_x)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # the linear probe says it in words
        classifier.fit(((train_x - mean) * factor).astype(np.float32), train_y)
        answers: NDArray[Any] = classifier.predict(((test_x - mean) * factor).astype(np.float32))
    return answers
