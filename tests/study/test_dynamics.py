"""Figure 10: curves of the test accuracy, how soon they are nearly at their end, their spread."""

from __future__ import annotations

import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import dynamics, dynamics_pages
from rxrx_lib.study.dynamics_figures import dynamics_figure
from rxrx_lib.study.figures import method_style
from tests.study.handmade import REPLICATES, row

NAN = math.nan
MEASURED = {
    "baseline": ([NAN, 20.0, NAN, 40.0, NAN, 50.0], [NAN, 20.0, NAN, 46.0, NAN, 50.0]),
    "gradient_reversal": ([NAN, 20.0, NAN, 40.0, NAN, 50.0],) * 2,
    "adabn": ([NAN, 70.0, NAN, 60.0, NAN, 70.0], [NAN, 64.0, NAN, 70.0, NAN, 70.0]),
    "adabn_gradient_reversal": ([NAN, 70.0, NAN, 60.0, NAN, NAN],) * 2,
}


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def results(replicates: int = 2) -> pd.DataFrame:
    """Return separated runs of six epochs, measured after each second one."""
    rows = []
    for method, curves in MEASURED.items():
        for replicate, measured in zip(REPLICATES[:replicates], curves, strict=False):
            history = {
                "epoch": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
                "learning_rate": [0.1, 0.09, 0.06, 0.03, 0.01, 0.0],
                "test_accuracy": measured,
            }
            end = 77.0 if math.isnan(measured[-1]) else measured[-1]
            rows.append(row(method, "separated", replicate, end, history=history))
            rows.append(row(method, "stratified_by_site", replicate, 90.0, history=history))
    return pd.DataFrame(rows)


def test_a_curve_has_the_measured_epochs_alone_counted_as_done() -> None:
    first = dynamics.curves(results())[0]
    assert (first.method, first.replicate) == ("baseline", "10/0")
    assert first.epochs == (2, 4, 6)
    assert first.accuracy == (20.0, 40.0, 50.0)


def test_an_end_that_was_not_measured_is_the_runs_own_accuracy() -> None:
    last = dynamics.curves(results())[-1]
    assert last.epochs == (2, 4, 6)
    assert last.accuracy == (70.0, 60.0, 77.0)


def test_nearly_there_is_the_first_measurement_of_90_percent_of_the_end() -> None:
    epochs = [curve.epochs_nearly for curve in dynamics.curves(results())]
    assert epochs == [6, 4, 6, 6, 2, 2, 2, 2]
    cells = {cell.row: cell for cell in dynamics.dynamics_cells(results())}
    assert cells["baseline"].column == "epochs_to_90_percent"
    assert (cells["baseline"].value, cells["baseline"].n) == (5.0, 2)


def test_the_mean_is_taken_where_every_replicate_was_measured() -> None:
    curves = [
        dynamics.Curve("adabn", "a", (1, 2, 4), (10.0, 20.0, 40.0)),
        dynamics.Curve("adabn", "b", (2, 3, 4), (30.0, 35.0, 50.0)),
    ]
    assert dynamics.mean_curve(curves) == ([2, 4], [25.0, 45.0])


def test_sentences_compare_speed_with_the_baseline_within_replicates() -> None:
    base, reversal, adabn, both = dynamics_pages.speed_claims(results())
    assert "after 5.0 epochs (4 to 6 in 2 replicates)." in base
    assert "+1.0 epochs against the baseline (95" in reversal
    assert "after 2.0 epochs (in each of 2 replicates)" in adabn
    assert "\N{MINUS SIGN}3.0 epochs against the baseline" in both


def test_equal_differences_have_no_interval_of_no_width() -> None:
    same = results()
    same = same[same["replicate"] == REPLICATES[0]]
    twice = pd.concat([same, same.assign(replicate=REPLICATES[1])])
    adabn = dynamics_pages.speed_claims(twice)[2]
    assert adabn.endswith("in each replicate, as finely as it was measured.")
    assert "interval" not in adabn


def test_one_replicate_says_that_it_knows_nothing_of_its_spread() -> None:
    alone = results(replicates=1)
    assert "says nothing of its own spread" in dynamics_pages.speed_claims(alone)[0]
    assert dynamics_pages.spread_claims(alone) == []
    assert set(dynamics_pages.curve_table(alone)["standard deviation"]) == {"one replicate"}


def test_the_page_says_how_finely_it_was_measured() -> None:
    assert dynamics_pages.resolution_words(results()).startswith("Measured after 2, 4 and 6 epochs")
    blind = results()
    for history in blind["history"]:
        history["test_accuracy"] = [NAN] * 6
    assert dynamics_pages.resolution_words(blind).startswith("These runs were measured at their")
    assert [curve.epochs_nearly for curve in dynamics.curves(blind)] == [6] * 8


def test_the_data_have_a_row_a_measurement() -> None:
    data = dynamics_pages.curve_data(results())
    assert len(data) == 8 * 3
    assert list(data.iloc[0]) == ["Baseline", "10/0", 2, 20.0]


def test_the_papers_panel_has_its_words_and_what_was_measured_on_rxrx1() -> None:
    panel = dynamics_pages.paper_panel({}).set_index("method")
    assert set(panel["RxRx1, this code: epochs to 90 %"]) == {"not run here"}
    assert "converges faster" in panel.loc["AdaBN", "the paper says"]
    (cell, *_) = dynamics.dynamics_cells(results())
    measured = dynamics_pages.paper_panel({"baseline": cell})
    assert measured.iloc[0, 2] == "5.0 (n = 2)"


def test_each_replicate_is_thin_and_the_mean_bold_with_the_baselines_mean_beside_it() -> None:
    found = results()
    figure = dynamics_figure(dynamics.curves(found), dynamics.learning_rates(found), simulated=True)
    *panels, rates = figure.axes
    assert [axis.get_title(loc="left") for axis in panels] == [r.label for r in METHODS.values()]
    adabn = panels[list(METHODS).index("adabn")]
    widths = [line.get_linewidth() for line in adabn.lines]
    bold = adabn.lines[widths.index(max(widths))]
    assert list(bold.get_ydata()) == [67.0, 65.0, 70.0]
    assert bold.get_marker() == method_style("adabn")["marker"]
    assert sum(width < 1 for width in widths) == 2
    assert len(adabn.lines) == 4  # the baseline's mean, two replicates, their mean
    assert len(panels[0].lines) == 3
    assert list(rates.lines[0].get_xdata()) == [1, 2, 3, 4, 5, 6]
    assert [text.get_text() for text in figure.texts] == ["SIMULATED"]


def test_no_runs_give_no_curves() -> None:
    empty = pd.DataFrame([])
    assert dynamics.curves(empty) == dynamics.dynamics_cells(empty) == []
    assert dynamics_pages.speed_claims(empty) == []
    assert dynamics.learning_rates(empty) == ([], [])


def test_runs_without_a_history_are_passed_over() -> None:
    some = results()
    some.at[0, "history"] = {}
    assert len(dynamics.curves(some)) == 7
    assert dynamics.learning_rates(some)[0] == [1, 2, 3, 4, 5, 6]
    bare = some.drop(columns="history")
    assert dynamics.curves(bare) == []
    assert dynamics.learning_rates(bare) == ([], [])
