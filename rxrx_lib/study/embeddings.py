"""The official embeddings, or a simulated file of their format: what they say, corrected or not.

Real where `embeddings.csv` lies beside the release's metadata, simulated where it does not; the
profile decides only how large the simulated file is. Shapes: N sites, D = 128.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data import embeddings, simulated_embeddings
from rxrx_lib.data.embeddings import EmbeddedSites
from rxrx_lib.data.simulated_embeddings import EmbeddingsSpec
from rxrx_lib.data.simulator.spec import MOST_POSITIVE_CONTROLS, MOST_TREATMENTS_PER_PLATE
from rxrx_lib.data.simulator.write import TRUTH_FILE
from rxrx_lib.data.splits import Split, separated, stratified
from rxrx_lib.data.vocabulary import SIMULATED_PREFIX
from rxrx_lib.evaluation.corrections import CORRECTIONS, Correction
from rxrx_lib.evaluation.cross_experiment import neighbour_chance, neighbour_hits
from rxrx_lib.evaluation.probes import linear_answers, mlp_answers
from rxrx_lib.evaluation.reference_lines import cell_type_line, majority_line, uniform_line
from rxrx_lib.study.identity import identity
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.progress import to_stderr
from rxrx_lib.study.runs import commit_folder, file_sha256
from rxrx_lib.study.screens import RELEASE_EXPERIMENTS

RELEASE_FOLDER = "rxrx1"
RECORDED_SHA256 = "e38f50b74c45682ec9ce7e6407b891c953c27217be5e39b187d289320395a192"
"""Of the release's embeddings.csv, as third parties recorded it; no official one is published."""
MEASURES = {
    "experiment_linear": "Experiment: fresh linear probe",
    "experiment_two_layer": "Experiment: fresh two-layer probe",
    "experiment_linear_all_wells": "Experiment: linear, corrected on all wells",
    "cell_type_linear": "Cell type: fresh linear probe",
    "neighbours": "Same siRNA: nearest neighbour in another experiment",
}
MLP_SEED = 0
SPLIT_SEED = 0
LONG_WORK = 20_000
"""Sites from which on lines tell how far the work is."""

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Source(NamedTuple):
    """A file of embeddings that is open."""

    root: Path
    sites: EmbeddedSites
    simulated: bool
    sha256: str
    """Of embeddings.csv."""

    @property
    def badge(self) -> str:
        """The word that everything measured on it is marked with."""
        return "SIMULATED" if self.simulated else "RxRx1"


class Measured(NamedTuple):
    """What was measured on a file."""

    source: Source
    results: pd.DataFrame
    """One row a measure, correction and tested experiment: ``measure`` (a key of `MEASURES`),
    ``correction`` (of `CORRECTIONS`), ``cell_type``, ``experiment``, ``dataset`` (train or test,
    the release's column), ``sites`` (tested) and ``percent`` of them that are right."""
    lines: dict[str, dict[str, float]]
    """Measure to what answers reach that know little, by name, in percent of sites; ``neighbours``
    has one line for ``all`` cell types, and one for each."""


def open_source(data: Path, profile: Profile) -> Source:
    """Open the official embeddings, or a simulated file of their format where they are absent.

    Parameters
    ----------
    data
        Folder of screens: the official file is looked for as ``rxrx1/embeddings.csv`` in it; a
        simulated one is written there once.
    profile
        Whose experiments a simulated file has.

    Raises
    ------
    ValueError
        If the official file or its metadata has a fault, or is not the release's.
    """
    official = data / RELEASE_FOLDER
    simulated = not (official / embeddings.FILE_NAME).exists()
    root = _simulated_folder(data, simulated_spec(profile)) if simulated else official
    source = Source(
        root, embeddings.load(root), simulated, file_sha256(root / embeddings.FILE_NAME)
    )
    if not simulated:
        _require_release(source)
    return source


def simulated_spec(profile: Profile) -> EmbeddingsSpec:
    """Return the simulated file of a profile: its first screen's experiments and seed.

    A profile on the release has one of the release's size: 125,664 sites.
    """
    if profile.screen is None:
        return EmbeddingsSpec(
            treatments_per_plate=MOST_TREATMENTS_PER_PLATE,
            positive_controls=MOST_POSITIVE_CONTROLS,
        )
    return EmbeddingsSpec(
        seed=profile.replicates[0].screen_seed, experiments=profile.screen.experiments
    )


def origin(data: Path) -> str:
    """Say which file `open_source` will take, and how to get the official one."""
    official = data / RELEASE_FOLDER / embeddings.FILE_NAME
    if official.exists():
        return f"embeddings: {official}"
    return (
        f"embeddings: {official} is not there, so a simulated file takes its place; to fetch it "
        f"(51 MB): rxrx download {official.parent} --what embeddings"
    )


def fingerprint(data: Path) -> str:
    """Tell one state of the official file from another, without reading it.

    For whoever keeps pages that were made from it: they are out of date when this changes.
    """
    file = data / RELEASE_FOLDER / embeddings.FILE_NAME
    if not file.exists():
        return "no embeddings"
    return f"embeddings of {file.stat().st_size} bytes, {file.stat().st_mtime_ns}"


def measure(source: Source) -> Measured:
    """Measure every correction, experiment by experiment.

    Corrections are fitted without labels, per experiment, on all its sites that have an embedding:
    controls too, whichever side of a split a site is on (transductive). Only the two probes of the
    experiment that do not say "all wells" correct by the wells that they are trained on. For after
    centring on all wells, an experiment's mean on the one side of the split is the mirror image of
    that on the other, and a probe that has learnt the one is wrong on the other more often than a
    guess would be.

    Returns
    -------
    Measured
        ``results`` holds, for each correction and tested experiment:

        - experiment probes: trained and tested on the two sides of the split stratified by well;
          high means that the experiment can be read, which a correction should prevent;
        - cell-type probe: trained on the experiments that the release calls train, tested in the
          others; high means that a correction has left the cell type in place;
        - neighbours: every site of a treatment, among the treatments' sites of the other
          experiments of its cell type; higher is better.
    """
    table, found = source.sites.table, []
    for correction in CORRECTIONS:
        for name, rows, hits in _hits(source.sites, CORRECTIONS[correction]):
            if len(table) >= LONG_WORK:
                to_stderr(f"embeddings, {correction}, done: {MEASURES[name]}")
            tested = table.iloc[rows].assign(percent=100.0 * hits)
            grouped = tested.groupby(["cell_type", "experiment", "dataset"], sort=False)["percent"]
            summary = grouped.agg(sites="size", percent="mean").reset_index()
            found.append(summary.assign(measure=name, correction=correction))
    return Measured(source, pd.concat(found, ignore_index=True), _reference_lines(table))


def _hits(sites: EmbeddedSites, correct: Correction) -> Iterator[tuple[str, Rows, Flags]]:
    """Give each measure's name, the rows that it tests, and whether they are right."""
    table = sites.table
    experiment, cell_type = _column(table, "experiment"), _column(table, "cell_type")
    corrected = correct(sites.values, experiment)

    split = _by_well(table)
    train, test = split.train, split.test
    within = correct(sites.values, experiment, fitted_on=train)
    answers = linear_answers(within[train], experiment[train], within[test])
    yield "experiment_linear", test, answers == experiment[test]
    answers = mlp_answers(within[train], experiment[train], within[test], MLP_SEED)
    yield "experiment_two_layer", test, answers == experiment[test]
    answers = linear_answers(corrected[train], experiment[train], corrected[test])
    yield "experiment_linear_all_wells", test, answers == experiment[test]

    split = separated(table)
    train, test = split.train, split.test
    answers = linear_answers(corrected[train], cell_type[train], corrected[test])
    yield "cell_type_linear", test, answers == cell_type[test]

    rows = np.flatnonzero((table["well_type"] == "treatment").to_numpy())
    known = (_column(table, name)[rows] for name in ("sirna_id", "experiment", "cell_type"))
    yield "neighbours", rows, neighbour_hits(corrected[rows], *known)


def _reference_lines(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return what answers reach that know little."""
    cell_type, experiment = _column(table, "cell_type"), _column(table, "experiment")
    split = _by_well(table)
    sides = (
        column[rows] for rows in (split.train, split.test) for column in (cell_type, experiment)
    )
    of_experiment = {
        "1/E": uniform_line(np.unique(experiment).size),
        "cell type alone": cell_type_line(*sides),
    }
    treatments = table[table["well_type"] == "treatment"]
    chance = {"all": _chance(treatments)}
    for name, some in treatments.groupby("cell_type", sort=False):
        chance[str(name)] = _chance(some)
    majority = majority_line(cell_type[separated(table).test])
    return {
        "experiment_linear": of_experiment,
        "experiment_two_layer": of_experiment,
        "experiment_linear_all_wells": of_experiment,
        "cell_type_linear": {"most common cell type": majority},
        "neighbours": chance,
    }


def _by_well(table: pd.DataFrame) -> Split:
    """Split every experiment in two, the sites of a well together, so that none is on both sides.

    By site, the other picture of a tested well would have been trained on: what the two share
    belongs to the well, and would pass for what belongs to the experiment.
    """
    return stratified(table, seed=SPLIT_SEED, unit="well")


def _simulated_folder(data: Path, spec: EmbeddingsSpec) -> Path:
    """Return the folder of a simulated file, written first where it is not there."""
    root = data / f"simulated-embeddings-{identity(spec)}"
    if not root.is_dir():
        commit_folder(root, lambda attempt: simulated_embeddings.write(spec, attempt))
    return root


def _require_release(source: Source) -> None:
    """Refuse what would be shown as RxRx1 and is not."""
    file = source.root / embeddings.FILE_NAME
    instead = "put the release's two files there, or move this one away."
    found = set(source.sites.table["experiment"])
    simulated = sorted(name for name in found if name.startswith(SIMULATED_PREFIX))
    if simulated or (source.root / TRUTH_FILE).exists():
        sign = f"the experiment {simulated[0]}" if simulated else TRUTH_FILE
        raise ValueError(f"{source.root} holds {sign}, so it is simulated; {instead}")
    missing = [name for name in RELEASE_EXPERIMENTS if name not in found]
    if missing:
        raise ValueError(
            f"{file} has no site of {len(missing)} of the release's {len(RELEASE_EXPERIMENTS)} "
            f"experiments, {missing[0]} among them; {instead}"
        )


def _chance(treatments: pd.DataFrame) -> float:
    known = (_column(treatments, name) for name in ("sirna_id", "experiment", "cell_type"))
    return neighbour_chance(*known)


def _column(table: pd.DataFrame, name: str) -> npt.NDArray[Any]:
    column = table[name]
    return column.to_numpy(str) if column.dtype == object else column.to_numpy()
