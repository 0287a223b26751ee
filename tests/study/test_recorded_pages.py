"""The recorded study on pages: whole, in part, absent, and in a build of the study itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.study import recorded, recorded_pages
from rxrx_lib.study.catalogue import separated_runs, table2
from rxrx_lib.study.finding_pages import any_measured
from rxrx_lib.study.findings import finding
from rxrx_lib.study.panels import simulated_panel
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.tables import table1
from tests.study.stored import finish_with_predictions, made_up_predictions

STUDY, DEMO = PROFILES["study"], PROFILES["demo"]
SPECS = separated_runs(STUDY)[:8]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root that has recorded two of five replicates of the separated runs."""
    root = tmp_path_factory.mktemp("root")
    for seed, spec in enumerate(SPECS):
        answers = made_up_predictions(spec, seed=seed, accuracy=0.4)
        finish_with_predictions(spec, root / "runs", answers)
    recorded.record(root / "results" / "study", STUDY, root / "runs")
    return root


def shown(size, specs_of, root: Path) -> str:
    return recorded_pages.recorded_table(
        size,
        specs_of,
        lambda found, _: simulated_panel(table1(found), {"accuracy_separated": "separated"}),
        caption="Accuracy.",
        name="some-table",
        root=root,
    ).myst


def test_a_table_says_in_front_which_profile_how_much_of_it_and_what_made_it(root: Path) -> None:
    lines = shown(DEMO, separated_runs, root).splitlines()
    assert lines[0] == (
        ":::{table} SIMULATED. Profile study: 48 epochs, 2 replicates, 8 of 20 runs, made "
        "2026-01-02 by rxrx_lib 0.1.0, commit aaaaaaaaaa on a processor. Accuracy."
    )
    words = recorded_pages.source_words(separated_runs, root)
    assert lines[0] == f":::{{table}} {words} Accuracy."
    accuracy = recorded_pages.recorded_results(separated_runs, root)
    mean = accuracy[accuracy["method"] == "adabn"]["accuracy"].mean()
    assert f"| AdaBN | {mean:.1f}" in "\n".join(lines)


def test_what_is_not_recorded_is_said_in_a_sentence(root: Path, tmp_path: Path) -> None:
    words = "- Profile study: none of these {} runs is recorded in results/study yet.\n"
    assert recorded_pages.source_words(table2, tmp_path) == ""
    assert shown(DEMO, table2, tmp_path) == words.format(36)
    some = [spec for spec in table2(STUDY) if spec not in SPECS]
    assert shown(DEMO, lambda size: some, root) == words.format(len(some))


def test_a_build_of_the_study_does_not_show_it_twice(root: Path) -> None:
    assert "numbers are those above" in shown(STUDY, separated_runs, root)
    assert recorded_pages.recorded_lines([finding("adabn_raises_separated")], STUDY, root) == {}


def test_sentences_of_the_study_name_it_and_stay_out_where_its_table_does(
    root: Path, tmp_path: Path
) -> None:
    def said(size: Profile, store: Path) -> str:
        return recorded_pages.recorded_sentences(
            size, separated_runs, lambda found, _: [f"{len(found)} runs."], store
        ).myst

    assert said(DEMO, root) == "- SIMULATED, study. 8 runs.\n"
    assert said(STUDY, root) == said(DEMO, tmp_path) == "\n"


def test_findings_are_held_against_the_recorded_runs_with_their_wells(
    root: Path, tmp_path: Path
) -> None:
    every = [finding("adabn_raises_separated"), finding("cutmix_helps")]
    assert recorded_pages.recorded_lines(every, DEMO, tmp_path) == {}
    (name, lines), *others = recorded_pages.recorded_lines(every, DEMO, root).items()
    assert (name, others) == ("SIMULATED, study", [])
    (part,) = lines[0].parts
    results = recorded_pages.recorded_results(separated_runs, root)
    means = results.groupby("method")["accuracy"].mean()
    assert part.value == pytest.approx(means["adabn"] - means["baseline"])
    assert part.found.n == 2
    assert part.wells is not None
    assert not any_measured(lines[1:])


def test_the_items_are_counted_as_asked_and_as_recorded(root: Path, tmp_path: Path) -> None:
    counts = recorded_pages.recorded_items(root).set_index("item")
    assert counts.loc["table1", ["runs", "recorded", "replicates", "epochs"]].tolist() == [
        "60",
        "8",
        "2",
        "48",
    ]
    assert counts.loc["table4", ["recorded", "replicates"]].tolist() == ["0", ""]
    assert set(recorded_pages.recorded_items(tmp_path)["recorded"]) == {"0"}


def test_the_sizes_table_takes_its_numbers_from_the_profiles() -> None:
    sizes = recorded_pages.profile_table().set_index("setting")
    assert sizes.loc["epochs"].tolist() == [str(DEMO.recipe.epochs), str(STUDY.recipe.epochs)]
    single = sizes.loc["epochs of single effects"].tolist()
    assert single == [str(DEMO.strength_epochs), str(STUDY.strength_epochs)]
    seeds = sizes.loc["replicates of Table 1 (screen/training seed)"]
    assert seeds.tolist() == ["10/0, 11/1, 12/2", "10/0, 11/1, 12/2, 13/3, 14/4"]


def test_the_last_quarter_is_what_comes_after_three_quarters_of_the_epochs() -> None:
    def run(method: str, accuracies: list[float], replicate: str) -> dict:
        epochs = list(range(8))
        return {
            "method": method,
            "split": "separated",
            "replicate": replicate,
            "accuracy": accuracies[-1],
            "history": {"epoch": epochs, "test_accuracy": accuracies},
        }

    nothing = np.nan
    results = pd.DataFrame(
        [
            run("baseline", [nothing, 10, nothing, 20, nothing, 30.0, nothing, 31.5], "a"),
            run("baseline", [nothing, 10, nothing, 20, nothing, 30.0, nothing, 29.5], "b"),
        ]
    )
    assert recorded_pages.last_quarter_claims(results) == [
        "Baseline gains +0.5 points in the mean of 2 runs, \N{MINUS SIGN}0.5 to +1.5 run by run."
    ]
    assert recorded_pages.last_quarter_claims(pd.DataFrame()) == []
