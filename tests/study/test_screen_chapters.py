"""The chapters on the screen run on the release too, where nothing is simulated or counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import matplotlib.pyplot as plt
import pytest

from rxrx_lib.data.images import pack
from rxrx_lib.study import pages
from tests.data.screens import as_kaggle
from tests.study.tiny import write_release

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def code_cells(stem: str) -> list[Any]:
    notebook = jupytext.read(NOTEBOOKS / f"{stem}.md", fmt="md:myst")
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect what pages show, as text."""
    collected: list[str] = []
    shown = pages.Shown.__init__

    def collect(self: pages.Shown, myst: str, page: str) -> None:
        collected.append(myst + page)
        shown(self, myst, page)

    monkeypatch.setattr(pages, "figures_as_svg", lambda: None)
    monkeypatch.setattr(pages.Shown, "__init__", collect)
    yield collected
    plt.close("all")


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of screens with Kaggle's files in the release's place."""
    data = tmp_path_factory.mktemp("kaggle")
    write_release(data)
    as_kaggle(data / "rxrx1", "names")
    pack(data / "rxrx1")
    return data


@pytest.mark.parametrize("variant", ["release", "kaggle"])
@pytest.mark.parametrize("stem", ["screen", "batch_effect"])
def test_a_chapter_runs_on_the_release_without_a_mark_of_simulation(
    stem: str, variant: str, request: pytest.FixtureRequest, outputs: list[str]
) -> None:
    release = request.getfixturevalue(variant)
    names: dict[str, Any] = {}
    figures = 0
    for cell in code_cells(stem):
        exec(compile(cell.source, stem, "exec"), names)
        if "parameters" in cell.metadata.get("tags", []):
            names |= {"profile": "paper", "data": str(release)}
        if "mystnb" in cell.metadata:
            figures += 1
            texts = [text.get_text() for text in names["figure"].findobj(plt.Text)]
            assert "SIMULATED" not in texts
            assert len(cell.metadata["mystnb"]["image"]["alt"]) > 60
            assert names["figure"].axes
    assert figures >= 3
    assert names["simulated"] is False
    assert outputs
    assert not any("SIMULATED" in shown for shown in outputs)
    if stem == "screen":
        assert any("The number of cells is not known" in shown for shown in outputs)
        assert any("These counts are not those of the release" in shown for shown in outputs)
