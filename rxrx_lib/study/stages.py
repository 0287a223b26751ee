"""The stages of one run: normalise, build, train, predict and score, commit.

torch is imported inside the functions, so that reading results needs none.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rxrx_lib.data import loader, pixel_moments
from rxrx_lib.data.normalization import NORMALIZATIONS, statistics
from rxrx_lib.data.randomness import generator
from rxrx_lib.data.splits import Split
from rxrx_lib.evaluation.score import score
from rxrx_lib.models.architectures import check_picture_size
from rxrx_lib.models.methods import Method
from rxrx_lib.study import runs
from rxrx_lib.study.screens import Screen
from rxrx_lib.study.spec import PredictSpec, RunSpec

if TYPE_CHECKING:
    from rxrx_lib.models.network import Network
    from rxrx_lib.training.attempts import Attempts
    from rxrx_lib.training.fit import EpochRecord, Plan, Targets


def normalised(spec: RunSpec, screen: Screen, split: Split, *, workers: int = 0) -> Screen:
    """Return the screen with what training and prediction standardise every site by.

    Test sites are pooled with their own plate or experiment, and never in the scope `training`.
    """
    if spec.normalization == "self":
        return screen
    moments = pixel_moments.of_screen(screen.images, screen.root, workers=max(1, workers))
    asked = NORMALIZATIONS[spec.normalization]
    found = statistics(moments, screen.table, split.train, asked)
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

    check_picture_size(spec.network.backbone, screen.images.image_size)
    if spec.network.weights_sha256 and weights is None:
        raise ValueError(
            f"weights_sha256 is {spec.network.weights_sha256!r}, and no file of weights is given; "
            "give the file of that SHA-256 (rxrx run --weights FILE)."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return method.build(
            backbone=spec.network.backbone,
            channels=len(screen.images.channels),
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


def train(
    network: Network,
    method: Method,
    spec: RunSpec,
    screen: Screen,
    split: Split,
    *,
    checkpoint: Path,
    attempts: Attempts,
    workers: int,
    device: str,
) -> list[EpochRecord]:
    """Fit the network to the training side of the split, if it can predict the screen then."""
    from rxrx_lib.training.fit import fit
    from rxrx_lib.training.predict import require_statistics

    require_statistics(screen.table, method.statistics)
    return fit(
        network,
        screen.images,
        minibatch_plan(method, spec, screen, split),
        targets(spec, screen, split),
        spec.recipe,
        seed=spec.seed,
        pixel_statistics=screen.pixel_statistics,
        device=device,
        workers=workers,
        checkpoint_path=checkpoint,
        attempts=attempts,
    )


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
    """Return every row's classes; shuffled labels are permuted among the training rows."""
    from rxrx_lib.training.fit import Targets
    from rxrx_lib.training.predict import experiment_names

    sirna = screen.table["sirna_id"].to_numpy(dtype=np.int64).copy()
    if spec.labels == "shuffled":
        order = generator("shuffled labels", spec.seed).permutation(len(split.train))
        sirna[split.train] = sirna[split.train][order]
    names = np.asarray(experiment_names(screen.table))
    experiment = np.searchsorted(names, screen.table["experiment"].to_numpy(dtype=str))
    return Targets(sirna, experiment.astype(np.int64))


def predict_and_score(
    network: Network,
    asked: PredictSpec,
    spec: RunSpec,
    screen: Screen,
    split: Split,
    run: runs.Run,
    *,
    workers: int,
    device: str,
) -> dict[str, Any]:
    """Write predictions.npz, and metrics that are computed from that file alone.

    Predictions that lie there already are those of other weights, or of a try that was killed
    before its result: they make room, unless somebody else has finished the run meanwhile.
    """
    from rxrx_lib.training.predict import predict

    predictions = predict(
        network,
        screen.images,
        screen.table,
        split,
        classes=screen.classes,
        statistics=asked.statistics,
        group_size=spec.recipe.group_size,
        pixel_statistics=screen.pixel_statistics,
        embeddings=asked.embeddings,
        precision=spec.recipe.precision,
        device=device,
        workers=workers,
    )

    metrics: dict[str, Any] = {}

    def write(folder: Path) -> None:
        inside = folder / run.prediction(asked).name
        inside.mkdir()
        np.savez(inside / "predictions.npz", allow_pickle=False, **predictions)
        with np.load(inside / "predictions.npz") as stored:
            metrics.update(score(dict(stored)))
        runs.write_json(inside / "metrics.json", metrics)

    runs.commit_folder(run.predictions, write, replaces=lambda: not run.done)
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
            table = csv.writer(file)
            table.writerow(history[0]._fields)
            table.writerows(history)
        files = {path.name: runs.file_sha256(path) for path in sorted(folder.iterdir())}
        runs.write_json(folder / "provenance.json", {**source, "sha256": files})

    runs.commit_folder(run.result, write)
    runs.tidy(run)
