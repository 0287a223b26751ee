"""Cheap rivals: which runs and ways they are made of, their table, sentences and figure."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.study import ledger as ledger_module
from rxrx_lib.study import rival_pages as words
from rxrx_lib.study import rivals
from rxrx_lib.study.catalogue import CATALOGUE, table1
from rxrx_lib.study.claims import PERCENT
from rxrx_lib.study.derived import own_prediction, write_derived
from rxrx_lib.study.panels import PLUS_MINUS
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.rival_figure import rival_figure
from rxrx_lib.study.rival_files import EMBEDDINGS, FEATURES, FILE, FORMAT
from rxrx_lib.study.runs import Run, open_run
from rxrx_lib.study.spec import PredictSpec
from tests.study.handmade import REPLICATES
from tests.study.stored import finish_with_predictions, made_up_predictions, predict
from tests.study.tiny import PROFILE

TRAINED = {name: each for name, each in PROFILES.items() if each.replicates}
each_profile = pytest.mark.parametrize("plan", TRAINED.values(), ids=TRAINED)

# Accuracy on the separated split, one value a replicate.
FOUND = {
    "baseline": (40.0, 50.0, 60.0),
    "baseline_swapped": (50.0, 61.0, 72.0),
    "baseline_swapped_neck": (45.0, 53.0, 64.0),
    "adabn": (60.0, 62.0, 64.0),
    "adabn_running": (39.0, 48.0, 60.0),
    "adabn_trained_neck": (57.0,),
    "embeddings": (41.0, 49.0, 60.0),
    "embeddings_standardised": (50.0, 55.0, 66.0),
    "both_standardised": (30.0, 50.0, 70.0),
    "commonest": (20.0, 20.0, 20.0),
}


def frame(replicates: int = 3) -> pd.DataFrame:
    rows = [
        {
            "rival": name,
            "split": split,
            "replicate": replicate,
            "screen_seed": int(replicate.split("/")[0]),
            "accuracy": value + more,
            "accuracy_treatments": value + more - 10,
            "seen": 48.0 if rivals.RIVALS[name].sees else 0.0,
        }
        for split, more in (("separated", 0.0), ("stratified_by_site", 5.0))
        for name, found in FOUND.items()
        for replicate, value in zip(REPLICATES[:replicates], found, strict=False)
    ]
    return pd.DataFrame(rows)


@each_profile
def test_all_but_two_trainings_are_table_1s(plan: Profile) -> None:
    specs = CATALOGUE["rivals"](plan)
    own = [spec for spec in specs if spec not in table1(plan)]
    parts = {(spec.method, spec.network.adapts, spec.split.name) for spec in own}
    if plan.screen is None:  # a whole minibatch of the release passes no device at once
        assert not own
    else:
        assert parts == {("adabn", part, "separated") for part in ("neck", "trunk")}
        assert len(own) == 2 * plan.curve_replicates
        for spec in own:
            joint = dataclasses.replace(spec.network, adapts="all")
            assert dataclasses.replace(spec, network=joint) in specs


def test_every_network_rival_is_predicted_by_weights_of_its_training() -> None:
    plan = PROFILES["demo"]
    asked = {
        (spec.method, spec.network.adapts, way.statistics, way.adapting(spec))
        for spec in rivals.rivals(plan)
        for way in rivals.asked(spec)
    }
    wanted = {each.network for each in rivals.RIVALS.values() if each.kind == "network"}
    assert asked == wanted
    own = PredictSpec(statistics="experiment", embeddings=False)
    adabn = plan.run("adabn", rivals.SEPARATED, plan.replicates[0])
    assert own in rivals.asked(adabn)
    assert rivals.asked(rivals.with_adapting(adabn, "neck")) == [own]  # what it was trained for


def test_only_what_measures_statistics_or_corrects_by_experiment_sees_test_experiments() -> None:
    blind = {name for name, each in rivals.RIVALS.items() if not each.sees}
    assert blind == {
        "baseline",
        "adabn_running",
        "embeddings",
        "intensity",
        "cell_count",
        "position",
        "commonest",
    }


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with one replicate's runs, predictions and files of other rivals."""
    for number, spec in enumerate(rivals.rivals(PROFILE)):
        run = finish_with_predictions(spec, tmp_path)
        for seed, way in enumerate(rivals.asked(spec)):
            if run.stored_prediction(way) is None:
                made = made_up_predictions(spec, seed=10 * number + seed)
                digest = run.provenance()["sha256"]["weights.pt"]
                predict(run, way, made, weights_sha256=digest)
    for number, spec in enumerate(rivals.measured_runs(PROFILE)):
        names = [*EMBEDDINGS.values(), *FEATURES]
        reached = {
            name: {"accuracy": place + 10.0 * number, "accuracy_treatments": place - 1.0}
            for place, name in enumerate(names)
        }
        content = {"format": FORMAT, "seen": 31.5, "rivals": reached, "counted": None}
        write_derived(own_prediction(open_run(tmp_path, spec), spec), FILE, content)
    return tmp_path


def test_what_the_store_holds_is_gathered_by_rival_split_and_replicate(store: Path) -> None:
    found = rivals.gather_rivals(PROFILE, store)
    trained_so = {"adabn_trained_neck", "adabn_trained_trunk"}
    assert set(found["rival"]) == rivals.RIVALS.keys() - trained_so
    assert not found.duplicated(["rival", "split", "replicate"]).any()
    assert len(found) == 2 * len(set(found["rival"]))
    assert rivals.values(found, "embeddings_centred") == {"-1/0": 1.0}
    assert rivals.values(found, "embeddings_centred", split="stratified_by_site") == {"-1/0": 11.0}
    spec = next(s for s in rivals.rivals(PROFILE) if s.method == "adabn")
    way = PredictSpec(statistics="experiment", embeddings=False, adapts="trunk")
    run = Run(store / spec.id)
    with np.load(run.prediction(way) / "predictions.npz") as arrays:
        test = arrays["side"] == "test"
        right = arrays["top_sirna_id"][test, 0] == arrays["sirna_id"][test]
    assert rivals.values(found, "adabn_trunk")["-1/0"] == pytest.approx(100 * right.mean())
    separated = found[found["split"] == "separated"]
    seen = dict(zip(separated["rival"], separated["seen"], strict=True))
    assert {name for name, sites in seen.items() if sites == 31.5} == {
        name for name in seen if rivals.RIVALS[name].sees
    }
    assert seen["position"] == 0


def test_an_empty_store_gives_no_row_and_no_cell(tmp_path: Path) -> None:
    found = rivals.gather_rivals(PROFILE, tmp_path)
    assert found.empty
    assert rivals.cells(found) == []
    assert words.rival_table(found).empty
    assert words.contrast_claims(found) == []
    assert words.swap_claim(found) == "The exchange was not measured here."


def test_what_needs_no_training_has_one_value_a_screen() -> None:
    found = frame().assign(screen_seed=-1)  # the release: one screen for all replicates
    assert rivals.own_values(found, "commonest") == {"10/0": 20.0}
    assert len(rivals.own_values(found, "embeddings")) == 3
    assert len(rivals.own_values(frame(), "commonest")) == 3
    apart = rivals.difference(found, "commonest")
    assert apart is not None
    assert (apart.mean, apart.n) == (-30.0, 3)


def test_differences_are_paired_over_the_replicates_that_both_have() -> None:
    apart = rivals.difference(frame(), "adabn_trained_neck", reference="adabn")
    assert apart is not None
    assert (apart.mean, apart.n) == (-3.0, 1)
    assert rivals.difference(frame(), "position") is None


def test_a_rival_with_fewer_replicates_than_the_baseline_says_how_many() -> None:
    found = frame()
    last = found["replicate"].iloc[-1]
    fewer = found[(found["rival"] != "adabn") | (found["replicate"] != last)]
    reached = words.rival_table(fewer).set_index("rival")["separated"]
    assert reached["AdaBN"].endswith("(n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}2)")
    assert "(n" not in reached["Baseline"]


def test_the_table_says_what_each_sees_reaches_and_differs_by() -> None:
    table = words.rival_table(frame()).set_index("rival")
    assert table["sees"]["Baseline"] == "nothing"
    assert table["sees"]["AdaBN"] == "48\N{NO-BREAK SPACE}sites"
    # Differences 10, 11, 12: mean 11, and t(0.975, 2) · 1 / √3 = 2.48 to both sides.
    assert table.loc["Baseline, statistics swapped at test", "minus baseline"] == (
        "+11.0 (+8.5 to +13.5)"
    )
    assert table.loc["AdaBN in the neck only, trained so", "minus baseline"] == "+17.0, undecided"
    assert (
        table.loc["AdaBN in the neck only, trained so", "separated"]
        == "57.0 (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1)"
    )
    assert table.loc["Baseline", "minus baseline"] == table.loc["AdaBN", "minus AdaBN"] == ""
    assert table.loc["Baseline", "separated"] == f"50.0{PLUS_MINUS}24.8"
    assert table.loc["Baseline", "by site"] == f"55.0{PLUS_MINUS}24.8"
    treatments = words.treatment_table(frame()).set_index("rival")
    assert treatments.loc["Baseline", "treatments"] == f"40.0{PLUS_MINUS}24.8"
    assert treatments["minus baseline"].equals(table["minus baseline"])


def test_the_two_by_two_is_training_by_test_statistics() -> None:
    table = words.square_table(frame())
    assert table["tested by training's statistics"].tolist() == [
        f"50.0{PLUS_MINUS}24.8",
        f"49.0{PLUS_MINUS}26.2",
    ]
    differences = table["the second minus the first"].str.split(" ").str[0]
    assert differences.tolist() == ["+11.0", "+13.0"]


def test_parts_are_compared_within_weights_and_training_within_replicates() -> None:
    table = words.part_table(frame()).set_index("adapts")
    assert table.loc["the neck only", "baseline's weights, at test"].startswith("54.0")
    assert table.loc["the neck only", "trained so too, minus AdaBN"] == "−3.0, undecided"
    assert table.loc["the trunk only"].tolist() == ["", "", ""]
    assert table.loc["all", "trained so too, minus AdaBN"] == ""


def test_sentences_say_above_below_or_neither_and_one_replicate_is_undecided() -> None:
    lines = words.contrast_claims(frame())
    assert lines[1] == (
        "Baseline, statistics swapped at test, against baseline: above, +11.0 points "
        f"(95{PERCENT} interval +8.5 to +13.5, 3 replicates, paired)."
    )
    assert lines[1] == words.swap_claim(frame())
    assert any(line.startswith("AdaBN, against baseline, stat") for line in lines)
    assert (
        "AdaBN in the neck only, trained so, against AdaBN: −3.0 points, from one replicate: "
        in ("".join(lines))
    )
    both = next(line for line in lines if line.startswith("Cell count and intensity"))
    assert ": cannot be told apart, +0.0 points" in both
    assert lines[-1].startswith(f"These are {len(lines) - 1} comparisons")
    assert all("undecided" in line for line in words.contrast_claims(frame(1))[:-1])


def test_the_number_of_sites_seen_is_said() -> None:
    assert "sees 48 unlabelled sites" in words.seen_claim(frame())
    other = frame()
    other.loc[0, "seen"] = 1200.4
    assert "sees 48 to 1,200 unlabelled sites" in words.seen_claim(other)
    assert words.seen_claim(frame().assign(seen=float("nan"))) == (
        "How many sites a rival sees was not counted here."
    )


def test_how_well_nuclei_are_counted_is_told_where_a_truth_is_known(store: Path) -> None:
    assert words.count_claim(PROFILE, store).startswith("No truth says")
    for place, spec in enumerate(rivals.measured_runs(PROFILE)):
        folder = own_prediction(open_run(store, spec), spec)
        reached = {name: {} for name in (*EMBEDDINGS.values(), *FEATURES)}
        content = {"format": FORMAT, "seen": 1.0, "rivals": reached, "counted": 0.5 + place / 4}
        write_derived(folder, FILE, content)
    assert words.count_claim(PROFILE, store).endswith("a correlation of 0.50 to 0.75.")


def test_the_figure_has_a_row_a_rival_and_hollow_dots_for_those_that_see_nothing() -> None:
    drawn = rival_figure(frame(), simulated=True)
    names = [
        label.get_text().replace("\n", " ")
        for axis in drawn.axes
        for label in axis.get_yticklabels()
    ]
    assert names == [rivals.RIVALS[name].label for name in rivals.RIVALS if name in FOUND]
    faces = [
        line.get_markerfacecolor()
        for axis in drawn.axes
        for line in axis.lines
        if line.get_linestyle() == "None"
    ]
    sees = [each.sees for name, each in rivals.RIVALS.items() if name in FOUND]
    assert [face != "white" for face in faces] == sees
    assert "SIMULATED" in [text.get_text() for text in drawn.texts]
    assert not rival_figure(frame(1), simulated=False).texts


def test_the_ledger_has_a_row_a_rival(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        ledger_module,
        "gather_rivals",
        lambda profile, store: frame() if profile.screen is not None else frame().iloc[:0],
    )
    rows = ledger_module.ledger(tmp_path, PROFILES["demo"])
    here = rows[rows["item"] == "rivals"].set_index(["row", "column"])
    assert here.loc[("adabn", "separated"), "simulated"] == 62.0
    assert here.loc[("adabn", "separated_treatments"), "simulated"] == 52.0
    assert here.loc[("adabn", "by_site"), "simulated"] == 67.0
    assert here.loc[("adabn_trained_neck", "separated"), "simulated_n"] == 1
    assert here["paper"].isna().all()
    assert len(here) == 3 * len(FOUND)
