"""The curve of the reversal coefficient: which runs it takes, what it says, how it is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import reversal_tradeoff as tradeoff
from rxrx_lib.study.catalogue import reversal_tradeoff, table1
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.figures import method_style
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.runs import open_run
from rxrx_lib.study.spec import PredictSpec
from rxrx_lib.study.tradeoff_figures import tradeoff_panels
from tests.study.handmade import tradeoff_results
from tests.study.tiny import BY_SITE, run_spec

TRAINED = {name: each for name, each in PROFILES.items() if each.replicates}


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("plan", TRAINED.values(), ids=TRAINED)
def test_each_coefficient_is_trained_on_both_splits_and_zero_is_the_method_without_reversal(
    plan: Profile,
) -> None:
    specs = reversal_tradeoff(plan)
    assert len({spec.id for spec in specs}) == len(specs)
    for replicate in range(plan.curve_replicates):
        for split in ("held_out_training", "stratified"):
            found = {
                (spec.method, spec.recipe.reversal_coefficient if reverses else 0.0)
                for spec in specs
                if spec.split.name == split and spec.seed == plan.replicates[replicate].seed
                for reverses in (METHODS[spec.method].reverses,)
            }
            above = {
                (name, each) for name in tradeoff.CURVES for each in plan.reversal_coefficients
            }
            assert found == above | {("baseline", 0.0), ("adabn", 0.0)}


def test_the_curve_pairs_methods_that_differ_in_the_reversal_alone() -> None:
    for reversing, plain in tradeoff.CURVES.items():
        assert METHODS[reversing].reverses
        assert not METHODS[plain].reverses
        assert METHODS[reversing].grouped == METHODS[plain].grouped
        assert METHODS[reversing].statistics == METHODS[plain].statistics


def test_what_table_1_has_trained_already_is_not_trained_again() -> None:
    plan = PROFILES["demo"]
    shared = {s.id for s in reversal_tradeoff(plan)} & {s.id for s in table1(plan)}
    assert len(shared) == 4
    assert len(reversal_tradeoff(plan)) - len(shared) == 12


@pytest.mark.parametrize("grouped", [False, True])
def test_the_coefficient_zero_of_a_reversing_method_is_the_method_without_reversal(
    grouped: bool, release: Path, tmp_path: Path
) -> None:
    plain, reversing = (
        ("adabn", "adabn_gradient_reversal") if grouped else ("baseline", "gradient_reversal")
    )
    predictions = []
    for name in (plain, reversing):
        spec = run_spec(name, BY_SITE, epochs=2, reversal_coefficient=0.0)
        run_one(spec, Runtime(data=release, runs=tmp_path))
        asked = PredictSpec(statistics=METHODS[name].statistics)
        folder = open_run(tmp_path, spec).prediction(asked)
        with np.load(folder / "predictions.npz") as stored:
            predictions.append(stored["embedding"])
    np.testing.assert_array_equal(*predictions)


def test_points_are_means_over_replicates_by_rising_coefficient() -> None:
    found = tradeoff.curves(tradeoff_results())
    assert list(found) == ["gradient_reversal", "adabn_gradient_reversal"]
    points = found["gradient_reversal"]
    assert [point.coefficient for point in points] == [0.0, 1.0, 10.0]
    assert [point.mean("accuracy_held_out") for point in points] == [51.0, 53.0, 21.0]
    assert [point.mean("batch_classification") for point in points] == [60.0, 10.0, 20.0]
    assert [point.mean("batch_probe_linear") for point in points] == [70.0, 55.0, 30.0]


def test_a_coefficient_with_runs_to_come_is_left_out() -> None:
    results = tradeoff_results()
    done = (results["reversal_coefficient"] < 10) | (results["split"] == "held_out_training")
    points = tradeoff.curves(results[done])["gradient_reversal"]
    assert [point.coefficient for point in points] == [0.0, 1.0]
    assert tradeoff.curves(pd.DataFrame([])) == {}
    assert tradeoff.tradeoff_claims(pd.DataFrame([])) == []
    assert tradeoff.tradeoff_cells(pd.DataFrame([])) == []


def test_sentences_name_the_coefficients_and_what_changed_from_zero() -> None:
    reading, accuracy, *others = tradeoff.tradeoff_claims(tradeoff_results())
    space = "\N{NO-BREAK SPACE}"
    assert reading == (
        "Gradient reversal: of its coefficients above 0, its own head reads the experiment least "
        f"at 1. From coefficient 0 to there the head trained along goes from 60.0 to "
        f"10.0{space}% of sites, a fresh linear probe from 70.0 to 55.0{space}%."
    )
    # Paired differences 1 and 3: their t interval is 2 ± 12.7, one degree of freedom.
    assert accuracy == (
        "Gradient reversal: of its coefficients above 0, 1 names most siRNAs of held-out "
        f"experiments, 53.0{space}%: +2.0 points more than coefficient 0 (95{space}% interval "
        "\N{MINUS SIGN}10.7 to +14.7, 2 replicates)."
    )
    assert len(others) == 2


def test_one_replicate_says_that_it_knows_nothing_of_its_spread() -> None:
    results = tradeoff_results()
    alone = results[results["replicate"] == "10/0"]
    assert "from one replicate, which says nothing" in tradeoff.tradeoff_claims(alone)[1]


def test_table_and_data_have_every_coefficient_of_every_method() -> None:
    results = tradeoff_results()
    table = tradeoff.tradeoff_table(results, tradeoff.ACCURACY_COLUMNS)
    data = tradeoff.tradeoff_data(results)
    assert list(table["coefficient"]) == ["0", "1", "10"] * 2
    assert table["accuracy, held-out experiments"][1] == "53.0"
    assert len(data) == 2 * 3 * 2
    first = data[(data["method"] == "Gradient reversal") & (data["coefficient"] == 1)]
    assert list(first["accuracy_held_out"]) == [51.0, 55.0]
    cells = {(c.row, c.column): c for c in tradeoff.tradeoff_cells(results)}
    assert cells["gradient_reversal_10", "accuracy_held_out"].value == 21.0
    assert cells["gradient_reversal_10", "accuracy_held_out"].n == 2


def test_the_figure_has_a_panel_a_reading_with_the_coefficients_in_order_and_labelled() -> None:
    results = tradeoff_results()
    lines = tradeoff.reference_lines(results)
    assert lines == {"1/E": 2.0, "cell type": 8.0, "most common class": 17.0}
    figure = tradeoff_panels(tradeoff.curves(results), lines, simulated=True)
    for axis, x in zip(figure.axes, ([60.0, 10.0, 20.0], [70.0, 55.0, 30.0]), strict=True):
        curves = {line.get_label(): line for line in axis.lines}
        for method in tradeoff.CURVES:
            assert curves[METHODS[method].label].get_marker() == method_style(method)["marker"]
        drawn = curves["Gradient reversal"]
        assert list(drawn.get_xdata()) == x
        assert list(drawn.get_ydata()) == [51.0, 53.0, 21.0]
        labels = [text.get_text() for text in axis.texts]
        assert [label for label in labels if label in ("0", "1", "10")] == ["0", "1", "10"] * 2
        assert axis.get_ylim() == (0, 70)
        assert "most common class" in labels


def test_coefficients_that_lie_close_together_share_a_label() -> None:
    found = {name: points[:2] for name, points in tradeoff.curves(tradeoff_results()).items()}
    near = {
        name: [point._replace(values=points[0].values) for point in points]
        for name, points in found.items()
    }
    for curves, labels in ((found, ["0", "1"]), (near, ["0, 1"])):
        axis = tradeoff_panels(curves, {}, simulated=True).axes[0]
        assert [text.get_text() for text in axis.texts] == labels * 2


def test_the_figure_is_marked_when_it_is_simulated_and_only_then() -> None:
    results = tradeoff_results()
    for simulated in (True, False):
        curves, lines = tradeoff.curves(results), tradeoff.reference_lines(results)
        figure = tradeoff_panels(curves, lines, simulated=simulated)
        assert [text.get_text() for text in figure.texts] == ["SIMULATED"] * simulated
