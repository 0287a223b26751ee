"""Standardisation, orientations and CutMix, against NumPy and against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rxrx_lib.data import normalization
from rxrx_lib.data.randomness import generator
from rxrx_lib.training.augment import (
    ORIENTATIONS,
    Key,
    Mix,
    augment,
    cutmix_box,
    mixed_cross_entropy,
    pixels_at,
    sources,
    standardise,
)
from rxrx_lib.training.recipe import MIXINGS

KEY = Key(seed=1, epoch=2, step=3)


def pictures(sites: int, channels: int = 2, size: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(sites, channels, size, size, generator=torch.Generator().manual_seed(seed))


def constants(sites: int, size: int = 12) -> Tensor:
    """Return pictures whose every pixel is the site's own position."""
    return torch.arange(float(sites))[:, None, None, None].expand(-1, 2, size, size).clone()


def test_each_channel_of_each_site_gets_mean_0_and_deviation_1() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
    x = pixels.astype(np.float64)
    expected = (x - x.mean((2, 3), keepdims=True)) / x.std((2, 3), keepdims=True)
    standardised = standardise(torch.from_numpy(pixels))
    assert standardised.dtype == torch.float32
    np.testing.assert_allclose(standardised, expected, atol=1e-5)


@given(seed=st.integers(0, 2**32 - 1))
def test_given_statistics_standardise_as_they_do_without_torch(seed: int) -> None:
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
    std = draw.uniform(0.5, 90, (7, 3)) * draw.integers(0, 2, (7, 3))  # some without contrast
    statistics = normalization.Statistics(mean=draw.uniform(0, 255, (7, 3)), std=std)
    rows = draw.integers(0, 7, 5)
    standardised = standardise(torch.from_numpy(pixels), statistics.of(rows))
    assert standardised.is_contiguous(memory_format=torch.channels_last)
    expected = normalization.standardise(pixels, statistics.mean[rows], std[rows])
    np.testing.assert_array_equal(standardised.numpy(), expected)


@pytest.mark.parametrize("level", [0, 1, 77, 255])
def test_a_channel_without_contrast_becomes_zero(level: int) -> None:
    pixels = torch.full((1, 2, 48, 48), level, dtype=torch.uint8)
    pixels[0, 1, 0, 0] += 1 if level < 255 else -1
    standardised = standardise(pixels)
    assert (standardised[0, 0] == 0).all()
    assert standardised[0, 1].square().mean().item() == pytest.approx(1, abs=1e-3)


def test_orientations_are_the_eight_symmetries_of_the_square() -> None:
    picture = pictures(1)
    laid = pixels_at(picture, sources(6, picture.device)).numpy()
    turns = [np.rot90(picture[0].numpy(), k, axes=(1, 2)) for k in range(4)]
    assert len(laid) == ORIENTATIONS
    expected = {t.tobytes() for turn in turns for t in (turn, turn.transpose(0, 2, 1))}
    assert len(expected) == 8
    assert {y.tobytes() for y in laid} == expected
    assert np.array_equal(laid[0], picture[0])


def test_each_site_is_laid_down_in_an_orientation_of_its_own() -> None:
    x = pictures(40)
    y, _ = augment(x, key=KEY, group_size=40, flips=True, mixing="none")
    numbers = sources(6, x.device)[:, None] + 36 * torch.arange(40)[:, None, None]
    laid = pixels_at(x, numbers.flatten(0, 1)).unflatten(0, (ORIENTATIONS, 40))
    found = [
        [code for code in range(ORIENTATIONS) if torch.equal(laid[code, site], y[site])]
        for site in range(40)
    ]
    assert {code for (code,) in found} == set(range(ORIENTATIONS))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("flips", [True, False])
@pytest.mark.parametrize("mixing", MIXINGS)
def test_sites_that_are_named_become_what_sites_that_are_given_do(
    mixing: str, flips: bool, layout: torch.memory_format
) -> None:
    x, at = pictures(9).contiguous(memory_format=layout), torch.tensor([8, 0, 3, 3, 5, 1, 7, 2])
    before, settings = x.clone(), {"group_size": 4, "flips": flips, "mixing": mixing}
    named, named_mix = augment(x, at, key=KEY, **settings)
    given, given_mix = augment(x[at], key=KEY, **settings)
    assert torch.equal(named, given)
    assert torch.equal(named_mix.partner, given_mix.partner)
    assert torch.equal(named_mix.weight, given_mix.weight)
    assert torch.equal(x, before)
    assert named.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("flips", [True, False])
@pytest.mark.parametrize("mixing", MIXINGS)
def test_a_groups_draws_do_not_depend_on_the_groups_beside_it(flips: bool, mixing: str) -> None:
    x = pictures(12)
    settings = {"group_size": 4, "flips": flips, "mixing": mixing}
    many, many_mix = augment(x.clone(), key=KEY, **settings)
    for groups in (1, 2):
        few, few_mix = augment(x[: 4 * groups].clone(), key=KEY, **settings)
        assert torch.equal(few, many[: 4 * groups])
        assert torch.equal(few_mix.partner, many_mix.partner[: 4 * groups])
        assert torch.equal(few_mix.weight, many_mix.weight[: 4 * groups])
    x[:4] = 0
    assert torch.equal(augment(x.clone(), key=KEY, **settings)[0][4:], many[4:])
    last, last_mix = augment(x[8:].clone(), key=KEY, first_group=2, **settings)
    assert torch.equal(last, many[8:])
    assert torch.equal(last_mix.partner, many_mix.partner[8:] - 8)
    assert torch.equal(last_mix.weight, many_mix.weight[8:])


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("word", Key._fields)
def test_seed_epoch_and_step_each_give_other_draws(word: str, mixing: str) -> None:
    x = pictures(16)
    settings = {"group_size": 8, "flips": True, "mixing": mixing}
    first, again = (augment(x.clone(), key=KEY, **settings)[0] for _ in range(2))
    other, _ = augment(x.clone(), key=KEY._replace(**{word: 7}), **settings)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_two_groups_of_a_step_are_drawn_differently() -> None:
    half = pictures(8)
    y, mix = augment(torch.cat([half, half]), key=KEY, group_size=8, flips=True, mixing="cutmix")
    assert not torch.equal(y[:8], y[8:])
    assert mix.weight[0] != mix.weight[8]


def test_without_flips_and_cutmix_nothing_happens() -> None:
    x = pictures(8)
    y, mix = augment(x.clone(), key=KEY, group_size=4, flips=False, mixing="none")
    assert torch.equal(y, x)
    assert torch.equal(mix.partner, torch.arange(8))
    assert torch.equal(mix.weight, torch.ones(8))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), groups=st.integers(1, 3), group_size=st.integers(2, 5))
def test_label_weight_is_the_share_of_pixels_that_are_still_the_sites_own(
    seed: int, groups: int, group_size: int
) -> None:
    n = groups * group_size
    key = Key(seed, 0, 0)
    y, mix = augment(constants(n), key=key, group_size=group_size, flips=True, mixing="cutmix")
    own = torch.arange(n)
    assert torch.equal(mix.partner // group_size, own // group_size)
    assert torch.equal(mix.partner.sort().values, own)
    for site in range(n):
        partner = int(mix.partner[site])
        assert set(y[site].unique().tolist()) <= {site, partner}
        if partner != site:
            share = (y[site] == site).double().mean().item()
            assert mix.weight[site].item() == pytest.approx(share, abs=1e-6)


def test_a_group_has_one_box() -> None:
    _, mix = augment(constants(12), key=KEY, group_size=4, flips=False, mixing="cutmix")
    assert [len(set(w.tolist())) for w in mix.weight.split(4)] == [1, 1, 1]


def test_an_empty_box_leaves_the_labels_whole() -> None:
    x = constants(6, size=2)  # a box of less than the whole picture has no pixel of two
    y, mix = augment(x.clone(), key=KEY, group_size=3, flips=False, mixing="cutmix")
    assert torch.equal(y, x)
    assert torch.equal(mix.weight, torch.ones(6))


def test_box_areas_are_uniform_before_the_border_clips_them() -> None:
    rng = generator("test")
    areas = []
    while len(areas) < 400:
        rows, columns = cutmix_box(rng, 1000, 1000)
        inside = min(rows.start, columns.start) > 0 and max(rows.stop, columns.stop) < 1000
        if inside:  # of these the centre was free on (1 - side)², the weight that is undone here
            side = (rows.stop - rows.start) / 1000
            areas.append((side**2, 1 / (1 - side) ** 2))
    area, weight = np.array(areas).T
    kept = area < 0.5  # beyond, few boxes fit and the weights explode
    assert np.average(area[kept], weights=weight[kept]) == pytest.approx(0.25, abs=0.05)


def test_mixed_loss_is_the_cross_entropy_against_soft_labels() -> None:
    logits = pictures(6, 1, 1).reshape(6, 1) * torch.linspace(-2, 2, 5)
    target, partner = torch.tensor([0, 4, 2, 2, 1, 3]), torch.tensor([1, 0, 2, 5, 3, 4])
    weight = torch.tensor([0.0, 0.3, 1.0, 0.5, 0.9, 0.25])
    soft = weight[:, None] * F.one_hot(target, 5) + (1 - weight)[:, None] * F.one_hot(
        target[partner], 5
    )
    mixed = mixed_cross_entropy(logits, target, Mix(partner, weight))
    torch.testing.assert_close(mixed, F.cross_entropy(logits, soft, reduction="none"))
    part = mixed_cross_entropy(logits[2:5], target, Mix(partner, weight), slice(2, 5))
    assert torch.equal(part, mixed[2:5])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_mixup_averages_each_site_with_its_partner_by_the_labels_weight(alpha: float) -> None:
    x = pictures(12)
    settings = {"group_size": 4, "flips": False, "mixing": "mixup", "alpha": alpha}
    y, mix = augment(x.clone(), key=KEY, **settings)
    own = torch.arange(12)
    assert torch.equal(mix.partner // 4, own // 4)
    weight = mix.weight[:, None, None, None].double()
    expected = weight * x + (1 - weight) * x[mix.partner]
    torch.testing.assert_close(y.double(), expected, atol=1e-6, rtol=1e-6)
    assert [len(set(w.tolist())) for w in mix.weight.split(4)] == [1, 1, 1]


def test_mixups_shares_follow_beta_alpha_alpha() -> None:
    x = torch.zeros(2, 1, 2, 2)
    shares = np.array(
        [
            augment(
                x.clone(),
                key=Key(0, 0, step),
                group_size=2,
                flips=False,
                mixing="mixup",
                alpha=0.4,
            )[1].weight[0]
            for step in range(2000)
        ]
    )
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.05)
