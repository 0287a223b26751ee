"""Fresh probes: how well a small classifier reads a label off frozen embeddings.

A head that was trained along, against an adversary above all, tells what that head can read; a
probe trained afterwards tells what is there. Labels are experiments or cell types, as strings.
Shapes: R training rows, N test rows, D embedding.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

# These define the probes and were chosen on synthetic clusters, not on any run's result. With 26
# labels and 1,250 rows, weaker regularisation was slower and read less in test rows.
INVERSE_REGULARISATION = 0.1
LINEAR_ITERATIONS = 1000
MLP_MINIBATCH = 128
MLP_REGULARISATION = 0.1
"""Half of it, over a minibatch's rows, times the sum of squared weights is added to the loss."""
MLP_TOLERANCE = 1e-4
MLP_PATIENCE = 10
"""The fit has converged when its loss has not fallen by the tolerance for so many epochs."""
MLP_EPOCHS = 5000


def linear_probe(
    train_x: NDArray[Any], train_y: NDArray[Any], test_x: NDArray[Any], test_y: NDArray[Any]
) -> float:
    """Test accuracy of a multinomial logistic regression, fitted on the training rows alone.

    L2-regularised and convex, started at zero: it needs no random numbers. Features are
    standardised by the training rows; one that is constant there is left out.

    Parameters
    ----------
    train_x, train_y
        Embeddings (R, D) and labels (R,) that the probe is fitted to.
    test_x, test_y
        Embeddings (N, D) and labels (N,) that it is measured on. A label without training rows
        counts as missed.

    Returns
    -------
    float
        Percent, 0 to 100.

    Warns
    -----
    RuntimeWarning
        Where L-BFGS is stopped by `LINEAR_ITERATIONS` before its optimum. The accuracy is then
        that of the fit it had reached.

    Raises
    ------
    ValueError
        For shapes that do not match, values that are not finite, no test rows, or fewer than two
        labels in training.

    Examples
    --------
    >>> x = np.array([[0.0], [0.1], [1.0], [1.1]])
    >>> y = np.array(["A", "A", "B", "B"])
    >>> linear_probe(x, y, x, y)
    100.0
    """
    _check(train_x, train_y, test_x, test_y)
    return _percent(linear_answers(train_x, train_y, test_x), test_y)


def mlp_probe(
    train_x: NDArray[Any],
    train_y: NDArray[Any],
    test_x: NDArray[Any],
    test_y: NDArray[Any],
    seed: int,
) -> float:
    """Test accuracy of a multi-layer perceptron with one hidden layer of D rectified units.

    The shape of the network's own experiment head. L2-regularised, and trained by Adam until its
    loss on the training rows falls no more, so no training row is held out. Features are
    standardised as in `linear_probe`.

    Parameters
    ----------
    train_x, train_y
        Embeddings (R, D) and labels (R,) that the probe is fitted to.
    test_x, test_y
        Embeddings (N, D) and labels (N,) that it is measured on. A label without training rows
        counts as missed.
    seed
        Of the first weights and the order of rows, 0 to 2**32 - 1.

    Returns
    -------
    float
        Percent, 0 to 100.

    Warns
    -----
    RuntimeWarning
        Where it is stopped by `MLP_EPOCHS` before its loss has settled.

    Raises
    ------
    ValueError
        As `linear_probe`.

    Examples
    --------
    >>> x = np.tile([[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0], [2, 2, 2, 2]], 50).T
    >>> y = np.tile(["A", "B", "B", "A"], 50)
    >>> mlp_probe(x, y, x, y, seed=0)
    100.0
    """
    _check(train_x, train_y, test_x, test_y)
    return _percent(mlp_answers(train_x, train_y, test_x, seed), test_y)


def linear_answers(
    train_x: NDArray[Any], train_y: NDArray[Any], test_x: NDArray[Any]
) -> NDArray[Any]:
    """Labels (N,) that the probe of `linear_probe` gives the test rows, and warnings as there.

    For accuracies of a part of the rows, such as one experiment's.

    Examples
    --------
    >>> x = np.array([[0.0], [0.1], [1.0], [1.1]])
    >>> linear_answers(x, np.array(["A", "A", "B", "B"]), np.array([[0.2], [0.9]])).tolist()
    ['A', 'B']
    """
    classifier = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=LINEAR_ITERATIONS)
    answers = _answers(classifier, train_x, train_y, test_x)
    if classifier.n_iter_.max() >= LINEAR_ITERATIONS:
        _warn_of_stopping("linear", LINEAR_ITERATIONS, "iterations", len(train_x))
    return answers


def mlp_answers(
    train_x: NDArray[Any], train_y: NDArray[Any], test_x: NDArray[Any], seed: int
) -> NDArray[Any]:
    """Labels (N,) that the probe of `mlp_probe` gives the test rows, and warnings as there."""
    classifier = MLPClassifier(
        hidden_layer_sizes=(train_x.shape[1],),
        alpha=MLP_REGULARISATION,
        batch_size=min(MLP_MINIBATCH, len(train_x)),
        max_iter=MLP_EPOCHS,
        tol=MLP_TOLERANCE,
        n_iter_no_change=MLP_PATIENCE,
        random_state=seed,
    )
    answers = _answers(classifier, train_x, train_y, test_x)
    if classifier.n_iter_ >= MLP_EPOCHS:
        _warn_of_stopping("two-layer", MLP_EPOCHS, "epochs", len(train_x))
    return answers


def _answers(
    classifier: LogisticRegression | MLPClassifier,
    train_x: NDArray[Any],
    train_y: NDArray[Any],
    test_x: NDArray[Any],
) -> NDArray[Any]:
    _check(train_x, train_y, test_x, np.zeros(len(test_x)))
    mean, factor = _standardisation(train_x)
    # Two threads sum in another order than one, and a probe would end in other bits.
    with warnings.catch_warnings(), threadpool_limits(1):
        # Both probes warn in their own words.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(((train_x - mean) * factor).astype(np.float32), train_y)
        answers: NDArray[Any] = classifier.predict(((test_x - mean) * factor).astype(np.float32))
    return answers


def _warn_of_stopping(probe: str, limit: int, unit: str, rows: int) -> None:
    warnings.warn(
        f"the {probe} probe was stopped after {limit} {unit} on {rows} rows, before its optimum; "
        "what it answers is that of the fit it had reached",
        RuntimeWarning,
        stacklevel=3,
    )


def _percent(answers: NDArray[Any], test_y: NDArray[Any]) -> float:
    return 100.0 * int(np.count_nonzero(answers == test_y)) / len(test_y)


def _standardisation(train_x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (D,) and factor (D,) of the training rows; the factor is 0 where nothing varies."""
    mean = train_x.mean(axis=0, dtype=np.float64)
    spread = train_x.std(axis=0, dtype=np.float64)
    # Rounding gives a constant feature a spread of dust, which division would blow up.
    varies = (np.ptp(train_x, axis=0) > 0) & (spread > 0)
    return mean, np.divide(1.0, spread, out=np.zeros_like(spread), where=varies)


def _check(
    train_x: NDArray[Any], train_y: NDArray[Any], test_x: NDArray[Any], test_y: NDArray[Any]
) -> None:
    for side, x, y in (("train", train_x, train_y), ("test", test_x, test_y)):
        if x.ndim != 2 or y.shape != x.shape[:1] or x.size == 0:
            raise ValueError(
                f"{side}_x has shape {x.shape} and {side}_y {y.shape}, expected (rows, D) and "
                "(rows,) with at least one row"
            )
        if not np.isfinite(x).all():
            raise ValueError(f"{side}_x holds a value that is not finite")
    if train_x.shape[1] != test_x.shape[1]:
        raise ValueError(f"test_x has {test_x.shape[1]} features, train_x {train_x.shape[1]}")
    if np.unique(train_y).size < 2:
        raise ValueError("train_y holds one label only, expected two or more to tell apart")
