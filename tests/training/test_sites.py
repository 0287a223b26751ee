"""Sites as the network sees them: kept or read, the same values."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from rxrx_lib.data import normalization
from rxrx_lib.training.hardware import Hardware
from rxrx_lib.training.sites import Sites
from tests.training.tiny import CPU, SITES, Noise, noise, statistics_of_noise

KEPT = CPU
READ = dataclasses.replace(CPU, memory_for_sites=0)
STEPS = np.array([[0, 3, 5], [3, 4, 23], [0, 3, 5]])


class Counting(Noise):
    """Images that note which rows are read."""

    def __init__(self) -> None:
        super().__init__(noise().pixels)
        self.rows: list[int] = []

    def read(self, rows: np.ndarray, *more: object, **settings: object) -> np.ndarray:
        self.rows += list(rows)
        return super().read(rows, *more, **settings)


def given(sites: Sites) -> list[torch.Tensor]:
    found = []
    for rows, x in sites.minibatches(STEPS):
        assert rows.tolist() == STEPS[len(found)].tolist()
        found.append(x.clone())
        x.fill_(7)  # who gets sites may write them over
    return found


@pytest.mark.parametrize("by", [None, statistics_of_noise()], ids=["self", "given"])
@pytest.mark.parametrize("channels_last", [True, False])
def test_kept_sites_are_those_that_are_read_to_the_bit(
    by: normalization.Statistics | None, channels_last: bool
) -> None:
    kept, read = (dataclasses.replace(h, channels_last=channels_last) for h in (KEPT, READ))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for one, two in zip(
        given(Sites(noise(), by, kept)), given(Sites(noise(), by, read)), strict=True
    ):
        assert torch.equal(one, two)
        assert one.is_contiguous(memory_format=layout)
        assert two.is_contiguous(memory_format=layout)


def test_values_are_those_of_numpy() -> None:
    x = given(Sites(noise(), None, KEPT))[0].numpy()
    pixels = noise().pixels[STEPS[0]].astype(np.float64)
    deviation = pixels.std((2, 3), keepdims=True)
    contrast = np.where(deviation == 0, np.inf, deviation)  # without any a channel becomes 0
    expected = (pixels - pixels.mean((2, 3), keepdims=True)) / contrast
    np.testing.assert_allclose(x, expected, atol=1e-5)


@pytest.mark.parametrize("hardware", [KEPT, READ], ids=["kept", "read"])
@pytest.mark.parametrize("by", [None, statistics_of_noise()], ids=["self", "given"])
def test_some_channels_are_those_of_all(
    by: normalization.Statistics | None, hardware: Hardware
) -> None:
    chosen = (2, 5, 6)
    places = [channel - 1 for channel in chosen]
    of_chosen = by and normalization.Statistics(mean=by.mean[:, places], std=by.std[:, places])
    some = given(Sites(noise(), of_chosen, hardware, channels=chosen))
    for one, all_six in zip(some, given(Sites(noise(), by, hardware)), strict=True):
        torch.testing.assert_close(one, all_six[:, places], rtol=0, atol=1e-6)


def test_float64_sites_are_the_float32_ones() -> None:
    doubles = given(Sites(noise(), None, KEPT, torch.float64))
    singles = given(Sites(noise(), None, KEPT))
    for one, two in zip(doubles, singles, strict=True):
        assert one.dtype == torch.float64
        assert torch.equal(one, two.double())


def test_a_site_that_fits_is_read_once_and_one_that_is_not_asked_for_never() -> None:
    images = Counting()
    sites = Sites(images, None, KEPT)
    given(sites)
    given(sites)
    assert sorted(images.rows) == [0, 3, 4, 5, 23]


def test_sites_that_do_not_all_fit_are_read_each_time() -> None:
    size = noise().pixels.size * 4
    for memory, times in ((size, 1), (size - 1, 2)):
        images = Counting()
        sites = Sites(images, None, dataclasses.replace(CPU, memory_for_sites=memory))
        given(sites)
        given(sites)
        assert images.rows.count(23) == times
    assert SITES == 24
