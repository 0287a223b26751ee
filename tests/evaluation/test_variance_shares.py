"""Shares of variance between rows, columns and the rest, and their interval."""

from __future__ import annotations

import numpy as np
import pytest

from rxrx_lib.evaluation.variance_shares import column_share_interval, variance_shares


def layer(rows: int, columns: int, spread: tuple[float, float, float], seed: int) -> np.ndarray:
    """Return a table with the given standard deviations of columns, rows and the rest."""
    draw = np.random.default_rng(seed)
    column, row, rest = spread
    return (
        column * draw.normal(size=columns)
        + row * draw.normal(size=(rows, 1))
        + rest * draw.normal(size=(rows, columns))
    )


def test_what_varies_along_one_way_only_is_that_ways() -> None:
    values = np.array([1.0, 2.0, 4.0])
    along, down = np.tile(values, (4, 1)), np.tile(values[:, None], (1, 4))
    assert variance_shares([along]) == pytest.approx((1.0, 0.0, 0.0))
    assert variance_shares([down]) == pytest.approx((0.0, 1.0, 0.0))


def test_shares_of_a_worked_example() -> None:
    # columns -2, 2; rows -1, 1; rest ±0.5 with zero sums: mean squares 16, 4 and 1
    example = np.array([[-2.5, 0.5], [-1.5, 3.5]])
    assert variance_shares([example]) == pytest.approx((7.5 / 10, 1.5 / 10, 1.0 / 10))


def test_differences_between_layers_do_not_count() -> None:
    first, second = layer(5, 4, (1, 1, 1), 0), layer(5, 3, (1, 1, 1), 1)
    apart = variance_shares([first, second + 100])
    assert apart == pytest.approx(variance_shares([first, second]))


def test_true_shares_are_found_with_many_columns_in_layers_of_unlike_width() -> None:
    layers = [layer(60, width, (2, 1, 1), seed) for seed, width in enumerate((300, 100, 1))]
    assert variance_shares(layers) == pytest.approx((4 / 6, 1 / 6, 1 / 6), abs=0.04)


def test_a_part_is_never_negative_and_parts_add_up() -> None:
    shares = variance_shares([np.array([[1.0, -1.0], [-1.0, 1.0]])])
    assert shares == (0.0, 0.0, 1.0)


def test_the_interval_holds_the_true_share_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(100):
        layers = [layer(16, width, (1, 1, 1), 1000 * seed + width) for width in (24, 11, 12)]
        interval = column_share_interval(layers)
        assert interval.n == 47
        held += interval.low <= 1 / 3 <= interval.high
    assert held >= 85


def test_an_interval_needs_columns_to_leave_out() -> None:
    interval = column_share_interval([layer(4, 2, (1, 1, 1), 0)])
    assert np.isnan([interval.low, interval.high]).all()


@pytest.mark.parametrize(
    "layers",
    [[np.ones((3, 1))], [np.ones((1, 3))], [np.ones((3, 3)), np.ones((2, 3))]],
    ids=["one column", "one row", "unlike heights"],
)
def test_shapes_that_do_not_allow_it_are_refused(layers: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="layers have shapes"):
        variance_shares(layers)


def test_values_that_are_all_alike_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing varies"):
        variance_shares([np.ones((3, 3))])
