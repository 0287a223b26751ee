"""The paper's three metrics (section 3.2), and the accuracies that stand beside them.

Every figure is a percentage; higher is better, but for the batch classification accuracy, where
lower is better. Shapes: N rows (sites), K classes, k best classes kept of each site. A metric of
no rows is an error, never 0.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rxrx_lib.evaluation.columns import columns, ranked


class GroupAccuracy(NamedTuple):
    """Accuracy of one group of sites in percent, and how many sites it rests on."""

    accuracy: float
    sites: int


def perturbation_accuracy(
    sirna_id: ArrayLike,
    predicted: ArrayLike,
    average: Literal["micro", "macro"] = "micro",
) -> float:
    """Perturbation classification accuracy, over all classes present.

    The paper's section 3.2.1 averages and leaves open over what. Here ``micro``, over sites, is
    the main figure; ``macro`` gives every class the same weight, so that controls, with several
    wells an experiment, do not count more than a treatment.

    Parameters
    ----------
    sirna_id
        True classes, (N,).
    predicted
        Predicted classes, (N,).
    average
        ``"micro"`` over sites, ``"macro"`` over the classes that occur in ``sirna_id``.

    Returns
    -------
    float
        Percent, 0 to 100.

    Raises
    ------
    ValueError
        For arrays that are empty or differ in length, and for an unknown ``average``.

    Examples
    --------
    >>> perturbation_accuracy([0, 0, 0, 1], [0, 0, 0, 0])
    75.0
    >>> perturbation_accuracy([0, 0, 0, 1], [0, 0, 0, 0], average="macro")
    50.0
    """
    if average not in ("micro", "macro"):
        raise ValueError(f"average is {average!r}, expected 'micro' or 'macro'")
    truth, answer = columns(sirna_id=sirna_id, predicted=predicted)
    if average == "micro":
        return _percent(truth == answer)
    classes, class_of_site = np.unique(truth, return_inverse=True)
    correct = np.bincount(class_of_site, weights=truth == answer, minlength=classes.size)
    return float(100.0 * np.mean(correct / np.bincount(class_of_site)))


def batch_generalization(separated: ArrayLike, stratified: ArrayLike) -> float:
    """Batch generalization: what is left of the accuracy in experiments never seen.

    The paper's section 3.2.2. With several replicates it is the ratio of the two means, not the
    mean of ratios. It is not clipped: above 100 the unseen experiments are the easier ones.

    Parameters
    ----------
    separated
        Perturbation accuracy under the batch-separated split, one value or one a replicate.
    stratified
        The same under the batch-stratified split; its replicates need not be as many.

    Returns
    -------
    float
        Percent, at least 0.

    Raises
    ------
    ValueError
        For no values, for values that are negative or not finite, and for a stratified accuracy
        of 0, against which nothing can be compared.

    Examples
    --------
    >>> round(batch_generalization([75.0, 75.2], 91.1), 1)
    82.4
    """
    ceiling = _mean_accuracy("stratified", stratified)
    if ceiling == 0:
        raise ValueError(
            "stratified is 0 % on average: batch generalization is a ratio to it and undefined"
        )
    return 100.0 * _mean_accuracy("separated", separated) / ceiling


def batch_classification_accuracy(
    experiment: ArrayLike, predicted_experiment: ArrayLike, split: str
) -> float:
    """Batch classification accuracy: how often an embedding's experiment is recognised.

    The paper's section 3.2.3; lower is better, down to chance (1/E for E equal experiments).

    Parameters
    ----------
    experiment
        True experiments of the test sites, (N,).
    predicted_experiment
        Experiments that a head or a probe predicts for them, (N,).
    split
        The split of the run, of which only ``"stratified"`` has an answer.

    Returns
    -------
    float
        Percent, 0 to 100.

    Raises
    ------
    ValueError
        For another split, and for arrays that are empty or differ in length.

    Examples
    --------
    >>> batch_classification_accuracy(["A", "B"], ["A", "A"], split="stratified")
    50.0
    """
    if split != "stratified":
        raise ValueError(
            f"split is {split!r}, expected 'stratified': batch classification accuracy needs the "
            "test sites' experiments among the training sites', and a batch-separated training "
            "set has none of them; score a run on the batch-stratified split"
        )
    truth, answer = columns(experiment=experiment, predicted_experiment=predicted_experiment)
    return _percent(truth == answer)


def top_accuracy(sirna_id: ArrayLike, top_sirna_id: ArrayLike, best: int = 5) -> float:
    """Share of sites whose class is among the first ``best`` answers.

    Parameters
    ----------
    sirna_id
        True classes, (N,).
    top_sirna_id
        Classes by falling logit, best first, (N, k) with k >= ``best``.
    best
        How many answers a site has, at least 1.

    Returns
    -------
    float
        Percent, 0 to 100.

    Raises
    ------
    ValueError
        For arrays of other shapes and for ``best`` outside 1 to k.

    Examples
    --------
    >>> top_accuracy([0, 1], [[2, 0], [2, 0]], best=2)
    50.0
    """
    (truth,) = columns(sirna_id=sirna_id)
    top = ranked("top_sirna_id", top_sirna_id, truth.size)
    if not 1 <= best <= top.shape[1]:
        raise ValueError(f"best is {best}, expected 1 to {top.shape[1]}, the answers kept a site")
    return _percent((top[:, :best] == truth[:, np.newaxis]).any(axis=1))


def well_accuracy(
    well_id: ArrayLike, sirna_id: ArrayLike, top_sirna_id: ArrayLike, top_logit: ArrayLike
) -> float:
    """Perturbation accuracy of whole wells: the logits of a well's sites are summed.

    With k < K (a run keeps 10) the sums are truncated: a class outside a site's k best counts as
    its smallest kept logit, the most it can have been. Of equal sums the lowest number wins.

    Parameters
    ----------
    well_id
        The well of each site, (N,).
    sirna_id
        True classes, (N,), one class a well.
    top_sirna_id
        The k best classes of each site, (N, k), whole numbers from 0.
    top_logit
        Their logits, (N, k), finite.

    Returns
    -------
    float
        Percent of wells, 0 to 100.

    Raises
    ------
    ValueError
        For other shapes, a logit that is not finite, and a well of several classes.

    Examples
    --------
    The first site of the well is unsure, the second one is not:

    >>> well_accuracy(["a", "a"], [0, 0], [[1, 0], [0, 1]], [[2.0, 1.5], [3.0, 0.0]])
    100.0
    """
    wells, truth = columns(well_id=well_id, sirna_id=sirna_id)
    top = ranked("top_sirna_id", top_sirna_id, truth.size)
    logits = ranked("top_logit", top_logit, truth.size).astype(np.float64)
    if top.shape != logits.shape:
        raise ValueError(f"top_logit has shape {logits.shape}, top_sirna_id has {top.shape}")
    if not np.isfinite(logits).all():
        raise ValueError("top_logit holds a value that is not finite")
    names, first, well_of_site = np.unique(wells, return_index=True, return_inverse=True)
    mixed = truth != truth[first][well_of_site]
    if mixed.any():
        raise ValueError(f"sirna_id gives well {wells[mixed][0]} several classes, expected one")
    return _percent(_best_classes(well_of_site, names.size, top, logits) == truth[first])


def accuracy_by(
    group: ArrayLike, sirna_id: ArrayLike, predicted: ArrayLike
) -> dict[str, GroupAccuracy]:
    """Perturbation accuracy, per site, of each group (experiment, cell type, …) by itself.

    Parameters
    ----------
    group
        Name of each site's group, (N,).
    sirna_id
        True classes, (N,).
    predicted
        Predicted classes, (N,).

    Returns
    -------
    dict[str, GroupAccuracy]
        Percent and number of sites by group, in the order of the names.

    Raises
    ------
    ValueError
        For arrays that are empty or differ in length.

    Examples
    --------
    >>> accuracy_by(["RPE", "U2OS", "RPE"], [0, 1, 2], [0, 0, 0])["RPE"]
    GroupAccuracy(accuracy=50.0, sites=2)
    """
    groups, truth, answer = columns(group=group, sirna_id=sirna_id, predicted=predicted)
    names, group_of_site = np.unique(groups, return_inverse=True)
    sites = np.bincount(group_of_site)
    correct = np.bincount(group_of_site[truth == answer], minlength=names.size)
    return {
        str(name): GroupAccuracy(float(100.0 * right / count), int(count))
        for name, right, count in zip(names, correct, sites, strict=True)
    }


def _best_classes(
    well_of_site: NDArray[np.intp], wells: int, top: NDArray[Any], logits: NDArray[np.float64]
) -> NDArray[np.int64]:
    # A class outside a site's top k has the site's smallest kept logit, so what tells the classes
    # of a well apart is the sum of what each has above that: a sparse sum, of k entries a site.
    above = logits - logits.min(axis=1, keepdims=True)
    classes = int(top.max()) + 1
    pair = well_of_site[:, np.newaxis].astype(np.int64) * classes + top
    pairs, pair_of_entry = np.unique(pair.ravel(), return_inverse=True)
    total = np.bincount(pair_of_entry, weights=above.ravel())
    well, sirna = np.divmod(pairs, classes)
    order = np.lexsort((sirna, -total, well))
    leads = np.searchsorted(well[order], np.arange(wells))
    best: NDArray[np.int64] = sirna[order][leads]
    return best


def _mean_accuracy(name: str, accuracy: ArrayLike) -> float:
    values = np.atleast_1d(np.asarray(accuracy, dtype=np.float64))
    if values.size == 0:
        raise ValueError(f"{name} holds no accuracy, expected at least one")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"{name} is {values.tolist()}, expected finite percentages of at least 0")
    return float(values.mean())


def _percent(correct: NDArray[np.bool_]) -> float:
    return 100.0 * int(np.count_nonzero(correct)) / correct.size
