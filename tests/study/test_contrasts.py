"""Contrasts of the paper beside those measured here: pairs, signs, words; and their panels."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from rxrx_lib.evaluation.intervals import Interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import ablation_figures, ablation_panels, ablations, contrasts, paper
from rxrx_lib.study import few_experiments as few
from rxrx_lib.study.claims import contrast_claim
from rxrx_lib.study.figures import method_style
from rxrx_lib.study.profiles import PROFILES
from tests.study.handmade import (
    few_results,
    joint_results,
    normalization_results,
    variant_results,
)

LABELS = ablations.variant_labels(PROFILES["demo"])
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def variants(replicates: int = 2) -> ablations.Accuracies:
    return ablations.accuracies(ablations.by_variant(variant_results(replicates)))


def normalizations() -> ablations.Accuracies:
    return ablations.accuracies(ablations.by_normalization(normalization_results()))


def test_a_gap_is_paired_and_has_the_papers_beside_it() -> None:
    first, second, *_ = contrasts.gap_contrasts("table2", variants(), LABELS)
    assert (first.label, first.found.mean) == ("AdaBN against baseline, “Default”", 10.0)
    assert first.paper == pytest.approx(87.1 - 75.2)
    assert second.found.mean == 9.0
    assert second.found.n == 2


def test_the_gap_of_tables_5_and_6_is_between_the_two() -> None:
    found = contrasts.gap_contrasts(("table5", "table6"), normalizations(), paper.NORMALIZATIONS)
    by_label = {each.label: each for each in found}
    assert len(found) == 4  # the rows that were run
    gap = by_label["AdaBN against baseline, “All images per plate”"]
    assert gap.paper == pytest.approx(82.6 - 73.4)
    assert gap.found.mean == 9.0


def test_rows_of_two_families_are_not_compared() -> None:
    labels = [each.label for each in contrasts.variant_contrasts(variants(), LABELS)]
    assert len(labels) == 8
    resnets = [label for label in labels if "resnet_small" in label]
    assert len(resnets) == 2
    assert all("resnet_small_deep" in label and "densenet" not in label for label in resnets)


def test_a_row_is_compared_with_its_reference_method_by_method() -> None:
    found = contrasts.variant_contrasts(variants(), LABELS)
    assert [each.found.mean for each in found[:4]] == [-1.0, -2.0, -2.0, -4.0]
    assert found[2].paper == pytest.approx(75.6 - 75.2)
    against_self = contrasts.normalization_contrasts(normalizations(), paper.NORMALIZATIONS)
    assert {each.label for each in against_self} >= {
        "AdaBN, “All images per plate” against “Self-standardization”"
    }
    assert all(each.found.mean < 0 and each.paper < 0 for each in against_self)


def test_cell_types_and_joint_training_have_their_contrasts() -> None:
    alone, together = few.alone(few_results()), few.together(joint_results())
    found = contrasts.cell_type_contrasts(alone)
    assert [each.found.mean for each in found] == [2.0, 4.0, 6.0] * 2
    assert found[-1].paper == pytest.approx(44.1 - 2.8)
    joined = contrasts.joint_contrasts(alone, together, ["U2OS"])
    assert [each.found.mean for each in joined] == [-5.0, -7.0, -9.0, -11.0]
    assert joined[0].paper == pytest.approx(26.1 - 2.8)
    assert contrasts.joint_contrasts(alone, {}, ["U2OS"]) == []


def test_a_difference_takes_the_replicates_that_both_have() -> None:
    found = contrasts.difference({"a": 5.0, "b": 7.0}, {"b": 4.0, "c": 0.0})
    assert found is not None
    assert (found.mean, found.n) == (3.0, 1)
    assert contrasts.difference({"a": 5.0}, {"c": 0.0}) is None
    assert contrasts.difference(None, {"c": 0.0}) is None


def test_sentences_count_signs_and_say_what_one_replicate_cannot() -> None:
    single = contrasts.variant_contrasts(variants(replicates=1), LABELS)
    summary, first, *_ = contrasts.contrast_sentences(single)
    # The paper: − − + − − − + +; here everything falls, and the deeper ResNet by one or two.
    assert summary == (
        "By the bare sign of the mean, which one replicate cannot tell from luck, 5 of 8 "
        "contrasts point the paper's way."
    )
    assert first == (
        f"Baseline, “{MINUS} CutMix” against “Default”: down in the paper, {MINUS}1.0 points in "
        "the simulation's one replicate (undecided here)."
    )
    summary, *_ = contrasts.contrast_sentences(contrasts.variant_contrasts(variants(), LABELS))
    assert "luck" not in summary
    tie = [contrasts.Contrast("a tie", 1.0, Interval(0.0, -1.0, 1.0, 2))]
    assert contrasts.contrast_sentences(tie)[0].endswith(
        "0 of 1 contrasts point the paper's way, and 1 neither way."
    )
    assert contrasts.contrast_sentences([]) == []


@pytest.mark.parametrize(
    ("printed", "values", "words"),
    [
        (1.0, [2.0, 2.1, 1.9], "up in the paper, up in the simulation (the same direction)"),
        (-1.0, [2.0, 2.1, 1.9], "down in the paper, up in the simulation (the opposite direction)"),
        (1.0, [2.0, -2.1, 1.9], "up in the paper, neither way in the simulation (undecided here)"),
        (1.0, [2.0], "up in the paper, +2.0 points in the simulation's one replicate (undecided"),
        (0.0, [2.0], "neither way in the paper, +2.0 points in the simulation's one replicate"),
    ],
)
def test_a_contrast_is_decided_by_its_interval_alone(
    printed: float, values: list[float], words: str
) -> None:
    paired = contrasts.difference(
        {str(number): value for number, value in enumerate(values)},
        {str(number): 0.0 for number in range(len(values))},
    )
    assert paired is not None
    assert contrast_claim("this", printed, paired).startswith(f"this: {words}")


def test_contrasts_as_numbers_keep_their_intervals() -> None:
    data = contrasts.contrast_data(contrasts.variant_contrasts(variants(), LABELS))
    assert list(data["points"][:2]) == [-1.0, -2.0]
    assert list(data["replicates"]) == [2] * 8
    assert data["low"].notna().all()


def test_the_panel_has_both_methods_and_their_gap_in_words() -> None:
    panel = ablation_panels.gap_panel(variants(replicates=1), LABELS, "model").set_index("model")
    assert list(panel.loc["Default"]) == ["40.0", "50.0", "+10.0"]
    panel = ablation_panels.gap_panel(normalizations(), paper.NORMALIZATIONS, "normalisation")
    assert list(panel.iloc[0]) == ["All images", "", "", ""]  # not run
    assert panel.iloc[-1]["Baseline"] == "42.0\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}25.4"
    words = ablation_panels.cell_type_panel(few.alone(few_results())).set_index("method")
    assert list(words.loc["AdaBN"]) == ["54.0", "", "", "34.0"]


def test_the_page_says_how_many_runs_and_that_one_replicate_knows_no_spread() -> None:
    runs, known = ablation_panels.run_sentences(variant_results(1))
    assert runs.startswith("12 runs. One took 1 s in the middle, 1 to 1 s, on a machine")
    assert "nothing is known of the spread" in known
    assert "2 replicates" in ablation_panels.run_sentences(variant_results())[1]
    assert ablation_panels.run_sentences(pd.DataFrame([])) == []


def test_the_data_behind_a_figure_have_a_line_a_replicate() -> None:
    data = ablation_panels.accuracy_data(variants(), LABELS, "model")
    assert len(data) == 6 * 2 * 2
    assert set(data["model"]) == set(LABELS.values())


def test_the_figure_draws_both_methods_in_every_row_and_writes_the_gap() -> None:
    lines = ablation_panels.majority_line(variant_results())
    assert lines == {"most common class": 16.0}
    figure = ablation_figures.gap_figure(variants(), LABELS, lines, simulated=True)
    (axis,) = figure.axes
    words = [text.get_text() for text in axis.texts]
    assert [word for word in words if word.startswith("+")] == [
        "+10.0", "+9.0", "+8.0", "+7.0", "+6.0", "+5.0",
    ]  # fmt: skip
    labels = [label.get_text().replace("\n", " ") for label in axis.get_yticklabels()]
    assert labels == list(LABELS.values())
    for method in ablations.COMPARED:
        (named,) = (line for line in axis.lines if line.get_label() == METHODS[method].label)
        assert named.get_marker() == method_style(method)["marker"]
    assert "SIMULATED" in [text.get_text() for text in figure.texts]
    assert not ablation_figures.gap_figure(variants(), LABELS, lines, simulated=False).texts


def test_a_figure_leaves_out_rows_without_a_run_and_a_gap_without_both_methods() -> None:
    found = {("self", "baseline"): {"10/0": 40.0}}
    figure = ablation_figures.gap_figure(found, paper.NORMALIZATIONS, {}, simulated=True)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "Self-standardization"
    ]
    assert not [text for text in figure.axes[0].texts if text.get_text().startswith("+")]


def test_learning_curves_have_a_panel_a_cell_type_and_a_line_a_run() -> None:
    curves = few.learning_curves(few_results(replicates=2))
    figure = ablation_figures.learning_figure(curves, simulated=True)
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == ["HUVEC", "U2OS"]
    assert [len(axis.lines) for axis in figure.axes] == [2 * len(METHODS)] * 2


def test_dots_of_table_4_are_panelled_by_cell_type_with_the_most_common_class() -> None:
    results = few_results()
    panels = ablation_panels.cell_type_figure_panels(few.alone(results), results)
    assert [panel.title for panel in panels] == ["HUVEC", "U2OS"]
    assert panels[0].values["adabn"] == [54.0]
    assert panels[0].lines == {"most common class": 16.0}
