"""Composites: the release's colours on a fixed scale."""

from __future__ import annotations

import numpy as np
import pytest

from rxrx_lib.study.composite import LIGHTS, coloured, composite, light_panel


def site(**levels: int) -> np.ndarray:
    """Return a site of one pixel: ``c1=51`` is channel 1 at 51."""
    return np.array([[[levels.get(f"c{light.channel}", 0)]] for light in LIGHTS], np.uint8)


@pytest.mark.parametrize("light", LIGHTS, ids=lambda light: light.colour_name)
def test_a_channel_at_its_white_point_has_its_full_colour(light) -> None:
    shown = composite(site(**{f"c{light.channel}": light.white_point}))
    assert shown[0, 0].tolist() == list(light.colour)
    brighter = composite(site(**{f"c{light.channel}": 255}))
    assert brighter[0, 0].tolist() == list(light.colour)


def test_the_colours_are_those_that_the_papers_figure_names() -> None:
    strong = {light.colour_name: np.array(light.colour) > 127 for light in LIGHTS}
    expected = {
        "blue": [False, False, True],
        "green": [False, True, False],
        "red": [True, False, False],
        "cyan": [False, True, True],
        "magenta": [True, False, True],
        "yellow": [True, True, False],
    }
    assert {name: parts.tolist() for name, parts in strong.items()} == expected
    assert list(strong) == ["blue", "green", "red", "cyan", "magenta", "yellow"]


def test_lights_add_up_and_are_cut_off() -> None:
    assert composite(site(c2=107, c3=32))[0, 0].tolist() == [42 + 127, 255, 31 + 12]
    assert composite(site(c1=0))[0, 0].tolist() == [0, 0, 0]


def test_half_the_grey_level_is_half_the_colour() -> None:
    shown = coloured(np.array([[95.5]]), LIGHTS[5])
    assert shown[0, 0].tolist() == [127, 127, 20]


def test_the_table_of_channels_is_complete() -> None:
    panel = light_panel()
    assert panel["channel"].tolist()[:2] == ["1 nuclei", "2 ER"]
    assert panel["white point"].tolist() == [51, 107, 64, 191, 89, 191]
