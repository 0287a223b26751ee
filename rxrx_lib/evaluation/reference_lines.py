"""What an answer reaches that knows little: the lines that accuracies are read against.

Every line is a percentage. Shapes: N rows (sites), R training rows, K classes, E experiments.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rxrx_lib.evaluation.columns import columns


def uniform_line(categories: int) -> float:
    """Accuracy of a guess with equal odds: 1/E for experiments, 1/K for classes.

    Parameters
    ----------
    categories
        Number of experiments or classes, at least 1.

    Returns
    -------
    float
        Percent, above 0 to 100.

    Raises
    ------
    ValueError
        For fewer than one category.

    Examples
    --------
    The paper's chance level of batch classification:

    >>> round(uniform_line(51), 2)
    1.96
    """
    if categories < 1:
        raise ValueError(f"categories is {categories}, expected at least 1")
    return 100.0 / categories


def majority_line(label: ArrayLike) -> float:
    """Accuracy of the best constant answer: the share of the most common label.

    Parameters
    ----------
    label
        True labels of the rows that are answered, (N,).

    Returns
    -------
    float
        Percent, above 0 to 100.

    Raises
    ------
    ValueError
        For no rows.

    Examples
    --------
    >>> majority_line(["EMPTY", "EMPTY", "s1", "s2"])
    50.0
    """
    (labels,) = columns(label=label)
    counts = np.unique(labels, return_counts=True)[1]
    return float(100.0 * counts.max() / counts.sum())


def commonest_training_line(train: ArrayLike, test: ArrayLike) -> float:
    """Accuracy of always answering the label that is most common in training.

    It needs no picture. :func:`majority_line` is the best constant answer, which one knows only
    from the test labels.

    Parameters
    ----------
    train, test
        True labels of the rows of each side, (R,) and (N,). Of training labels that are equally
        common, the smallest counts.

    Returns
    -------
    float
        Percent, 0 to 100.

    Raises
    ------
    ValueError
        For no rows on a side.

    Examples
    --------
    >>> commonest_training_line(["EMPTY", "EMPTY", "s1"], ["EMPTY", "s1", "s1", "s1"])
    25.0
    """
    (known,), (asked,) = columns(train=train), columns(test=test)
    names, counts = np.unique(known, return_counts=True)
    return float(100.0 * np.mean(asked == names[counts.argmax()]))


class Luck(NamedTuple):
    """What answers would reach that have nothing to do with the classes, in percent."""

    mean: float
    sd: float


def exchanged_names(sirna_id: ArrayLike, predicted: ArrayLike) -> Luck:
    """Accuracy of the same answers, had the names of equally common classes been exchanged.

    Where nothing about the classes can be learnt, a network still tells some pictures from others,
    and gives each kind one name. Which of the equally common names it gives is luck, and it is the
    same luck for all pictures of the kind: an accuracy may lie far above a constant answer's though
    it rests on nothing. Exchanging names at random shows how far.

    Parameters
    ----------
    sirna_id, predicted
        True and predicted class of the test sites, (N,). Classes are equally common if they have
        the same number of rows in `sirna_id`.

    Returns
    -------
    Luck
        Mean and standard deviation over all exchanges, each as likely, without drawing any: exact
        [hoeffding1951combinatorial]_.

    Raises
    ------
    ValueError
        For arrays that are empty or whose lengths do not match.

    Examples
    --------
    Two classes told apart without a fault: by luck, all names are right or none.

    >>> exchanged_names([0, 0, 1, 1], [0, 0, 1, 1])
    Luck(mean=50.0, sd=50.0)
    """
    truth, answer = columns(sirna_id=sirna_id, predicted=predicted)
    classes, sizes = np.unique(truth, return_counts=True)
    mean = variance = 0.0
    for size in np.unique(sizes):
        group = classes[sizes == size]
        rows = np.isin(truth, group) & np.isin(answer, group)
        named = np.zeros((group.size, group.size))
        places = np.searchsorted(group, truth[rows]), np.searchsorted(group, answer[rows])
        np.add.at(named, places, 100.0 / truth.size)
        mean += float(named.sum()) / group.size
        if group.size > 1:
            by_row, by_column = named.mean(1, keepdims=True), named.mean(0)
            rest = named - by_row - by_column + named.mean()
            variance += float((rest**2).sum()) / (group.size - 1)
    return Luck(mean, float(np.sqrt(variance)))


def cell_type_line(
    train_cell_type: ArrayLike,
    train_experiment: ArrayLike,
    test_cell_type: ArrayLike,
    test_experiment: ArrayLike,
) -> float:
    """Batch classification accuracy of an embedding that knows only the cell type.

    Its best answer is the training experiment with most sites of that cell type; among equals it
    draws, and the expected accuracy is given. Where all experiments are of one size it is the
    number of cell types over the number of experiments, 4/51 = 7.8 % in RxRx1.

    Parameters
    ----------
    train_cell_type, train_experiment
        Cell type and experiment of the training sites, (R,).
    test_cell_type, test_experiment
        The same of the test sites, (N,).

    Returns
    -------
    float
        Percent, 0 to 100.

    Raises
    ------
    ValueError
        For arrays that are empty or whose lengths do not match.

    Examples
    --------
    >>> cell_type_line(["RPE", "RPE", "U2OS"], ["R1", "R2", "U1"], ["RPE", "U2OS"], ["R1", "U1"])
    75.0
    """
    return _line_knowing(train_cell_type, train_experiment, test_cell_type, test_experiment)


def class_line(
    train_sirna_id: ArrayLike,
    train_experiment: ArrayLike,
    test_sirna_id: ArrayLike,
    test_experiment: ArrayLike,
) -> float:
    """Batch classification accuracy of an embedding that knows only the class.

    As `cell_type_line`, with the siRNA in place of the cell type. In a stratified split the
    experiments that a class is most trained on are those it is least tested on. A treatment gives
    0 by well, and by site too where one of its wells has both sites in training, as in RxRx1; so
    the line lies below `uniform_line`, and an accuracy below 1/E is no sign of invariance. It is
    1/E only where every pair of class and experiment is divided alike: at a share of one half.

    Parameters
    ----------
    train_sirna_id, train_experiment
        Class and experiment of the training sites, (R,).
    test_sirna_id, test_experiment
        The same of the test sites, (N,).

    Returns
    -------
    float
        Percent, 0 to 100.

    Raises
    ------
    ValueError
        For arrays that are empty or whose lengths do not match.

    Examples
    --------
    Two treatments with one well in each of two experiments, split by well:

    >>> class_line([0, 1], ["A", "B"], [0, 1], ["B", "A"])
    0.0
    """
    return _line_knowing(train_sirna_id, train_experiment, test_sirna_id, test_experiment)


def _line_knowing(
    train_known: ArrayLike,
    train_experiment: ArrayLike,
    test_known: ArrayLike,
    test_experiment: ArrayLike,
) -> float:
    """Answer with the commonest training experiment of what is known; expected accuracy."""
    train_rows = columns(train_known=train_known, train_experiment=train_experiment)
    test_rows = columns(test_known=test_known, test_experiment=test_experiment)
    known, experiment = (
        np.unique(np.concatenate(column), return_inverse=True)[1]
        for column in zip(train_rows, test_rows, strict=True)
    )
    train = slice(train_rows[0].size)
    test = slice(train_rows[0].size, None)
    sites = np.zeros((known.max() + 1, experiment.max() + 1))
    np.add.at(sites, (known[train], experiment[train]), 1.0)
    # What was never seen in training gives no hint: the answer is that of all training rows.
    sites[sites.sum(axis=1) == 0] = sites.sum(axis=0)
    favourite = sites == sites.max(axis=1, keepdims=True)
    odds = favourite / favourite.sum(axis=1, keepdims=True)
    return float(100.0 * odds[known[test], experiment[test]].mean())
