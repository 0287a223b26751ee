"""Figures hold the numbers that they were given, and simulated ones say so."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from rxrx_lib.study import figures, panels, tables
from rxrx_lib.study.negative_controls import negative_control_cells
from tests.study.handmade import ACCURACY, control_results, table1_results


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def drawn(name: str, *, simulated: bool) -> Figure:
    results = table1_results()
    if name == "replicates":
        return figures.replicate_panels(
            panels.replicate_figure_panels(results), simulated=simulated
        )
    if name == "differences":
        return figures.difference_panels(
            panels.difference_figure_panels(results), simulated=simulated
        )
    if name == "experiments":
        table = tables.per_experiment(results, "adabn")
        return figures.experiment_differences(table, "adabn", simulated=simulated)
    cells = negative_control_cells(control_results(baseline=40.0, adabn=41.0))
    return figures.negative_control_panels(cells, simulated=simulated)


NAMES = ("replicates", "differences", "experiments", "controls")


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_marked_when_it_is_simulated_and_only_then(name: str) -> None:
    def marks(figure: Figure) -> list[str]:
        return [text.get_text() for text in figure.texts]

    assert marks(drawn(name, simulated=True)) == ["SIMULATED"]
    assert marks(drawn(name, simulated=False)) == []


def dots(figure: Figure, panel: int, marker: str) -> list[float]:
    lines = [line for line in figure.axes[panel].lines if line.get_marker() == marker]
    return [float(x) for line in lines for x in line.get_xdata()]


def test_every_replicate_is_a_dot_in_its_methods_marker() -> None:
    figure = drawn("replicates", simulated=True)
    for method, by_split in ACCURACY.items():
        marker = figures.method_style(method)["marker"]
        assert [dots(figure, panel, marker) for panel in range(3)] == list(by_split)


def test_differences_are_taken_within_replicates() -> None:
    marker = figures.method_style("adabn")["marker"]
    assert dots(drawn("differences", simulated=True), 0, marker) == [20.0, 12.0, 4.0]


def test_experiments_are_grouped_by_cell_type() -> None:
    axis = drawn("experiments", simulated=True).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["SIM-HUVEC-07", "SIM-U2OS-04"]


@pytest.mark.parametrize(
    ("lines", "labels"),
    [
        ({"cell type": 7.8, "1/E": 2.0}, ["1/E, cell type"]),
        ({"cell type": 50.0, "1/E": 25.0}, ["1/E", "cell type"]),
        ({}, []),
    ],
)
def test_reference_lines_that_are_close_share_a_label(
    lines: dict[str, float], labels: list[str]
) -> None:
    panel = figures.Panel("probe", {"adabn": [1.0, 2.0]}, lines)
    axis = figures.replicate_panels([panel], simulated=True).axes[0]
    assert [text.get_text() for text in axis.texts] == labels
