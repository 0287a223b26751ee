"""The stages of one run: normalise, build, train, predict and score, commit.

torch is imported inside the functions, so that reading results needs none.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rxrx_lib.data import loader, pixel_moments
from rxrx_lib.data.normalization import NORMALIZATIONS, statistics
from rxrx_lib.data.randomness import generator
from rxrx_lib.data.splits import Split
from rxrx_lib.evaluation.metrics import perturbation_accuracy
from rxrx_lib.evaluation.score import score
from rxrx_lib.models.architectures import check_picture_size
from rxrx_lib.models.methods import METHODS, Method
from rxrx_lib.study import runs
from rxrx_lib.study.screens import Screen
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.training.hardware import Hardware
from rxrx_lib.training.peers import ALONE, Peers
from rxrx_lib.training.pools import require_statistics

if TYPE_CHECKING:
    from rxrx_lib.models.network import Network
    from rxrx_lib.training.attempts import Attempts
    from rxrx_lib.training.fit import Plan, Targets
    from rxrx_lib.training.progress import EpochRecord
    from rxrx_lib.training.sites import Sites


def normalised(spec: RunSpec, screen: Screen, split: Split, *, workers: int = 0) -> Screen:
    """Return the screen with what training and prediction standardise every site by.

    Test sites are pooled with their own plate or experiment, and never in the scope `training`.
    """
    if spec.normalization == "self":
        return screen
    moments = pixel_moments.of_screen(screen.images, screen.root, workers=max(1, workers))
    asked = NORMALIZATIONS[spec.normalization]
    found = statistics(moments, screen.table, split.train, asked, spec.channels)
    return screen._replace(pixel_statistics=found)


def build(method: Method, spec: RunSpec, screen: Screen, *, weights: Path | None = None) -> Network:
    """Build the method's network with weights drawn from the spec's seed alone.

    Of a spec that names weights, the backbone's are those of the file ``weights``, which is not
    looked at for other specs.

    Raises
    ------
    ValueError
        If the screen's pictures are too small for the backbone, or the file is not the spec's.
    FileNotFoundError
        If the spec names weights and there is no such file.
    """
    import torch

    from rxrx_lib.models.parts import let_adapt

    check_picture_size(spec.network.backbone, screen.images.image_size)
    if spec.network.weights_sha256 and weights is None:
        raise ValueError(
            f"weights_sha256 is {spec.network.weights_sha256!r}, and no file of weights is given; "
            "give the file of that SHA-256 (rxrx run --weights FILE)."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        network = method.build(
            backbone=spec.network.backbone,
            channels=len(spec.channels),
            classes=screen.classes,
            experiments=screen.table["experiment"].nunique(),
            embedding=spec.network.embedding,
            group_size=spec.recipe.group_size,
            reverses=method.reverses,
            head_layers=spec.network.head_layers,
            head_width=spec.network.head_width,
            weights=weights if spec.network.weights_sha256 else None,
            weights_sha256=spec.network.weights_sha256,
        )
    let_adapt(network, spec.network.adapts, spec.recipe.minibatch)
    return network


class Work(NamedTuple):
    """What training and prediction work on."""

    spec: RunSpec
    screen: Screen
    split: Split
    sites: Sites
    """The screen's, standardised, on the device."""
    peers: Peers = ALONE
    """The processes that share the work."""


def sites(spec: RunSpec, screen: Screen, hardware: Hardware) -> Sites:
    """Return the screen's sites as training and prediction see them."""
    import torch

    from rxrx_lib.training.sites import Sites

    dtype = torch.float64 if spec.recipe.precision == "fp64" else torch.float32
    return Sites(screen.images, screen.pixel_statistics, hardware, dtype, spec.channels)


def require_trainable(method: Method, spec: RunSpec, screen: Screen, split: Split) -> None:
    """Make sure, before anything is trained, that the training can begin and end well.

    Raises
    ------
    ValueError
        If a siRNA of the test side has no training site, an experiment does not fill a group, or
        the trained network could not predict every experiment.
    """
    sirna = screen.table["sirna_id"].to_numpy(dtype=np.int64)
    unknown = np.setdiff1d(sirna[split.test], sirna[split.train])
    if len(unknown):
        raise ValueError(
            f"sirna_id {unknown[0]} is tested in the split {spec.split} and has no training site, "
            f"as {len(unknown)} classes in all, which could never be answered; take more training "
            "experiments or leave these classes out of metadata.csv."
        )
    require_statistics(screen.table, method.statistics)
    minibatch_plan(method, spec, screen, split)(0)


def train(
    network: Network,
    work: Work,
    hardware: Hardware,
    run: runs.Run,
    attempts: Attempts,
    evaluate_every: int = 0,
) -> list[EpochRecord]:
    """Fit the network to the training side of the split; `commit` adds the last test accuracy."""
    from rxrx_lib.training.fit import fit
    from rxrx_lib.training.progress import LossNotFinite

    spec, screen, split = work.spec, work.screen, work.split

    def evaluate(epoch: int) -> float:
        if not evaluate_every or (epoch + 1) % evaluate_every or epoch + 1 == spec.recipe.epochs:
            return math.nan
        return test_accuracy(network, work, masked=())

    try:
        return fit(
            network,
            work.sites,
            minibatch_plan(METHODS[spec.method], spec, screen, split),
            targets(spec, screen, split),
            spec.recipe,
            seed=spec.seed,
            hardware=hardware,
            peers=work.peers,
            penalty=METHODS[spec.method].penalty,
            evaluate=evaluate,
            checkpoint_path=run.checkpoint,
            attempts=attempts,
        )
    except LossNotFinite as error:
        names = screen.table["site_id"].iloc[error.rows].tolist()
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        there = f"There: {', '.join(names[:5])}{more}."
        raise LossNotFinite(f"{error} {there}", error.rows) from error


def test_accuracy(network: Network, work: Work, masked: tuple[int, ...]) -> float:
    """Return the test side's accuracy in percent, predicted in the method's own way."""
    own = METHODS[work.spec.method].statistics
    found = predicted(network, work, PredictSpec(statistics=own, embeddings=False, masked=masked))
    test = found["side"] == "test"
    return perturbation_accuracy(found["sirna_id"][test], found["top_sirna_id"][test, 0])


def minibatch_plan(method: Method, spec: RunSpec, screen: Screen, split: Split) -> Plan:
    """Return the epochs' minibatches: one-experiment groups where the method asks for them."""
    shape = {"groups": spec.recipe.groups, "group_size": spec.recipe.group_size}
    experiments = screen.table["experiment"].to_numpy()

    def plan(epoch: int) -> npt.NDArray[np.int64]:
        if method.grouped:
            return loader.one_experiment_groups(
                split.train, experiments[split.train], **shape, seed=spec.seed, epoch=epoch
            )
        return loader.shuffled(split.train, **shape, seed=spec.seed, epoch=epoch)

    return plan


def epoch_use(method: Method, spec: RunSpec, screen: Screen, split: Split) -> loader.EpochUse:
    """Count what an epoch takes of the training sites."""
    experiments = screen.table["experiment"].to_numpy()[split.train] if method.grouped else None
    plan = minibatch_plan(method, spec, screen, split)
    return loader.epoch_use(plan(0), split.train, experiments)


def targets(spec: RunSpec, screen: Screen, split: Split) -> Targets:
    """Return the rows' classes, -1 for the siRNA of those that are not trained on.

    Shuffled labels are permuted among the training rows. No other row's siRNA is looked at.
    """
    from rxrx_lib.training.fit import Targets
    from rxrx_lib.training.predict import experiment_names

    known = screen.table["sirna_id"].iloc[split.train].to_numpy(dtype=np.int64)
    if spec.labels == "shuffled":
        known = generator("shuffled labels", spec.seed).permutation(known)
    sirna = np.full(len(screen.table), -1)
    sirna[split.train] = known
    names = np.asarray(experiment_names(screen.table))
    experiment = np.searchsorted(names, screen.table["experiment"].to_numpy(dtype=str))
    return Targets(sirna, experiment.astype(np.int64))


def predicted(network: Network, work: Work, asked: PredictSpec) -> dict[str, npt.NDArray[Any]]:
    """Return what predictions.npz is to hold."""
    from rxrx_lib.training.predict import predict

    return predict(
        network,
        work.sites,
        work.screen.table,
        work.split,
        classes=work.screen.classes,
        statistics=asked.statistics,
        group_size=work.spec.recipe.group_size,
        embeddings=asked.embeddings,
        masked=asked.masked,
        adapts=asked.adapting(work.spec),
        precision=work.spec.recipe.precision,
        sites_a_pass=work.sites.hardware.sites_a_pass,
        peers=work.peers,
    )


def predict_and_score(
    network: Network, work: Work, asked: PredictSpec, run: runs.Run
) -> dict[str, Any]:
    """Write predictions and metrics of weights that are just trained.

    Predictions that lie there already are those of other weights, or of a try that was killed
    before its result: they make room, unless somebody else has finished the run meanwhile. Of
    several processes the first one writes and scores.
    """
    predictions = predicted(network, work, asked)
    metrics: dict[str, Any] = {}

    def write(folder: Path) -> None:
        inside = folder / run.prediction(asked).name
        inside.mkdir()
        metrics.update(write_predictions(inside, predictions))

    if work.peers.first:
        runs.commit_folder(run.predictions, write, replaces=lambda: not run.done)
    return metrics


def write_predictions(folder: Path, predictions: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Write predictions.npz, and metrics that are computed from that file alone; return these."""
    np.savez(folder / "predictions.npz", allow_pickle=False, **predictions)
    with np.load(folder / "predictions.npz") as stored:
        metrics = score(dict(stored))
    runs.write_json(folder / "metrics.json", metrics)
    return metrics


def commit(
    run: runs.Run,
    network: Network,
    history: Sequence[EpochRecord],
    metrics: dict[str, Any],
    source: dict[str, Any],
) -> None:
    """Make the result appear, whole, and drop what only an unfinished run needs."""
    import torch

    def write(folder: Path) -> None:
        torch.save(network.state_dict(), folder / "weights.pt")
        runs.write_json(folder / "metrics.json", metrics)
        with (folder / "history.csv").open("w", newline="") as file:
            end = history[-1]._replace(test_accuracy=metrics["accuracy"])
            csv.writer(file).writerows([end._fields, *history[:-1], end])
        files = {path.name: runs.file_sha256(path) for path in sorted(folder.iterdir())}
        runs.write_json(folder / "provenance.json", {**source, "run": run.id, "sha256": files})

    runs.commit_folder(run.result, write)
    runs.tidy(run)
