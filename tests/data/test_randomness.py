"""Keyed random numbers: the key decides, and nothing else."""

from __future__ import annotations

import itertools

import numpy as np

from rxrx_lib.data.randomness import generator, number

FIRST = 5089041184655109436


def test_equal_keys_draw_alike_whatever_was_drawn_before() -> None:
    expected = generator("plan", 3, "HUVEC").random(5)
    generator("plan", 4).random(100)
    np.testing.assert_array_equal(generator("plan", 3, "HUVEC").random(5), expected)


def test_every_part_of_a_key_counts_and_so_do_its_borders_and_kind() -> None:
    keys = [("plan", 1, 2), ("plan", 12), ("plan", 2, 1), ("plan1", 2), ("plan", "12"), ("other",)]
    draws = [generator(*key).random() for key in keys]
    assert all(a != b for a, b in itertools.combinations(draws, 2))


def test_draws_are_the_same_on_every_machine() -> None:
    drawn = generator("stratified split", 0).random(2)
    np.testing.assert_array_equal(drawn, [0.7086025507568849, 0.9960995640518527])


def test_numbers_of_keys_are_spread_over_their_range_and_the_same_on_every_machine() -> None:
    drawn = [number("network", step) for step in range(1000)]
    assert len(set(drawn)) == 1000
    assert 0 <= min(drawn) < 2**56
    assert 2**62 < max(drawn) < 2**63
    assert number("network", 0) == drawn[0] != number("other", 0)
    assert number("network", 5, 0, 0, 0) == FIRST
