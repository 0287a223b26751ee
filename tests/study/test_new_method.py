"""A method is one entry: registered, it appears in the runs, the tables and the figures."""

from __future__ import annotations

import pandas as pd
import pytest

from rxrx_lib.models.methods import METHODS, Method
from rxrx_lib.study import catalogue, figures, panels, tables
from rxrx_lib.study.profiles import PROFILES
from tests.study.handmade import table1_results

FIFTH = Method(
    name="fifth", label="A fifth method", grouped=True, reverses=False, statistics="training"
)


def test_a_new_method_adds_its_runs_its_row_and_its_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    results = table1_results(3)
    fifth = results[results["method"] == "adabn"].assign(method=FIFTH.name)
    results = pd.concat([results, fifth], ignore_index=True)
    monkeypatch.setitem(METHODS, FIFTH.name, FIFTH)

    demo = PROFILES["demo"]
    specs = [spec for spec in catalogue.table1(demo) if spec.method == FIFTH.name]
    assert len(specs) == 3 * len(demo.replicates)

    words = panels.simulated_panel(tables.table1(results), panels.ACCURACY_COLUMNS)
    assert words["method"].tolist()[-1] == FIFTH.label
    assert words.iloc[-1, 1:4].tolist() == words.set_index("method").loc["AdaBN"].tolist()[:3]

    drawn = figures.replicate_panels(panels.replicate_figure_panels(results), simulated=True)
    names = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert names[-1] == FIFTH.label
    styles = [tuple(figures.method_style(method).values()) for method in METHODS]
    assert len(set(styles)) == len(METHODS)
