from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data.simulator import (
    ScreenSpec,
    draw_truth,
    layout,
    not_compared,
    real_statistics,
    realism,
)

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


def with_counts(screen: Screen, log_counts: Mapping[str, float]) -> pd.DataFrame:
    """Return what `realism` says of n cells, given log(1 + n) of some sites, 3 at the others."""
    table, images, truth = screen
    counts = {site: float(np.expm1(log_counts.get(site, 3.0))) for site in table["site_id"]}
    return realism(table, images, truth | {"cells": counts})


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


def test_slopes_of_power_spectra_are_those_that_the_pictures_have() -> None:
    spec = replace(SPEC, image_size=512, pixel_size=1.0, experiments=(("HEPG2", 1, 0),))
    table = layout(spec)
    table = table[table["sirna"] == "EMPTY"].iloc[:2].reset_index(drop=True)
    frequency = np.fft.fftfreq(512) * 512
    radius = np.maximum(np.hypot(frequency[:, None], frequency), 1)
    slopes = [-1.0, -1.5, -2.0, -2.5, -3.0, -3.5]
    random = np.random.default_rng(0)
    images = np.empty((2, 6, 512, 512), dtype=np.uint8)
    for picture in images:
        for channel, slope in zip(picture, slopes, strict=True):
            phases = np.fft.fft2(random.standard_normal((512, 512)))
            made = np.fft.ifft2(radius ** (slope / 2) * phases / np.abs(phases)).real
            channel[:] = np.rint(128 + 25 * np.clip(made / made.std(), -5, 5))
    truth = draw_truth(spec).to_json() | {"cells": dict.fromkeys(table["site_id"], 90)}
    result = realism(table, images, truth)
    for channel, slope in enumerate(slopes, start=1):
        got = found(result, "slope of power spectrum", "HEPG2", channel)
        assert got["simulated"] == pytest.approx(slope, abs=0.05)
        assert got["real"] == real_statistics.POWER_SLOPE[channel - 1]


@pytest.mark.parametrize(
    ("image_size", "pixel_size", "expected"),
    [
        (48, 5.5, ["shows 264 × 264", "shows 264 × 264", "48 × 48, each 5.5 release pixels"]),
        (16, 16.0, ["16 × 16, each 16 release pixels"]),
        (256, 1.0, ["256 × 256, each 1 release pixels"]),
        (512, 1.0, ["shows 512 × 512", "shows 512 × 512"]),
    ],
)
def test_kinds_that_a_picture_s_size_rules_out_are_named_with_the_reason(
    image_size: int, pixel_size: float, expected: list[str]
) -> None:
    sentences = not_compared(asdict(ScreenSpec(image_size=image_size, pixel_size=pixel_size)))
    assert len(sentences) == len(expected)
    assert all(reason in sentence for sentence, reason in zip(sentences, expected, strict=True))


@pytest.mark.parametrize(("image_size", "pixel_size"), [(16, 16.0), (16, 4.0)])
def test_what_is_named_as_not_compared_is_what_is_left_out(
    image_size: int, pixel_size: float
) -> None:
    spec = replace(
        SPEC, image_size=image_size, pixel_size=pixel_size, experiments=(("HEPG2", 2, 0),)
    )
    table = layout(spec)
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (len(table), 6, image_size, image_size), dtype=np.uint8)
    counts = random.poisson(20, len(table)).tolist()
    truth = draw_truth(spec).to_json()
    truth["cells"] = dict(zip(table["site_id"], counts, strict=True))
    given = " ".join(realism(table, images, truth)["statistic"])
    named = " ".join(not_compared(truth["spec"]))
    assert ("variance of log count" in given) != ("how cell counts vary" in named)
    assert ("power spectrum" in given) != ("power spectra" in named)
