"""One untreated site, with each technical effect alone on."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from rxrx_lib.data.simulator import ScreenSpec, Site, draw_truth, layout, render_site
from rxrx_lib.data.vocabulary import EMPTY
from rxrx_lib.study.components import FACTOR, LABELS, only
from rxrx_lib.study.composite import Picture, composite
from rxrx_lib.study.figures import WIDTH, figure_style, mark_simulated, wrapped
from rxrx_lib.study.picture_sheets import PICTURE_DPI, colour_picture, small_title

PIXELS, PIXEL_SIZE = 120, 2.0
"""Finer than what the networks get, so that one sees it, on 240 release pixels."""
COLUMNS = 4


def most_affected(screen: ScreenSpec) -> Site:
    """Return an untreated site of the experiment whose technical effects are the strongest."""
    effects = draw_truth(screen).effects
    strongest = max(effects, key=lambda name: effects[name].strength)
    planned = layout(screen)
    row = planned[(planned["experiment"] == strongest) & (planned["sirna"] == EMPTY)].iloc[0]
    return Site(**{name: row[name] for name in Site._fields})


def component_pictures(screen: ScreenSpec | None) -> dict[str, Picture]:
    """Render one site of a screen, (6, H, W) each: without technical effects, and with each alone.

    The same cells in all of them, unless the effect is on the cells themselves. Of the release
    there are none.
    """
    if screen is None:
        return {}
    site = most_affected(screen)
    fine = dataclasses.replace(screen, image_size=PIXELS, pixel_size=PIXEL_SIZE)
    screens = {"none": dataclasses.replace(fine, technical=0.0)}
    for name, label in LABELS.items():
        screens[label] = dataclasses.replace(fine, technical=FACTOR, effects=only(name))
    return {label: render_site(draw_truth(each), site) for label, each in screens.items()}


def component_sheet(pictures: dict[str, Picture], *, simulated: bool) -> Figure:
    """Draw named pictures, (6, H, W) each, as composites on the one fixed scale."""
    rows = max(1, -(-len(pictures) // COLUMNS))
    with figure_style():
        size = (WIDTH, rows * (WIDTH / COLUMNS + 0.35))
        figure, axes = plt.subplots(rows, COLUMNS, figsize=size, squeeze=False, dpi=PICTURE_DPI)
        for axis in axes.flat[len(pictures) :]:
            axis.set_axis_off()
        for axis, (label, picture) in zip(axes.flat, pictures.items(), strict=False):
            colour_picture(axis, composite(picture), simulated=simulated)
            small_title(axis, wrapped(label, 16), 7)
        return mark_simulated(figure) if simulated else figure
