"""The four methods as data."""

from __future__ import annotations

import pytest

from rxrx_lib.models.methods import METHODS, method


def test_two_switches_make_the_four_methods() -> None:
    assert {name: (m.grouped, m.reverses, m.statistics) for name, m in METHODS.items()} == {
        "baseline": (False, False, "training"),
        "gradient_reversal": (False, True, "training"),
        "adabn": (True, False, "experiment"),
        "adabn_gradient_reversal": (True, True, "experiment"),
    }


def test_a_method_is_registered_under_its_own_name() -> None:
    assert all(method(name).name == name for name in METHODS)


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'combat'; choose one of baseline, gradient_reversal, ad"):
        method("combat")


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_network_reverses_if_the_method_does(name: str) -> None:
    network = method(name).build(
        backbone="densenet_small",
        classes=3,
        experiments=2,
        embedding=4,
        reverses=METHODS[name].reverses,
    )
    assert network.reverses is METHODS[name].reverses
