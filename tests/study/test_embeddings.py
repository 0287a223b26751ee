"""The chapter on embeddings on tiny files: a simulated one, and one in the official one's place."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data import embeddings as files
from rxrx_lib.data import simulated_embeddings
from rxrx_lib.data.simulated_embeddings import EmbeddingsSpec
from rxrx_lib.evaluation import intervals
from rxrx_lib.evaluation.cross_experiment import neighbour_hits
from rxrx_lib.evaluation.probes import linear_probe
from rxrx_lib.study import embedding_figures, embeddings
from rxrx_lib.study import embedding_pages as words
from rxrx_lib.study.embeddings import MEASURES, Measured, Source
from rxrx_lib.study.profiles import PROFILES

PROFILE = PROFILES["smoke"]
SPEC = EmbeddingsSpec(
    experiments=(("HUVEC", 2, 1), ("RPE", 1, 1)), treatments_per_plate=3, positive_controls=1
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    root = tmp_path_factory.mktemp("tiny")
    simulated_embeddings.write(SPEC, root)
    return embeddings.measure(Source(root, files.load(root), True, "0" * 64))


@pytest.fixture
def as_release(measured: Measured) -> Measured:
    """Return the same numbers as if they came from the official file."""
    return measured._replace(source=measured.source._replace(simulated=False))


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def percent(measured: Measured, measure: str, correction: str) -> pd.Series:
    results = measured.results
    some = results[(results["measure"] == measure) & (results["correction"] == correction)]
    return some.set_index("experiment")["percent"]


def official(data: Path) -> Path:
    """Write a file in the official one's place with the release's experiments, two sites each."""
    rows = [
        (f"{name}_1_B02_{site}", f"{name}_1_B02", name.split("-")[0], "train", name, 1, "B02", site)
        for name in embeddings.RELEASE_EXPERIMENTS
        for site in (1, 2)
    ]
    table = pd.DataFrame(rows, columns=list(files.metadata.COLUMNS[:8]))
    table = table.assign(well_type="negative_control", sirna="EMPTY", sirna_id=1138)
    values = np.random.default_rng(0).normal(size=(len(table), 128))
    files.write(table, values, data / "rxrx1")
    return data / "rxrx1"


def test_without_the_official_file_a_simulated_one_is_written_once(tmp_path: Path) -> None:
    source = embeddings.open_source(tmp_path, PROFILE)
    assert source.simulated
    assert source.badge == "SIMULATED"
    assert source.root.name.startswith("simulated-embeddings-")
    written = (source.root / "embeddings.csv").stat().st_mtime_ns
    again = embeddings.open_source(tmp_path, PROFILE)
    assert (again.root / "embeddings.csv").stat().st_mtime_ns == written
    assert again.sha256 == source.sha256
    assert [path.name for path in tmp_path.iterdir()] == [source.root.name]


def test_a_simulated_file_has_the_experiments_of_its_profile() -> None:
    assert PROFILE.screen is not None
    assert embeddings.simulated_spec(PROFILE).experiments == PROFILE.screen.experiments
    assert embeddings.simulated_spec(PROFILES["demo"]) == EmbeddingsSpec()


def test_on_the_release_a_simulated_file_is_of_the_releases_size() -> None:
    spec = embeddings.simulated_spec(PROFILES["embeddings"])
    assert sum(train + test for _, train, test in spec.experiments) == 51
    assert 4 * spec.treatments_per_plate + spec.positive_controls + 1 == 1139
    assert spec == embeddings.simulated_spec(PROFILES["paper"])


def test_where_the_numbers_will_come_from_is_said_with_how_to_get_the_official_ones(
    tmp_path: Path,
) -> None:
    file = tmp_path / "rxrx1" / "embeddings.csv"
    assert embeddings.origin(tmp_path) == (
        f"embeddings: {file} is not there, so a simulated file takes its place; to fetch it "
        f"(51 MB): rxrx download {file.parent} --what embeddings"
    )
    official(tmp_path)
    assert embeddings.origin(tmp_path) == f"embeddings: {file}"


def test_the_official_file_is_used_where_it_is_whatever_the_profile(tmp_path: Path) -> None:
    root = official(tmp_path)
    source = embeddings.open_source(tmp_path, PROFILE)
    assert (source.root, source.simulated, source.badge) == (root, False, "RxRx1")
    line = words.banner(PROFILE, source).myst
    assert "SIMULATED" not in line
    assert "Recursion, CC BY-NC-SA 4.0" in line
    assert "not the recorded one" in line


def test_a_simulated_file_in_the_official_ones_place_is_refused(tmp_path: Path) -> None:
    simulated_embeddings.write(SPEC, tmp_path / "rxrx1")
    with pytest.raises(ValueError, match="holds the experiment SIM-HUVEC-01, so it is simulated"):
        embeddings.open_source(tmp_path, PROFILE)


def test_a_part_of_the_official_file_is_refused(tmp_path: Path) -> None:
    root = official(tmp_path)
    text = (root / "embeddings.csv").read_text().splitlines()
    kept = [line for line in text if not line.startswith("U2OS-05")]
    (root / "embeddings.csv").write_text("\n".join(kept) + "\n")
    with pytest.raises(ValueError, match=r"has no site of 1 of the release's 51 .* U2OS-05 among"):
        embeddings.open_source(tmp_path, PROFILE)


def test_official_embeddings_without_their_metadata_are_not_passed_over(tmp_path: Path) -> None:
    (official(tmp_path) / "metadata.csv").unlink()
    with pytest.raises(ValueError, match=r"metadata\.csv"):
        embeddings.open_source(tmp_path, PROFILE)


def test_the_fingerprint_changes_when_the_official_file_comes_or_changes(tmp_path: Path) -> None:
    absent = embeddings.fingerprint(tmp_path)
    file = official(tmp_path) / "embeddings.csv"
    there = embeddings.fingerprint(tmp_path)
    os.utime(file, ns=(0, 0))
    assert len({absent, there, embeddings.fingerprint(tmp_path)}) == 3


def test_every_measure_has_a_percentage_for_every_tested_experiment(measured: Measured) -> None:
    counts = measured.results.groupby(["measure", "correction"])["experiment"].nunique()
    for name in MEASURES:
        tested = 2 if name == "cell_type_linear" else 5  # the separated split's test side
        assert counts[name].tolist() == [tested] * 3
    assert measured.results["percent"].between(0, 100).all()
    assert measured.results["percent"].notna().all()


def test_numbers_are_those_of_the_probes_and_neighbours_on_corrected_vectors(
    measured: Measured,
) -> None:
    table, values, _ = measured.source.sites
    experiment = table["experiment"].to_numpy(str)
    by_hand = values.astype(float).copy()
    for name in np.unique(experiment):
        rows = experiment == name
        by_hand[rows] = (by_hand[rows] - by_hand[rows].mean(0)) / by_hand[rows].std(0)
    treated = (table["well_type"] == "treatment").to_numpy()
    hits = neighbour_hits(
        by_hand[treated],
        table["sirna_id"].to_numpy()[treated],
        experiment[treated],
        table["cell_type"].to_numpy(str)[treated],
    )
    expected = 100 * pd.Series(hits).groupby(experiment[treated]).mean()
    found = percent(measured, "neighbours", "standardised")
    pd.testing.assert_series_equal(found.sort_index(), expected, check_names=False)

    train = (table["dataset"] == "train").to_numpy()
    kind = table["cell_type"].to_numpy(str)
    accuracy = linear_probe(values[train], kind[train], values[~train], kind[~train])
    assert percent(measured, "cell_type_linear", "none").mean() == pytest.approx(accuracy)


def test_labels_and_sides_do_not_reach_a_correction(measured: Measured) -> None:
    """Only its experiment decides how a site is corrected."""
    sites = measured.source.sites
    seen = []

    def spy(values: np.ndarray, experiment: np.ndarray, fitted_on: object = None) -> np.ndarray:
        seen.append((values is sites.values, set(experiment) == set(sites.table["experiment"])))
        return values

    list(embeddings._hits(sites, spy))
    assert seen == [(True, True)] * 2


def test_a_linear_probe_is_blind_after_centring_on_its_own_wells(measured: Measured) -> None:
    found = percent(measured, "experiment_linear", "centred")
    assert found.max() > 90  # one answer for all, or nearly
    assert found.mean() == pytest.approx(100 / 5, abs=5)
    mirrored = percent(measured, "experiment_linear_all_wells", "centred")
    assert mirrored.mean() < 100 / 5


def test_no_site_of_a_tested_well_is_trained_on(measured: Measured) -> None:
    table = measured.source.sites.table
    split = embeddings._by_well(table)
    wells = [set(table["well_id"].iloc[rows]) for rows in (split.train, split.test)]
    assert wells[0].isdisjoint(wells[1])
    for rows in (split.train, split.test):
        assert set(table["experiment"].iloc[rows]) == set(table["experiment"])


def test_sentences_hold_the_intervals_over_experiments(measured: Measured) -> None:
    base = percent(measured, "neighbours", "none")
    paired = percent(measured, "neighbours", "centred") - base
    level, difference = intervals.t_interval(base), intervals.t_interval(paired.to_numpy())
    first, second, *_, last = words.claims(measured, "neighbours")
    assert f"for {level.mean:.1f}" in first
    assert f"{level.low:.1f} to {level.high:.1f}, 5 experiments" in first.replace("−", "-")
    assert f"{difference.low:+.1f} to {difference.high:+.1f}, 5 experiments, paired" in (
        second.replace("−", "-")
    )
    assert "2 comparisons" in last


def test_tables_have_a_row_a_correction_and_the_chance_level(measured: Measured) -> None:
    probes, neighbours = words.probe_table(measured), words.neighbour_table(measured)
    assert probes["correction"].tolist() == list(words.LABELS.values())
    assert neighbours["correction"].tolist()[-1] == "a neighbour at random"
    assert list(neighbours)[1:] == ["all cell types", "HUVEC", "RPE"]
    by_chance = float(neighbours["HUVEC"].iloc[-1])
    assert by_chance == pytest.approx(100 / 12, abs=0.01)  # 4 plates of 3 treatments


def test_the_numbers_behind_a_figure_are_those_measured(measured: Measured) -> None:
    data = words.data_table(measured, "neighbours")
    assert data["experiment"].is_unique
    for correction, label in words.LABELS.items():
        column = data.set_index("experiment")[label]
        expected = percent(measured, "neighbours", correction)
        pd.testing.assert_series_equal(
            column.sort_index(), expected.sort_index(), check_names=False
        )


@pytest.mark.parametrize("draw", ["probe_figure", "neighbour_figure"])
def test_figures_show_every_experiment_and_are_marked_only_when_simulated(
    measured: Measured, as_release: Measured, draw: str
) -> None:
    simulated = getattr(embedding_figures, draw)(measured)
    assert simulated.texts[-1].get_text() == "SIMULATED"
    assert "A simulated file: 5 experiments, 14 classes" in simulated.get_suptitle()
    shown = sum(
        len(line.get_xdata())
        for axis in simulated.axes
        for line in axis.lines
        if line.get_marker() == "o"
    )
    measures = ["neighbours"] if draw == "neighbour_figure" else list(words.PROBES)
    assert shown == measured.results["measure"].isin(measures).sum()
    real = getattr(embedding_figures, draw)(as_release)
    assert "SIMULATED" not in [text.get_text() for text in real.texts]
    assert real.get_suptitle().startswith("The official embeddings")


def test_every_sentence_says_whose_numbers_it_holds(
    measured: Measured, as_release: Measured
) -> None:
    for some, badge, other in ((measured, "SIMULATED", "RxRx1"), (as_release, "RxRx1", "SIMUL")):
        lines = words.claims(some, *MEASURES) + words.side_claims(some) + words.mirror_claims(some)
        assert len(lines) == 5 * 3 + 1 + 3 + 2
        assert all(line.startswith(f"{badge}. ") for line in lines)
        assert not any(other in line for line in lines)


def test_sites_without_an_embedding_are_said(measured: Measured) -> None:
    fewer = measured.source._replace(sites=measured.source.sites._replace(missing=1234))
    assert "(1,234 more have no embedding)" in words.title(fewer)


def test_long_work_tells_how_far_it_is(
    measured: Measured, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(embeddings, "LONG_WORK", 1)
    monkeypatch.setattr(embeddings, "CORRECTIONS", {"none": embeddings.CORRECTIONS["none"]})
    embeddings.measure(measured.source)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(MEASURES)
    assert said[-1] == f"embeddings, none, done: {MEASURES['neighbours']}"


def test_a_spec_names_its_file() -> None:
    names = {embeddings.identity(SPEC), embeddings.identity(dataclasses.replace(SPEC, version=2))}
    assert len(names) == 2
