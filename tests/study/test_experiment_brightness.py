"""Wells that are compared, and what is said of experiments' brightness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data.images import open_images
from rxrx_lib.study import experiment_brightness as brightness
from rxrx_lib.study.well_intensity import MEANS
from tests.data.screens import screen_table, write_screen

EXPERIMENTS = {"HUVEC-01": "train", "HUVEC-02": "test", "HUVEC-03": "test", "RPE-01": "train"}


def wells(experiment: float, sirna: float, rest: float = 0.01) -> pd.DataFrame:
    """Return wells whose log grey levels have the given standard deviations."""
    table = screen_table(
        {f"{cell_type}-{n:02d}": "train" for cell_type in ("HUVEC", "RPE") for n in range(1, 9)},
        treatments=12,
    )
    some = table[(table["well_type"] == "treatment") & (table["site"] == 1)].copy()
    draw = np.random.default_rng(0)
    by_experiment = {name: draw.normal(size=6) for name in some["experiment"].unique()}
    by_sirna = {name: draw.normal(size=6) for name in some["sirna"].unique()}
    logs = 2 + np.array(
        [
            experiment * by_experiment[row["experiment"]] + sirna * by_sirna[row["sirna"]]
            for row in some.to_dict("records")
        ]
    )
    some[list(MEANS)] = np.exp(logs + rest * draw.normal(size=logs.shape))
    return some


def test_the_same_treatments_are_read_in_every_experiment(tmp_path: Path) -> None:
    table = write_screen(tmp_path, EXPERIMENTS, treatments=8)
    table = table[~((table["experiment"] == "RPE-01") & (table["sirna"] == "s0003"))]
    gone = table.index
    images = open_images(tmp_path)
    table = table.set_axis(range(len(table)))

    class Kept:
        image_size = images.image_size

        def read(self, rows: np.ndarray) -> np.ndarray:
            return images.read(gone[rows].to_numpy())

    found = brightness.sampled_wells(table, Kept())  # type: ignore[arg-type]
    assert sorted(found["sirna"].unique()) == [f"s{k:04d}" for k in (0, 1, 2, 4, 5, 6, 7)]
    assert set(found.groupby("experiment").size()) == {7}


def test_no_more_are_read_than_need_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_screen(tmp_path, EXPERIMENTS, treatments=8)
    monkeypatch.setattr(brightness, "MOST_SIRNAS", 3)
    found = brightness.sampled_wells(table, open_images(tmp_path))
    assert sorted(found["sirna"].unique()) == ["s0000", "s0004", "s0007"]
    with pytest.raises(ValueError, match="0 treatments have one labelled well"):
        brightness.sampled_wells(table.assign(sirna_id=-1), open_images(tmp_path))


def test_experiments_stand_in_the_order_of_cell_types() -> None:
    some = wells(1, 1)
    some["cell_type"] = some["cell_type"].replace({"HUVEC": "U2OS"})
    assert brightness.experiment_means(some)["cell_type"].tolist() == ["RPE"] * 8 + ["U2OS"] * 8


@pytest.mark.parametrize(
    ("experiment", "sirna", "channels"), [(1.0, 0.1, 6), (0.1, 1.0, 0)], ids=["batch", "biology"]
)
def test_the_larger_part_of_the_variance_is_named(
    experiment: float, sirna: float, channels: int
) -> None:
    shares, more, _ = brightness.share_claims(wells(experiment, sirna))
    assert "16 experiments, the same 12 siRNAs in each, 192 wells" in shares
    assert more.startswith(f"In {channels} of 6 channels more of it lies between experiments")


def test_the_table_of_shares_adds_up_to_a_hundred() -> None:
    panel = brightness.share_panel(wells(1, 1, 1))
    first = panel["experiments"].str.split().str[0].astype(int)
    total = first + panel["siRNAs"].astype(int) + panel["rest"].astype(int)
    assert total.between(99, 101).all()
    assert panel["experiments"].str.fullmatch(r"\d+ \(\d+ to \d+\)").all()


def test_the_spread_is_told_as_a_factor() -> None:
    some = wells(0, 0, rest=0)
    some[list(MEANS)] = 10.0
    doubled = some["experiment"].isin(["HUVEC-01", "HUVEC-02", "HUVEC-03", "HUVEC-04"])
    some.loc[doubled, list(MEANS)] = 20.0
    expected = np.exp(np.log(2) * 0.5 * np.sqrt(8 / 7))
    assert f"{expected:.2f} (HUVEC, 8 experiments), 1.00 (RPE, 8 experiments)" in (
        brightness._spread_claim(some)
    )


def test_neighbours_give_away_what_sets_wells_apart() -> None:
    huvec, _ = brightness.neighbour_claims(wells(1, 0, rest=0.01))
    assert huvec.startswith("HUVEC, 96 wells: the same experiment in 100")
    assert "(by chance 12\N{NO-BREAK SPACE}%)" in huvec
    huvec, _ = brightness.neighbour_claims(wells(0, 1, rest=0.01))
    assert "the same siRNA in 100" in huvec


def test_black_pictures_have_no_infinite_logarithm() -> None:
    some = wells(1, 1)
    some.loc[some.index[0], list(MEANS)] = 0.0
    assert np.isfinite(brightness._logs(some[list(MEANS)].to_numpy())).all()
    assert len(brightness.share_claims(some)) == 3
