"""Cheap rivals of AdaBN: which there are, what each sees of the test experiments, what they reach.

Three kinds: trained networks whose statistics are swapped at test time, or whose trunk or neck
alone adapts; the baseline's embeddings, corrected by experiment; and no network at all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from rxrx_lib.evaluation.intervals import Interval, t_interval
from rxrx_lib.models.architectures import AS_TRAINED
from rxrx_lib.study.profiles import BY_SITE, SEPARATED, Profile
from rxrx_lib.study.results import gather_predictions
from rxrx_lib.study.rival_files import read_measured
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.study.tables import Cell, mean_cell

METHODS_USED = ("baseline", "adabn")
SPLITS = {"separated": SEPARATED, "stratified_by_site": BY_SITE}
METRICS = ("accuracy", "accuracy_treatments")


class Rival(NamedTuple):
    """A way of answering, and what it takes."""

    kind: str
    """``network``, ``embeddings`` or ``features``."""
    label: str
    sees: bool
    """Whether it sees the unlabelled sites of the test experiments."""
    network: tuple[str, str, str, str] = ("", "", "", "")
    """Method, what adapts in training, statistics and what adapts in prediction."""


def _network(label: str, *way: str) -> Rival:
    method, trained, statistics, adapts = way
    return Rival("network", label, statistics != "training", (method, trained, statistics, adapts))


RIVALS = {
    "baseline": _network("Baseline", "baseline", "all", "training", "all"),
    "baseline_swapped": _network(
        "Baseline, statistics swapped at test", "baseline", "all", "experiment", "all"
    ),
    "baseline_swapped_neck": _network(
        "Baseline, swapped in the neck only", "baseline", "all", "experiment", "neck"
    ),
    "baseline_swapped_trunk": _network(
        "Baseline, swapped in the trunk only", "baseline", "all", "experiment", "trunk"
    ),
    "adabn": _network("AdaBN", "adabn", "all", "experiment", "all"),
    "adabn_running": _network(
        "AdaBN, running statistics at test", "adabn", "all", "training", "all"
    ),
    "adabn_neck": _network("AdaBN, at test in the neck only", "adabn", "all", "experiment", "neck"),
    "adabn_trunk": _network(
        "AdaBN, at test in the trunk only", "adabn", "all", "experiment", "trunk"
    ),
    "adabn_trained_neck": _network(
        "AdaBN in the neck only, trained so", "adabn", "neck", "experiment", "neck"
    ),
    "adabn_trained_trunk": _network(
        "AdaBN in the trunk only, trained so", "adabn", "trunk", "experiment", "trunk"
    ),
    "embeddings": Rival("embeddings", "Embeddings as they are, linear probe", False),
    "embeddings_centred": Rival("embeddings", "Embeddings centred by experiment", True),
    "embeddings_standardised": Rival("embeddings", "Embeddings standardised by experiment", True),
    "both_standardised": Rival("features", "Cell count and intensity, standardised", True),
    "intensity_standardised": Rival("features", "Mean intensity, standardised", True),
    "intensity": Rival("features", "Mean intensity of six channels", False),
    "cell_count_standardised": Rival("features", "Cell count, standardised", True),
    "cell_count": Rival("features", "Cell count", False),
    "position": Rival("features", "Plate position", False),
    "commonest": Rival("features", "Always the commonest training class", False),
}
"""Row of the ledger to rival, in the order of every table and figure."""

REFERENCE = "baseline"


def rivals(profile: Profile) -> list[RunSpec]:
    """Return the runs whose weights and embeddings the rivals are made of.

    Those of Table 1, in every replicate, and AdaBN trained with one part adapting, in as many as a
    curve has. Of a network that is trained so, the other part normalises whole minibatches: the
    release's do not pass one device at once, so there these two are left out.
    """
    specs = [
        profile.run(method, split, replicate)
        for replicate in profile.replicates
        for split in SPLITS.values()
        for method in METHODS_USED
    ]
    if profile.screen is not None:
        specs += [
            with_adapting(profile.run("adabn", SEPARATED, replicate), part)
            for replicate in profile.with_curve_replicates().replicates
            for part in ("neck", "trunk")
        ]
    return specs


def with_adapting(spec: RunSpec, part: str) -> RunSpec:
    """Return the same run with one part of the network adapting in training."""
    return dataclasses.replace(spec, network=dataclasses.replace(spec.network, adapts=part))


def asked(spec: RunSpec) -> list[PredictSpec]:
    """Return the ways that a run's weights predict with; embeddings are not kept."""
    return [
        PredictSpec(
            statistics=statistics,
            embeddings=False,
            adapts=AS_TRAINED if adapts == trained or statistics == "training" else adapts,
        )
        for method, trained, statistics, adapts in (rival.network for rival in RIVALS.values())
        if (method, trained) == (spec.method, spec.network.adapts)
    ]


def measured_runs(profile: Profile) -> list[RunSpec]:
    """Return the baseline's runs, beside whose predictions the other rivals' numbers lie."""
    return [spec for spec in rivals(profile) if spec.method == REFERENCE]


def gather_rivals(profile: Profile, store: str | Path) -> pd.DataFrame:
    """Read what every rival reaches, as far as the store holds it.

    Returns
    -------
    DataFrame
        One row a rival, split and replicate: ``rival``, ``split`` (a key of :data:`SPLITS`),
        ``replicate``, ``screen_seed``, ``accuracy`` and ``accuracy_treatments`` in percent, and
        ``seen``: unlabelled sites of the site's own experiment that it sees, mean over test sites.
    """
    predictions = gather_predictions(rivals(profile), asked, store)
    rows = _of_networks(predictions) if len(predictions) else []
    seen: dict[tuple[str, str], float] = {}
    for spec in measured_runs(profile):
        found = read_measured(spec, Path(store))
        if found is None:
            continue
        place = _place(spec)
        seen[place[:2]] = float(found["seen"])
        rows += [(name, *place, *_pair(values)) for name, values in found["rivals"].items()]
    columns = ["rival", "split", "replicate", "screen_seed", *METRICS]
    frame = pd.DataFrame(rows, columns=columns)
    places = zip(frame["rival"], frame["split"], frame["replicate"], strict=True)
    frame["seen"] = [
        seen.get((split, replicate), float("nan")) if RIVALS[rival].sees else 0.0
        for rival, split, replicate in places
    ]
    return frame


def _of_networks(predictions: pd.DataFrame) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, rival in RIVALS.items():
        method, trained, statistics, adapts = rival.network
        chosen = predictions[
            (predictions["method"] == method)
            & (predictions["trained_adapting"] == trained)
            & (predictions["statistics"] == statistics)
            & (predictions["adapts"] == adapts)
        ]
        rows += [
            (name, row.split, row.replicate, row.screen_seed, row.accuracy, row.accuracy_treatments)
            for row in chosen.itertuples()
        ]
    return rows


def _pair(values: Mapping[str, float]) -> list[float]:
    return [float(values.get(metric, float("nan"))) for metric in METRICS]


def _place(spec: RunSpec) -> tuple[str, str, int]:
    """Return a run's split, replicate and screen as results name them."""
    seed = -1 if spec.data.screen is None else spec.data.screen.seed
    split = next(name for name, each in SPLITS.items() if each == spec.split)
    return split, f"{seed}/{spec.seed}", seed


def values(
    frame: pd.DataFrame, rival: str, metric: str = "accuracy", split: str = "separated"
) -> dict[str, float]:
    """Return replicate to percent.

    Parameters
    ----------
    frame
        As :func:`gather_rivals` gives it.
    rival
        A key of :data:`RIVALS`.
    metric
        One of :data:`METRICS`.
    split
        A key of :data:`SPLITS`.
    """
    chosen = frame[(frame["rival"] == rival) & (frame["split"] == split)]
    return dict(zip(chosen["replicate"], chosen[metric].astype(float), strict=True))


def own_values(
    frame: pd.DataFrame, rival: str, metric: str = "accuracy", split: str = "separated"
) -> dict[str, float]:
    """Return the same, but of what needs no training one value a screen: others would repeat it."""
    found = values(frame, rival, metric, split)
    if RIVALS[rival].kind != "features":
        return found
    screens = frame.drop_duplicates("replicate").set_index("replicate")["screen_seed"]
    first = {screens[name]: name for name in reversed(list(found))}
    return {name: found[name] for name in found if name in first.values()}


def difference(
    frame: pd.DataFrame,
    rival: str,
    metric: str = "accuracy",
    split: str = "separated",
    reference: str = REFERENCE,
) -> Interval | None:
    """Return a rival's paired difference from the reference, over the replicates that both have.

    Returns
    -------
    Interval or None
        In percentage points, positive where the rival is better; None where they share none.
    """
    one, other = (values(frame, name, metric, split) for name in (rival, reference))
    shared = [one[name] - other[name] for name in one if name in other]
    return t_interval(shared) if shared else None


def cells(frame: pd.DataFrame) -> list[Cell]:
    """Return the ledger's cells: a row a rival, a column a split and metric."""
    columns = {
        "separated": ("accuracy", "separated"),
        "separated_treatments": ("accuracy_treatments", "separated"),
        "by_site": ("accuracy", "stratified_by_site"),
    }
    found = []
    for rival in RIVALS:
        for column, (metric, split) in columns.items():
            replicates = own_values(frame, rival, metric, split)
            if replicates:
                found.append(mean_cell(rival, column, replicates))
    return found
