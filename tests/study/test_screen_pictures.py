"""Sheets of pictures, the plate and the strips: what they show, and that simulated ones say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from rxrx_lib.data.images import open_images
from rxrx_lib.study import experiment_brightness, picture_sheets, plate_map, site_choice
from rxrx_lib.study.composite import composite
from tests.data.screens import write_screen


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("screen")
    table = write_screen(root)
    return root, table, open_images(root)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def sheet(screen, *, simulated: bool) -> Figure:
    _, table, images = screen
    grid = site_choice.across_experiments(table, sirnas=2, experiments=3)
    return picture_sheets.composite_sheet(grid, images, simulated=simulated)


def channels(screen, *, simulated: bool) -> Figure:
    _, table, images = screen
    row = site_choice.untreated_site(table)
    return picture_sheets.composite_and_channels(row, images, simulated=simulated)


def plate(screen, *, simulated: bool) -> Figure:
    root, table, images = screen
    wells = plate_map.plate_wells(table, images, root, ["HUVEC-01"])
    first = plate_map.first_plate(wells)
    return plate_map.plate_figure(first, table, images, simulated=simulated)


def strips(screen, *, simulated: bool) -> Figure:
    _, table, images = screen
    means = experiment_brightness.experiment_means(
        experiment_brightness.sampled_wells(table, images)
    )
    return experiment_brightness.brightness_strips(means, simulated=simulated)


def pictures(figure: Figure) -> list:
    return [axis for axis in figure.axes if axis.images]


@pytest.mark.parametrize(
    ("draw", "count"),
    [(sheet, 6), (channels, 7), (plate, 2), (strips, 0)],
    ids=["sheet", "channels", "plate", "strips"],
)
def test_figure_and_each_picture_are_marked_when_simulated_and_only_then(
    screen: tuple[Path, object, object], draw: Callable[..., Figure], count: int
) -> None:
    for simulated in (True, False):
        figure = draw(screen, simulated=simulated)
        marks = [text.get_text() for text in figure.texts if text.get_text() == "SIMULATED"]
        assert marks == ["SIMULATED"] * simulated
        shown = pictures(figure)
        assert len(shown) == count
        for axis in shown:
            assert ["SIMULATED"] * simulated == [text.get_text() for text in axis.texts]


def test_a_sheets_pictures_are_the_composites_of_its_sites(screen) -> None:
    _, table, images = screen
    grid = site_choice.across_experiments(table, sirnas=2, experiments=3)
    figure = picture_sheets.composite_sheet(grid, images, simulated=False)
    rows = [row for line in grid.sites for row in line]
    for axis, row in zip(figure.axes, rows, strict=True):
        assert np.array_equal(axis.images[0].get_array(), composite(images.read([row])[0]))
    titles = [axis.get_title() for axis in figure.axes[:3]]
    assert titles == ["HUVEC-01", "HUVEC-02", "HUVEC-03"]


def test_names_with_formula_signs_are_shown_as_they_are(screen) -> None:
    _, _, images = screen
    grid = site_choice.Grid(((0, 1),), ("$\\broken",), ("a$b$", "$x"))
    figure = picture_sheets.composite_sheet(grid, images, simulated=True)
    figure.canvas.draw()
    assert figure.axes[0].get_title() == "a$b$"


def test_the_table_behind_a_sheet_names_its_sites_and_their_means(screen) -> None:
    _, table, images = screen
    grid = site_choice.across_experiments(table, sirnas=1, experiments=2)
    shown = picture_sheets.sites_shown(grid, table, images)
    row = grid.sites[0][1]
    assert shown["site_id"][1] == table["site_id"][row]
    assert shown["3 actin"][1] == pytest.approx(images.read([row], [3]).mean(), abs=0.005)


def test_every_experiment_is_a_dot_hollow_in_training_and_filled_in_test(screen) -> None:
    figure = strips(screen, simulated=True)
    by_filling: dict[str, int] = {}
    for line in figure.axes[0].lines:
        filling = "hollow" if line.get_markerfacecolor() == "white" else "filled"
        by_filling[filling] = by_filling.get(filling, 0) + len(line.get_xdata())
    assert by_filling == {"hollow": 3, "filled": 2}
