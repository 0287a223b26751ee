"""The six normalisations, against pixels pooled as whole arrays; what they may not depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rxrx_lib.data.normalization import (
    NORMALIZATIONS,
    Normalization,
    Statistics,
    standardise,
    statistics,
)
from rxrx_lib.data.pixel_moments import PixelMoments
from rxrx_lib.study import paper
from rxrx_lib.training import augment
from tests.data.screens import screen_table

TABLE = screen_table(
    {"HUVEC-01": "train", "HUVEC-02": "test", "U2OS-01": "train"}, treatments=4, plates=2
)
TRAIN = np.flatnonzero(TABLE["dataset"] == "train")
CONTROL = (TABLE["well_type"] != "treatment").to_numpy()
ALL_SEVEN = {
    **NORMALIZATIONS,
    "training_controls": Normalization(scope="training", sites="controls"),
}
SIZE = 6
seeds = st.integers(0, 10_000)
each = pytest.mark.parametrize("name", ALL_SEVEN)
few = settings(max_examples=10, deadline=None)


def screen_pixels(seed: int, sites: int = len(TABLE), channels: int = 3) -> np.ndarray:
    """Draw pictures (N, C, H, W) of very different brightness and contrast."""
    draw = np.random.default_rng(seed)
    low = draw.integers(0, 200, (sites, channels, 1, 1))
    span = draw.integers(4, 56, (sites, channels, 1, 1))
    noise = draw.random((sites, channels, SIZE, SIZE))
    return (low + span * noise).astype(np.uint8)


def moments_of(pixels: np.ndarray) -> PixelMoments:
    x = pixels.astype(np.int64)
    return PixelMoments(
        sums=x.sum((2, 3)),
        squares=(x * x).sum((2, 3)),
        pixels=SIZE * SIZE,
        channels=tuple(range(1, pixels.shape[1] + 1)),
    )


def found(
    pixels: np.ndarray, name: str, table: pd.DataFrame = TABLE, train: np.ndarray = TRAIN
) -> Statistics:
    return statistics(moments_of(pixels), table, train, ALL_SEVEN[name])


def pool_of(name: str, row: int) -> np.ndarray:
    """Return which sites are pooled for one of them, read off the paper's words."""
    experiment = (TABLE["experiment"] == TABLE["experiment"][row]).to_numpy()
    plate = experiment & (TABLE["plate"] == TABLE["plate"][row]).to_numpy()
    return {
        "self": np.arange(len(TABLE)) == row,
        "plate_all": plate,
        "plate_controls": plate & CONTROL,
        "experiment_all": experiment,
        "experiment_controls": experiment & CONTROL,
        "training_all": np.isin(np.arange(len(TABLE)), TRAIN),
        "training_controls": np.isin(np.arange(len(TABLE)), TRAIN) & CONTROL,
    }[name]


def assert_same(one: Statistics, other: Statistics, rows: np.ndarray | slice = slice(None)) -> None:
    np.testing.assert_array_equal(one.mean[rows], other.mean[rows])
    np.testing.assert_array_equal(one.std[rows], other.std[rows])


def test_the_six_are_the_rows_of_the_paper_s_tables() -> None:
    assert list(NORMALIZATIONS) == list(paper.NORMALIZATIONS)
    for name, normalization in NORMALIZATIONS.items():
        words = [normalization.scope, normalization.sites]
        assert name == "_".join(words[:1] if normalization.scope == "self" else words)


@each
@few
@given(seed=seeds)
def test_mean_and_deviation_are_those_of_all_pooled_pixels_taken_together(
    name: str, seed: int
) -> None:
    pixels = screen_pixels(seed)
    came = found(pixels, name)
    assert came.mean.shape == came.std.shape == (len(TABLE), 3)
    for row in range(len(TABLE)):
        pooled = pixels[pool_of(name, row)].astype(np.float64).swapaxes(0, 1).reshape(3, -1)
        np.testing.assert_allclose(came.mean[row], pooled.mean(1), rtol=1e-12)
        np.testing.assert_allclose(came.std[row], pooled.std(1), rtol=1e-10)


@each
@few
@given(seed=seeds)
def test_the_order_of_the_rows_does_not_matter(name: str, seed: int) -> None:
    pixels = screen_pixels(seed)
    order = np.random.default_rng(seed).permutation(len(TABLE))
    train = np.flatnonzero(np.isin(order, TRAIN))
    shuffled = found(pixels[order], name, TABLE.iloc[order], train)
    assert_same(
        shuffled,
        Statistics(mean=found(pixels, name).mean[order], std=found(pixels, name).std[order]),
    )


@few
@given(seed=seeds)
def test_an_experiment_is_the_union_of_its_plates_by_the_law_of_total_variance(seed: int) -> None:
    pixels = screen_pixels(seed)
    plates, experiments = found(pixels, "plate_all"), found(pixels, "experiment_all")
    for name in TABLE["experiment"].unique():
        rows = np.flatnonzero(TABLE["experiment"] == name)
        # Each row carries its plate's statistics, so plates weigh as many sites as they have.
        mean, variance = plates.mean[rows], plates.std[rows] ** 2
        np.testing.assert_allclose(experiments.mean[rows[0]], mean.mean(0))
        total = variance.mean(0) + mean.var(0)
        np.testing.assert_allclose(experiments.std[rows[0]] ** 2, total)


@each
def test_labels_are_not_read(name: str) -> None:
    pixels = screen_pixels(0)
    unlabelled = TABLE.drop(columns=["sirna", "sirna_id"])
    assert_same(found(pixels, name, unlabelled), found(pixels, name))
    other = TABLE.assign(sirna="s0000", sirna_id=TABLE["sirna_id"].to_numpy()[::-1])
    assert_same(found(pixels, name, other), found(pixels, name))


@each
@few
@given(seed=seeds)
def test_only_the_sites_that_are_pooled_matter(name: str, seed: int) -> None:
    row = seed % len(TABLE)
    pixels, others = screen_pixels(seed), screen_pixels(seed + 1)
    others[pool_of(name, row)] = pixels[pool_of(name, row)]
    rows = np.array([row])
    assert_same(found(others, name), found(pixels, name), rows)


@pytest.mark.parametrize("name", ["training_all", "training_controls"])
def test_the_pixels_of_test_sites_change_nothing_in_the_training_scope(name: str) -> None:
    pixels, others = screen_pixels(0), screen_pixels(1)
    others[TRAIN] = pixels[TRAIN]
    assert_same(found(others, name), found(pixels, name))


@pytest.mark.parametrize("name", [name for name in ALL_SEVEN if "training" not in name])
def test_test_sites_are_normalised_by_their_own_experiment_whatever_the_split(name: str) -> None:
    pixels, others = screen_pixels(0), screen_pixels(1)
    own = (TABLE["experiment"] == "HUVEC-02").to_numpy()
    others[own] = pixels[own]
    assert_same(found(others, name), found(pixels, name), own)
    assert_same(found(pixels, name, train=TRAIN[:1]), found(pixels, name))


@each
def test_channels_are_those_asked_for_in_that_order(name: str) -> None:
    moments = moments_of(screen_pixels(0, channels=6))
    whole = statistics(moments, TABLE, TRAIN, ALL_SEVEN[name])
    some = statistics(moments, TABLE, TRAIN, ALL_SEVEN[name], channels=[5, 2])
    assert_same(some, Statistics(mean=whole.mean[:, [4, 1]], std=whole.std[:, [4, 1]]))
    with pytest.raises(ValueError, match=r"channels is \[7\]; expected some of 1 to 6"):
        statistics(moments, TABLE, TRAIN, ALL_SEVEN[name], channels=[7])


def test_statistics_of_the_whole_release_do_not_overflow() -> None:
    sites, pixels = 125_510, 512 * 512
    table = pd.DataFrame({"experiment": ["HUVEC-01"] * sites})
    half = np.full((sites, 1), pixels // 2)
    moments = PixelMoments(sums=half * 255, squares=half * 255**2, pixels=pixels, channels=(1,))
    came = statistics(moments, table, np.arange(sites), NORMALIZATIONS["training_all"])
    assert (came.mean == 127.5).all()
    assert (came.std == 127.5).all()


@few
@given(seed=seeds)
def test_standardised_pixels_are_float32_by_the_formula(seed: int) -> None:
    pixels = screen_pixels(seed)
    came = found(pixels, "plate_all")
    x = standardise(pixels, came.mean, came.std)
    mean, std = (array[:, :, None, None] for array in (came.mean, came.std))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, (pixels - mean) / std, atol=1e-4)


@pytest.mark.parametrize("name", ["plate_all", "experiment_all", "self"])
def test_a_standardised_pool_has_mean_0_and_deviation_1(name: str) -> None:
    pixels = screen_pixels(0)
    came = found(pixels, name)
    x = standardise(pixels, came.mean, came.std).astype(np.float64)
    for row in range(len(TABLE)):
        pooled = x[pool_of(name, row)]
        np.testing.assert_allclose(pooled.mean((0, 2, 3)), 0, atol=1e-4)
        np.testing.assert_allclose(pooled.std((0, 2, 3)), 1, atol=1e-4)


def test_self_is_what_training_does_by_default() -> None:
    pixels = screen_pixels(0)
    pixels[3, 1] = 77
    came = found(pixels, "self")
    expected = augment.standardise(torch.from_numpy(pixels)).numpy()
    # The pictures of least contrast tell how exact float32 is.
    np.testing.assert_allclose(standardise(pixels, came.mean, came.std), expected, atol=2e-3)


@each
@pytest.mark.parametrize("level", [0, 1, 255])
def test_a_channel_without_contrast_in_its_pool_becomes_zero(name: str, level: int) -> None:
    pixels = screen_pixels(0)
    pixels[:, 1] = level
    came = found(pixels, name)
    assert (came.std[:, 1] == 0).all()
    assert (came.std[:, [0, 2]] > 0).any()
    assert (standardise(pixels, came.mean, came.std)[:, 1] == 0).all()


def test_a_site_becomes_zero_too_where_only_its_controls_have_no_contrast() -> None:
    pixels = screen_pixels(0)
    pixels[CONTROL, 1] = 40
    came = found(pixels, "plate_controls")
    assert (standardise(pixels, came.mean, came.std)[:, 1] == 0).all()


def test_a_plate_without_controls_is_named() -> None:
    bare = (TABLE["experiment"] == "HUVEC-02") & (TABLE["plate"] == 2)
    table = TABLE.assign(well_type=TABLE["well_type"].mask(bare, "treatment"))
    pixels = screen_pixels(0)
    with pytest.raises(ValueError, match=r"^plate 2 of experiment HUVEC-02 has no control; exp"):
        found(pixels, "plate_controls", table)
    found(pixels, "experiment_controls", table)
    found(pixels, "plate_all", table)


def test_an_experiment_without_controls_is_named() -> None:
    bare = TABLE["experiment"] == "U2OS-01"
    table = TABLE.assign(well_type=TABLE["well_type"].mask(bare, "treatment"))
    with pytest.raises(ValueError, match=r"^experiment U2OS-01 has no control; expected at least"):
        found(screen_pixels(0), "experiment_controls", table)


def test_a_training_side_without_sites_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the training side has no site; .* choose a split"):
        found(screen_pixels(0), "training_all", train=np.array([], np.int64))
    with pytest.raises(ValueError, match=r"rows holds 999; expected positions 0 to"):
        found(screen_pixels(0), "training_all", train=np.array([999]))


def test_moments_of_another_screen_are_refused() -> None:
    with pytest.raises(
        ValueError, match=rf"moments holds 5 sites and table {len(TABLE)}; expected"
    ):
        found(screen_pixels(0, sites=5), "self")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"scope": "well"}, "scope is 'well'; choose one of self, plate, experiment, training"),
        ({"scope": "plate", "sites": "empty"}, "sites is 'empty' .*; choose all or controls"),
        ({"scope": "self", "sites": "controls"}, "sites is 'controls' .* scope self; choose all"),
    ],
)
def test_a_normalisation_that_does_not_exist_is_refused(
    fields: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Normalization(**fields)
