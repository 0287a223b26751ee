from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data.simulator import ScreenSpec, draw_truth, layout, real_statistics, realism

SPEC = ScreenSpec(seed=1, image_size=16, pixel_size=16.0)


def found(result: pd.DataFrame, statistic: str, cell_type: str, channel: int = 0) -> pd.Series:
    chosen = result[
        (result["statistic"] == statistic)
        & (result["cell_type"] == cell_type)
        & (result["channel"] == channel)
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.fixture
def screen() -> tuple[pd.DataFrame, np.ndarray, dict[str, object]]:
    """Return a table with made-up pictures and counts of known statistics."""
    table = layout(SPEC)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (len(table), 6, 16, 16), dtype=np.uint8)
    counts = rng.poisson(20, len(table))
    truth = draw_truth(SPEC).to_json()
    truth["cells"] = dict(zip(table["site_id"], counts.tolist(), strict=True))
    return table, images, truth


def test_levels_are_geometric_means_over_experiments(
    screen: tuple[pd.DataFrame, np.ndarray, dict[str, object]],
) -> None:
    table, images, truth = screen
    result = realism(table, images, truth)
    rpe = (table["cell_type"] == "RPE").to_numpy()
    means = images[rpe, 2].astype(float).mean(axis=(1, 2))
    by_experiment = pd.Series(means).groupby(table.loc[rpe, "experiment"].to_numpy()).mean()
    got = found(result, "log mean", "RPE", 3)
    assert got["simulated"] == pytest.approx(np.log(by_experiment).mean())
    assert got["real"] == pytest.approx(np.log(real_statistics.MEAN["RPE"][2]))
    spread = found(result, "log sd of log mean between experiments", "RPE", 3)
    assert spread["simulated"] == pytest.approx(np.log(np.log(by_experiment).std()))
    deviations = images[rpe, 2].astype(float).std(axis=(1, 2))
    by_experiment = pd.Series(deviations).groupby(table.loc[rpe, "experiment"].to_numpy()).mean()
    got = found(result, "log standard deviation", "RPE", 3)
    assert got["simulated"] == pytest.approx(np.log(by_experiment).mean())


def test_counts_are_scaled_to_a_field_of_the_release(
    screen: tuple[pd.DataFrame, np.ndarray, dict[str, object]],
) -> None:
    table, images, truth = screen
    got = found(realism(table, images, truth), "log cells per field", "HUVEC")
    assert np.exp(got["simulated"]) == pytest.approx(20 * 4, rel=0.05)
    assert not found(realism(table, images, truth), "log EMPTY ratio", "HUVEC")["passes"]


def test_a_statistic_passes_within_its_tolerance_only(
    screen: tuple[pd.DataFrame, np.ndarray, dict[str, object]],
) -> None:
    result = realism(*screen)
    near = (result["simulated"] - result["real"]).abs() <= result["tolerance"]
    assert result["passes"].equals(near.rename("passes"))
    assert result["passes"].any()
    assert not result["passes"].all()


def test_what_cannot_be_formed_is_left_out(
    screen: tuple[pd.DataFrame, np.ndarray, dict[str, object]],
) -> None:
    table, images, truth = screen
    one = (table["experiment"] == "SIM-HUVEC-01").to_numpy()
    result = realism(table[one].reset_index(drop=True), images[one], truth)
    assert np.isfinite(result["simulated"]).all()
    assert not result["statistic"].str.contains("between experiments").any()
    assert not result["statistic"].str.contains("power").any()


def test_a_white_spectrum_has_no_slope() -> None:
    spec = replace(SPEC, image_size=512, pixel_size=1.0, experiments=(("HEPG2", 1, 0),))
    table = layout(spec)
    table = table[table["sirna"] == "EMPTY"].iloc[:2].reset_index(drop=True)
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 512, 512), dtype=np.uint8)
    truth = draw_truth(spec).to_json() | {"cells": dict.fromkeys(table["site_id"], 90)}
    result = realism(table, images, truth)
    assert found(result, "slope of power spectrum", "HEPG2", 1)["simulated"] == pytest.approx(
        0, abs=0.1
    )
