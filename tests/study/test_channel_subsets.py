"""Figures 8 and 9: which runs they take, what they say, how they are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.evaluation.shapley import SUBSETS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import channel_games, channel_subsets, paper
from rxrx_lib.study.catalogue import CATALOGUE, table1
from rxrx_lib.study.channel_figures import WITH, WITHOUT, share_panels, subset_figure
from rxrx_lib.study.channel_games import Shares, channel_shares
from rxrx_lib.study.channel_subsets import masked_runs, subset_runs
from rxrx_lib.study.figures import method_style
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.spec import RunSpec
from tests.study.handmade import subset_accuracy, subset_results

TRAINED = {name: each for name, each in PROFILES.items() if each.replicates}
SPACE, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
NONE = 4.0
# 2 and 4 share 30 points; what all but the empty subset have more than it, 6, is shared by all.
VALUES = [5.0 + 1, 15.0 + 1, 1.0, 15.0 + 1, 1.0, -1.0 + 1]


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("plan", TRAINED.values(), ids=TRAINED)
def test_every_subset_is_trained_once_a_replicate_and_they_differ_in_channels_alone(
    plan: Profile,
) -> None:
    specs = subset_runs(plan)
    assert [spec.channels for spec in specs] == list(SUBSETS) * plan.subset_replicates
    assert len({spec.id for spec in specs}) == len(specs)
    for spec in specs:
        assert (spec.method, spec.split.name) == ("baseline", "separated")
    assert len({(spec.data, spec.recipe, spec.network, spec.seed) for spec in specs}) == (
        plan.subset_replicates
    )
    assert {spec.id for spec in CATALOGUE["figure8"](plan)} == {
        spec.id for spec in [*specs, *masked_runs(plan)]
    }


@pytest.mark.parametrize("plan", TRAINED.values(), ids=TRAINED)
def test_masks_take_no_training_of_their_own(plan: Profile) -> None:
    assert {s.id for s in masked_runs(plan)} <= {s.id for s in table1(plan)}
    assert [spec.method for spec in masked_runs(plan)] == (list(METHODS) * plan.subset_replicates)


def test_the_demo_trains_subsets_for_two_thirds_and_says_so() -> None:
    plan = PROFILES["demo"]
    assert {spec.recipe.epochs for spec in subset_runs(plan)} == {8}
    assert plan.recipe.epochs * 2 / 3 == 8
    assert "for 8 epochs, all six channels included, and the other runs of this profile for 12" in (
        channel_subsets.epochs_words(plan)
    )


def test_where_all_train_alike_all_six_channels_are_table_1s_run() -> None:
    plan = PROFILES["paper"]
    shared = {s.id for s in subset_runs(plan)} & {s.id for s in table1(plan)}
    assert len(shared) == plan.subset_replicates == 1
    assert channel_subsets.epochs_words(plan).endswith("as all runs of this profile.")


def test_cells_are_each_subsets_accuracy_and_its_gain_over_all_six() -> None:
    cells = {(c.row, c.column): c for c in channel_subsets.subset_cells(subset_results(2))}
    assert len(cells) == 63 + 62
    assert cells["channels_26", "accuracy"].replicates == {"10/0": 39.0, "11/1": 40.0}
    for number in paper.numbers("figure9"):
        assert cells[number.row, number.column].replicates == {"10/0": 1.0, "11/1": 1.0}
    assert cells["channels_356", "gain"].value == 9 - 44


def test_sentences_ask_what_the_paper_found_of_channel_6() -> None:
    gain, count, added = channel_subsets.subset_claims(subset_results())
    assert gain == (
        "All but channel 6: +1.0 points against all six (one replicate, which says nothing of its "
        "own spread)."
    )
    # Without channel 1, 2345 reaches 40 and all six 44; the other five subsets have it.
    assert count == (
        "Of the 6 subsets of 4 or more channels without channel 6, 5 lie above all six."
    )
    assert added == (
        "Channel 6 added to a subset of the others: accuracy is higher with it in 0 of 31 pairs, "
        f"by {MINUS}1.0 points on average over all of them."
    )
    several = channel_subsets.subset_claims(subset_results(3))[0]
    assert f"(95{SPACE}% interval +1.0 to +1.0, 3 replicates)" in several


def test_without_a_run_that_it_needs_a_sentence_is_left_out() -> None:
    results = subset_results()
    lacking = results[results["channels"] != "123456"]
    assert [line[:15] for line in channel_subsets.subset_claims(lacking)] == []
    assert channel_subsets.subset_claims(pd.DataFrame([])) == []
    assert channel_subsets.subset_cells(pd.DataFrame([])) == []
    assert len(channel_subsets.subset_table(pd.DataFrame([]))) == 0


def test_the_data_have_every_subset_in_every_replicate() -> None:
    data = channel_subsets.subset_table(subset_results(2))
    assert len(data) == 2 * 63
    row = data[(data["channels"] == "26") & (data["screen/training seed"] == "11/1")]
    assert row[["number", "accuracy", "accuracy on treatments"]].to_numpy().tolist() == [
        [2, 40, 38]
    ]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Stand in for a run store of the demo: `results` of the subsets, and the `masked` games."""
    game = {frozenset(s): subset_accuracy(s) for s in SUBSETS} | {frozenset(): NONE}
    held = {"results": subset_results(), "masked": dict.fromkeys(METHODS, game)}

    def masked_accuracy(spec: RunSpec, _: Path) -> object:
        return held["masked"].get(spec.method)

    monkeypatch.setattr(channel_games, "gather", lambda specs, store: held["results"])
    monkeypatch.setattr(channel_games, "masked_accuracy", masked_accuracy)
    return held


def shares() -> list[Shares]:
    return channel_shares(PROFILES["demo"], "nowhere")


def test_each_game_has_the_shapley_values_of_its_accuracies(store: dict[str, object]) -> None:
    found = shares()
    assert [each.row for each in found] == [
        "baseline_retrained",
        *(f"{method}_masked" for method in METHODS),
    ]
    for each in found:
        np.testing.assert_allclose(each.values["10/0"], VALUES, atol=1e-9)
        assert each.all_channels["10/0"] - each.none["10/0"] == pytest.approx(sum(VALUES))
    cells = {(c.row, c.column): c.value for c in channel_games.share_cells(found)}
    assert cells["adabn_masked", "channel_2"] == pytest.approx(16.0)
    assert len(cells) == 5 * 6


def test_a_game_that_is_not_whole_is_left_out(store: dict[str, object]) -> None:
    store["results"] = subset_results().iloc[1:]
    store["masked"].pop("adabn")
    assert [each.row for each in shares()] == [
        f"{method}_masked" for method in METHODS if method != "adabn"
    ]
    store["masked"].clear()
    assert shares() == []
    assert channel_games.none_line([]) == {}
    assert len(channel_games.share_table([])) == len(channel_games.share_data([])) == 0
    assert channel_games.share_claims([]) == channel_games.share_cells([]) == []


def test_an_empty_store_has_no_game_and_loads_no_shap(tmp_path: Path) -> None:
    assert channel_shares(PROFILES["demo"], tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_the_table_shows_that_values_add_up(store: dict[str, object]) -> None:
    table = channel_games.share_table(shares())
    first = table.iloc[0]
    assert first["game"] == "Baseline, trained anew on each subset"
    assert first["2"] == "16.0"
    assert (first["sum"], first["all six"], first["none"], first["all minus none"]) == (
        "40.0",
        "44.0",
        "4.0",
        "40.0",
    )


def test_sentences_order_channels_and_compare_with_the_baselines_masked_network(
    store: dict[str, object],
) -> None:
    lines = channel_games.share_claims(shares())
    assert lines[0].startswith(
        "Baseline, trained anew on each subset: from most to least, channels "
    )
    assert "1 (6.0), 3 (1.0), 5 (1.0), 6 (0.0)" in lines[0].replace(f"{MINUS}0.0", "0.0")
    assert lines[0].endswith("in points; one replicate.")
    assert len(lines) == 5 + 4
    assert all(line.endswith("masked network is 1.00.") for line in lines[5:])


def test_the_subsets_are_drawn_by_size_and_accuracy_with_channel_6_marked() -> None:
    values = channel_subsets.subset_values(subset_results(2))
    figure = subset_figure(values, {"commonest class": NONE}, simulated=True)
    left, right = figure.axes
    points = [line for line in right.lines if line.get_marker() in ("o", "s")]
    assert len(points) == 63
    sizes = np.array([len(s) for s in sorted(SUBSETS, key=len)])
    means = np.array([np.mean(line.get_xdata()) for line in points])
    for size in range(1, 7):
        assert (np.diff(means[sizes == size]) <= 1e-9).all()
    with_6 = sum(line.get_marker() == WITH["marker"] for line in points)
    assert (with_6, len(points) - with_6) == (32, 31)
    assert WITH["color"] != WITHOUT["color"]
    members = [line for line in left.lines if line.get_marker() in ("o", "s")]
    assert len(members) == sum(map(len, SUBSETS))
    assert [text.get_text() for text in right.texts] == ["commonest class", "all six"]
    assert [text.get_text() for text in figure.texts] == ["SIMULATED"]
    assert [text.get_text() for text in left.get_yticklabels()] == list("123456")


def test_some_subsets_can_be_drawn_too() -> None:
    values = {(1,): {"10/0": 5.0}, (1, 6): {"10/0": 7.0}}
    figure = subset_figure(values, {}, simulated=False)
    assert figure.texts == []
    assert CHANNELS not in values


def test_each_game_has_a_panel_and_each_method_its_own_marker(store: dict[str, object]) -> None:
    figure = share_panels(shares(), simulated=True)
    upper, lower = figure.axes
    assert upper.get_title("left") == "Trained anew on each subset"
    assert lower.get_title("left") == "One network, channels masked"
    for axis, methods in ((upper, ["baseline"]), (lower, list(METHODS))):
        markers = [line.get_marker() for line in axis.lines if line.get_linestyle() == "None"]
        assert markers == [method_style(m)["marker"] for m in methods for _ in CHANNELS]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [record.label for record in METHODS.values()]
    assert len(share_panels(shares()[1:], simulated=False).axes) == 1
