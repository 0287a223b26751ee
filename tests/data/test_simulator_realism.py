from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from rxrx_lib.data.simulator import (
    ScreenSpec,
    Site,
    draw_truth,
    layout,
    real_statistics,
    realism,
    realism_detail,
)
from rxrx_lib.data.simulator.realism import judged
from rxrx_lib.data.simulator.realism_detail import (
    compare_counts,
    compare_nuclei,
    compare_pictures,
    full_detail,
)
from rxrx_lib.data.simulator.render import site_cells

SPEC = ScreenSpec(seed=1, image_size=16, pixel_size=16.0)
Screen = tuple[pd.DataFrame, np.ndarray, dict[str, Any]]


def found(result: pd.DataFrame, statistic: str, cell_type: str, channel: int = 0) -> pd.Series:
    chosen = result[
        (result["statistic"] == statistic)
        & (result["cell_type"] == cell_type)
        & (result["channel"] == channel)
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.fixture
def screen() -> Screen:
    """Return a table with made-up pictures and counts of known statistics."""
    table = layout(SPEC)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (len(table), 6, 16, 16), dtype=np.uint8)
    counts = rng.poisson(20, len(table))
    truth = draw_truth(SPEC).to_json()
    truth["cells"] = dict(zip(table["site_id"], counts.tolist(), strict=True))
    return table, images, truth


def test_levels_are_geometric_means_over_experiments(screen: Screen) -> None:
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


def test_counts_are_scaled_to_a_field_of_the_release(screen: Screen) -> None:
    table, images, truth = screen
    got = found(realism(table, images, truth), "log cells per field", "HUVEC")
    assert np.exp(got["simulated"]) == pytest.approx(20 * 4, rel=0.05)
    assert not found(realism(table, images, truth), "log EMPTY ratio", "HUVEC")["passes"]


def test_a_statistic_passes_within_its_tolerance_only(screen: Screen) -> None:
    result = realism(*screen)
    near = (result["simulated"] - result["real"]).abs() <= result["tolerance"]
    assert result["passes"].equals(near.rename("passes"))
    assert result["passes"].any()
    assert not result["passes"].all()


def test_what_cannot_be_formed_is_left_out(screen: Screen) -> None:
    table, images, truth = screen
    one = (table["experiment"] == "SIM-HUVEC-01").to_numpy()
    result = realism(table[one].reset_index(drop=True), images[one], truth)
    assert np.isfinite(result["simulated"]).all()
    assert not result["statistic"].str.contains("between experiments").any()


def with_counts(screen: Screen, log_counts: Mapping[str, float]) -> pd.DataFrame:
    """Return what is said of n cells, given log(1 + n) of some sites, 3 at the others."""
    table = screen[0]
    counts = [float(np.expm1(log_counts.get(site, 3.0))) for site in table["site_id"]]
    return judged(compare_counts(table, np.array(counts)))


def test_variances_of_counts_are_told_apart(screen: Screen) -> None:
    """log(1 + n) is made of an experiment's, a siRNA's and a site's part, all of them known."""
    table = screen[0]
    treated = table[(table["cell_type"] == "HUVEC") & (table["well_type"] == "treatment")]
    experiments = dict(zip(treated["experiment"].unique(), np.linspace(2, 4, 24), strict=True))
    sirnas = dict(zip(treated["sirna"].unique(), np.linspace(-0.6, 0.6, 16), strict=True))
    off = 0.1
    log_counts = (
        treated["experiment"].map(experiments)
        + treated["sirna"].map(sirnas)
        + treated["site"].map({1: -off, 2: off})
    )
    result = with_counts(screen, dict(zip(treated["site_id"], log_counts, strict=True)))
    # 24 experiments of 16 siRNAs, two sites each: 768 sites, 48 of a siRNA.
    residual = off**2 * 768 / 767
    expected = {
        "experiment": np.var(list(experiments.values()), ddof=1),
        "sirna": np.var(list(sirnas.values()), ddof=1) - residual / 48,
        "residual": residual,
        "site": 2 * off**2,
    }
    for part, variance in expected.items():
        got = found(result, f"log variance of log count: {part}", "HUVEC")
        assert got["simulated"] == pytest.approx(np.log(variance))
        assert got["real"] == pytest.approx(np.log(real_statistics.COUNT_VARIANCE[part]["HUVEC"]))


def test_shared_effects_on_counts_are_correlations_of_sirnas_between_cell_types(
    screen: Screen,
) -> None:
    """Two and two cell types go together, so of the six correlations two are 1 and four are 0."""
    table = screen[0]
    treated = table[table["well_type"] == "treatment"]
    steps = np.tile([-0.3, 0.3], 8), np.repeat([-0.2, 0.2], 8)
    of_type = {"HUVEC": steps[0], "RPE": 2 * steps[0], "HEPG2": steps[1], "U2OS": steps[1] + 0.1}
    order = {name: place for place, name in enumerate(treated["sirna"].unique())}
    log_counts = {
        site: 3 + of_type[cell_type][order[sirna]]
        for site, cell_type, sirna in zip(
            treated["site_id"], treated["cell_type"], treated["sirna"], strict=True
        )
    }
    got = found(
        with_counts(screen, log_counts), "correlation of count effects between cell types", "all"
    )
    assert got["simulated"] == pytest.approx(2 / 6)


BANDS = ("4 to 32", "16 to 64", "64 to 200")


def power_slope(result: pd.DataFrame, band: str, channel: int) -> float:
    name = f"slope of power spectrum, {band} cycles a field"
    return float(found(result, name, "HEPG2", channel)["simulated"])


def test_slopes_of_power_spectra_are_those_that_the_pictures_have() -> None:
    frequency = np.fft.fftfreq(512) * 512
    radius = np.maximum(np.hypot(frequency[:, None], frequency), 1)
    slopes = [-1.0, -1.25, -1.5, -1.75, -2.0, 0.0]
    random = np.random.default_rng(0)
    images = np.empty((2, 6, 512, 512), dtype=np.uint8)
    for picture in images:
        for channel, slope in zip(picture, slopes, strict=True):
            phases = np.fft.fft2(random.standard_normal((512, 512)))
            made = np.fft.ifft2(radius ** (slope / 2) * phases / np.abs(phases)).real
            channel[:] = np.rint(128 + 25 * np.clip(made / made.std(), -5, 5))
    result = judged(compare_pictures(images))
    for channel, slope in enumerate(slopes, start=1):
        for band in BANDS:
            assert power_slope(result, band, channel) == pytest.approx(slope, abs=0.05)


def test_the_typical_field_counts_not_the_brightest() -> None:
    random = np.random.default_rng(0)
    dark = random.integers(100, 104, (2, 6, 512, 512), dtype=np.uint8)
    bright = gaussian_filter(random.normal(size=(1, 6, 512, 512)), (0, 0, 9, 9))
    shown = np.uint8(128 + 100 * bright / np.abs(bright).max())
    result = judged(compare_pictures(np.concatenate([dark, shown])))
    assert power_slope(result, "16 to 64", 1) == pytest.approx(0, abs=0.1)


def test_a_channel_without_contrast_has_no_slope_and_no_correlation() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 6, 512, 512), dtype=np.uint8)
    images[:, 4] = 3
    result = judged(compare_pictures(images))
    assert set(result["channel"]) == {0, 1, 2, 3, 4, 6}
    assert "pixel correlation w5-w6" not in set(result["statistic"])


def test_correlations_of_channels_are_numpy_s() -> None:
    random = np.random.default_rng(0)
    shared = random.normal(100, 20, (512, 512))
    images = np.uint8(shared + random.normal(0, 15, (1, 6, 512, 512))).astype(np.uint8)
    result = judged(compare_pictures(images))
    expected = np.corrcoef(images[0].reshape(6, -1))[1, 3]
    assert found(result, "pixel correlation w2-w4", "HEPG2")["simulated"] == pytest.approx(expected)


def test_sizes_of_nuclei_are_those_of_ellipses_with_their_centres_in_the_field() -> None:
    truth, table = full_detail(replace(SPEC, experiments=(("HEPG2", 1, 0),)))
    row = table[table["sirna"] == "EMPTY"].iloc[0]
    cells = site_cells(truth, Site(**{name: row[name] for name in Site._fields}))
    inside = [
        np.pi * a * b
        for x, y, (a, b) in zip(cells.x, cells.y, cells.nucleus, strict=True)
        if 0 <= x < 512 and 0 <= y < 512
    ]
    result = judged(compare_nuclei([cells]))
    diameter = found(result, "log median diameter of nuclei", "HEPG2")["simulated"]
    assert np.exp(diameter) == pytest.approx(2 * np.sqrt(np.median(inside) / np.pi), rel=1e-5)
    spread = found(result, "coefficient of variation of nuclear area", "HEPG2")["simulated"]
    assert spread == pytest.approx(np.std(inside) / np.mean(inside), rel=1e-5)


def test_detail_is_the_screen_s_own_whatever_its_picture_size() -> None:
    coarse = replace(SPEC, experiments=(("HEPG2", 2, 0), ("HUVEC", 2, 0)), treatments_per_plate=1)
    fine = replace(coarse, image_size=32, pixel_size=2.0)
    result = realism_detail(coarse)
    pd.testing.assert_frame_equal(result, realism_detail(fine))
    kinds = " ".join(result["statistic"])
    for kind in ("variance of log count", "power spectrum", "pixel correlation", "diameter"):
        assert kind in kinds


def test_a_screen_without_hepg2_has_counts_only() -> None:
    result = realism_detail(replace(SPEC, experiments=(("RPE", 2, 0),), treatments_per_plate=1))
    assert result["statistic"].str.contains("count").all()
